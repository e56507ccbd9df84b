"""
Adapt to another survey
=======================

Another survey shows the same galaxies sharper, deeper, or in other bands. A few labeled galaxies
adapt the classifier to it.
"""
# %%
# Simulate a second survey. It shows the galaxies of the sample, rotated and resized, in worse
# seeing. Faint parts are brighter, the colors differ, and there is more noise. Some galaxies are
# labeled. The others test the result.
import numpy as np
from second_survey import WIDTH, galaxies

from astromorph import MorphologyClassifier, plot_mosaic

images, labels = galaxies(120, [1, 2], seed=1)
test_images, test_labels = galaxies(80, [3], seed=2)
framed = {"cutout_r90": WIDTH}

# %%
# Before: apply the SDSS weights as they are. astromorph warns that the images are unusual.
before = MorphologyClassifier.from_pretrained("sdss")
before.evaluate(test_images, test_labels, **framed)["question", "n", "TPR", "precision", "AUC"]

# %%
# ``adapt`` returns a new classifier. Three passes over the galaxies are enough here. The default is
# more.
after = before.adapt(images, labels, survey="legacy", epochs=3, folds=0, **framed)
print(after.report)

# %%
# After: score galaxies that took no part in the training.
after.evaluate(test_images, test_labels, **framed)["question", "n", "TPR", "precision", "AUC"]

# %%
# Draw four of them: before in the upper row, after in the lower row.
four = test_images[:4]
answers = [clf.predict(four, **framed) for clf in (before, after)]
names = [f"{when}, galaxy {k}" for when in ("before", "after") for k in range(1, 5)]
axes = plot_mosaic([*four, *four], np.concatenate(answers), titles=names)
