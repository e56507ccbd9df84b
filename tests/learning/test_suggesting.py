"""Suggestions: uncertain and diverse galaxies, in rank order, reproducible."""

import numpy as np
import pytest
from astropy.table import Table

from astromorph import QUESTIONS, MorphFlag
from astromorph.datasets import load_sample
from astromorph.errors import ArgumentError
from astromorph.questions import probability_asked
from astromorph.learning.suggesting import suggest_rows, total_entropy

SAMPLE = list(load_sample()["file"])


def test_asked_follows_the_tree():
    np.testing.assert_allclose(probability_asked(QUESTIONS, [0.8, 0.3, 0.6]), [1, 0.8, 0.8 * 0.7])
    assert probability_asked(QUESTIONS[1:], [0.3, 0.6]) == [1, 0.7]


def test_entropy_by_hand():
    half = np.log(2)
    entropy = total_entropy(QUESTIONS, np.array([[0, .5, .5], [1, .5, 0], [.5, 0, .5], [1, 1, .5]]))
    np.testing.assert_allclose(entropy, [0, half, half + 0.5 * half, 0], atol=1e-9)


def clusters(sizes, seed=0):
    """Features of separate groups of galaxies, and the group of each."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    return rng.normal(0, 1e-4, (group.size, 30)) + rng.normal(0, 1, (len(sizes), 30))[group], group


def test_suggestions_are_diverse():
    """Five groups, one of them large: five random galaxies come from fewer than two, on average."""
    features, group = clusters([100, 5, 5, 5, 5])
    found = [len(set(group[suggest_rows(features, np.ones(len(features)), 5, seed=seed)]))
             for seed in range(20)]
    assert np.mean(found) > 4.5


def test_suggestions_are_uncertain():
    features = np.random.default_rng(1).normal(0, 1, (2000, 10))
    entropy = np.where(np.arange(2000) < 1000, 0.5, 0.01)
    rows = suggest_rows(features, entropy, 100)
    assert (rows < 1000).mean() > 0.9


def test_suggestions_are_distinct_and_reproducible():
    features, _ = clusters([40, 20])
    entropy = np.linspace(0.1, 0.9, 60)
    rows = suggest_rows(features, entropy, 30, seed=3)
    assert len(set(rows)) == 30
    np.testing.assert_array_equal(rows, suggest_rows(features, entropy, 30, seed=3))
    assert rows.tolist() != suggest_rows(features, entropy, 30, seed=4).tolist()


@pytest.mark.parametrize("n_galaxies", [0, 1, 2, 7])
def test_more_than_there_are(n_galaxies):
    rows = suggest_rows(np.ones((n_galaxies, 4)), np.ones(n_galaxies), 10)
    assert sorted(rows) == list(range(n_galaxies))


def test_equal_galaxies_are_suggested_once_each():
    features = np.repeat(np.eye(4), 5, axis=0)
    rows = suggest_rows(features, np.linspace(0.1, 1, 20), 12)
    assert len(set(rows)) == 12


def test_suggest_from_a_table(classifier):
    table = Table({"name": [f"g{i}" for i in range(9)],
                   "file": [*SAMPLE[:4], "missing.fits", *SAMPLE[4:8]]})
    chosen = classifier.suggest(table, 5, images="file", survey="sdss")
    assert chosen.colnames == ["morph_row", "name", "file", "P_disk", "P_edge_on", "P_bar",
                               "morph_flag"]
    assert len(chosen) == 5 and 4 not in chosen["morph_row"]
    assert chosen["name"].tolist() == [f"g{i}" for i in chosen["morph_row"]]
    done = classifier.classify(table, images="file", survey="sdss")[chosen["morph_row"]]
    np.testing.assert_allclose(chosen["P_bar"], done["P_bar"], atol=1e-6)
    again = classifier.suggest(table, 5, images="file", survey="sdss")
    assert again["morph_row"].tolist() == chosen["morph_row"].tolist()
    everything = classifier.suggest(table, 100, images="file", survey="sdss")
    assert sorted(everything["morph_row"]) == [0, 1, 2, 3, 5, 6, 7, 8]


def test_nothing_to_suggest(classifier):
    chosen = classifier.suggest(["missing.fits"] * 3, 2)
    assert len(chosen) == 0 and "P_disk" in chosen.colnames
    every = classifier.classify(["missing.fits"])
    assert every["morph_flag"][0] == MorphFlag.MISSING_FILE


def test_refuses_a_wrong_number(classifier):
    with pytest.raises(ValueError, match="n: expected a positive integer.*0"):
        classifier.suggest(SAMPLE, 0)


@pytest.mark.parametrize("seed", [-1, 1.5, 2**32, "x", None])
def test_refuses_a_wrong_seed_before_the_run(classifier, seed):
    with pytest.raises(ArgumentError, match="seed: expected a whole number from 0"):
        classifier.suggest(["no such file"], 1, seed=seed)
