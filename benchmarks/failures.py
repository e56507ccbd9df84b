"""The wrong answers that `accuracy.py` finds: counted, drawn by probability, shown as pictures.

``answers`` holds, for each set, labels (n, 3), probabilities (n, 3), and (catalog, kind of label).
"""
import re

import numpy as np

from astromorph import QUESTIONS, plot_mosaic, read_cutout

SURE = 0.1
"""A wrong answer is sure that is nearer than this to 0 or 1."""
DOUBTFUL = 0.2
"""An answer is in doubt that is nearer than this to 0.5."""
SHOWN = 24
COLORS = ("#4477AA", "#CCBB44", "#AA3377")

HEADER = ["galaxies", "question", "wrong", "false positives", "false negatives", "wrong in doubt",
          "wrong and sure"]


def failure_rows(answers):
    """Text rows: how many answers of each set and question are wrong, and how surely."""
    for name, (labels, raw, _) in answers.items():
        for q, question in enumerate(QUESTIONS):
            known = np.isfinite(labels[:, q] + raw[:, q])
            label, probability = labels[known, q], raw[known, q]
            wrong = (probability >= 0.5) != label
            false_positives = int((wrong & (label == 0)).sum())
            off = np.abs(probability[wrong] - 0.5)
            if known.any():
                yield [name, question.key, f"{wrong.sum()} of {known.sum()}",
                       f"{false_positives} of {(label == 0).sum():.0f}",
                       f"{wrong.sum() - false_positives} of {label.sum():.0f}",
                       str((off < DOUBTFUL).sum()), str((off > 0.5 - SURE).sum())]


def draw_failures(answers, path):
    """Histograms of the probability of wrong answers, a panel a question, by set."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(QUESTIONS), figsize=(12, 3.6), layout="constrained")
    for q, (question, ax) in enumerate(zip(QUESTIONS, axes)):
        wrong = {name: raw[:, q][np.isfinite(labels[:, q]) & np.isfinite(raw[:, q])
                                 & ((raw[:, q] >= 0.5) != labels[:, q])]
                 for name, (labels, raw, _) in answers.items()}
        ax.hist(wrong.values(), np.linspace(0, 1, 11), stacked=True, label=list(wrong),
                color=COLORS[:len(wrong)])
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.axvline(0.5, color="0.5", linestyle=":")
        ax.set(title=question.positive, xlim=(0, 1),
               xlabel=f"{question.column} of galaxies with the other label")
    axes[0].set_ylabel("Wrong answers")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    fig.savefig(path, dpi=110)
    plt.close(fig)


def write_pictures(network, answers, paths, folder):
    """Mosaics of the galaxies that are most wrong, a file a set, question and kind of error."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for name, (labels, raw, _) in answers.items():
        for q, question in enumerate(QUESTIONS):
            for label, kind in enumerate(("false_positives", "false_negatives")):
                rows = np.flatnonzero((labels[:, q] == label) & np.isfinite(raw[:, q])
                                      & ((raw[:, q] >= 0.5) != label))
                rows = rows[np.argsort(-np.abs(raw[rows, q] - 0.5), kind="stable")][:SHOWN]
                if not rows.size:
                    continue
                grid = plot_mosaic([read_cutout(paths[name][row]).pixels for row in rows],
                                   raw[rows], titles=[paths[name][row].stem for row in rows],
                                   n_columns=6)
                figure = grid[0, 0].figure
                stem = re.sub(r"\W+", "-", f"{network} {name} {question.key} {kind}")
                figure.savefig(folder / f"{stem}.png", dpi=100)
                plt.close(figure)
