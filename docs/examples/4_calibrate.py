"""
Calibrate, and see whether it holds
===================================

Among galaxies with ``P_bar`` near 0.3 three in ten should be barred. ``calibrate`` sees to that,
for galaxies like those it is given, and leaves their order as it is.
"""
# %%
# Galaxies of a simulated second survey, which the SDSS weights do not know.
import matplotlib.pyplot as plt
from second_survey import WIDTH, galaxies

from astromorph import MorphologyClassifier
from astromorph.plots import plot_reliability, plot_roc

images, labels = galaxies(200, [1, 2, 3], seed=1)
test_images, test_labels = galaxies(250, [1, 2, 3], seed=2)

# %%
# What calibrates must not be what is tested.
before = MorphologyClassifier.from_pretrained("sdss")
after = before.calibrate(images, labels, survey="legacy", cutout_r90=WIDTH)
after.calibration_report

# %%
# The fraction of bars against ``P_bar``: on the diagonal, the probabilities mean what they say.
answers = {name: clf.predict(test_images, cutout_r90=WIDTH)[:, 2]
           for name, clf in {"before": before, "after": after}.items()}
fig, axes = plt.subplots(1, 2, figsize=(8.4, 4.5), layout="constrained")
for ax, (name, probabilities) in zip(axes, answers.items()):
    plot_reliability(test_labels[:, 2], probabilities, label=name, ax=ax)

# %%
# The order of the galaxies, and so the ROC curve, has not changed; the threshold has moved along
# it.
ax = None
for name, probabilities in answers.items():
    ax = plot_roc(test_labels[:, 2], probabilities, label=name, ax=ax)
