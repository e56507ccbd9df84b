"""
Adapt to another survey
=======================

Another survey shows the same galaxies otherwise: sharper, deeper, in other bands. A few labeled
galaxies teach the classifier to read it.
"""
# %%
# A simulated second survey: the galaxies of the sample, turned and resized, under wider seeing,
# with a brighter stretch of the faint parts, other colors and more noise. Some galaxies are
# labeled, others show what it brought.
import numpy as np
from second_survey import WIDTH, galaxies

from astromorph import MorphologyClassifier, plot_mosaic

images, labels = galaxies(120, [1, 2], seed=1)
test_images, test_labels = galaxies(80, [3], seed=2)
framed = {"cutout_r90": WIDTH}

# %%
# Before: the SDSS weights, applied as they are. They warn that the images look unusual.
before = MorphologyClassifier.from_pretrained("sdss")
before.evaluate(test_images, test_labels, **framed)["question", "n", "TPR", "precision", "AUC"]

# %%
# ``adapt`` returns a new classifier. Three passes over the galaxies are enough for these; by
# default there are more.
after = before.adapt(images, labels, survey="legacy", epochs=3, folds=0, **framed)
print(after.report)

# %%
# After, on galaxies that took no part:
after.evaluate(test_images, test_labels, **framed)["question", "n", "TPR", "precision", "AUC"]

# %%
# Four of them, before above and after below.
four = test_images[:4]
answers = [clf.predict(four, **framed) for clf in (before, after)]
names = [f"{when}, galaxy {k}" for when in ("before", "after") for k in range(1, 5)]
axes = plot_mosaic([*four, *four], np.concatenate(answers), titles=names)
