"""What `benchmarks/transfer.py` counts and draws, without any training."""
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table


@pytest.fixture(scope="module")
def transfer():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        import transfer

        yield transfer


@pytest.fixture
def experiments():
    """Two trainings of each experiment: the answers are the labels with more or less noise."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (80, 3)).astype(float)
    labels[:20, 2] = np.nan

    def cell(noise):
        answers = np.clip(np.nan_to_num(labels) + rng.normal(0, noise, labels.shape), 0, 1)
        return {"labels": labels, "answers": answers, "n_train": np.array([500, 500, 232]),
                "seconds": (noise, noise), "catalog": np.repeat(["galaxy10 decals", "other"], 40),
                "path": np.repeat("x.jpg", 80), "bar_length": np.full(80, np.nan)}

    noises = {"0": 0.1, "a": 1.2, "a*": 0.8, "b": 0.5, "b50": 0.5}
    return {name: [cell(noise), cell(noise)] for name, noise in noises.items()}


def test_sample_has_as_many_labels_as_the_paper(transfer):
    rng = np.random.default_rng(1)
    table = Table({"row": np.arange(1500)})
    for key, share in (("disk", 1), ("edge_on", 0.8), ("bar", 0.1)):
        table[key] = np.where(rng.random(1500) < share, rng.integers(0, 2, 1500), np.nan)
    sample, other = (transfer.draw_sample(table, seed) for seed in (0, 1))
    counts = np.isfinite(transfer.labels_of(sample)).sum(axis=0)
    assert counts.tolist() == [500, 500, np.isfinite(table["bar"]).sum()]
    assert np.isfinite(transfer.labels_of(sample)).any(axis=1).all()
    assert set(sample["row"]) != set(other["row"])
    labels = transfer.labels_of(sample)
    known = np.isfinite(labels)
    assert (labels[known] == transfer.labels_of(table)[sample["row"]][known]).all()


def test_precision_at_a_completeness(transfer):
    labels = np.array([1, 0, 1, 0, 1, 0])
    answers = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.1]])
    assert transfer.precision_at(0.3, labels, answers) == 1
    assert transfer.precision_at(0.6, labels, answers) == pytest.approx(2 / 3)
    assert transfer.precision_at(1.0, labels, answers) == pytest.approx(3 / 5)


def test_scores_are_means_and_intervals_hold_them(transfer, experiments):
    labels, answers = transfer.answers_of(experiments["b"], 0)
    scores = transfer.score_cells(labels, answers, n_resamples=100)
    accuracy = np.mean((answers >= 0.5) == labels)
    assert scores["accuracy"] == pytest.approx(accuracy)
    assert scores["accuracy_low"] < accuracy < scores["accuracy_high"]
    part, _ = transfer.answers_of(experiments["b"], 2, "other")
    assert len(part) == 40 and len(transfer.answers_of(experiments["b"], 2)[0]) == 60


def test_tables_and_figures(transfer, experiments, tmp_path):
    transfer.write_tables("sdss-decals", "ds18", experiments, tmp_path / "table.rst")
    text = (tmp_path / "table.rst").read_text()
    assert text.count("(b) all layers") == 6 and "``galaxy10_decals`` alone" in text
    assert "closes" in text and "(b50)" in text
    assert "strong" not in text  # no lengths of bars
    shares = transfer.gap_closed(experiments)
    assert ((0 < shares) & (shares < 1)).all()
    no_gap = {"a": experiments["b"], "a*": experiments["a*"], "b": experiments["b"]}
    assert np.isnan(transfer.gap_closed(no_gap)).all()
    assert "gains less than 0.01" in transfer.align_line("t", no_gap)[0]
    transfer.draw_curves({"ds18": experiments}, tmp_path / "curves.png")
    transfer.draw_false_bars(experiments, tmp_path / "bars.png")
    rows, bars = transfer.false_bars(experiments)
    assert len(rows) and (experiments["b"][0]["labels"][rows, 2] == 0).all()
    assert (bars["b"] >= 0.5).all() and set(bars) == {"a", "a*", "b"}
    assert (tmp_path / "curves.png").stat().st_size and (tmp_path / "bars.png").stat().st_size


def test_learning_curves_are_means_over_draws(transfer, tmp_path):
    """Over whole cross-validations, in the order asked for; a question never taught says so."""
    import learning_curves

    labels = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0]], float)
    good, bad = np.where(labels == 1, 0.9, 0.1), np.where(labels == 1, 0.4, 0.6)
    for name, answers in (("new_random_50_0", good), ("new_random_50_1", bad),
                          ("new_random_0_0", good), ("old_random_50_0", bad)):
        for fold in range(3):
            np.savez(tmp_path / f"{name}_{fold}.npz", labels=labels, answers=answers,
                     trained=[True, False, answers is good])
    np.savez(tmp_path / "old_random_0_0_0.npz", labels=labels, answers=good, trained=[True] * 3)
    found = list(learning_curves.curves(tmp_path, ["new", "old"], ["random"], [50, 0]))
    assert [row[:4] for row in found] == [("new", "random", 50, 2), ("new", "random", 0, 1),
                                          ("old", "random", 50, 1)]
    assert found[0][4].tolist() == [0.5] * 3 and found[1][5].tolist() == [1.0] * 3
    assert list(learning_curves.text_rows(found))[0][4:] == [
        ".50, .500", ".50, .500 (kept)", ".50, .500"]
    figure = learning_curves.draw(found, 866)
    assert [len(ax.lines) for ax in figure.axes] == [2] * 3


def test_strata_of_bars_are_against_disks_without_any(transfer, experiments, tmp_path):
    length = np.repeat([0, 0.25, 0.5, 0.75, np.nan], 16)
    for cells in experiments.values():
        for cell in cells:
            cell["bar_length"] = length
            cell["answers"] = np.nan_to_num(np.tile(length[:, None], 3))
    transfer.write_tables("gz2-efigi", "pinwheel", experiments, tmp_path / "table.rst")
    text = (tmp_path / "table.rst").read_text()
    assert text.count("- strong bars") == text.count("- weak bars") == 4  # not of (0)
    labels, answers = transfer.stratum_of(experiments["b"], (0.25, 0.25))
    assert labels.sum() == 16 and len(labels) == 32 and answers.shape == (2, 32)
    assert (answers[:, labels == 1] == 0.25).all() and (answers[:, labels == 0] == 0).all()
