"""What `benchmarks/accuracy.py` counts and draws of wrong answers."""
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

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
    assert {path.name for path in tmp_path.iterdir()} == {
        "accuracy_ds18-old_table.rst", "accuracy_ds18-old_failures.rst"}
    assert "     - 3 of 4\n" in (tmp_path / "accuracy_ds18-old_failures.rst").read_text()
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
