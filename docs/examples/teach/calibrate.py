"""
Calibrate, and check the result
===============================

Among galaxies with ``P_bar`` near 0.3, three in ten should be barred. ``calibrate`` makes this true
for galaxies like those that you pass. It keeps their order.
"""
# %%
# Simulate spirals of a second survey, in different seeing. The SDSS weights do not know this
# survey. Half of the spirals are barred.
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table
from scipy.ndimage import gaussian_filter

from astromorph import MorphologyClassifier, read_cutout
from astromorph.datasets import load_sample
from astromorph.plots import plot_reliability, plot_roc

sample = load_sample()
spirals = sample[["spiral" in name for name in sample["name"]]]
bar = np.array(["barred" in name for name in spirals["name"]], dtype=float)
rng = np.random.default_rng(1)


def observe(row):
    seeing = rng.uniform(1, 3)
    pixels = gaussian_filter(read_cutout(spirals["file"][row]).pixels, (seeing, seeing, 0))
    pixels = 0.5 + 0.5 * np.rot90(pixels.clip(0, 1) ** 0.35, rng.integers(4))
    return (255 * (pixels + rng.normal(0, 0.15, pixels.shape)).clip(0, 1)).astype("uint8")


rows, test_rows = rng.integers(6, size=100), rng.integers(6, size=150)
images, test_images = [observe(row) for row in rows], [observe(row) for row in test_rows]

# %%
# Calibrate with the labels of one question. Test on other galaxies than those that calibrate.
before = MorphologyClassifier.from_pretrained("sdss")
labels = Table({"bar": bar[rows]})
after = before.calibrate(images, labels, survey="legacy", cutout_r90=6.1)
after.calibration_report

# %%
# Draw the fraction of bars against ``P_bar``. On the diagonal, the probabilities are right.
probabilities = {name: clf.predict(test_images, cutout_r90=6.1)[:, 2]
                 for name, clf in {"before": before, "after": after}.items()}
fig, axes = plt.subplots(1, 2, figsize=(8.4, 4.5), layout="constrained")
for ax, (name, p_bar) in zip(axes, probabilities.items()):
    plot_reliability(bar[test_rows], p_bar, label=name, ax=ax)

# %%
# The order of the galaxies has not changed, and neither has the ROC curve. The threshold has moved
# along the curve.
ax = None
for name, p_bar in probabilities.items():
    ax = plot_roc(bar[test_rows], p_bar, label=name, ax=ax)

# %%
# See also
# --------
# - :doc:`/calibrating`: methods, and samples with other base rates
# - :doc:`/which_weights`: how to choose a threshold
# - `~astromorph.classifier.MorphologyClassifier.calibrate`,
#   `~astromorph.plots.plot_reliability` and `~astromorph.plots.plot_roc`: all arguments
