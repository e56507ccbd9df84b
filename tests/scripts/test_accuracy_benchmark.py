"""What `benchmarks/accuracy.py` counts and draws of wrong answers."""
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.table import Table

from astromorph.datasets import load_sample


@pytest.fixture(scope="module")
def accuracy():
    plt.switch_backend("Agg")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        import accuracy

        yield accuracy


@pytest.fixture
def answers():
    nan = np.nan
    labels = np.array([[1, 1, nan], [1, 0, 0], [0, nan, nan], [0, nan, nan], [1, 0, nan]])
    raw = np.array([[.95, .04, .1], [.45, .2, .3], [.99, 0, 0], [.6, .1, 0], [nan] * 3])
    source = np.array([[""] * 5, ["votes"] * 5])
    return {"one": (labels, raw, source), "two": (labels[:1], raw[:1], source[:, :1])}


def test_failures_are_counted(accuracy, answers):
    rows = list(accuracy.failure_rows(answers))
    assert rows == [["one", "disk", "3 of 4", "2 of 2", "1 of 2", "2", "1"],
                    ["one", "edge_on", "1 of 2", "0 of 1", "1 of 1", "0", "1"],
                    ["one", "bar", "0 of 1", "0 of 1", "0 of 0", "0", "0"],
                    ["two", "disk", "0 of 1", "0 of 0", "0 of 1", "0", "0"],
                    ["two", "edge_on", "1 of 1", "0 of 0", "1 of 1", "0", "1"]]
    assert {len(row) for row in rows} == {len(accuracy.HEADER)}


def test_tables_and_histograms_are_written(accuracy, answers, tmp_path):
    accuracy.write_tables({"ds18, old": answers | {
        name: answers["one"] for name in accuracy.SETS}}, tmp_path)
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        "accuracy_ds18-old_table.rst", "accuracy_ds18-old_failures.rst",
        "accuracy_ds18-old_bars.rst"}
    assert "     - 3 of 4\n" in (tmp_path / "tables" / "accuracy_ds18-old_failures.rst").read_text()
    accuracy.draw_failures(answers, tmp_path / "failures.png")
    assert plt.imread(tmp_path / "failures.png").shape[:2] == (396, 1320)


def test_pictures_show_the_most_wrong_first(accuracy, answers, tmp_path, monkeypatch):
    sample = [Path(path) for path in load_sample()["file"]]
    drawn = []

    def mosaic(pictures, probabilities, **options):
        drawn.append((options["titles"], probabilities[:, 0].tolist(), len(pictures)))
        return np.array([[plt.subplots()[1]]])

    monkeypatch.setitem(accuracy.write_pictures.__globals__, "plot_mosaic", mosaic)
    accuracy.write_pictures("ds18, old", answers, {name: sample for name in answers},
                            tmp_path / "new")
    assert {path.stem for path in (tmp_path / "new").iterdir()} == {
        "ds18-old-one-disk-false_positives", "ds18-old-one-disk-false_negatives",
        "ds18-old-one-edge_on-false_negatives", "ds18-old-two-edge_on-false_negatives"}
    assert drawn[0] == ([sample[2].stem, sample[3].stem], [.99, .6], 2)


def test_least_ece_is_that_of_chance(accuracy):
    assert accuracy.least_ece(np.zeros(100)) == 0
    for n in (100, 2500):  # one bin: the mean deviation of a binomial fraction
        assert accuracy.least_ece(np.full(n, 0.5), 2000) == pytest.approx(
            np.sqrt(0.5 / np.pi / n), rel=0.1)


class _Answers:
    """A classifier whose probabilities stand in the names of files: ``0.8-0.1.jpg``."""

    def __init__(self, *columns):
        self.columns, self.model = columns, None

    def classify(self, paths, **options):
        values = np.array([path.stem.split("-") for path in paths], float).reshape(
            -1, len(self.columns))
        assert len(options["cutout_r90"]) == len(paths)
        return Table(dict(zip(self.columns, values.T)))


@pytest.fixture
def bars(tmp_path):
    """EFIGI's lengths 0, 0.25, 0.5, 1, one of a lenticular, one inclined; and MaNGA's bars."""
    names = [f"0.0-{p}-{p / 2}.jpg" for p in (.1, .4, .6, .9, .91, .92)]
    (tmp_path / "efigi").mkdir()
    Table({"file": names, "q1": ["1"] * 4 + ["", "1"], "q2": ["0"] * 5 + ["1"],
           "split": ["test"] * 6, "cutout_r90": [4.24] * 6}).write(tmp_path / "efigi/labels.csv")
    Table({"file": names[::-1], "t": [5, 5, 3, 4, 3, 1], "bulge_to_total": [.25] * 6,
           "inclination": [1, 0, 0, 0, 0, 0], "bar_length": [1, 1, 1, .5, .25, 0],
           **dict.fromkeys(("inner_ring", "outer_ring", "pseudo_ring"), [0] * 6)}).write(
        tmp_path / "efigi/attributes.csv")
    for folder, file in (("unlabeled", "images.csv"), ("sdss24", "labels.csv")):
        (tmp_path / folder).mkdir()
        more = {"split": ["test", "test", "train", "test"]} if folder == "sdss24" else {}
        Table({"file": names[:4], "cutout_r90": [4.24] * 4} | more).write(tmp_path / folder / file)
    Table({"bar": [0, 1, .5, 0, 0, -.5, 1],
           "file": [f"unlabeled/{names[0]}", f"unlabeled/{names[3]}", f"unlabeled/{names[1]}",
                    f"sdss24/{names[1]}", f"sdss24/{names[2]}", f"sdss24/{names[3]}", ""]}).write(
        tmp_path / "bars_manga.csv")
    return tmp_path


def test_bars_by_strength(accuracy, bars):
    samples = list(accuracy.bar_samples(_Answers("P_edge_on", "P_bar", "P_bar_strong"), bars))
    labels, raw = [dict((name, list(part[k])) for name, *part in samples) for k in (0, 1)]
    assert raw == {"EFIGI, strong bars (length .75 and 1)": [.1, .9],
                   "EFIGI, bars (.5 and more)": [.1, .6, .9], "EFIGI, weak bars (.25)": [.1, .4],
                   "EFIGI, strong bars (length .75 and 1), P_bar_strong": [.05, .45],
                   "MaNGA, bars (.75 and 1)": [.4, .1, .9]}
    assert list(labels.values()) == [[0, 1], [0, 1, 1], [0, 1], [0, 1], [0, 0, 1]]


def test_bars_are_tabulated(accuracy, bars):
    (bars / "bars_manga.csv").unlink()
    for name, row in zip(("strong", "bars", "weak"), accuracy.bar_rows(
            accuracy.bar_samples(_Answers("P_edge_on", "P_bar", "other"), bars))):
        assert name in row[0] and len(row) == len(accuracy.BAR_HEADER)
