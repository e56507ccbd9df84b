"""Draw the pictures of the documentation that need no measuring, within a minute.

    python benchmarks/pictures.py docs

Of the simulated galaxies: ``demo.jpg``, what ``astromorph demo`` draws, and ``frame.png``, from the
cutout to the pixels of the network. From tables that other scripts have measured:
``robustness.png``, ``speed.png`` and ``networks.png``.
"""
import argparse
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from documents import read_list_table, write_picture

from astromorph import MorphologyClassifier, plot_mosaic, read_cutout
from astromorph.datasets import load_sample
from astromorph.images import load_frame
from astromorph.running import probabilities

NETWORKS = ("pinwheel", "whirlpool", "ds18")
KINDS = ("blur, sigma in R90", "noise")
LINES = {"disk, gz2": "disk", "edge_on, gz2": "edge_on", "bar, efigi": "bar"}


def draw_demo(classifier):
    """The simulated galaxies with their probabilities."""
    sample = load_sample()
    table = classifier.classify(sample, images="file", r90="petroR90", progress=False)
    axes = plot_mosaic([read_cutout(path, survey="sdss").pixels for path in sample["file"]],
                       probabilities(table, classifier.questions), titles=sample["name"],
                       questions=classifier.questions)
    return axes[0, 0].figure


def draw_frame(classifier):
    """From the cutout to what the network sees: two galaxies, three pictures each."""
    sample = load_sample()[[0, 7]]
    figure, axes = plt.subplots(2, 3, figsize=(8, 5.4), layout="constrained")
    for row, galaxy in zip(axes, sample):
        width = classifier.model.frame_r90 * galaxy["petroR90"]
        cutout = read_cutout(galaxy["file"], survey="sdss")
        side = width / cutout.pixel_scale
        frame, _ = load_frame(galaxy["file"], classifier.model.size, r90=galaxy["petroR90"],
                              frame_r90=classifier.model.frame_r90, survey="sdss")
        pixels = classifier.model.prepare([frame])[0]
        for ax, image, title in zip(row, (cutout.pixels, frame, pixels), (
                "cutout", "frame", "bands by their maximum")):
            ax.imshow(image, origin="upper")
            ax.set(title=title, xticks=[], yticks=[])
        corner = np.array(cutout.pixels.shape[:2]) / 2 - side / 2
        row[0].add_patch(plt.Rectangle(corner[::-1], side, side, fill=False, color="w"))
    return figure


def draw_robustness(out):
    """ROC area against the size of a change, from the table of the default network."""
    rows = read_list_table(out, f"robustness_{NETWORKS[0]}_table")
    figure, axes = plt.subplots(1, len(KINDS), figsize=(9, 3.6), sharey=True, layout="constrained")
    for ax, kind in zip(axes, KINDS):
        chosen = [row for row in rows if row["change"] in ("as it is", kind)]
        sizes = [float(row["size"] or 0) for row in chosen]
        for column, label in LINES.items():
            ax.plot(sizes, [float(row[column]) for row in chosen], marker="o", label=label)
        ax.set(xlabel=kind, xticks=sizes)
    axes[0].set_ylabel("ROC area")
    axes[0].legend(frameon=False)
    return figure


def draw_speed(out):
    """Images a second end to end, from the table of simulated galaxies."""
    rows = read_list_table(out, "speed_simulated_table")
    rows = [row for row in rows if "alone" not in row["way"]][::-1]
    figure, ax = plt.subplots(figsize=(7.5, 2.4), layout="constrained")
    bars = ax.barh([row["way"].replace("`", "") for row in rows],
                   [float(row["images per second"]) for row in rows])
    ax.bar_label(bars, padding=3)
    ax.set(xlabel="images per second, from files to the table, on 2 cores")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def draw_networks(out):
    """ROC areas of the SDSS weights with their intervals, on the three sets together."""
    figure, axes = plt.subplots(1, len(LINES), figsize=(9, 2.2), sharey=True, layout="constrained")
    for y, network in enumerate(NETWORKS[::-1]):
        areas = {row["question"]: row["ROC area"] for row in scores(out, network)}
        for ax, question in zip(axes, LINES.values()):
            area, low, high = map(float, re.findall(r"[\d.]+", areas[question]))
            ax.locator_params(axis="x", nbins=4)
            ax.errorbar(area, y, xerr=[[area - low], [high - area]], fmt="o", capsize=3)
            ax.set(title=question, xlabel="ROC area", yticks=range(len(NETWORKS)),
                   yticklabels=NETWORKS[::-1], ylim=(-0.5, len(NETWORKS) - 0.5))
    return figure


def scores(out, network):
    """Rows of the accuracy table on all sets together."""
    return [row for row in read_list_table(out, f"accuracy_{network}_table")
            if row["galaxies"] == "gz2 + efigi + sdss24"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the documentation")
    out = parser.parse_args().out

    plt.switch_backend("Agg")
    classifier = MorphologyClassifier.from_pretrained("sdss")
    write_picture(out, "demo.jpg", draw_demo(classifier), [("sdss", NETWORKS[0])])
    write_picture(out, "frame.png", draw_frame(classifier))
    write_picture(out, "speed.png", draw_speed(out))
    write_picture(out, "robustness.png", draw_robustness(out),
                  tables=[f"robustness_{NETWORKS[0]}_table"])
    write_picture(out, "networks.png", draw_networks(out),
                  tables=[f"accuracy_{name}_table" for name in NETWORKS])


if __name__ == "__main__":
    main()
