"""Votes in every dialect become the labels they should, or an error says why not."""
import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from astromorph.errors import AstromorphWarning
from astromorph.learning.labels import (labels_of, make_labels, read_labels, read_test_labels,
                                        read_training_labels, vote_agreement)
from astromorph.questions import QUESTIONS, Question

NAN = np.nan
# Six galaxies: votes for features, smooth, artifact; edge-on, not; bar, no bar.
VOTES = np.array([[36, 4, 0, 1, 35, 30, 5],     # a barred disk
                  [36, 4, 0, 35, 1, 0, 1],      # edge-on: no bar to be seen
                  [36, 4, 0, 3, 33, 4, 29],     # not barred
                  [2, 37, 1, 2, 0, 0, 0],       # smooth: two stray votes for edge-on
                  [24, 8, 8, 2, 22, 11, 11],    # features: 3/4 of two, 0.6 of all; a faint bar
                  [3, 1, 0, 0, 3, 3, 0]])       # hardly looked at
LABELS = [[1, 0, 1], [1, 1, NAN], [1, 0, 0], [0, NAN, NAN], [NAN, 0, NAN], [NAN, NAN, NAN]]
TASKS = ((0, 1, 2), (3, 4), (5, 6))
GZ2 = (("t01_smooth_or_features", ("_a02_features_or_disk", "_a01_smooth",
                                   "_a03_star_or_artifact")),
       ("t02_edgeon", ("_a04_yes", "_a05_no")), ("t03_bar", ("_a06_bar", "_a07_no_bar")))
DES = (("t00_smooth_or_features", ("_a1_features", "_a0_smooth", "_a2_artifact")),
       ("t01_disk_edge_on", ("_a0_yes", "_a1_no")), ("t02_bar", ("_a0_bar", "_a1_no_bar")))


def decals(campaign):
    return (("smooth-or-featured" + campaign, ("_featured-or-disk", "_smooth", "_artifact")),
            ("disk-edge-on" + campaign, ("_yes", "_no")), ("bar" + campaign, ("_yes", "_no")))


def catalog(tasks, *, fraction=None, count=None, total=None):
    """Spell `VOTES` as a catalog with these suffixes does."""
    columns = {}
    for (task, answers), indices in zip(tasks, TASKS, strict=True):
        cast = VOTES[:, list(indices)].sum(1)
        for answer, k in zip(answers, indices, strict=True):
            if fraction is not None:
                columns[task + answer + fraction] = VOTES[:, k] / np.maximum(cast, 1)
            if count is not None:
                columns[task + answer + count] = VOTES[:, k]
        if total is not None:
            columns[task + total] = cast
    return Table(columns)


CATALOGS = {
    "Willett 2013": (GZ2, {"fraction": "_weighted_fraction", "count": "_count"}),
    "Willett 2013, totals": (GZ2, {"fraction": "_weighted_fraction", "total": "_total_count"}),
    "Hart 2016": (GZ2, {"fraction": "_weight_fraction", "count": "_count", "total": "_count"}),
    "GZ2, unweighted": (GZ2, {"fraction": "_fraction", "count": "_count"}),
    "GZ2, counts": (GZ2, {"count": "_count"}),
    "the paper": (DES, {"fraction": "_weighted_frac", "total": "_count"}),
    "DECaLS": (decals(""), {"fraction": "_fraction", "count": "", "total": "_total-votes"}),
    "DECaLS 1 and 2": (decals("-dr12"), {"count": ""}),
    "DECaLS 5": (decals("-dr5"), {"count": "", "total": "_total-votes"}),
    "Zoobot's GZ2": (decals("-gz2"), {"count": "", "fraction": "_fraction"}),
    "DESI 8": (decals("-dr8"), {"fraction": "_fraction", "total": "_total"}),
}


@pytest.fixture
def hart():
    tasks, spelling = CATALOGS["Hart 2016"]
    return catalog(tasks, **spelling)


@pytest.mark.parametrize("name", CATALOGS)
def test_every_dialect_gives_the_same_labels(name):
    tasks, spelling = CATALOGS[name]
    labels = make_labels(catalog(tasks, **spelling))
    assert_array_equal(labels.values, LABELS)
    assert labels.report["counted"].all()


def test_report_tells_each_galaxy_once(hart):
    report = make_labels(hart).report
    counts = [[row[name] for name in ("positive", "negative", "not_applicable", "too_few_votes",
                                      "missing", "not_robust")] for row in report]
    assert counts == [[3, 1, 0, 1, 0, 1], [1, 3, 1, 1, 0, 0], [1, 1, 2, 1, 0, 1]]
    assert report["columns"][2] == "t03_bar_a06_bar_weight_fraction"
    assert report.meta == {"dialect": "gz2", "threshold": 0.7, "min_votes": 5, "debiased": False}


def test_printed_labels_say_what_was_done(hart):
    text = str(make_labels(hart, min_votes=3))
    assert "6 galaxies: dialect=gz2, threshold=0.7, min_votes=3" in text
    assert "not_applicable" in text and "min_votes not applied" not in text
    text = str(make_labels(catalog(GZ2, fraction="_weighted_fraction")))
    assert "No numbers of votes for disk, edge_on, bar: min_votes not applied." in text


def test_strong_and_weak_bars_add_up():
    table = Table({"bar-dr5_strong": [4, 1], "bar-dr5_weak": [5, 2], "bar-dr5_no": [1, 9]})
    labels = make_labels(table)
    assert_array_equal(labels.values, [[NAN, NAN, 1], [NAN, NAN, 0]])
    assert labels.report["columns"][2] == "bar-dr5_strong + bar-dr5_weak"
    assert list(labels.report["missing"]) == [2, 2, 0]


def test_rounded_fractions_of_bars_may_exceed_one():
    table = Table({"bar_strong_fraction": [0.667], "bar_weak_fraction": [0.334],
                   "bar_no_fraction": [0.0]})
    assert make_labels(table).values[0, 2] == make_labels(table, agreement=1).values[0, 2] == 1


def test_weighted_fractions_are_preferred(hart):
    for task, answers in GZ2:
        for answer in answers:
            hart[task + answer + "_count_fraction"] = 0.3
    assert_array_equal(make_labels(hart).values, LABELS)


def test_threshold_must_be_exceeded(hart):
    assert_array_equal(make_labels(hart, threshold=0.9).values[:3, 0], [NAN] * 3)
    assert_array_equal(make_labels(hart, threshold=0.89).values[:3, 0], [1] * 3)


def test_few_votes_count_when_asked(hart):
    assert_array_equal(make_labels(hart, min_votes=0).values[5], [1, 0, 1])
    assert_array_equal(make_labels(hart, min_votes=3).values[5], [1, 0, 1])
    assert_array_equal(make_labels(hart, min_votes=4).values[5], [1, NAN, NAN])


def test_a_tie_on_the_parent_leaves_the_question_unasked(hart):
    hart["t01_smooth_or_features_a01_smooth_weight_fraction"][0] = 0.5
    hart["t01_smooth_or_features_a02_features_or_disk_weight_fraction"][0] = 0.5
    assert np.isnan(make_labels(hart).values[0]).all()


def test_agreement_of_dieleman():
    assert_allclose(vote_agreement([0.5, 0.7, 0.811, 0, 1, NAN]), [0, 0.119, 0.3, 1, 1, NAN],
                    atol=1e-3)
    with pytest.raises(ValueError, match="0..1"):
        vote_agreement([70, 30])


def test_agreement_stands_in_for_the_threshold(hart):
    wanted = make_labels(hart, threshold=0.811).values
    assert_array_equal(make_labels(hart, agreement=0.3).values, wanted)
    assert make_labels(hart, agreement=0.3).report.meta["agreement"] == 0.3
    # An even or a minority share is no majority, however far from one half.
    split = Table({"smooth-or-featured_featured-or-disk_fraction": [0.1],
                   "smooth-or-featured_smooth_fraction": [0.2]})
    assert np.isnan(make_labels(split, agreement=0.1).values).all()


def test_debiased_fractions_only_when_asked(hart):
    for task, answers in GZ2:
        for answer, share in zip(answers, (0.9, 0.2, 0.0)):  # corrected one by one
            hart[task + answer + "_debiased"] = share
    assert_array_equal(make_labels(hart).values, LABELS)
    labels = make_labels(hart, debiased=True)
    assert_array_equal(labels.values[:4], [[1, 1, NAN]] * 3 + [[1, NAN, NAN]])
    assert list(labels.report["too_few_votes"]) == [1, 2, 0]


def test_children_of_unknown_parents_keep_their_labels():
    table = Table({"disk": [1, NAN, 0], "edge_on": [NAN, 0, 1], "bar": [1.0, 0, 1]})
    labels = make_labels(table)
    assert_array_equal(labels.values, [[1, NAN, 1], [NAN, 0, 0], [0, NAN, NAN]])
    assert list(labels.report["not_applicable"]) == [0, 1, 1]


def test_probability_columns_are_labels_for_want_of_others(hart):
    known = {"P_disk": [1, 0, 1], "P_edge_on": [0, NAN, 1], "P_bar": [1, NAN, NAN]}
    assert_array_equal(make_labels(Table(known)).values, np.transpose(list(known.values())))
    hart["P_disk"] = 0.4  # a classified table: its votes are still the only labels
    assert_array_equal(make_labels(hart).values, LABELS)
    with pytest.raises(ValueError, match="labels 1, 0 or missing in column 'P_disk'.*first 0.4"):
        make_labels(Table({"P_disk": [1, 0.4]}))


@pytest.mark.parametrize("column", [
    ["1", "0", " ", "nan", "--"], np.array([b"1.0", b"0", b"", b"NaN", b"null"]),
    MaskedColumn([1, 0, 1, 1, 0], mask=[0, 0, 1, 1, 1]), np.array([1, 0, None, None, None]),
    MaskedColumn(["1", "0", "x", "x", "x"], mask=[0, 0, 1, 1, 1]),
    MaskedColumn([True, False, True, True, True], mask=[0, 0, 1, 1, 1]),
    np.array([1, 0, -9999, -9999, -9999], np.int16),
    Masked([100, 0, 1, 1, 1] * u.percent, mask=[False, False, True, True, True]),
    np.array([1, 0, NAN, NAN, NAN], ">f4")])
def test_columns_of_every_type(column):
    table = QTable({"Disk": column})
    assert_array_equal(make_labels(table).values[:, 0], [1, 0, NAN, NAN, NAN])


def test_names_in_any_case_and_with_underscores(hart):
    hart.rename_columns(hart.colnames, [name.upper() for name in hart.colnames])
    assert_array_equal(make_labels(hart).values, LABELS)
    table = catalog(decals("-dr5"), count="")
    table.rename_columns(table.colnames, [name.replace("-", "_") for name in table.colnames])
    assert_array_equal(make_labels(table).values, LABELS)


def test_missing_counts_and_fractions_are_missing_votes(hart):
    hart["t01_smooth_or_features_count"] = MaskedColumn(VOTES[:, :3].sum(1),
                                                        mask=np.arange(6) == 0)
    hart["t01_smooth_or_features_a01_smooth_weight_fraction"][1] = NAN
    labels = make_labels(hart)
    assert_array_equal(labels.values[:2, 0], [NAN, NAN])
    assert labels.report["missing"][0] == 2
    assert_array_equal(labels.values[:, 1:], np.array(LABELS)[:, 1:])


def test_empty_table_has_no_labels(hart):
    labels = make_labels(hart[:0])
    assert labels.values.shape == (0, len(QUESTIONS))
    assert list(labels.report["positive"]) == [0, 0, 0]


DISK, EDGE_ON, BAR = QUESTIONS
RING = Question("ring", "P_ring", "ring", "no ring", "disk", "Probability of a ring",
                aliases=("annulus",))


def test_columns_of_the_old_names():
    known = {"q1": [1, 1], "Q2": [0, NAN], "bar": [1, 0]}
    assert_array_equal(make_labels(Table(known)).values, np.transpose(list(known.values())))
    with pytest.raises(ValueError, match=r"one column of labels for disk. Received \['disk', 'q1'"):
        make_labels(Table({"q1": [1], "disk": [1]}))


def test_labels_of_other_questions():
    table = Table({"annulus": [1, 1, NAN], "disk": [1, 0, 1]})
    labels = make_labels(table, questions=[RING, DISK])  # the parent may come later
    assert labels.keys == ("ring", "disk")
    assert_array_equal(labels.values, [[1, 1], [NAN, 0], [NAN, 1]])
    alone = make_labels(table, questions=[RING])
    assert_array_equal(alone.values, [[1], [1], [NAN]])


def test_labels_are_selected_by_key(hart):
    labels = make_labels(hart)
    assert_array_equal(labels.select([BAR, "disk"]), np.array(LABELS)[:, [2, 0]])
    with pytest.raises(ValueError, match="labels: expected labels of bar, ring. Received labels "
                                         "of disk, edge_on, bar. Make those of ring too"):
        labels.select([BAR, RING])


def test_labels_for_a_classifier_of_fewer_questions(hart):
    wanted = np.array(LABELS)[:, [2, 0]]
    assert_array_equal(read_labels(hart, make_labels(hart), [BAR, DISK]), wanted)
    assert_array_equal(read_labels(hart, wanted, [BAR, DISK]), wanted)
    assert_array_equal(read_labels(hart, None, [DISK, EDGE_ON]), np.array(LABELS)[:, :2])
    hart["P_disk"], hart["morph_flag"] = 0.3, 0  # what classify left
    assert_array_equal(read_labels(hart, None, [DISK]), np.array(LABELS)[:, :1])


@pytest.mark.parametrize("labels, message", [
    (np.ones((6, 3)), r"labels: expected shape \(6, 2\), one row .*Received \(6, 3\)"),
    (np.ones((5, 2)), r"Received \(5, 2\)"), (np.full((6, 2), 0.5), "labels: expected 1, 0"),
    (None, "labels: expected an array .* columns .'disk', 'edge_on'. .*or votes. Received none")])
def test_labels_that_do_not_fit(labels, message):
    with pytest.raises(ValueError, match=message):
        read_labels(["a.jpg"] * 6, labels, [DISK, EDGE_ON])


def test_several_dialects_need_a_choice(hart):
    hart["disk"] = 1
    with pytest.raises(ValueError, match=r"gz2 \(t01_smooth_or_features.*labels \(disk\)"):
        make_labels(hart)
    assert_array_equal(make_labels(hart, dialect="gz2").values, LABELS)
    assert_array_equal(make_labels(hart, dialect="labels").values[:, 0], [1] * 6)


def test_campaigns_of_one_table_need_a_choice():
    table = catalog(decals("-dr5"), count="")
    for name in table.colnames:
        table[name.replace("dr5", "dr12")] = 0
    del table["bar-dr5_yes"]
    table["bar-dr5_strong"], table["bar-dr5_weak"] = VOTES[:, 5], 0
    with pytest.raises(ValueError, match="decals-dr12.*decals-dr5"):
        make_labels(table)
    assert_array_equal(make_labels(table, dialect="decals-dr5").values, LABELS)


@pytest.mark.parametrize("columns, options, message", [
    ({"a": [1], "b": [2]}, {}, r"Received \['a', 'b'\]. Known columns: gz2 \(t01_.*disk or P_disk"),
    ({"disk": [1]}, {"dialect": "gz2"}, "expected columns of gz2.*Received .'disk'"),
    ({"disk": [1]}, {"dialect": "gz3"}, "dialect: expected one of .*decals-dr5.*'gz3'"),
    ({"disk": [1]}, {"debiased": True}, "debiased: expected a table of votes"),
    ({"disk": [2]}, {}, "0..1, or missing, in column 'disk'. Received 1 others, first 2"),
    ({"disk": [[1, 0]]}, {}, r"one number per row in column 'disk'.*\(1, 2\)"),
    ({"bar_yes": [3]}, {},
     r"bar, as in \['bar_strong_.*bar_weak_.*bar_no_.*Received \['bar_yes'\]\.$"),
    ({"bar_yes_fraction": [0.3], "bar_no_fraction": [0.7]}, {"debiased": True},
     "expected debiased votes on both answers to bar"),
    ({"bar_yes_fraction": [80], "bar_no_fraction": [20]}, {}, "0..1.*'bar_yes_fraction'.*80"),
    ({"bar_yes_fraction": [0.8], "bar_no_fraction": [0.7]}, {}, "add up"),
    ({"bar_yes": [-1], "bar_no": [20]}, {}, "0 or more.*'bar_yes'.*first -1"),
    ({"bar_yes": [np.inf], "bar_no": [20]}, {}, "0 or more.*'bar_yes'.*first inf"),
    ({"bar_yes": [8], "bar_no": [20], "bar_total-votes": [20]}, {}, "more votes than were cast"),
    ({"bar_yes": [8], "bar_no": [20], "bar_total-votes": [0]}, {}, "more votes than were cast"),
    ({"t03_bar_a06_bar_weight_fraction": [1], "t03_bar_a07_no_bar_weight_fraction": [0],
      "t03_bar_a06_bar_weighted_fraction": [0], "t03_bar_a07_no_bar_weighted_fraction": [1]}, {},
     "one spelling of the votes on bar.*Keep the columns of one catalog"),
    ({"disk": [1]}, {"threshold": 0.3}, "threshold: .* 0.5 and below 1. Received 0.3"),
    ({"disk": [1]}, {"threshold": "0.7"}, "threshold: expected one number"),
    ({"disk": [1]}, {"agreement": 0}, "agreement: expected one number above 0"),
    ({"disk": [1]}, {"min_votes": -1}, "min_votes: expected one number, 0 or more"),
])
def test_what_is_wrong_is_said(columns, options, message):
    with pytest.raises(ValueError, match=message):
        make_labels(Table(columns), **options)


def test_columns_with_units_or_words_are_refused():
    with pytest.raises(ValueError, match="votes, without a unit, in column 'disk'. Received deg"):
        make_labels(QTable({"disk": [1] * u.deg}))
    with pytest.raises(TypeError, match=r"table\['disk'\]: expected an array of numbers"):
        make_labels(Table({"disk": ["spiral"]}))
    with pytest.raises(TypeError, match="table: expected an astropy Table.*Received dict"):
        make_labels({"disk": [1]})


def test_real_votes_give_the_labels_of_their_set(real_data):
    known = Table.read(real_data / "gz2" / "labels.csv")
    known = known[known["label_source"] == "vote_fractions"]
    table = Table()
    for (task, answers), name in zip(GZ2, ("p_features", "p_edge_on", "p_bar"), strict=True):
        table[task + answers[0] + "_fraction"] = known[name]
        table[task + answers[1] + "_fraction"] = 1 - known[name]
    labels = make_labels(table).values
    for question, found in zip(QUESTIONS, labels.T, strict=True):
        wanted = np.ma.filled(np.ma.asarray(known[question.aliases[0]], float), NAN)
        both = np.isfinite(found) & np.isfinite(wanted)
        assert_array_equal(found[both], wanted[both])
        assert both.sum() == np.isfinite(wanted).sum()
        assert np.isfinite(found).sum() == both.sum()


@pytest.fixture
def labeled():
    return Table({"objid": [7, 5, 6], "disk": [1, 0, -1]})


@pytest.mark.parametrize("galaxies", [
    Table({"objid": [5, 6, 7, 8]}), Table({"OBJID": ["5", "6", "7", "8"]}),
    Table({"ObjID": [b"5", b"6", b"7", b"8"]}), Table({"obj_id": [5.0, 6.0, 7.0, 8.0]}),
    ["a/5.jpg", "b/6.jpg", "7.fits.fz", "8.jpg"]])
def test_labels_are_matched_by_name(galaxies, labeled):
    for labels in (labeled, make_labels(labeled, questions=[DISK])):
        assert_array_equal(read_labels(galaxies, labels, [DISK])[:, 0], [0, NAN, 1, NAN])


def test_labels_are_matched_by_file_name():
    labels = Table({"file": ["b.fits", "c.fits", "a.fits"], "disk": [1, 0, 1]})
    galaxies = [f"cutouts/{name}.fits" for name in "abc"]
    assert_array_equal(read_labels(galaxies, labels, [DISK])[:, 0], [1, 1, 0])
    labels["file"] = ["x/a.fits", "c.fits", "a.fits"]
    with pytest.raises(ValueError, match="tell the galaxies apart.*'x/a.fits' and 'a.fits'"):
        read_labels(galaxies, labels, [DISK])


def test_labels_are_matched_by_a_column_of_choice(labeled):
    galaxies = Table({"mine": [5, 7], "objid": [7, 6]})
    labeled["mine"] = labeled["objid"]
    assert_array_equal(read_labels(galaxies, labeled, [DISK], key="mine")[:, 0], [0, 1])
    assert_array_equal(read_labels(galaxies, labeled, [DISK])[:, 0], [1, NAN])
    with pytest.raises(ValueError, match="key: expected the name of a column.*'yours'"):
        read_labels(galaxies, labeled, [DISK], key="yours")
    with pytest.raises(ValueError, match="key: expected a table of labels"):
        read_labels(galaxies, None, [DISK], key="mine")
    with pytest.raises(ValueError, match="key: expected a column that names .*'objid'.*'mine'"):
        read_labels(galaxies, make_labels(labeled[["objid", "disk"]]), [DISK], key="mine")


@pytest.mark.parametrize("kind", [Table, labels_of])
def test_files_are_matched_by_a_column_of_choice(labeled, kind):
    labels = Table({"galaxy_no": labeled["objid"], "disk": labeled["disk"], "id": [1, 2, 3]})
    labels = labels if kind is Table else labels_of(labels, [DISK], key="galaxy_no")
    files = ["a/5.jpg", "7.fits.fz"]
    assert_array_equal(read_labels(files, labels, [DISK], key="galaxy_no")[:, 0], [0, 1])
    with pytest.raises(ValueError, match="key: expected galaxies with names: a table, or files"):
        read_labels([np.zeros((9, 9, 3))], labels, [DISK], key="galaxy_no")


def test_a_table_without_labels_says_which_columns_there_should_be():
    for table in (Table({"file": ["a"], "P_disk": [0.5], "morph_flag": [0]}),
                  Table({"file": ["a"], **{f"a_long_name_{n}": [1] for n in range(99)}})):
        with pytest.raises(ValueError, match="labels: .*'disk', 'edge_on'.*file") as caught:
            read_labels(table, None, [DISK, EDGE_ON])
        assert len(str(caught.value)) < 400


def test_labels_to_learn_from_know_the_parents_of_a_question(hart):
    hart["morph_flag"], hart["P_edge_on"] = 0, 0.5
    labels = labels_of(hart, [EDGE_ON], threshold=0.7)
    assert_array_equal(labels.select([EDGE_ON]), np.array(LABELS)[:, 1:2])
    assert_array_equal(labels.values, labels_of(hart, [DISK, EDGE_ON]).values)


def test_labels_of_galaxies_without_names(labeled):
    masked = Table({"objid": MaskedColumn([5, 7, 6], mask=[True, False, False])})
    assert_array_equal(read_labels(masked, labeled, [DISK])[:, 0], [NAN, 1, NAN])
    bare = Table({"x": [1.0, 2, 3]})
    assert_array_equal(read_labels(bare, labeled, [DISK])[:, 0], [1, 0, NAN])  # by row
    with pytest.raises(ValueError, match=r"labels: expected shape \(2, 1\)"):
        read_labels(bare[:2], labeled, [DISK])


def test_labels_that_disagree_are_said(labeled):
    with pytest.raises(ValueError, match="names of the galaxies.*'15'.*other names, such as '7'"):
        read_labels(Table({"objid": [15, 16, 17]}), labeled, [DISK])
    twice = Table({"objid": [5, 5, 6, 6, 7], "disk": [1, 0, 1, NAN, 0]})
    with pytest.warns(AstromorphWarning, match="1 galaxies have several rows .* disagree"):
        assert_array_equal(read_labels(labeled, twice, [DISK])[:, 0], [0, NAN, 1])
    labeled["name"] = ["a", "b", "c"]
    galaxies = Table({"objid": [5, 6, 7], "name": ["a", "b", "c"]})
    with pytest.raises(ValueError, match="columns of names that agree"):
        read_labels(galaxies, labeled, [DISK])
    assert_array_equal(read_labels(galaxies, labeled, [DISK], key="name")[:, 0], [1, 0, NAN])


@pytest.mark.parametrize("words", [
    ["yes", "no", "unknown", ""], ["Y", "N", "?", "--"], [True, False, None, -1],
    [1, 0, -1, -9999], ["1", "0.0", "-1", "nan"], ["TRUE", "false", "unsure", "N/A"]])
def test_labels_in_words(words):
    for column in (words, np.array(words, object)):
        assert_array_equal(make_labels(Table({"disk": column})).values[:, 0], [1, 0, NAN, NAN])


def test_labels_of_other_words_are_refused_in_a_line():
    with pytest.raises(TypeError) as caught:
        make_labels(Table({"disk": ["spiral", "elliptical", "yes"] * 60}))
    assert str(caught.value) == ("table['disk']: expected an array of numbers, or of 'smooth', "
                                 "'disk or features', yes, no and unknown. Received 'spiral' "
                                 "and similar texts in 120 rows.")


def test_unknown_labels_of_an_array():
    assert_array_equal(read_labels([1, 2], [[-1.0], [1]], [DISK]), [[NAN], [1]])


def test_no_votes_are_no_label():
    table = Table({"bar_yes_fraction": [1.0, 1], "bar_no_fraction": [0.0, 0],
                   "bar_total-votes": [0, 1]})
    assert_array_equal(make_labels(table, min_votes=0).values[:, 2], [NAN, 1])


NAMES = st.one_of(st.integers(0, 2**62).map(str), st.text(min_size=1, max_size=6))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_labels_go_to_the_galaxy_of_their_name(data):
    """In any order, partial, and among names that nobody has."""
    plain = {name.strip(): name for name in data.draw(st.lists(NAMES, min_size=3, max_size=9))}
    names = [name for name in plain if name and not name.endswith(".0")]
    if not names:
        return
    truth = {name: float(n % 2) for n, name in enumerate(names)}
    order = data.draw(st.permutations(names))
    labeled = order[:data.draw(st.integers(1, len(order)))]
    labels = Table({"id": [*labeled, "nobody's"], "disk": [*map(truth.get, labeled), 1.0]})
    found = read_labels(Table({"id": names}), labels, QUESTIONS[:1])[:, 0]
    assert_array_equal(found, [truth[name] if name in labeled else np.nan for name in names])


@pytest.mark.parametrize("cell", ["1_0", "0_1", "1 0", "x"])
def test_what_is_no_number_is_no_label(cell):
    with pytest.raises(TypeError, match="expected an array of numbers"):
        make_labels(Table({"disk": ["1", "0", cell]}))


def reversed_labels(names, column):
    """Labels of four galaxies in another order, under a name that nobody knows."""
    return Table({column: names[::-1], "disk": [1, 0, 1, 0], "edge_on": [0] * 4, "bar": [0] * 4})


@pytest.mark.parametrize("column", ["specobj", "my_id"])
def test_labels_are_joined_by_what_the_columns_hold(column):
    """A column of the same name and the same different values, whatever it is called."""
    names = [11, 22, 33, 44]
    galaxies = Table({column: names, "n": [1, 1, 2, 2]})
    found = read_labels(galaxies, reversed_labels(names, column), QUESTIONS)
    assert found[:, 0].tolist() == [0, 1, 0, 1]
    files = [f"folder/{name}.jpg" for name in names]
    found = read_labels(files, reversed_labels([f"{name}.jpg" for name in names], column),
                        QUESTIONS)
    assert found[:, 0].tolist() == [0, 1, 0, 1]


def test_the_order_of_the_rows_is_said():
    galaxies = Table({"ra": [1.0, 2.0, 3.0, 4.0]})
    labels = reversed_labels([11, 22, 33, 44], "specobj")
    with pytest.warns(AstromorphWarning, match="in the order of the rows.*with key="):
        assert read_labels(galaxies, labels, QUESTIONS)[:, 0].tolist() == [1, 0, 1, 0]


def test_names_that_tell_nobody_apart():
    """Floats that have lost digits are refused; texts for missing ones match nothing."""
    ids = np.array([1237648720693755918, 1237648720693755919], np.int64)
    labels = Table({"objid": ids, "disk": [1, 0], "edge_on": [0, 0], "bar": [0, 0]})
    with pytest.raises(ValueError, match="whole numbers or text.*16 digits"):
        read_labels(Table({"objid": ids.astype(float)}), labels, QUESTIONS)
    galaxies = Table({"name": ["nan", "None", "-9999", "a"]})
    labels = Table({"name": galaxies["name"], "disk": [1, 1, 1, 0], "edge_on": [0] * 4,
                    "bar": [0] * 4})
    assert np.isnan(read_labels(galaxies, labels[::-1], QUESTIONS)[:3]).all()


def test_names_that_contradict_each_other():
    galaxies = Table({"objid": [1, 2], "name": ["a", "b"]})
    labels = Table({"objid": [9, 2], "name": ["a", "b"], "disk": [1, 0], "edge_on": [0, 0],
                    "bar": [0, 0]})
    with pytest.raises(ValueError, match="agree with each other.*'1' and '9'"):
        read_labels(galaxies, labels, QUESTIONS)


def test_negative_numbers_are_matched_by_name():
    t_type = Question("t", kind="number", limits=(-6, 11))
    labels = Table({"file": ["b.jpg", "a.jpg"], "t": [-2.5, 3.0]})
    assert_array_equal(read_labels(["a.jpg", "b.jpg"], labels, [t_type])[:, 0], [3, -2.5])


SEALED = Table({"file": ["a.jpg", "b.jpg", "c.jpg", "d.jpg"], "disk": [1, 0, 1, 0],
                "no_galaxy": [False, False, False, True], "sealed": [False, True, False, False]})


@pytest.mark.parametrize("form", [np.array, lambda values: [str(value) for value in values],
                                  lambda values: MaskedColumn(values, mask=~np.array(values))])
def test_sealed_galaxies_and_no_galaxies_teach_nothing(form):
    table = SEALED.copy()
    table["sealed"] = form(SEALED["sealed"].tolist())
    files = ["d.jpg", "c.jpg", "b.jpg", "a.jpg", "e.jpg"]
    for data, labels, expected, rows in [
            (table, None, [1, 1], [0, 2]), (files, table, [1, 1, NAN], [1, 3, 4]),
            (files, make_labels(table, questions=[DISK]), [1, 1, NAN], [1, 3, 4])]:
        with pytest.warns(AstromorphWarning, match="1 of . galaxies are sealed and teach nothing"):
            found, kept = read_training_labels(data, labels, [DISK])
        assert_array_equal(found[:, 0], expected)
        assert_array_equal(kept, rows)


def test_sealed_galaxies_alone_are_scored():
    with pytest.warns(AstromorphWarning, match="Only the 1 sealed galaxies of 4 are scored"):
        assert_array_equal(read_test_labels(SEALED, None, [DISK])[:, 0], [NAN, 0, NAN, NAN])
    for table in (SEALED["file", "disk"], SEALED["file", "disk", "no_galaxy"]):
        assert_array_equal(read_test_labels(table, None, [DISK])[:, 0], [1, 0, 1, 0])
    labels, rows = read_training_labels(SEALED["file", "disk"], None, [DISK])
    assert rows is None and len(labels) == 4
    assert read_training_labels(["a.jpg"] * 4, [1, 0, 1, 0], [DISK])[1] is None


def test_a_galaxy_that_any_row_seals_is_sealed():
    twice = Table({"file": ["a.jpg", "a.jpg", "b.jpg"], "disk": [1, 1, 0],
                   "sealed": [True, False, False]})
    with pytest.warns(AstromorphWarning, match="sealed"):
        assert_array_equal(read_training_labels(["a.jpg", "b.jpg"], twice, [DISK])[1], [1])


def test_a_column_sealed_of_something_else_is_refused():
    table = SEALED.copy()
    table["sealed"] = ["wax", "wax", "", "lead"]
    with pytest.raises(TypeError, match="'sealed'.*yes, no and unknown"):
        read_training_labels(table, None, [DISK])
