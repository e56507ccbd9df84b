"""The training scripts run from a folder of labeled images to weights, and resume."""
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from astromorph import MorphologyClassifier
from astromorph.model.files import bundled, read_weights

pytestmark = pytest.mark.slow
TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sets of 40 images each: a bright or a faint disk under noise."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    radius = np.hypot(*(np.mgrid[:64, :64] - 31.5))
    for name in ("gz2", "efigi", "sdss24", "decals", "unlabeled"):
        (folder / name).mkdir()
        labels = rng.integers(0, 2, 40)
        for number, label in enumerate(labels):
            image = rng.integers(0, 60, (64, 64, 3)) + 120 * label * (radius < 20)[..., None]
            Image.fromarray(image.astype(np.uint8)).save(folder / name / f"{number}.jpg")
        files = Table({"file": [f"{number}.jpg" for number in range(40)],
                       "cutout_r90": [4.24] * 40})
        if name == "unlabeled":
            files.write(folder / name / "images.csv")
            continue
        votes = {f"p_{answer}": 0.8 * labels + 0.1 for answer in ("features", "edge_on", "bar")}
        bars = {"efigi_bar_length": np.tile([-1, 0, 0.25, 0.5, 1], 8)}
        Table({"file": files["file"], "q1": labels,
               **{"gz2": votes, "efigi": bars}.get(name, {}),
               "q2": 1 - labels, "q3": np.where(np.arange(40) % 4, labels.astype(str), ""),
               "split": ["train"] * 26 + ["val"] * 14, "cutout_r90": files["cutout_r90"],
               }).write(folder / name / "labels.csv")
    return folder


def _run(script, *arguments):
    subprocess.run([sys.executable, TRAINING / script, *map(str, arguments)], check=True,
                   capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("script, options, folder", [
    ("train_pinwheel.py", [], "pinwheel-1"),
    ("train_tuningfork.py", [], "tuningfork-1"),
    ("train_ds18.py", ["--recipe", "paper", "--questions", "q3"], "ds18-paper-q3-1"),
])
def test_trains_and_resumes(data, tmp_path, script, options, folder):
    common = ["--data", data, "--work", tmp_path, *options]
    _run(script, *common, "--epochs", 1)
    log = tmp_path / folder / "log.csv"
    first = log.read_text().splitlines()
    assert len(first) == 1 and np.isfinite(float(first[0].split(",")[1]))
    assert (tmp_path / folder / "best.weights.h5").exists()
    if script != "train_pinwheel.py":  # all resume by the same `networks.fit`
        return
    _run(script, *common, "--epochs", 2)
    assert log.read_text().splitlines()[0] == first[0]
    assert len(log.read_text().splitlines()) == 2
    _run(script, *common, "--epochs", 1, "--second")
    assert (tmp_path / "answers-pinwheel-1.npy").exists()  # it listened to the first one
    assert (tmp_path / "pinwheel-1-second.weights.h5").exists()


def test_graded_labels(data, monkeypatch):
    """Votes of Galaxy Zoo, and of EFIGI's bars twice their length, up to 1; none of no bar."""
    monkeypatch.syspath_prepend(str(TRAINING))
    from train_pinwheel import graded_labels

    table = Table({"set": np.repeat(["gz2", "efigi", "sdss24"], 40)})
    zoo, efigi, other = graded_labels(table, data).reshape(3, 40, 3)
    assert np.isin(np.round(zoo, 6), [0.1, 0.9]).all()
    np.testing.assert_array_equal(efigi[:5, 2], [np.nan, np.nan, 0.5, 1, 1])
    assert np.isnan(efigi[:, :2]).all() and np.isnan(other).all()
    assert np.isnan(graded_labels(table, data, grades=False)[40:]).all()


def test_targets_mix_labels_votes_and_teachers(monkeypatch):
    """A label counts before votes, votes before nothing; questions as far as they are asked."""
    monkeypatch.syspath_prepend(str(TRAINING))
    from data import distillation_targets

    nan = np.nan
    labels, votes = np.array([[1, nan, nan], [nan] * 3]), np.array([[0.6, 0.4, nan], [nan] * 3])
    answers = np.array([[0.8, 0.2, 0.5], [0.5, 0.5, 0.2]])
    targets, weights = distillation_targets(labels, answers, votes, 0.75)
    np.testing.assert_allclose(targets, [[0.95, 0.35, 0.5], [0.5, 0.5, 0.2]])
    np.testing.assert_allclose(weights, [[1, 0.8, 0.64], [1, 0.5, 0.25]])


def test_brightness_is_written_and_weights_stay(data, tmp_path):
    file = tmp_path / "weights.safetensors"
    shutil.copy(bundled()["sdss", "pinwheel"], file)
    _run("brightness.py", "--data", data, "--work", tmp_path, file)
    (before, arrays), (after, same) = map(read_weights, (bundled()["sdss", "pinwheel"], file))
    assert after["brightness"]["n_images"] == 78
    assert after["brightness"]["quantiles"] != before["brightness"]["quantiles"]
    assert after["sha256"] == before["sha256"] and arrays.keys() == same.keys()


def test_adapted_weights_know_both_framings(data, tmp_path):
    file = tmp_path / "weights.safetensors"
    _run("train_legacy.py", "--data", data, "--work", tmp_path, "--network", "pinwheel",
         "--out", file, "--epochs", 1, "--seeds", 1)
    card = MorphologyClassifier.read(file).card
    source, _ = read_weights(bundled()["sdss", "pinwheel"])
    assert card["survey"] == "legacy" and card["adapted"]["from"] == source["sha256"]
    assert card["adapted"]["galaxies"] == 40 and card["adapted"]["labels"]["q1"]["n"] == 40
    assert {row["set"].split(", ")[-1] for row in card["test"]} == {"measured", "nominal"}
    assert max(row["n"] for row in card["test"]) == 40
    assert card["training"]["float16_rounding"] <= 2e-3
