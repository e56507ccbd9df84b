"""Weights files: what is written comes back, and what is damaged is refused."""
import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from astromorph import AstromorphWarning, get_survey
from astromorph.model import TrainedModel
from astromorph.model.card import FORMAT
from astromorph.model.files import bundled, digest, find_bundled, read_weights, write_weights
from astromorph.model.heads import head_arrays

CARD = {"network": "ds18", "survey": "sdss", "questions": ["disk"], "size": 69, "frame_r90": 4.24,
        "calibration": {}}


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {"a/kernel": rng.normal(size=(3, 2)).astype(np.float16),
            "a/bias": np.arange(2, dtype=np.float32)}


def test_round_trip(tmp_path, arrays):
    path = tmp_path / "w.safetensors"
    write_weights(path, CARD, arrays)
    card, back = read_weights(path)
    assert card == CARD | {"format": FORMAT}
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    assert list(tmp_path.iterdir()) == [path]


def test_digest_is_that_of_values_names_and_questions(arrays):
    whole = digest(arrays, ["disk", "bar"])
    assert len(whole) == 64 and whole == digest(dict(reversed(arrays.items())), ("disk", "bar"))
    assert whole == digest({name: array.astype("f8") for name, array in arrays.items()},
                           ["disk", "bar"])
    assert len({whole, digest(arrays, ["bar", "disk"]), digest(arrays, ["disk"]),
                digest(arrays | {"a/bias": np.ones(2)}, ["disk", "bar"])}) == 4


def test_does_not_overwrite_unasked(tmp_path, arrays):
    path = tmp_path / "w.safetensors"
    write_weights(path, CARD, arrays)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_weights(path, CARD, arrays)
    write_weights(path, CARD | {"size": 96}, arrays, overwrite=True)
    assert read_weights(path)[0]["size"] == 96


def test_failed_write_leaves_what_was_there(tmp_path, arrays, monkeypatch):
    path = tmp_path / "w.safetensors"
    write_weights(path, CARD, arrays)

    def full_disk(part, data):
        with part.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_weights(path, CARD | {"size": 96}, arrays, overwrite=True)
    assert read_weights(path)[0]["size"] == CARD["size"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["w.h5", "w", "w.safetensors.bak"])
def test_other_suffix(tmp_path, arrays, name):
    with pytest.raises(ValueError, match="path: expected a name that ends in .safetensors"):
        write_weights(tmp_path / name, CARD, arrays)
    assert not list(tmp_path.iterdir())


def test_folder_of_the_page_for_labeling(tmp_path, arrays):
    with pytest.raises(FileNotFoundError, match="no weights file.*weights.safetensors"):
        read_weights(tmp_path)
    write_weights(tmp_path / "weights.safetensors", CARD, arrays)
    assert read_weights(tmp_path)[0] == CARD | {"format": FORMAT}


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no weights file"):
        read_weights(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 100, b"\xff" * 4096])
def test_not_a_weights_file(tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="which cannot be read"):
        read_weights(path)


def test_truncated(tmp_path, arrays):
    path = tmp_path / "w.safetensors"
    write_weights(path, CARD, arrays)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="which cannot be read"):
        read_weights(path)


def test_safetensors_of_somebody_else(tmp_path, arrays):
    path = tmp_path / "w.safetensors"
    save_file(arrays, path)
    with pytest.raises(ValueError, match="which has no card"):
        read_weights(path)


@pytest.mark.parametrize("version", [FORMAT + 1, 1, "2", None])
def test_other_format(tmp_path, arrays, version):
    path = tmp_path / "w.safetensors"
    save_file(arrays, path, metadata={"card": json.dumps(CARD | {"format": version})})
    with pytest.raises(ValueError, match=f"of format {FORMAT}.*Install the version"):
        read_weights(path)


def test_bundled_files():
    files = bundled()
    assert files.keys() == {
        (survey, network) for survey in ("sdss", "legacy", "des", "legacy-dr9", "legacy-dr10")
        for network in ("pinwheel", "whirlpool", "ds18")}
    for (survey, network), path in files.items():
        model = TrainedModel.read(path)
        card = model.card.to_json()
        assert model.survey == get_survey("sdss" if survey == "sdss" else "legacy")
        assert card["network"] == network and card["questions"] == ["disk", "edge_on", "bar"]
        _, arrays = head_arrays(load_file(path))
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float16)}
        assert path.stat().st_size < 20e6
        assert card["citations"] and card["license"] and card["training"] and card["test"]
        assert card["training"]["float16_rounding"] <= 2e-3
        assert min(row["AUC"] for row in card["test"] if row["n"] > 100) > 0.89


@pytest.mark.parametrize("name, owner", [
    ("delve", "legacy"), ("decaps2", "legacy"), ("legacy-dr11", "legacy"),  # the same camera
    ("kids", "sdss"), ("euclid", "sdss"), ("hsc", "legacy"), ("ps1", "legacy")])
def test_the_nearest_weights_of_a_survey_without(name, owner):
    survey = get_survey(name)
    with pytest.warns(AstromorphWarning, match=rf"no weights for {survey.title} .* \({owner}\)"):
        model = TrainedModel.bundled(name.upper())
    own = TrainedModel.bundled(owner)
    assert (model.survey, model.card.weights_of) == (survey, owner)
    assert model.provenance["MORPHSRV"] == owner and f"of {owner} for {name}" in repr(model)
    assert model.card.sha256 == own.card.sha256 and model.card.domain == own.card.domain
    assert find_bundled(survey) == (survey, bundled()[owner, "pinwheel"], get_survey(owner))


def test_the_owner_of_weights_is_kept_in_their_file(tmp_path):
    TrainedModel.bundled("kids").write(tmp_path / "kids.safetensors")
    model = TrainedModel.read(tmp_path / "kids.safetensors")
    assert (model.survey.name, model.card.weights_of) == ("kids", "sdss")
    assert "weights_of" not in TrainedModel.bundled("des").card.to_json()


def test_nearest_weights_of_a_record_of_ones_own():
    mine = replace(get_survey("hsc"), name="mine", camera="SDSS")
    with pytest.warns(AstromorphWarning, match="no weights for .* .mine.* .sdss."):
        model = TrainedModel.bundled(mine, "ds18")
    assert model.survey == mine and model.card.network == "ds18"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        changed = replace(get_survey("sdss"), release="DR20")
        assert TrainedModel.bundled(changed).survey == changed
        assert TrainedModel.bundled("legacy-dr9").card.weights_of is None


def test_identities_of_bundled_weights_stay():
    """What checkpoints, caches and published tables name them by."""
    assert {name: TrainedModel.bundled(name).identity for name in ("sdss", "legacy", "des")} == {
        "sdss": "6f3f0e56d07ac6f6", "legacy": "f135e46dd7ea7313", "des": "ec96b57c4d43509e"}


@pytest.mark.parametrize("card, kind", [
    ("[" * 100_000, "F32"), ('{"format": ' + "9" * 5000 + "}", "F32"),
    ('{"format": 2}', "F8_E4M3")])
def test_what_python_or_numpy_cannot_hold(tmp_path, card, kind):
    size = {"F32": 4, "F8_E4M3": 1}[kind]
    header = json.dumps({"__metadata__": {"card": card}, "w": {
        "dtype": kind, "shape": [1], "data_offsets": [0, size]}}).encode()
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(ValueError, match="which cannot be read"):
        read_weights(path)
