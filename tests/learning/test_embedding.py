"""Features of galaxies: unit vectors that know their model, in every file format."""
import base64

import numpy as np
import pytest
from astropy.table import Table

from astromorph import MorphFlag, MorphologyClassifier, similar
from astromorph.datasets import load_sample
from astromorph.errors import ArgumentError
from astromorph.learning.embedding import COLUMN, SIZE, Axes
from astromorph.tables import read_table, write_table

IMAGES = {"images": "file", "r90": "petroR90", "progress": False}


@pytest.fixture(scope="module")
def embedded(classifier):
    """Features of the simulated galaxies."""
    return classifier.embed(load_sample(), **IMAGES)


def test_columns_and_provenance(classifier, embedded):
    sample = load_sample()
    assert embedded.colnames == [*sample.colnames, COLUMN, "morph_flag"]
    assert list(embedded["name"]) == list(sample["name"])
    assert embedded[COLUMN].shape == (12, SIZE) and embedded[COLUMN].dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embedded[COLUMN], axis=1), 1, rtol=1e-5)
    assert embedded.meta["MORPHMDL"] == classifier.model.asking().identity
    assert len(embedded.meta["MORPHEMB"]) == 16
    assert COLUMN not in sample.colnames


def test_rows_that_cannot_be_read_are_flagged(classifier):
    files = [*load_sample()["file"][:2], "missing.jpg"]
    table = classifier.embed(files, r90="measure", progress=False)
    assert np.isnan(table[COLUMN]).all(axis=1).tolist() == [False, False, True]
    assert table["morph_flag"][2] & MorphFlag.UNCLASSIFIED
    assert len(similar(table, 0)) == 1


def test_no_rows(classifier):
    table = classifier.embed(load_sample()[:0], **IMAGES)
    assert table[COLUMN].shape == (0, SIZE)


@pytest.mark.parametrize("suffix", ["fits", "ecsv", "parquet", "vot"])
def test_files_hold_the_features(embedded, tmp_path, suffix):
    write_table(embedded, tmp_path / f"t.{suffix}")
    table = read_table(tmp_path / f"t.{suffix}")
    np.testing.assert_array_equal(table[COLUMN], embedded[COLUMN])
    assert table.meta["MORPHEMB"] == embedded.meta["MORPHEMB"]
    assert list(similar(table, 3)["name"]) == list(similar(embedded, 3)["name"])


def test_a_turned_image_looks_the_same(classifier):
    images = np.random.default_rng(0).random((1, 80, 80, 3)).astype(np.float32)
    images *= np.exp(-np.hypot(*np.mgrid[-40:40, -40:40]) / 12)[..., None]
    turned = np.concatenate([images, np.rot90(images, axes=(1, 2)), images[:, :, ::-1]])
    options = {"cutout_r90": classifier.frame_r90, "progress": False}
    eight, one = (classifier.embed(turned, views=views, **options) for views in (8, 1))
    np.testing.assert_allclose(eight[COLUMN][1:], eight[COLUMN][[0, 0]], atol=1e-4)
    assert np.abs(one[COLUMN][1] - one[COLUMN][0]).max() > 1e-3
    assert one.meta["MORPHEMB"] != eight.meta["MORPHEMB"]


def test_a_checkpoint_goes_on(classifier, embedded, tmp_path, monkeypatch):
    first = classifier.embed(load_sample(), checkpoint=tmp_path / "run", **IMAGES)
    monkeypatch.setattr("astromorph.learning.embedding._seen", None)  # nothing is left to do
    with pytest.raises(ArgumentError, match="embedding"):
        classifier.embed(load_sample(), views=1, checkpoint=tmp_path / "run", **IMAGES)
    monkeypatch.undo()
    again = classifier.embed(load_sample(), checkpoint=tmp_path / "run", **IMAGES)
    np.testing.assert_array_equal(again[COLUMN], first[COLUMN])
    np.testing.assert_array_equal(again[COLUMN], embedded[COLUMN])
    assert again.meta == first.meta


def test_axes_are_learned_and_kept(classifier, tmp_path):
    images = np.random.default_rng(1).random((120, 80, 80, 3)).astype(np.float32)
    options = {"cutout_r90": classifier.frame_r90, "progress": False, "views": 1}
    own = classifier.fit_embedding(images, **options)
    assert own.model.identity == classifier.model.identity
    assert own.card["embedding"]["galaxies"] == 120
    own.write(tmp_path / "own.safetensors")
    tables = [each.embed(images[:3], **options)
              for each in (own, type(own).read(tmp_path / "own.safetensors"), classifier)]
    np.testing.assert_array_equal(tables[0][COLUMN], tables[1][COLUMN])
    identities = [table.meta["MORPHEMB"] for table in tables]
    assert identities[0] == identities[1] != identities[2]


def test_weights_without_axes(ds18_classifier, classifier):
    bare = classifier.model.replace(more={})
    for model in (bare, ds18_classifier.model):
        with pytest.raises(ArgumentError, match="fit_embedding"):
            type(classifier)(model).embed(load_sample(), **IMAGES)


def test_wrong_arguments(classifier):
    with pytest.raises(ArgumentError, match="views"):
        classifier.embed(load_sample(), views=3, **IMAGES)
    with pytest.raises(ArgumentError, match="at least 100"):
        classifier.fit_embedding(load_sample(), **IMAGES)
    with pytest.raises(ArgumentError, match="at least 100"):
        classifier.fit_embedding(load_sample()[:0], **IMAGES)
    with pytest.raises(ArgumentError, match="view"):
        classifier.embed(load_sample(), viewz=8, **IMAGES)


def test_axes_follow_the_variance():
    """Directions of large variance first, each of a weight that is its fourth root less."""
    rng = np.random.default_rng(2)
    seen = rng.normal(size=(5000, 20)).astype(np.float32)
    seen[:, 1] = seen[:, 0] + 0.1 * seen[:, 1]  # two that say the same
    axes = Axes.fit(seen)
    assert axes.kernel.shape == (20, SIZE)
    assert set(np.argsort(-np.abs(axes.kernel[:, 0]))[:2]) == {0, 1}
    along = (seen - axes.center) @ axes.kernel
    assert along[:, 0].var() == pytest.approx(np.sqrt(2), rel=0.1)


@pytest.mark.slow
def test_real_galaxies_of_one_class_are_neighbors(real_data):
    from astromorph import MorphologyClassifier

    labels = Table.read(real_data / "decals" / "labels.csv")
    labels = labels[(labels["catalog"] == "galaxy10_decals") & (labels["split"] == "val")]
    labels["file"] = [str(real_data / "decals" / file) for file in labels["file"]]
    table = MorphologyClassifier.from_pretrained("legacy").embed(
        labels, images="file", cutout_r90="cutout_r90", views=2, progress=False)
    same = [np.mean(similar(table, row, 3)["galaxy10_class"] == table["galaxy10_class"][row])
            for row in range(len(table))]
    assert np.mean(same) > 0.5  # by chance .12


@pytest.mark.parametrize("known", [
    "x", {}, {"center": "%%%"}, {"center": ""}, {"center": "AAAAAA=="},
    {"center": base64.b64encode(np.full(192, np.nan, "<f4").tobytes()).decode()},
    {"kernel": base64.b64encode(np.ones((192, 8), "<f4").tobytes()).decode()}])
def test_axes_that_do_not_fit_are_refused(classifier, known):
    card = classifier.model.card
    known = card.more["embedding"] | known if known and isinstance(known, dict) else known
    with pytest.raises(ArgumentError, match=r"^card\['embedding'\]\S*: expected"):
        damaged = classifier.model.replace(more=card.more | {"embedding": known})
        MorphologyClassifier(damaged).embed(load_sample()[:2], images="file", r90="measure",
                                            progress=False)


def test_what_is_said_of_answers_stays(classifier):
    options = {"images": "file", "r90": "measure", "progress": False}
    answered = classifier.classify(load_sample()[:2], questions="all", **options)
    embedded = classifier.embed(answered, **options)
    assert embedded.meta["MORPHMDL"] == answered.meta["MORPHMDL"]
    assert classifier.model.has_made(embedded)
