"""
Your own question
=================

Teach the bundled weights a question that they do not answer. This example asks whether a galaxy has
spiral arms. It takes a few hundred labeled galaxies, and seconds.
"""
# %%
# Make noisy, rotated copies of the simulated galaxies. Two of each kind teach the question. The
# third tests it.
import numpy as np
from astropy.table import Table

from astromorph import MorphologyClassifier, Question, plot_mosaic, read_cutout
from astromorph.datasets import load_sample

sample = load_sample()
has_arms = np.array(["spiral" in name for name in sample["name"]], dtype=float)
rng = np.random.default_rng(5)


def observe(row):
    pixels = np.rot90(read_cutout(sample["file"][row]).pixels, rng.integers(4))
    return (255 * (pixels + rng.normal(0, 0.05, pixels.shape)).clip(0, 1)).astype("uint8")


rows, test_rows = [0, 1, 3, 4, 6, 7, 9, 10] * 5, [2, 5, 8, 11] * 3
images, test_images = [observe(row) for row in rows], [observe(row) for row in test_rows]

# %%
# ``adapt`` fits a head to the numbers that the network computes. The answers to the old questions
# stay the same. Cross-validation tests the new one.
clf = MorphologyClassifier.from_pretrained("sdss")
question = Question("arms", positive="spiral arms", negative="no spiral arms")
labels = Table({"arms": has_arms[rows]})
mine = clf.adapt(images, labels, questions=[question], cutout_r90=6.1)
print(mine.report)

# %%
# The new classifier answers the old questions and yours.
tbl = mine.classify(test_images, cutout_r90=6.1)
tbl["P_disk", "P_edge_on", "P_bar", "P_arms"][:4]

# %%
# Score the galaxies that taught nothing, and draw the most likely spirals.
scores = mine.evaluate(test_images, Table({"arms": has_arms[test_rows]}), cutout_r90=6.1)
scores["question", "n", "TPR", "precision", "AUC"].pprint()
best = np.argsort(tbl["P_arms"])[::-1][:4]
titles = [f"P_arms = {tbl['P_arms'][row]:.2f}" for row in best]
probabilities = np.ma.stack([tbl["P_disk"], tbl["P_edge_on"], tbl["P_bar"]], axis=1)
axes = plot_mosaic([test_images[row] for row in best], probabilities[best], titles=titles)

# %%
# See also
# --------
# - :doc:`/own_question`: grades, classes, numbers, and questions that depend on others
# - :doc:`/adapting`: adapt the whole network
# - `~astromorph.questions.Question`: all fields
