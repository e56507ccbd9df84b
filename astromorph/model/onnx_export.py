"""Trained models as ONNX files: network pixels in, the columns of a table out."""
import json

import numpy as np

from astromorph.answers import get_kind
from astromorph.arguments import check_suffix
from astromorph.atomic import written_whole
from astromorph.errors import wrong
from astromorph.model.calibration import CLIP
from astromorph.model.head_kinds import LARGEST_LOG

__all__ = ["INPUT", "export_onnx"]

INPUT = ("pixels: float32 (n, {size}, {size}, 3). One frame a galaxy, {frame_r90:g} Petrosian R90 "
         "wide, with the galaxy in the middle: row 0 at the top, bands in the order red, green, "
         "blue ({rgb}), from 0 to 1, each band divided by its own maximum in the frame. "
         "MorphologyClassifier.prepare makes them.")
"""What goes into the file's network (str)."""


def export_onnx(model, path, *, overwrite=False):
    """Write a model as an ONNX file.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
    path : path
        ``*.onnx``.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    ImportError
        If the package onnx is not installed.
    ValueError
        If the name does not end in ``.onnx``, if the network has an unknown layer, or if a column
        has the name of the input.
    """
    check_suffix(path, ".onnx")
    with written_whole(path, overwrite=overwrite) as part:
        part.write_bytes(_exported(model.in_precision("float32")).SerializeToString())


def _exported(model):
    from astromorph import networks
    from astromorph.networks.onnx_graph import Graph, add_network

    graph = Graph()
    answers, *seen = add_network(graph, networks.with_features(model.network), "pixels")
    columns = _add_calibration(graph, model, answers)
    if model.heads:
        seen = graph.cast(graph.add("Concat", *seen, axis=1), "DOUBLE")
        for head in model.heads:
            columns += _add_head(graph, head, seen)
    names = [name for question in model.all_questions for name in question.columns]
    if "pixels" in names:
        raise wrong("questions", "columns of other names than the input, pixels",
                    "one called pixels", "Teach the question with another column.")
    for name, column in zip(names, columns, strict=True):
        graph.cast(column, "FLOAT", output=name)
    return _file(graph, model, names)


def _column(graph, name, place):
    """One column of a tensor (n, columns), as a vector."""
    return graph.add("Gather", name, np.int64(place), axis=1)


def _add_calibration(graph, model, answers):
    """Names of the calibrated probabilities, as `PlattScaling` gives them."""
    double = np.float64
    kept = graph.add("Clip", graph.cast(answers, "DOUBLE"), double(CLIP), double(1 - CLIP))
    logits = graph.add("Log", graph.add("Div", kept, graph.add("Sub", double(1), kept)))
    scalings = [model.card.calibration[key] for key in model.card.keys]
    slopes, intercepts = (np.array([getattr(each, name) for each in scalings])
                          for name in ("slope", "intercept"))
    line = graph.add("Add", graph.add("Mul", logits, slopes), intercepts)
    calibrated = graph.add("Sigmoid", line)
    return [_column(graph, calibrated, place) for place in range(len(scalings))]


def _add_head(graph, head, seen):
    """Names of the columns of a head's question."""
    outputs = graph.add("Add", graph.add("MatMul", seen, head.kernel.astype(float)),
                        head.bias.astype(float))
    line = graph.add("Add", graph.add("Mul", outputs, np.array(head.slope)),
                     np.array(head.intercept))
    return get_kind(head.question, ANSWERS)(graph, head.question, line)


def _yes_no(graph, question, line):
    return [_column(graph, graph.add("Sigmoid", line), 0)]


def _grades(graph, question, line):
    reached = graph.add("Sigmoid", line)
    steps = [_column(graph, reached, place) for place in range(len(question.answers) - 1)]
    for place in range(1, len(steps)):  # a higher grade is never the more likely to be reached
        steps[place] = graph.add("Min", steps[place - 1], steps[place])
    lowest = graph.add("Sub", np.float64(1), steps[0])
    return [lowest, *(graph.add("Sub", *pair) for pair in zip(steps, steps[1:])), steps[-1]]


def _classes(graph, question, line):
    shares = graph.add("Softmax", line, axis=1)
    return [_column(graph, shares, place) for place in range(len(question.answers))]


def _number(graph, question, line):
    value, logarithm = (_column(graph, line, place) for place in range(2))
    spread = graph.add("Exp", graph.add("Min", logarithm, np.float64(LARGEST_LOG)))
    if question.limits is not None:
        low, high = map(np.float64, question.limits)
        value = graph.add("Clip", value, low, high)
        spread = graph.add("Min", spread, (high - low) / 2)
    return [value, spread]


ANSWERS = {"yes_no": _yes_no, "grades": _grades, "classes": _classes, "number": _number}
"""Name of a kind of answer -> what makes its columns, see `~astromorph.model.head_kinds.KINDS`."""


def _file(graph, model, names):
    """The file: the graph, its input and outputs, and the card."""
    onnx, helper, size = graph.onnx, graph.onnx.helper, model.size
    kind = onnx.TensorProto.FLOAT
    made = helper.make_graph(
        graph.nodes, "astromorph",
        [helper.make_tensor_value_info("pixels", kind, ["n", size, size, 3])],
        [helper.make_tensor_value_info(name, kind, ["n"]) for name in names], graph.constants)
    from astromorph import __version__
    from astromorph.networks.onnx_graph import OPSET

    pixels = INPUT.format(size=size, frame_r90=model.frame_r90, rgb=", ".join(model.survey.rgb))
    file = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8,
        producer_name="astromorph", producer_version=__version__,
        doc_string=f"{pixels} Each output is a column of a classified table.")
    helper.set_model_props(file, {
        "card": json.dumps(model.card.to_json()), "input": pixels, "columns": json.dumps([
            {"name": column.name, "description": column.description, "ucd": column.ucd,
             "unit": column.unit} for question in model.all_questions
            for column in question.answer_columns])})
    onnx.checker.check_model(file, full_check=True)
    return file
