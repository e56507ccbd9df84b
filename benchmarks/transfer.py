"""The experiments of Dominguez Sanchez et al. (2019, Table 2, Figures 2 and 3) on real galaxies.

    python benchmarks/transfer.py --data DATA --work WORK --out docs [--pairs ...] [--networks ...]

DATA has a sub-folder for each set (``gz2``, ``efigi``, ``sdss24``: SDSS; ``decals``: DECam), with
images and a ``labels.csv``. (0) weights of the source survey on galaxies of the source; (a) on
those of the target; (a*) the same after `align`, without labels; (b), (c), (d) adapted on as many
labeled galaxies of the target as in the paper: all layers, dense layers only, from scratch; (b50)
all layers for 50 epochs. All through the public API. Where bars have lengths (EFIGI), the tables
have further rows for strong and for weak ones, each against disks without any.

A training is a file in WORK, so that an interrupted run goes on where it was, and parts of the
work may run apart. Tables and figures show all that WORK has. ``--pictures`` also draws the bars
of Figure 3 as images, into WORK.
"""
import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from accuracy import SETS, probabilities, read_set, short, with_interval
from documents import list_table, note_weights
from astropy.table import Table
from bars import STRATA, attribute_labels

from astromorph import QUESTIONS, MorphologyClassifier
from astromorph.curves import roc_curve
from astromorph.metrics import central_interval, score
from astromorph.model.files import bundled, read_weights, write_weights

# Labels of each question that (b), (c) and (d) get, as many as there are.
N_TRAIN = (500, 500, 300)
ADAPT = {"b": {"train": "all"}, "b50": {"train": "all", "epochs": 50}, "c": {"train": "dense"},
         "d": {"train": "scratch", "align": False}}
NAMES = {"0": "source on source", "a": "direct", "a*": "direct, aligned", "b": "all layers",
         "b50": "all layers, 50 epochs", "c": "dense layers only", "d": "from scratch"}
# TPR, precision, accuracy; positive and other galaxies: Table 2 of the paper.
PAPER = {
    "disk": {"0": (.93, .91, .97, 674, 2696), "a": (.48, .92, .81, 797, 1612),
           "b": (.95, .91, .95, 78, 160), "c": (.96, .78, .90, 78, 160),
           "d": (.81, .77, .85, 78, 160)},
    "edge_on": {"0": (.98, .80, .96, 396, 2291), "a": (.91, .76, .93, 536, 2315),
           "b": (.96, .86, .95, 187, 551), "c": (.97, .77, .92, 187, 551),
           "d": (.97, .70, .89, 78, 160)},
    "bar": {"0": (.76, .79, .96, 169, 1637), "a": (.57, .35, .95, 61, 1707),
           "b": (.89, .73, .95, 9, 77), "c": (1.0, .50, .89, 9, 77), "d": (1.0, .10, .10, 9, 77)},
}
GAP = 0.01
"""A smaller one between direct and adapted is noise."""
SCORES = {"TPR": "tpr", "precision": "precision", "accuracy": "accuracy", "AUC": "auc"}
COLORS = {"0": "black", "a": "tab:red", "a*": "tab:orange", "b": "tab:blue", "b50": "tab:cyan",
          "c": "tab:green", "d": "tab:purple"}


@dataclass(frozen=True)
class Pair:
    """Weights of one set of galaxies, applied to another.

    Parameters
    ----------
    sources : tuple of str
        Sets of the source.
    target : str
        Set of the target.
    survey : str
        Of the target's images.
    framing : dict
        How the target's images are framed: options of `classify`.
    bundled : bool
        Whether the source's weights come with the package; else they are trained here, on the
        source alone.
    networks, experiments : tuple of str
        What is done.
    """

    sources: tuple
    target: str
    survey: str = "sdss"
    framing: dict = field(default_factory=lambda: {"cutout_r90": "cutout_r90"})
    bundled: bool = False
    networks: tuple = ("pinwheel", "ds18")
    experiments: tuple = ("0", "a", "a*", "b", "c", "d")


PAIRS = {
    "sdss-decals": Pair(SETS, "decals", "legacy", {"r90": "measure"}, True,
                        experiments=tuple(NAMES)),
    "sdss-decals-nominal": Pair(SETS, "decals", "legacy", bundled=True,
                                experiments=("a", "a*", "b")),
    "gz2-efigi": Pair(("gz2",), "efigi"),
    "efigi-gz2": Pair(("efigi",), "gz2"),
}


def read(data, sets, splits):
    """A table of path, cutout_r90, labels, catalog, and lengths of bars."""
    parts = [read_set(data, name, split) for name in sets for split in splits]
    paths, widths, labels, source = (np.concatenate([part[i] for part in parts])
                                     for i in range(4))
    table = Table({"path": [str(path) for path in paths], "cutout_r90": widths.astype(float),
                   "catalog": source[:, 0]})
    for question, column in zip(QUESTIONS, labels.T):
        table[question.key] = column
    known = attribute_labels(data, sets)
    lengths = dict(zip(map(str, known["path"]), known["bar_length"]))
    table["bar_length"] = [float(lengths.get(path, np.nan)) for path in table["path"]]
    return table


def labels_of(table):
    """(n, questions) labels."""
    return np.stack([table[question.key] for question in QUESTIONS], axis=1)


def draw_sample(table, seed):
    """As many labels of each question as the paper had, and the galaxies that have one."""
    table = table[np.random.default_rng(seed).permutation(len(table))]
    for question, n in zip(QUESTIONS, N_TRAIN):
        known = np.flatnonzero(np.isfinite(table[question.key]))
        table[question.key][known[n:]] = np.nan
    return table[np.isfinite(labels_of(table)).any(axis=1)]


def source_weights(pair, network, data, work):
    """The classifier to start from."""
    bundled = MorphologyClassifier.from_pretrained("sdss", network=network)
    if pair.bundled:
        return bundled
    path = work / f"{'+'.join(pair.sources)}-{network}.safetensors"
    if not path.exists():
        source = bundled.adapt(read(data, pair.sources, ("train", "val")), images="path",
                               cutout_r90="cutout_r90", train="scratch", epochs=24, folds=0,
                               align=False, validation_fraction=0.15)
        source.write(path, model_card=False)
        # Nothing but how bright SDSS images are stays of the bundled weights, for (a*), (b), (c).
        card, arrays = read_weights(path)
        write_weights(path, card | {"brightness": bundled.card["brightness"]}, arrays,
                      overwrite=True)
    return MorphologyClassifier.read(path)


def answer(classifier, table, framing):
    """Probabilities (n, questions)."""
    return probabilities(classifier.classify(table["path", "cutout_r90"], images="path",
                                             **framing))


def run(pair, network, experiment, seed, data, work):
    """Answers of one experiment to galaxies that it did not see, and what it took."""
    classifier = source_weights(pair, network, data, work)
    if experiment == "0":
        table, framing = read(data, pair.sources, ("test",)), {"cutout_r90": "cutout_r90"}
    else:
        table, framing = read(data, (pair.target,), ("test",)), pair.framing
    options = {"images": "path", "survey": pair.survey, **framing}
    rest = read(data, (pair.target,), ("train", "val"))
    n_train, start = np.zeros(3, int), (time.perf_counter(), time.process_time())
    if experiment == "a*":
        classifier = classifier.align(rest, **options)
    elif experiment in ADAPT:
        sample = draw_sample(rest, seed)
        n_train = np.isfinite(labels_of(sample)).sum(axis=0)
        classifier = classifier.adapt(sample, **options, **ADAPT[experiment], folds=0, seed=seed)
    seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    return {"labels": labels_of(table), "answers": answer(classifier, table, framing),
            "n_train": n_train, "seconds": seconds, "catalog": np.array(table["catalog"]),
            "path": np.array(table["path"]), "bar_length": np.array(table["bar_length"])}


def run_all(args):
    """Run what is missing."""
    for name in args.pairs:
        pair = PAIRS[name]
        for network in [one for one in pair.networks if one in args.networks]:
            for experiment in [one for one in pair.experiments if one in args.experiments]:
                for seed in range(args.seeds if experiment in ADAPT else 1):
                    path = args.work / f"{name}_{network}_{experiment}_{seed}.npz"
                    if not path.exists():
                        cell = run(pair, network, experiment, seed, args.data, args.work)
                        np.savez(path, **cell)
                        print(f"{path.stem}: {cell['seconds'][0]:.0f} s", flush=True)


def read_cells(work, name, network):
    """Experiment -> its cells, a seed each."""
    cells = {}
    for experiment in NAMES:
        paths = sorted(work.glob(f"{name}_{network}_{experiment.replace('*', '[*]')}_*.npz"))
        if paths:
            cells[experiment] = [dict(np.load(path)) for path in paths]
    return cells


def score_cells(labels, answers, n_resamples=300):
    """Mean scores over seeds (seeds, n), and their 68% intervals over galaxies and seeds."""
    rng = np.random.default_rng(0)

    def means(rows, seeds):
        scores = [score(labels[rows], answers[seed, rows]) for seed in seeds]
        return [np.mean([getattr(one, key) for one in scores]) for key in SCORES.values()]

    everything = np.arange(len(labels)), np.arange(len(answers))
    drawn = [means(*(rng.choice(rows, len(rows)) for rows in everything))
             for _ in range(n_resamples)]
    value = means(*everything)
    return {name + end: limit for name, mean, scores in zip(SCORES, value, np.transpose(drawn))
            for end, limit in zip(("", "_low", "_high"), (mean, *central_interval(scores, 0.68)))}


def precision_at(tpr, labels, answers):
    """Precision where the threshold is such that the true positive rate is at least that."""
    needed = max(int(np.ceil(tpr * labels.sum() - 1e-9)), 1)
    thresholds = np.sort(answers[:, labels == 1])[:, -needed]
    return np.mean([labels[p >= threshold].mean() for p, threshold in zip(answers, thresholds)])


def answers_of(cells, q, catalog=None):
    """Labels (n,) and answers (seeds, n) of one question, perhaps of one catalog."""
    chosen = np.isfinite(cells[0]["labels"][:, q])
    if catalog:
        chosen &= cells[0]["catalog"] == catalog
    return (cells[0]["labels"][chosen, q],
            np.stack([cell["answers"][chosen, q] for cell in cells]))


def table_rows(experiments, catalog=None):
    """Text rows of a table: one an experiment and question, and one a stratum of bars."""
    yield from question_rows(experiments, catalog)
    for name, limits in STRATA.items():
        for experiment, cells in experiments.items():
            labels, answers = stratum_of(cells, limits)
            if experiment != "0" and labels.any() and not catalog:
                scores = score_cells(labels, answers)
                yield [name, f"({experiment}) {NAMES[experiment]}",
                       f"{len(cells)}" if experiment in ADAPT else "", "",
                       f"{int(labels.sum())}/{len(labels)}",
                       *(with_interval(scores, each) for each in SCORES), "", ""]


def stratum_of(cells, limits):
    """Labels and answers of bars whose length is within limits, against disks without a bar."""
    length = cells[0]["bar_length"]
    positive = (length >= limits[0]) & (length <= limits[1])
    chosen = positive | (length == 0)
    return (positive[chosen].astype(float),
            np.stack([cell["answers"][chosen, 2] for cell in cells]))


def question_rows(experiments, catalog):
    """Text rows of the three questions."""
    for q, question in enumerate(QUESTIONS):
        for experiment, cells in experiments.items():
            if catalog and experiment == "0":
                continue
            labels, answers = answers_of(cells, q, catalog)
            scores = score_cells(labels, answers)
            paper = PAPER[question.key].get(experiment)
            yield [question.key, f"({experiment}) {NAMES[experiment]}",
                   f"{len(cells)}" if experiment in ADAPT else "",
                   f"{cells[0]['n_train'][q] or ''}", f"{int(labels.sum())}/{len(labels)}",
                   *(with_interval(scores, name) for name in SCORES),
                   *([short(precision_at(paper[0], labels, answers), "precision"),
                      "/".join(map(short, paper[:3], SCORES))] if paper else ["", ""])]


def gap_closed(experiments, q=0, scores=("accuracy", "auc")):
    """Share of the gap between direct and adapted that aligning closes, without labels."""
    direct, aligned, adapted = (
        np.array([np.mean([getattr(score(labels, p), key) for p in answers]) for key in scores])
        for labels, answers in (answers_of(experiments[e], q) for e in ("a", "a*", "b")))
    gap = np.where(adapted - direct >= GAP, adapted - direct, np.nan)
    return (aligned - direct) / gap


def write_tables(name, network, experiments, path):
    """The tables of a pair and network, and what they say of aligning and of time."""
    header = ["", "experiment", "trainings", "labels", "positive", "TPR", "precision", "accuracy",
              "ROC area", "precision at the paper's TPR", "paper: TPR / precision / accuracy"]
    source, target = "+".join(PAIRS[name].sources), PAIRS[name].target
    title = f"``{network}``: {source} to {target}"
    title += ", nominal widths" if name.endswith("nominal") else ""
    lines = list_table(title, header, table_rows(experiments))
    if target == "decals":
        lines += list_table(f"{title}, ``galaxy10_decals`` alone", header,
                            table_rows(experiments, "galaxy10 decals"))
    if target == "decals" and {"a", "a*", "b"} <= experiments.keys():
        lines += align_line(title, experiments)
    if {"b", "b50"} <= experiments.keys():
        lines += time_line(title, experiments)
    path.write_text("\n".join(lines))


def write_weights_table(path):
    """What the cards of the adapted weights say of them."""
    header = ["galaxies, framing", "", "positive", "TPR", "precision", "accuracy", "ROC area",
              "ECE"]
    lines = []
    for network in sorted((n for survey, n in bundled() if survey == "legacy"), reverse=True):
        card = MorphologyClassifier.from_pretrained("legacy", network=network).card
        lines += list_table(f"``{network}``, {card.get('tested_by', 'test part')}", header, (
            [row["set"].removeprefix("decals, "), row["question"],
             f"{row['n_positive']}/{row['n']}",
             *(short(row[name], name) for name in (*SCORES, "ECE"))] for row in card["test"]))
    path.write_text("\n".join(lines))


def align_line(title, experiments):
    """What aligning brings, where there is something to gain."""
    shares = gap_closed(experiments)
    if np.isnan(shares).any():
        return [f"{title}: (b) gains less than {GAP} over (a) for disk, in accuracy or ROC area.",
                ""]
    return [f"{title}: aligning, without a label, closes {shares[0]:.0%} of the gap in accuracy "
            f"between (a) and (b) for disk, and {shares[1]:.0%} of that in ROC area.", ""]


def time_line(title, experiments):
    """What adapting takes, beside 50 epochs."""
    short, long = (np.mean([cell["seconds"][1] for cell in experiments[experiment]])
                   for experiment in ("b", "b50"))
    return [f"{title}: (b) took {short:.0f} s of processor time, images read included, and (b50) "
            f"{long:.0f} s, {long / short:.1f} times as much.", ""]


def mean_curve(labels, answers):
    """False and true positive rates, averaged over seeds."""
    grid = np.linspace(0, 1, 501)
    return grid, np.mean([np.interp(grid, *roc_curve(labels, p)[:2]) for p in answers], axis=0)


def draw_curves(results, out):
    """Figure 2: ROC curves of the experiments; crosses are the paper's."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(results), 3, figsize=(12, 4 * len(results)), squeeze=False,
                                sharex=True, sharey=True, layout="constrained")
    for row, (network, experiments) in zip(axes, results.items()):
        for q, (ax, question) in enumerate(zip(row, QUESTIONS)):
            for experiment, cells in experiments.items():
                labels, answers = answers_of(cells, q)
                color = COLORS[experiment]
                ax.plot(*mean_curve(labels, answers), color=color,
                        label=f"({experiment}) {NAMES[experiment]}")
                means = [np.mean([getattr(score(labels, p), rate) for p in answers])
                         for rate in ("fpr", "tpr")]
                ax.plot(*means, "o", color=color, markeredgecolor="white", zorder=3)
                if experiment in PAPER[question.key]:
                    tpr, precision, _, positive, negative = PAPER[question.key][experiment]
                    ax.plot(tpr * positive * (1 / precision - 1) / negative, tpr, "x",
                            color=color, zorder=3)
            ax.set(title=f"{network}: {question.positive}",
                   xlim=(-0.02, 0.62), ylim=(0.18, 1.02))
        row[0].set_ylabel("True positive rate")
        row[-1].legend(loc="lower right", frameon=False, fontsize=8)
    for ax in axes[-1]:
        ax.set_xlabel("False positive rate")
    figure.savefig(out, dpi=110)
    plt.close(figure)


def false_bars(experiments):
    """Rows of unbarred galaxies that the adapted network calls barred, and P_bar of each."""
    labels = experiments["b"][0]["labels"][:, 2]
    bars = {experiment: np.mean([cell["answers"][:, 2] for cell in cells], axis=0)
            for experiment, cells in experiments.items() if experiment not in ("0", "b50")}
    rows = np.flatnonzero((labels == 0) & (bars["b"] >= 0.5))
    rows = rows[np.argsort(-bars["b"][rows])]
    return rows, {experiment: p[rows] for experiment, p in bars.items()}


def draw_false_bars(experiments, out, pictures=None):
    """Figure 3: the false bars with their probabilities (the images themselves only on request)."""
    import matplotlib.pyplot as plt
    from PIL import Image

    rows, bars = false_bars(experiments)
    figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
    for experiment, p in bars.items():
        ax.plot(np.arange(len(rows)) + 1, p, "o", color=COLORS[experiment],
                label=f"({experiment}) {NAMES[experiment]}")
    ax.axhline(0.5, color="gray", linewidth=0.8)
    ax.set(xlabel="Unbarred galaxy, called barred by (b)", ylabel="$P_{bar}$", ylim=(-0.03, 1.03),
           xticks=np.arange(len(rows)) + 1)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(out, dpi=110)
    if pictures and len(rows):
        figure, axes = plt.subplots(1, len(rows), figsize=(2.4 * len(rows), 3.6), squeeze=False,
                                    layout="constrained")
        for k, (ax, row) in enumerate(zip(axes[0], rows)):
            ax.imshow(Image.open(experiments["b"][0]["path"][row]))
            ax.set_title("\n".join(f"({e}) {p[k]:.2f}" for e, p in bars.items()), fontsize=8)
            ax.axis("off")
        figure.savefig(pictures, dpi=110)
    plt.close("all")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--out", type=Path, required=True, help="for tables and figures")
    parser.add_argument("--pairs", nargs="*", choices=PAIRS, default=[*PAIRS])
    parser.add_argument("--networks", nargs="*", default=["pinwheel", "ds18"])
    parser.add_argument("--experiments", nargs="*", choices=NAMES,
                        default=[name for name in NAMES if name != "b50"],
                        help="all but b50, which takes long, by default")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pictures", action="store_true")
    args = parser.parse_args()

    args.work.mkdir(parents=True, exist_ok=True)
    run_all(args)
    write_weights_table(args.out / "tables" / "transfer_weights_table.rst")
    for name, pair in PAIRS.items():
        for network in pair.networks:
            if cells := read_cells(args.work, name, network):
                write_tables(name, network, cells,
                             args.out / "tables" / f"transfer_{name}_{network}_table.rst")
                if name == "sdss-decals":
                    draw(network, cells, args)


def draw(network, cells, args):
    """The article's Figures 2 and 3."""
    names = [f"transfer_sdss-decals_{network}.png"]
    draw_curves({network: cells}, args.out / "_static" / names[0])
    if "b" in cells:
        names.append(f"transfer_bars_{network}.png")
        draw_false_bars(cells, args.out / "_static" / names[1],
                        args.pictures and args.work / f"bars_{network}.png")
    for picture in names:
        note_weights(args.out, picture, [("sdss", network)])


if __name__ == "__main__":
    main()
