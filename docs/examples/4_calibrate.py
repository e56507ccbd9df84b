"""
Calibrate, and check the result
===============================

Among galaxies with ``P_bar`` near 0.3, three in ten should be barred. ``calibrate`` makes this true
for galaxies like those that you pass. It keeps their order.
"""
# %%
# Simulate galaxies of a second survey, which the SDSS weights do not know.
import matplotlib.pyplot as plt
from second_survey import WIDTH, galaxies

from astromorph import MorphologyClassifier
from astromorph.plots import plot_reliability, plot_roc

images, labels = galaxies(200, [1, 2, 3], seed=1)
test_images, test_labels = galaxies(250, [1, 2, 3], seed=2)

# %%
# Test on other galaxies than those that calibrate.
before = MorphologyClassifier.from_pretrained("sdss")
after = before.calibrate(images, labels, survey="legacy", cutout_r90=WIDTH)
after.calibration_report

# %%
# Draw the fraction of bars against ``P_bar``. On the diagonal, the probabilities are right.
answers = {name: clf.predict(test_images, cutout_r90=WIDTH)[:, 2]
           for name, clf in {"before": before, "after": after}.items()}
fig, axes = plt.subplots(1, 2, figsize=(8.4, 4.5), layout="constrained")
for ax, (name, probabilities) in zip(axes, answers.items()):
    plot_reliability(test_labels[:, 2], probabilities, label=name, ax=ax)

# %%
# The order of the galaxies has not changed, and neither has the ROC curve. The threshold has moved
# along the curve.
ax = None
for name, probabilities in answers.items():
    ax = plot_roc(test_labels[:, 2], probabilities, label=name, ax=ax)
