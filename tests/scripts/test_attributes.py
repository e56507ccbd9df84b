"""What `training/attributes.py` reads of catalogs' shapes: yes, no, in between, not known."""
import os
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

nan = np.nan


@pytest.fixture(scope="module")
def attributes():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "training"))
        import attributes

        yield attributes


def _write(folder, name, rows, **columns):
    (folder / name).parent.mkdir(exist_ok=True)
    n = len(next(iter(columns.values())))
    more = {"split": ["train"] * n, "cutout_r90": [8.48] * n} if rows else {}
    files = {"file": [f"{row}.jpg" for row in range(n)]}
    Table(files | more | columns).write(folder / name, format="csv")


@pytest.fixture
def data(tmp_path):
    """Seven galaxies of EFIGI, five of Galaxy Zoo 2 (three with all votes), two of the others."""
    _write(tmp_path, "efigi/labels.csv", True, q1=["", "0", "", "1", "1", "1", ""])
    _write(tmp_path, "efigi/attributes.csv", False, t=[-2, -5, 0, 3, 9, 5, 11],
           bulge_to_total=[0.75, 1, 0.5, 0.25, 0, 0.5, 0], inclination=[0, 0, 0.5, 0, 0.25, 1, 0],
           bar_length=["0", "0", "0.5", "0.25", "1.0", "1.0", "0"],
           inner_ring=["0", "0", "0.5", "0.25", "0", "", "0"],
           outer_ring=["0", "0", "", "0", "0", "0", "0"], pseudo_ring=[0, 0, 0, 0, 0, 0, 0])
    _write(tmp_path, "gz2/labels.csv", True, q2=["0", "0", "1", "", ""], p_bar=[.1, .7, .8, .5, 0])
    votes = {"t01_smooth_or_features_a01_smooth": [.1, .9, .9],
             "t01_smooth_or_features_a02_features_or_disk": [.9, .1, .1],
             "t02_edgeon_a05_no": [1, 1, 0], "t05_bulge_prominence_a10_no_bulge": [0, 0, 1],
             "t05_bulge_prominence_a12_obvious": [.5, 0, 0],
             "t05_bulge_prominence_a13_dominant": [.2, 1, 0],
             "t06_odd_a14_yes": [.9, .02, .4], "t07_rounded_a18_cigar_shaped": [1, .6, .1],
             "t08_odd_feature_a19_ring": [0, 0, .9], "t08_odd_feature_a24_merger": [.8, 1, .3]}
    _write(tmp_path, "gz2/votes_hart16.csv", False, total_classifications=[40, 40, 40],
           **{f"{name}_weighted_fraction": values for name, values in votes.items()})
    _write(tmp_path, "gz1/labels.csv", True, merger=["1", ""])
    _write(tmp_path, "decals/labels.csv", True, galaxy10_class=["4", "7"])
    _write(tmp_path, "unlabeled/images.csv", False, cutout_r90=[4.24, 4.24])
    Table({"bar": [0.75, -0.5], "file": ["unlabeled/0.jpg", "decals/1.jpg"]}).write(
        tmp_path / "bars_manga.csv", format="csv")
    return tmp_path



def _same(table, name, **expected):
    for key, values in expected.items():
        np.testing.assert_array_equal(table[key][table["set"] == name], values, err_msg=key)


def test_efigi(attributes, data):
    _same(attributes.attribute_labels(data), "efigi",
          TType=[-2, -5, 0, 3, 9, 5, nan], S0=[1, 0, nan, nan, nan, nan, nan],
          bulge=[1, nan, 1, nan, 0, 1, nan], bulge_soft=[1, nan, 1, 0.5, 0, 1, nan],
          ring=[0, 0, 1, nan, 0, nan, 0], ring_soft=[0, 0, 1, 0.5, 0, nan, 0],
          bar_length=[0, nan, 0.5, 0.25, 1, nan, nan], bar_grade=[0, nan, 2, 1, 3, nan, nan],
          bar_strong=[0, nan, nan, 0, 1, nan, nan], bar_strong_soft=[0, nan, 0.5, 0, 1, nan, nan],
          bar_soft=[0, nan, 1, 0.5, 1, nan, nan], disk=[nan, 0, nan, 1, 1, 1, nan])


def test_votes_count_where_a_question_was_reached(attributes, data):
    table = attributes.attribute_labels(data)
    _same(table, "gz2", cigar=[nan, 1, 0, nan, nan], bulge=[1, nan, nan, nan, nan],
          bar_soft=[.1, .7, nan, .5, 0], merg=[1, 0, nan, nan, nan])
    np.testing.assert_allclose(table["merg_soft"][table["set"] == "gz2"], [1, 0, .12, nan, nan])


def test_classes_and_bars_of_other_catalogs(attributes, data):
    table = attributes.attribute_labels(data)
    _same(table, "gz1", merg=[1, nan], merg_soft=[1, nan], disk=[nan, nan])
    _same(table, "decals", cigar=[1, nan], galaxy10=[4, 7], bar_manga=[nan, nan])
    _same(table, "unlabeled", bar_manga=[0.75, nan], split=["unlabeled"] * 2)


def test_sets_and_tables_that_are_not_there(attributes, data):
    (data / "efigi" / "attributes.csv").unlink()
    table = attributes.attribute_labels(data, ["decals", "efigi", "sdss24"])
    assert list(table["set"]) == ["decals"] * 2 + ["efigi"] * 7
    assert np.isnan(table["TType"]).all()


def test_counts_are_printed(attributes, data, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["attributes", "--data", str(data)])
    attributes.main()
    lines = capsys.readouterr().out.splitlines()
    assert "S0\tefigi\ttrain 1/1" in lines and "bar_grade\t0: 1\t1: 1\t2: 1\t3: 1" in lines


@pytest.mark.skipif("ASTROMORPH_REAL_DATA" not in os.environ, reason="needs labeled galaxies")
def test_real_catalogs(attributes):
    table = attributes.attribute_labels(os.environ["ASTROMORPH_REAL_DATA"])
    for key in attributes.YES_NO:
        label, soft = table[key], table.columns.get(f"{key}_soft", table[key])
        known = np.isfinite(label)
        assert (label[known] == 1).sum() > 80 and (label[known] == 0).sum() > 80
        np.testing.assert_array_equal(soft[known], label[known])
        assert np.nanmin(soft) == 0 and np.nanmax(soft) == 1
    assert np.nanmin(table["TType"]) == -6 and np.nanmax(table["TType"]) == 10
    assert np.isfinite(table["bar_manga"]).sum() > 100
