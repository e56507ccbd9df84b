"""A card from anywhere is refused with an error that names the field, or everything can show it."""
import json
from copy import deepcopy

import numpy as np
import pytest
from safetensors.numpy import save_file

from astromorph import MorphologyClassifier, Question, cli, get_survey
from astromorph.errors import ArgumentError
from astromorph.learning.reports import AdaptationReport
from astromorph.model import Card
from astromorph.model.card_forms import CARD
from astromorph.model.files import bundled, read_weights
from astromorph.model.forms import (
    COUNT, FRACTION, NUMBER, PLAIN, Columns, Listed, Maybe, Named, Record)
from astromorph.model.heads import head_arrays
from astromorph.model.model_card import model_card


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


VALUES = (None, True, 5, -1, 0.5, 10**30, 1e308, float("nan"), float("inf"), "", "x", [], [5],
          ["x"], [None], nested(60), {}, {"x": 1}, {"x": {"y": []}})


@pytest.fixture(scope="module")
def full():
    """A card with every part, short; and the arrays of its heads."""
    card, arrays = read_weights(bundled()["sdss", "pinwheel"])
    other, _ = read_weights(bundled()["legacy", "pinwheel"])
    card |= {name: deepcopy(other[name]) for name in ("alignment", "adapted", "tested_by")}
    for rows in (card["alignment"]["measured"], card["alignment"]["wanted"],
                 card["brightness"]["quantiles"]):
        rows[:] = [row[::60] for row in rows]
    card["survey_record"] = get_survey("sdss").to_json() | {"name": "mine"}
    card["questions"][2] = json.loads(json.dumps(
        vars(Question("bar", positive="barred", parent="edge_on", asked_if=0)) | {"votes": [
            {"family": "f", "task": "t", "positive": ["y"], "negative": ["n"]}]}))
    card["calibrated"] = {"method": "platt", "heads": ["t_type"], "report": {
        "question": ["disk"], "calibrated": [True], "ECE_before": [float("nan")]}}
    card["adapted"]["report"]["learning_curve"] = {
        "columns": {"n_train": [5, 9], "AUC": [0.5, 0.6]}, "meta": {}}
    card["heads"] = card["heads"][:2]
    card["heads"][0]["training"]["scores"] = [
        {"question": "t_type", "n": 90, "rank_correlation": 0.5, "bias": 0.1, "bias_low": -0.2}]
    card["test"] = card["test"][:2]
    return card, head_arrays(arrays)[0]


def show(card):
    """Everything that tells people what is on a card."""
    json.dumps(card.to_json())
    model_card(card, "w.safetensors", "0" * 64)
    str(AdaptationReport.of(card))
    model = type("Model", (), {"card": card})
    if report := MorphologyClassifier.calibration_report.fget(type("Own", (), {"model": model})):
        report.pformat()


def places(value, path=()):
    """The path to every value; of a list, to the first and the last one."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for i in {0, len(value) - 1} if value else ():
            yield from places(value[i], (*path, i))


def changed(card, path, value):
    """A copy of the card with another value at a path; the rest is shared."""
    if not path:
        return value
    copy = card.copy()
    copy[path[0]] = changed(card[path[0]], path[1:], value)
    return copy


def judge(card, heads, field):
    """Show a card; if it is refused, the error names the field. Returns whether it is refused."""
    try:
        made = Card.from_json(card, heads)
    except ArgumentError as error:
        assert str(error).startswith("card"), error
        # A contradiction between two fields may name the other one.
        named = (field, "card", "card['calibration']", "card['alignment']", "card, heads")
        assert not field or field in str(error) or error.argument in named, error
        assert error.expected and "Error" not in str(error) and "object" not in error.received
        return True
    show(made)
    return False


def test_the_whole_card_is_good(full):
    assert not judge(*full, None)
    missing = {"weights_of"} | set(CARD.needed | CARD.known) - set(full[0])
    assert missing == {"weights_of"}  # so what follows changes every part


@pytest.mark.slow
def test_any_value_of_another_type(full):
    """Every leaf and every branch becomes something else. VALUES take turns, to save time."""
    card, heads = full
    refused = [judge(changed(card, path, value), heads, path and str(path[0]))
               for i, path in enumerate(places(card)) for value in VALUES[i % 6::6]]
    assert len(refused) > 1000 and 0.8 * len(refused) < sum(refused) < len(refused)


def test_any_entry_missing_or_unknown(full):
    card, heads = full
    for i, path in enumerate(places(card)):
        *above, last = path or [None]
        if not isinstance(last, str):
            continue
        whole = card
        for step in above:
            whole = whole[step]
        kept = {name: value for name, value in whole.items() if name != last}
        other = kept | {f"{last}_": whole[last]} if i % 2 else kept
        judge(changed(card, above, other), heads, str(path[0]))


@pytest.mark.parametrize("path, value, says", [
    (("training", "sets"), 5, "card['training']['sets']: expected a list. Received 5."),
    (("test", 0, "n"), "many", "card['test'][0]['n']: expected a whole number from 0. Received "
                               "'many'."),
    (("test", 0, "accuracy"), 7, "card['test'][0]['accuracy']: expected a number in 0..1, or NaN. "
                                 "Received 7."),
    (("base_rates",), {"disk": None}, "card['base_rates']['disk']: expected a number in 0..1. "
                                      "Received None."),
    (("calibration", "bar", "slope"), -1, "card['calibration']['bar'], slope: expected a finite "
                                          "positive number. Received -1."),
    (("heads", 0, "question", "votes"), [{"task": 5}], "card['heads'][0]['question']['votes'][0]: "
                                                       "expected an entry 'family'."),
    (("citations",), "all", "card['citations']: expected a list. Received 'all'."),
    (("recipe",), nested(60), "card: expected values of JSON, nested at most 50 deep.")])
def test_the_command_line_says_which_field(full, tmp_path, capsys, path, value, says):
    card, heads = full
    file = tmp_path / "odd.safetensors"
    odd = changed(card, path, value) if path[0] in card else card | {path[0]: value}
    save_file(heads, file, metadata={"card": json.dumps(odd)})
    assert cli.main(["info", str(file)]) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert f"{file}, which is not one ({says}" in error
    with pytest.raises(ArgumentError) as caught:
        MorphologyClassifier.read(file)
    assert says in str(caught.value)


def test_parts_are_checked_in_python_too(classifier):
    for parts, says in {"training": ({"sets": 5}, r"card\['training'\]\['sets'\]"),
                        "more": ({"license": {}}, r"card\['license'\]: expected text"),
                        "adapted": ({"a": object()}, "values of JSON")}.items():
        with pytest.raises(ArgumentError, match=says[1]):
            classifier.model.replace(**{parts: says[0]})


@pytest.mark.parametrize("form, good, bad", [
    (COUNT, [0, np.int64(5), 2**53], [-1, True, 1.0, 2**54, None]),
    (NUMBER, [0, -1.5, np.float32(2), float("nan"), float("inf")], ["1", False, 10**400]),
    (FRACTION, [0, 1, 0.5, float("nan")], [-0.1, 1.1, float("inf")]),
    (PLAIN, [None, "x", [1, {"a": [True]}], (1, 2), nested(50)],
     [nested(51), {1: 2}, [{3}], 10**30]),
    (Maybe(COUNT), [None, 5], ["x"]),
    (Listed(COUNT), [[], [1, 2], (3,)], ["12", [1, None], {}]),
    (Named(COUNT), [{}, {"a": 1}], [[1], {"a": -1}]),
    (Record({"a": COUNT}, {"b": COUNT}, None), [{"a": 1}, {"a": 1, "b": 2}],
     [{}, {"b": 1}, {"a": 1, "c": 1}, {"a": 1, "b": None}]),
    (Record({}, others=COUNT), [{}, {"x": 1}], [{"x": "y"}]),
    (Columns({"a": Listed(COUNT)}), [{"a": []}, {"a": [1], "b": ["x"]}],
     [{"a": [1], "b": []}, {"a": [1], "b": [[]]}, {"a": [1], "b": 5}])])
def test_forms(form, good, bad):
    for value in good:
        form.check(value, "here")
    for value in bad:
        with pytest.raises(ArgumentError, match=r"^here\S*: expected .* Received"):
            form.check(value, "here")
