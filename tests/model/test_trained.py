"""`TrainedModel` and `Card`: strict when made, unchanging, known again after a file."""
import json
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from astromorph import QUESTIONS, MorphologyClassifier, Question, get_survey, networks
from astromorph.model import Card, TrainedModel
from astromorph.model.alignment import LEVELS, Alignment
from astromorph.model.calibration import PlattScaling
from astromorph.model.files import bundled
from astromorph.questions import check_questions


@pytest.fixture(scope="module", params=["pinwheel", "ds18"])
def model(request):
    return TrainedModel.bundled("sdss", request.param)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).random((3, 80, 80, 3), np.float32)


def with_card(network, folder, change):
    """The bundled weights in a file whose card was edited."""
    with safe_open(bundled()["sdss", network], framework="numpy") as file:
        card = json.loads(file.metadata()["card"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}
    change(card)
    path = folder / "edited.safetensors"
    save_file(arrays, path, metadata={"card": json.dumps(card)})
    return path


def shortened(card):
    card["questions"] = ["disk", "bar"]
    card["calibration"].pop("edge_on")


def lengthened(card):
    card["questions"].append({"key": "ring"})
    card["calibration"]["ring"] = card["calibration"]["bar"]


EDITS = {
    "another order": (lambda card: card.update(questions=["disk", "bar", "edge_on"]), "before"),
    "the other way round": (lambda card: card.update(questions=card["questions"][::-1]), "before"),
    "one fewer": (shortened, "checksum"),
    "one more": (lengthened, "checksum"),
    "one twice": (lambda card: card.update(questions=["disk", "disk", "bar"]), "each key once"),
    "unknown": (lambda card: card.update(questions=["disk", "edge_on", "q9"]), "q9"),
    "none": (lambda card: card.update(questions=[]), "questions"),
    "no scaling": (lambda card: card["calibration"].pop("bar"), "calibration"),
    "frame 0": (lambda card: card.update(frame_r90=0), "frame_r90"),
    "frame text": (lambda card: card.update(frame_r90="4"), "frame_r90"),
    "frame not a number": (lambda card: card.update(frame_r90=float("nan")), "frame_r90"),
    "size": (lambda card: card.update(size=81), "size"),
    "size 80.5": (lambda card: card.update(size=80.5), "size"),
    "size true": (lambda card: card.update(size=True), "size"),
    "network": (lambda card: card.update(network="resnet"), "network"),
    "network a list": (lambda card: card.update(network=[1]), "network"),
    "survey": (lambda card: card.update(survey="2mass"), "survey"),
    "checksum": (lambda card: card.update(sha256=64 * "0"), "sha256"),
    "domain": (lambda card: card["domain"].pop("sky"), "domain"),
    "domain text": (lambda card: card["domain"].update(sky=["a"] * 4), "domain|card"),
    "slope": (lambda card: card["calibration"].update(bar={"slope": -1, "intercept": 0}), "slope"),
    "test": (lambda card: card.update(test="good"), "test"),
    "without size": (lambda card: card.pop("size"), "size"),
    "alignment": (lambda card: card.update(alignment={"blur": 1}), "card"),
}


@pytest.mark.parametrize("network", ["pinwheel", "ds18"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_card_is_refused(tmp_path, network, edit):
    change, message = EDITS[edit]
    with pytest.raises(ValueError, match=message):
        TrainedModel.read(with_card(network, tmp_path, change))


def test_a_reordered_card_is_refused_even_without_parents(tmp_path):
    """Questions that do not follow from each other could stand in any order: the sum tells."""
    questions = (Question("ring"), Question("dust"))
    arrays = networks.export_weights(networks.build("pinwheel", questions))
    scalings = dict.fromkeys(("ring", "dust"), PlattScaling.identity())
    good = TrainedModel.make(arrays, network="pinwheel", survey=get_survey("sdss"), size=80,
                             frame_r90=4.24, questions=questions, calibration=scalings)
    with pytest.raises(ValueError, match="checksum.*in this order"):
        TrainedModel(good.card.replace(questions=questions[::-1]), arrays)
    swapped = good.replace(questions=questions[::-1])  # on purpose: another model
    assert swapped.card.sha256 != good.card.sha256 and swapped.identity != good.identity


def test_arrays_must_fit(model):
    arrays = dict(model.arrays)
    arrays.pop(next(iter(arrays)))
    with pytest.raises(ValueError, match="missing or unknown"):
        model.replace(arrays=arrays)
    with pytest.raises(ValueError, match="size"):
        model.replace(size=model.size + 1)
    with pytest.raises(ValueError, match="missing or unknown|shape"):
        model.replace(questions=QUESTIONS[:2], calibration={
            key: model.card.calibration[key] for key in ("disk", "edge_on")})


def test_damage_is_noticed(tmp_path):
    path = tmp_path / "w.safetensors"
    TrainedModel.bundled().write(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="checksum.*damaged"):
        TrainedModel.read(path)


def again_from_json(card):
    """A card that went through a file's text, beside the arrays of its heads."""
    arrays = {name: array for head in card.heads for name, array in head.arrays.items()}
    return Card.from_json(json.loads(json.dumps(card.to_json())), arrays)


def test_round_trip(model, tmp_path):
    model.write(tmp_path / "w.safetensors")
    again = TrainedModel.read(tmp_path / "w.safetensors")
    assert again.card == model.card and again.identity == model.identity
    assert again.arrays.keys() == model.arrays.keys()
    assert {array.dtype for array in again.arrays.values()} == {np.dtype(np.float16)}
    assert again_from_json(model.card) == model.card


def test_it_does_not_change(model):
    with pytest.raises(FrozenInstanceError):
        model.card = None
    with pytest.raises(FrozenInstanceError):
        model.card.size = 3


def test_pickled_models_of_a_process_are_one(model, pixels):
    first, second = (pickle.loads(pickle.dumps(model)) for _ in range(2))
    assert first is second and first.identity == model.identity
    if model.size == 80:
        np.testing.assert_array_equal(first.answer(pixels), model.answer(pixels))


ALIGNMENT = Alignment(np.tile(LEVELS, (3, 1)), np.tile(LEVELS**2, (3, 1)), 80, 0.01, 30)
SHARPER = dict.fromkeys(("disk", "edge_on", "bar"), PlattScaling(2.0, 0.1))
CHANGES = {"calibration": {"calibration": SHARPER}, "alignment": {"alignment": ALIGNMENT},
           "frame": {"frame_r90": 5.0}, "survey": {"survey": get_survey("legacy")},
           "a survey of one's own": {"survey": replace(get_survey("sdss"), release="DR99")},
           "domain": {"domain": None},
           "question": {"questions": (*QUESTIONS[:2], replace(QUESTIONS[2], column="P_barred"))}}


@pytest.mark.parametrize("change", CHANGES)
def test_what_moves_an_answer_moves_the_identity(change):
    """In header keys, in ``repr``, and for Dask; but the weights keep theirs."""
    model = TrainedModel.bundled()
    other = model.replace(**CHANGES[change])
    assert other.identity != model.identity and repr(other) != repr(model)
    assert other.provenance["MORPHMDL"] != model.provenance["MORPHMDL"]
    assert other.provenance["MORPHWGT"] == model.provenance["MORPHWGT"]
    tokens = [MorphologyClassifier(each).__dask_tokenize__() for each in (model, other)]
    assert tokens[0] != tokens[1]
    assert again_from_json(other.card) == other.card


def test_what_moves_no_answer_does_not():
    model = TrainedModel.bundled()
    told = model.replace(test=[], training=None, more={}, base_rates={})
    assert told.identity == model.identity


def test_precisions_are_told_apart(pixels):
    model = TrainedModel.bundled()
    low = model.in_precision("bfloat16")
    assert low is model.in_precision("bfloat16") and model.in_precision("float32") is model
    assert low.provenance["MORPHPRC"] == "bfloat16" != model.provenance["MORPHPRC"]
    assert 0 < np.abs(low.raw(pixels) - model.raw(pixels)).max() < 0.05


@pytest.mark.parametrize("questions, message", [
    ((), "one Question or more"), ((QUESTIONS[0], "bar"), "one Question or more"),
    ((QUESTIONS[0], QUESTIONS[0]), "each key once"),
    ((Question("a", column="P"), Question("b", column="P")), "each column once"),
    ((QUESTIONS[1], QUESTIONS[0]), "'disk', the parent, before 'edge_on'")])
def test_questions_that_do_not_go_together(questions, message):
    with pytest.raises(ValueError, match=message):
        check_questions(questions)


@pytest.mark.parametrize("options, message", [
    ({"key": "a ring"}, "key"), ({"key": 3}, "key"), ({"key": "ring", "asked_if": 2}, "asked_if"),
    ({"key": "ring", "column": 3}, "column")])
def test_wrong_questions(options, message):
    with pytest.raises(ValueError, match=message):
        Question(**options)
