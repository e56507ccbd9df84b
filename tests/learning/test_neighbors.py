"""Neighbors of galaxies, and galaxies without."""
import tracemalloc

import numpy as np
import pytest
from astropy.table import Column, MaskedColumn, Table

from astromorph import odd, similar
from astromorph.datasets import load_sample
from astromorph.errors import ArgumentError


def table_of(features, identity="a"):
    """A table as `embed` gives it."""
    features = np.asarray(features, np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return Table({"row": np.arange(len(features)), "features": features,
                  "morph_flag": np.zeros(len(features), int)}, meta={"MORPHEMB": identity})


@pytest.fixture
def random_table():
    """Many random galaxies, some without features."""
    table = table_of(np.random.default_rng(0).normal(size=(40_000, 16)))
    table["features"][::100] = np.nan
    return table


def test_the_same_as_by_hand(random_table):
    features = random_table["features"]
    products = features @ features[7]
    products[7] = -2
    expected = np.argsort(-np.nan_to_num(products, nan=-2))[:12]
    for like in (7, np.int64(7), -39_993, random_table[7]):
        found = similar(random_table, like, 12)
        assert found["row"].tolist() == expected.tolist()
        np.testing.assert_allclose(found["similarity"], products[expected], rtol=1e-5)
    assert "similarity" not in random_table.colnames


def test_any_type_of_number(random_table):
    expected = similar(random_table, 5, 4)["row"].tolist()
    for kind in (">f4", "f8"):
        other = Table(random_table, copy=True)
        other["features"] = Column(random_table["features"].astype(kind))
        assert similar(other, 5, 4)["row"].tolist() == expected
    features = random_table["features"]
    random_table["features"] = MaskedColumn(np.nan_to_num(features), mask=np.isnan(features))
    assert similar(random_table, 5, 4)["row"].tolist() == expected


def test_a_row_of_another_table(random_table):
    other = random_table[[5, 6]]
    found = similar(random_table, other[0], 3)
    assert found["row"][0] == 5 and found["similarity"][0] == pytest.approx(1)
    other.meta["MORPHEMB"] = "b"
    with pytest.raises(ArgumentError, match="same classifier"):
        similar(random_table, other[0])
    del random_table.meta["MORPHEMB"]
    with pytest.raises(ArgumentError, match="same classifier"):
        similar(random_table, other[0])
    del other.meta["MORPHEMB"]
    with pytest.raises(ArgumentError, match="same classifier"):
        similar(random_table, other[0])


def test_an_image(classifier):
    sample = load_sample()
    table = classifier.embed(sample, images="file", r90="measure", progress=False)
    found = similar(table, sample["file"][4], 2, classifier=classifier, r90="measure")
    assert found["name"][0] == sample["name"][4]
    assert found["similarity"][0] == pytest.approx(1, abs=1e-5)
    with pytest.raises(ArgumentError, match="same classifier"):
        similar(table, sample["file"][4], classifier=classifier, r90="measure", views=1)
    with pytest.raises(ArgumentError, match="no classifier"):
        similar(table, sample["file"][4])
    with pytest.raises(ArgumentError, match="morph_flag"):
        similar(table, "missing.jpg", classifier=classifier, r90="measure")


def test_more_than_there_are():
    table = table_of(np.eye(3))
    assert sorted(similar(table, 1)["row"]) == [0, 2]
    assert len(similar(table[:1], 0)) == 0


def test_wrong_arguments(random_table):
    with pytest.raises(ArgumentError, match="without 'features'"):
        similar(load_sample(), 0)
    with pytest.raises(ArgumentError, match="the number of a row, in a table of 40000 rows"):
        similar(random_table, 40_000)
    with pytest.raises(ArgumentError, match="morph_flag"):
        similar(random_table, 100)
    with pytest.raises(ArgumentError, match="^n: "):
        similar(random_table, 5, 0)
    with pytest.raises(ArgumentError, match="vectors of numbers"):
        similar(Table({"features": ["a"]}), 0)
    with pytest.raises(ArgumentError, match="at least two"):
        odd(random_table[[0, 1]])


def test_a_query_takes_little_memory(random_table):
    tracemalloc.start()
    similar(random_table, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * len(random_table) + 3e6  # bytes; the features themselves are 64 a row


def test_odd_ones_are_in_front():
    """A few unlike each other and the crowd, and a small group of its own, which is odd as well."""
    rng = np.random.default_rng(3)
    crowd = rng.normal(size=16) * 3 + rng.normal(size=(3000, 16))
    group = -crowd.mean(axis=0) + 0.1 * rng.normal(size=(20, 16))
    table = table_of(np.concatenate([crowd, group, 9 * rng.normal(size=(10, 16))]))
    table["features"][5] = np.nan
    found = odd(table)
    assert sorted(found["row"]) == sorted(table["row"])
    assert (found["row"][:30] >= 3000).mean() > 0.9
    assert found["row"][-1] == 5 and np.isnan(found["oddness"][-1])
    assert np.all(np.diff(found["oddness"][:-1]) <= 0)
    assert odd(table)["row"].tolist() == found["row"].tolist()
    assert "oddness" not in table.colnames


def test_equal_ones_are_not_odd():
    np.testing.assert_allclose(odd(table_of(np.ones((30, 16))))["oddness"], 0, atol=1e-5)


def test_infinite_features_are_none():
    table = table_of(np.eye(4))
    table["features"][2] = np.inf
    assert sorted(similar(table, 1)["row"]) == [0, 3]
