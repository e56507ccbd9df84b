"""What `benchmarks/catalog_columns.py` scores and lets pass."""
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

N = 40


@pytest.fixture
def columns():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
        import catalog_columns

        yield catalog_columns


@pytest.fixture
def galaxies(columns):
    """Types -6 to 10 and bars of EFIGI, S0s and rings; mergers of two sets."""
    rng = np.random.default_rng(0)
    known = np.where(np.arange(N) < 20, 1.0, 0.0)
    table = Table({"path": [f"{n}.jpg" for n in range(N)], "set": ["gz1"] * 10 + ["efigi"] * 30,
                   "split": ["test"] * N, "cutout_r90": [4.24] * N,
                   "disk": [1.0] * N, "edge_on": [0.0] * N,
                   "TType": np.where(np.arange(N) < 10, np.nan, rng.integers(-6, 11, N))})
    for key in columns.COLUMNS:
        table[key] = np.where(np.arange(N) < 10, np.nan, known)
    table["merg"] = np.resize([1.0, 0.0], N)
    table["disk"][30:] = np.nan
    table["bar_length"] = np.where(known == 1, 1.0, np.resize([0, 0.25], N))
    return table


class _Answers:
    """Sure and right about everything but S0; T-types are 0.05 too large."""

    def __init__(self, galaxies):
        self.galaxies, self.card = galaxies, {"network": "pinwheel"}
        self.model = SimpleNamespace(heads=["some"])

    def classify(self, paths, **options):
        assert options["questions"] == "all" and len(paths) == N
        found = {f"P_{key}": np.nan_to_num(self.galaxies[key]) for key in ("bulge", "merg", "ring",
                                                                           "bar_strong")}
        kind = np.nan_to_num(np.array(self.galaxies["TType"]))
        return Table(found | {"P_S0": np.full(N, 0.5), "TType": kind + 0.05,
                              "e_TType": np.full(N, 0.1), "morph_flag": np.zeros(N, int)})


def test_rows(columns, galaxies, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(columns, "attribute_labels", lambda data: galaxies)
    monkeypatch.setattr(columns.MorphologyClassifier, "from_pretrained",
                        lambda *args, **options: _Answers(galaxies))
    monkeypatch.setattr(sys, "argv", ["columns", "--data", "DATA", "--out", str(tmp_path)])
    columns.main()
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["``TType``", "efigi", "30", "0.00", "+0.05", "0.05", "100%", "yes"]
    assert [row[:3] + row[-1:] for row in rows[4:]] == [
        ["``P_S0``", "efigi", "10/30", "no"], ["``P_bulge``", "efigi", "10/30", "yes"],
        ["``P_merg``", "efigi", "15/30", "yes"], ["``P_merg``", "gz1", "5/10", "yes"],
        ["``P_ring``", "efigi", "10/30", "yes"],
        ["``P_ring``", "efigi, disks that are not edge-on", "10/20", "yes"],
        ["``P_bar_strong``", "efigi", "10/30", "yes"],
        ["``P_bar_strong``", "efigi, disks that are not edge-on, against none", "10/15", "yes"]]
    text = (tmp_path / "tables" / "catalog_pinwheel_table.rst").read_text()
    assert text.count("list-table") == 2 and text.count("   * -") == len(rows) + 2


def test_scatter_is_robust(columns):
    error = np.r_[np.random.default_rng(0).normal(0.3, 1, 10_000), [50] * 100]
    row = columns.number_row("", error, np.full(error.shape, np.nan))
    assert abs(float(row[3]) - 1) < 0.05 and abs(float(row[4]) - 0.3) < 0.05
    assert row[6:] == ["", "no"]
