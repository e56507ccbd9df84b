"""The training scripts run from a folder of labeled images to weights, and resume."""
import importlib
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from astromorph import networks
from astromorph.model import TrainedModel
from astromorph.model.files import bundled
from astromorph.questions import QUESTIONS

TRAINING = Path(__file__).parents[2] / "training"
SETS = {"gz2": 24, "efigi": 24, "sdss24": 24, "decals": 40, "unlabeled": 8}
KEYS = [question.key for question in QUESTIONS]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sets of a few images each: a bright or a faint disk under noise."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    radius = np.hypot(*(np.mgrid[:64, :64] - 31.5))
    for name, n in SETS.items():
        (folder / name).mkdir()
        labels = rng.permutation(np.arange(n) % 2)
        for number, label in enumerate(labels):
            light = (10 + 110 * label) * (radius < 20)[..., None]
            image = rng.integers(0, 60, (64, 64, 3)) + light
            Image.fromarray(image.astype(np.uint8)).save(folder / name / f"{number}.jpg")
        files = Table({"file": [f"{number}.jpg" for number in range(n)],
                       "cutout_r90": [4.24] * n})
        if name == "unlabeled":
            files.write(folder / name / "images.csv")
            continue
        votes = {f"p_{answer}": 0.8 * labels + 0.1 for answer in ("features", "edge_on", "bar")}
        bars = {"efigi_bar_length": np.resize([-1, 0, 0.25, 0.5, 1], n)}
        Table({"file": files["file"], "q1": labels,
               **{"gz2": votes, "efigi": bars}.get(name, {}),
               "q2": 1 - labels, "q3": np.where(np.arange(n) % 4, labels.astype(str), ""),
               "split": ["train"] * (n - 12) + ["val"] * 8 + ["test"] * 4,
               "cutout_r90": files["cutout_r90"]}).write(folder / name / "labels.csv")
    return folder


@pytest.fixture
def load(monkeypatch):
    """A function that imports a training script; all of them are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(TRAINING))
    monkeypatch.setattr(networks.architectures, "ARCHITECTURES", dict(networks.ARCHITECTURES))
    monkeypatch.setattr(networks, "ARCHITECTURES", networks.architectures.ARCHITECTURES)
    own = {path.stem for path in TRAINING.glob("*.py")}
    yield importlib.import_module
    for name in own & set(sys.modules):
        del sys.modules[name]


@pytest.fixture
def run(load, monkeypatch, data, tmp_path):
    """A function that runs a training script, as from the command line."""
    def run(script, *arguments):
        arguments = ["--data", data, "--work", tmp_path, *arguments]
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        load(script).main()

    return run


def _replace_pinwheel(build):
    """Let scripts build another network of 32 pixels wherever they build a pinwheel."""
    networks.ARCHITECTURES["pinwheel"] = networks.Architecture("pinwheel", build, 32)


def _small_pinwheel(questions):
    return networks.pinwheel(questions, size=32, stem=(4, 8, 4), blocks=((4, 2),))


def _by_brightness(questions):
    """A network that knows the answers: an image of a disk is darker, but for its disk."""
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    answers = keras.layers.Dense(3, activation="sigmoid", name="answers")
    model = keras.Model(inputs, answers(x))
    answers.set_weights([np.full((3, 3), -8) * [1, -1, 1], np.array([10, -10, 10])])
    return model


def _log(folder):
    return (folder / "log.csv").read_text().splitlines()


@pytest.mark.slow
def test_pinwheel_trains_and_resumes(run, load, monkeypatch, tmp_path):
    monkeypatch.setitem(load("train_pinwheel").TEACHERS, "tuningfork", 1)
    np.save(tmp_path / "answers-ds18.npy", np.full((44, 3), 0.5))  # as an earlier run left them
    _replace_pinwheel(_small_pinwheel)
    run("train_pinwheel", "--epochs", 1)
    (first,) = _log(tmp_path / "pinwheel-1")
    assert np.isfinite(float(first.split(",")[1]))
    assert (tmp_path / "pinwheel-1" / "best.weights.h5").exists()
    run("train_pinwheel", "--epochs", 2)
    assert _log(tmp_path / "pinwheel-1")[0] == first and len(_log(tmp_path / "pinwheel-1")) == 2
    run("train_pinwheel", "--epochs", 1, "--second")
    assert (tmp_path / "answers-pinwheel-1.npy").exists()  # it listened to the first one
    assert (tmp_path / "pinwheel-1-second.weights.h5").exists()


@pytest.mark.slow
@pytest.mark.parametrize("script, options, folder", [
    ("train_tuningfork", [], "tuningfork-1"),
    ("train_ds18", ["--recipe", "paper", "--questions", "bar"], "ds18-paper-bar-1"),
])
def test_trains(run, tmp_path, script, options, folder):
    run(script, *options, "--epochs", 1)
    (line,) = _log(tmp_path / folder)  # all resume by the same `networks.fit`
    assert np.isfinite(float(line.split(",")[1]))
    assert (tmp_path / folder / "best.weights.h5").exists()


def test_tuningfork(load):
    """Its record is known to the package once it is imported, and its weights fit it."""
    own = load("tuningfork")
    model = networks.build("tuningfork", QUESTIONS)
    assert networks.get_architecture("tuningfork") is own.TUNINGFORK
    assert model.input_shape == (None, 96, 96, 3) and model.count_params() == 1_375_091
    weights = TrainedModel.read(own.WEIGHTS)
    assert weights.card.network == "tuningfork" and list(weights.card.keys) == KEYS
    convolutions, dense = networks.split(model)
    assert dense.count_params() == 3 * 225


def _numbered(model):
    """Give each array of a network one number all over, and return path -> number."""
    arrays = networks.export_weights(model)
    numbers = {path: number for number, path in enumerate(arrays, 1)}
    networks.import_weights(model, {path: np.full_like(array, numbers[path])
                                    for path, array in arrays.items()})
    return numbers


def test_ds18_goes_on_from_the_shared_stage(load, monkeypatch, tmp_path):
    """Each network starts with the shared convolutions and the dense layers of its question."""
    train_ds18, trained = load("train_ds18"), []

    def fit(network, *args, **options):
        trained.append(network)
        if len(trained) == 1:
            trained.append(_numbered(network))

    monkeypatch.setattr(networks, "fit", fit)
    answers = np.full((64, 3), 0.5)
    train_ds18.train_distilled(np.zeros((64, 92, 92, 3), np.uint8), answers, answers,
                               lambda columns: None, tmp_path, 1, (1, 1))
    shared, *alone = trained[1:]
    for q, network in enumerate(alone, 1):
        for path, array in networks.export_weights(network).items():
            source = path.replace("ds18_q1", "ds18_trunk").replace("_q1", f"_q{q}")
            assert (array == shared[source]).all()


def test_ds18_is_put_together_by_position(load, tmp_path):
    """The released file holds the network of each question at its place."""
    ds18, release = load("train_ds18").ds18, load("release")
    for key in KEYS:
        folder = tmp_path / f"ds18-distilled-{key}-1"
        folder.mkdir()
        alone = ds18([key])
        networks.import_weights(alone, {path: np.full_like(array, KEYS.index(key)) for path, array
                                        in networks.export_weights(alone).items()})
        alone.save_weights(folder / "best.weights.h5")
    arrays = release.trained_arrays("ds18", "distilled", tmp_path, 1)
    networks.import_weights(networks.build("ds18", QUESTIONS), arrays)
    for path, array in arrays.items():
        assert (array == int(path.split("/")[0][-1]) - 1).all()


def test_graded_labels(data, load):
    """Votes of Galaxy Zoo, and of EFIGI's bars twice their length, up to 1; none of no bar."""
    graded_labels = load("train_pinwheel").graded_labels
    table = Table({"set": np.repeat(["gz2", "efigi", "sdss24"], 24)})
    zoo, efigi, other = graded_labels(table, data).reshape(3, 24, 3)
    assert np.isin(np.round(zoo, 6), [0.1, 0.9]).all()
    np.testing.assert_array_equal(efigi[:5, 2], [np.nan, np.nan, 0.5, 1, 1])
    assert np.isnan(efigi[:, :2]).all() and np.isnan(other).all()
    assert np.isnan(graded_labels(table, data, grades=False)[24:]).all()


def test_targets_mix_labels_votes_and_teachers(load):
    """A label counts before votes, votes before nothing; questions as far as they are asked."""
    distillation_targets = load("data").distillation_targets
    nan = np.nan
    labels, votes = np.array([[1, nan, nan], [nan] * 3]), np.array([[0.6, 0.4, nan], [nan] * 3])
    answers = np.array([[0.8, 0.2, 0.5], [0.5, 0.5, 0.2]])
    targets, weights = distillation_targets(labels, answers, votes, 0.75)
    np.testing.assert_allclose(targets, [[0.95, 0.35, 0.5], [0.5, 0.5, 0.2]])
    np.testing.assert_allclose(weights, [[1, 0.8, 0.64], [1, 0.5, 0.25]])


def test_labels_of_real_data_keep_their_columns(data, load):
    table = load("data").read_labels(data, ["gz2", "decals"])
    assert set(KEYS) < set(table.colnames) and len(table) == 64
    np.testing.assert_array_equal(table["edge_on"], 1 - table["disk"])
    assert np.isnan(table["bar"][::4]).all() and np.isfinite(table["bar"][1::4]).all()


def _weights(tmp_path):
    file = tmp_path / "weights.safetensors"
    shutil.copy(bundled()["sdss", "pinwheel"], file)
    return file, TrainedModel.read(file)


def test_brightness_is_written_and_weights_stay(run, tmp_path):
    file, before = _weights(tmp_path)
    run("brightness", file)
    after = TrainedModel.read(file)
    assert after.card.brightness["n_images"] == 36
    assert after.card.brightness["quantiles"] != before.card.brightness["quantiles"]
    assert after.card.replace(brightness=before.card.brightness) == before.card


def test_domain_is_written_and_weights_stay(load, monkeypatch, data, tmp_path):
    file, before = _weights(tmp_path)
    monkeypatch.setattr(sys, "argv", ["domain", "--data", str(data), "--weights", str(file)])
    load("domain").main()
    after = TrainedModel.read(file)
    assert after.card.domain != before.card.domain
    assert after.card.base_rates.keys() == set(KEYS)
    assert after.card.replace(domain=before.card.domain,
                              base_rates=before.card.base_rates) == before.card


def test_release(run, tmp_path):
    """What was trained becomes a weights file that says how good it is."""
    _replace_pinwheel(_by_brightness)
    networks.build("pinwheel", KEYS).save_weights(tmp_path / "pinwheel-1-second.weights.h5")
    run("release", "--network", "pinwheel", "--out", tmp_path / "new.safetensors")
    model = TrainedModel.read(tmp_path / "new.safetensors")
    assert model.card.network == "pinwheel" and model.survey.name == "sdss" and model.size == 32
    assert model.card.training["labels"]["disk"]["train"] == 36
    assert {row["n"] for row in model.card.test if row["set"] == "all"} == {9, 12}
    assert {row["accuracy"] for row in model.card.test} == {1.0}
    assert model.card.more["stretch"] == "sdss" and 0 <= model.card.bfloat16_change < 0.1


@pytest.mark.slow
def test_adapted_weights_know_both_framings(run, load, monkeypatch, tmp_path):
    file = tmp_path / "weights.safetensors"
    monkeypatch.setattr(load("train_legacy"), "FOLDS", 2)
    run("train_legacy", "--network", "pinwheel", "--out", file, "--epochs", 1, "--seeds", 1)
    card, source = TrainedModel.read(file).card, TrainedModel.bundled("sdss", "pinwheel").card
    assert card.survey.name == "legacy" and card.adapted["from"] == source.sha256
    assert card.adapted["galaxies"] == 40 and card.adapted["labels"]["disk"]["n"] == 40
    assert {row["set"].split(", ")[-1] for row in card.test} == {"measured", "nominal"}
    assert max(row["n"] for row in card.test) == 40
    assert card.training["float16_rounding"] <= 2e-3


def test_variants_are_tried(run, load, monkeypatch, tmp_path):
    _replace_pinwheel(_by_brightness)
    monkeypatch.setattr(load("try_networks"), "train",
                        lambda *args, **options: networks.build("pinwheel", KEYS))
    run("try_networks", "--out", tmp_path, "--variants", "as it is")
    (row,) = Table.read(tmp_path / "tables" / "tried_table.rst", format="ascii.rst")
    assert row["variant"] == "as it is" and row["disk gz2"] == row["bar efigi"] == 1
