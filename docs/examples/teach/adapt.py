"""
Adapt to another survey
=======================

Another survey shows the same galaxies sharper, deeper, or in other bands. A few labeled galaxies
adapt the classifier to it.
"""
# %%
# Simulate a second survey. It shows the galaxies of the sample, rotated, in worse seeing. Faint
# parts are brighter, and there is more noise. Use your own images and labels instead.
import numpy as np
from scipy.ndimage import gaussian_filter

from astromorph import MorphologyClassifier, plot_mosaic, read_cutout
from astromorph.datasets import load_sample

sample = load_sample()
rng = np.random.default_rng(1)


def observe(row):
    pixels = gaussian_filter(read_cutout(sample["file"][row]).pixels, (2, 2, 0)).clip(0, 1)
    pixels = 0.5 + 0.5 * np.rot90(pixels ** 0.35, rng.integers(4))
    return (255 * (pixels + rng.normal(0, 0.15, pixels.shape)).clip(0, 1)).astype("uint8")


# %%
# The labels say whether the galaxy has a disk, is edge-on, and has a bar. NaN means that the
# question makes no sense.
answers = {"smooth": (0, np.nan, np.nan), "edge-on": (1, 1, np.nan), "spiral": (1, 0, 0),
           "barred spiral": (1, 0, 1)}
labels = np.array([answers[name[10:-2]] for name in sample["name"]])
rows = [0, 1, 3, 4, 6, 7, 9, 10] * 10  # two galaxies of each kind
test_rows = [2, 5, 8, 11] * 12  # the third
images, test_images = [observe(row) for row in rows], [observe(row) for row in test_rows]
framed = {"cutout_r90": 6.1}

# %%
# Before: apply the SDSS weights as they are. astromorph warns that the images are unusual.
before = MorphologyClassifier.from_pretrained("sdss")
scores = before.evaluate(test_images, labels[test_rows], **framed)
scores["question", "n", "TPR", "precision", "AUC"]

# %%
# ``adapt`` returns a new classifier. Three passes over the galaxies are enough here. The default is
# more.
after = before.adapt(images, labels[rows], survey="legacy", epochs=3, folds=0, **framed)
print(after.report)

# %%
# After: score galaxies that took no part in the training.
scores = after.evaluate(test_images, labels[test_rows], **framed)
scores["question", "n", "TPR", "precision", "AUC"]

# %%
# Draw four of them: before in the upper row, after in the lower row.
four = test_images[:4]
probabilities = [clf.predict(four, **framed) for clf in (before, after)]
names = [f"{when}, galaxy {k}" for when in ("before", "after") for k in range(1, 5)]
axes = plot_mosaic([*four, *four], np.concatenate(probabilities), titles=names)

# %%
# See also
# --------
# - :doc:`/adapting`: forms of labels, what is trained, and the report
# - :doc:`/transfer`: how much labels bring, measured on real surveys
# - :doc:`/labeling`: which galaxies to label
# - `~astromorph.classifier.MorphologyClassifier.adapt` and
#   `~astromorph.classifier.MorphologyClassifier.evaluate`: all arguments
