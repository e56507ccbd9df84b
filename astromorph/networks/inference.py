"""Use networks: their answers and features, their weights and arithmetic."""
import re
from collections import Counter
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from scipy.linalg import block_diag

from astromorph.errors import wrong
from astromorph.networks.backend import (check_process, keras, no_retracing_notes,
                                         plain_settings)

__all__ = ["Frozen", "answer_features", "count_features", "drop_features", "export_weights",
           "features", "flat_layers", "gigaflops", "has_bfloat16", "import_weights", "in_bfloat16",
           "last_arrays", "run", "run_dropout", "run_views", "views", "with_features"]

layers = keras.layers


def has_bfloat16():
    """Tell whether the processor has instructions that multiply bfloat16 (Linux only).

    Returns
    -------
    bool
    """
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    flags = next((line.split() for line in text.splitlines()
                  if line.startswith(("flags", "Features"))), ())
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)


def in_bfloat16(model):
    """Return a network with the same weights that computes in bfloat16, except for its last layer.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`.

    Returns
    -------
    `keras.Model`
    """
    twin = model.rebuild(dtype="mixed_bfloat16")
    import_weights(twin, export_weights(model))
    return twin


class Frozen:
    """A network with its present weights as constants: the same answers, faster.

    TensorFlow can then merge normalization into the weights of convolutions in advance. With
    another backend, the network stays as it is.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`, with its final weights.
    seeing : bool
        Return the features after the answers, in the same pass; see `features`.
    """

    def __init__(self, model, *, seeing=False):
        check_process()
        model = with_features(model) if seeing else model
        self.output_shape = None, sum(output.shape[-1] for output in model.outputs)
        predict = (_constant_graph(model) if keras.config.backend() == "tensorflow"
                   else model.predict_on_batch)
        self.predict_on_batch = lambda batch: _side_by_side(predict(batch))


def _constant_graph(model):
    """A function from pixels to answers, and to features if the model returns them."""
    import tensorflow as tf

    weights = [[variable.numpy() for variable in group] for group
               in (model.trainable_variables, model.non_trainable_variables)]
    pixels = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    answer = tf.function(lambda batch: model.stateless_call(*weights, batch, training=False)[0])
    graph = answer.get_concrete_function(pixels)
    return lambda batch: graph(tf.constant(batch, tf.float32))


def with_features(model):
    """Make a network that gives its features, too; it shares the weights.

    Parameters
    ----------
    model : `keras.Model`
        From `build`.

    Returns
    -------
    `keras.Model`
        Its outputs are the answers, then what each of the last layers sees.
    """
    seen = [layer.input for layer in _last_layers(model)]
    with plain_settings():
        both = keras.Model(model.input, [*model.outputs, *seen])
    both.jit_compile = model.jit_compile
    return both


def _side_by_side(outputs):
    """One float32 array from one output or several."""
    several = isinstance(outputs, (list, tuple))
    arrays = [np.asarray(output, np.float32) for output in (outputs if several else [outputs])]
    return np.concatenate(arrays, axis=-1) if several else arrays[0]


def flat_layers(model):
    """Yield all layers, also those inside of layers that are models.

    Parameters
    ----------
    model : `keras.Model`
        Any model.

    Yields
    ------
    `keras.Layer`
    """
    for layer in model.layers:
        yield from flat_layers(layer) if isinstance(layer, keras.Model) else [layer]


def _variables(model):
    """Path -> variable. Names that Keras made up are numbered within the model.

    Keras numbers them within the process, so that no two models would have the same names.
    """
    top, parts = {layer.name for layer in model.layers}, list(model.layers)
    counts, names, variables = Counter(), {}, {}
    for layer in parts:  # the list grows by the layers of layers that are models
        parts += getattr(layer, "layers", ())
        kind = _snake_case(type(layer).__name__)
        if re.fullmatch(rf"{kind}(_\d+)?", layer.name) and layer.name not in names:
            names[layer.name] = f"{kind}_{counts[kind]}" if counts[kind] else kind
            counts[kind] += 1
    for variable in model.weights:
        path = variable.path.split("/")
        path = path[path[0] not in top:]  # drops the name of a `keras.Sequential`
        variables["/".join(names.get(part, part) for part in path)] = variable
    if len(variables) < len(model.weights):
        raise wrong("network", "a name of its own for every layer with weights", repr(model.name))
    return variables


def _snake_case(name):
    """A class name as Keras writes it in the names of layers."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def export_weights(model):
    """Copy the weights of a network.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`.

    Returns
    -------
    dict of str to `~numpy.ndarray`
        Path of layer and variable -> float32 array.
    """
    check_process()
    return {path: variable.numpy() for path, variable in _variables(model).items()}


def import_weights(model, arrays):
    """Set the weights of a network.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`; unchanged if there is an error.
    arrays : dict of str to `~numpy.ndarray`
        Weights, under the names of `export_weights`.

    Raises
    ------
    ArgumentError
        If a name is missing or unknown, a shape differs or a value is not finite.
    """
    check_process()
    variables = _variables(model)
    argument = f"weights of {model.name}"
    if odd := sorted(variables.keys() ^ arrays.keys()):
        raise wrong(argument, f"its {len(variables)} arrays",
                    f"{len(arrays)}, of which {len(odd)} arrays are missing or unknown "
                    f"(first: {odd[:3]})", "The file belongs to another network.")
    values = {}
    for path, variable in variables.items():
        with np.errstate(over="ignore"):  # infinite values raise an error below
            values[path] = np.asarray(arrays[path], np.float32)
        if values[path].shape != tuple(variable.shape):
            raise wrong(argument, f"{path} of shape {tuple(variable.shape)}",
                        f"{values[path].shape}", "The file belongs to another network.")
        if not np.isfinite(values[path]).all():
            raise wrong(argument, "finite numbers", f"values of {path} that are not finite",
                        "The file is damaged.")
    for path, variable in variables.items():
        variable.assign(values[path])


# Layers whose weights are applied at each place of the output, or of the input.
_APPLIED_OUT = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D,
                layers.DepthwiseConv2D, layers.SeparableConv1D, layers.SeparableConv2D)
_APPLIED_IN = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
# Layers whose weights add little arithmetic.
_CHEAP = (layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization,
          layers.PReLU)


def gigaflops(model):
    """Compute the arithmetic of one image.

    Each weight of a convolution or dense layer counts as two operations, at each place where it is
    applied. Biases, normalization, activations and pooling do not count.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`.

    Returns
    -------
    float
        Billions of operations.

    Raises
    ------
    ArgumentError
        If it has layers with weights of an unknown kind.
    """
    check_process()
    return _operations(model) / 1e9


def _operations(model):
    """Multiplications and additions of a model; a part counts as often as the model calls it."""
    total = 0

    def call(layer, *inputs, **options):
        nonlocal total
        outputs = layer(*inputs, **options)
        if isinstance(layer, keras.Model) and layer.inputs:
            total += _operations(layer)
        elif isinstance(layer, _APPLIED_OUT):
            total += 2 * _kernels(layer) * _places(layer, outputs)
        elif isinstance(layer, _APPLIED_IN):
            total += 2 * _kernels(layer) * _places(layer, inputs[0])
        elif layer.weights and not isinstance(layer, _CHEAP):
            raise wrong("network", "layers whose arithmetic is known",
                        f"{layer.name!r}, a {type(layer).__name__}")
        return outputs

    # This calls a copy, layer by layer, so that the model itself stays as it is.
    keras.models.clone_model(keras.Model(model.inputs, model.outputs), call_function=call)
    return total


def _kernels(layer):
    """Number of weights without biases."""
    return sum(int(np.prod(weight.shape)) for weight in layer.weights
               if weight is not layer.bias)


def _places(layer, tensor):
    """Number of places of one image's tensor, whatever the number of its channels."""
    *shape, channels = tensor.shape[1:]
    if getattr(layer, "data_format", None) == "channels_first":
        channels, *shape = tensor.shape[1:]
    return int(np.prod(shape))


def run(model, pixels, *, batch_size=64):
    """Answer every question for every galaxy.

    Parameters
    ----------
    model : `keras.Model` or `Frozen`
        Result of `build`.
    pixels : `~numpy.ndarray`, shape (n, size, size, 3)
        Network pixels, each band divided by its own maximum.
    batch_size : int
        Galaxies in one pass.

    Returns
    -------
    `~numpy.ndarray`, shape (n, questions), float32
        NaN for a galaxy whose pixels are not all finite: layers may turn NaN into a number.
    """
    check_process()
    answers = np.empty((len(pixels), model.output_shape[-1]), np.float32)
    with no_retracing_notes():
        for start in range(0, len(pixels), batch_size):
            batch = pixels[start:start + batch_size]
            if short := batch_size - len(batch):  # another shape would be compiled again
                batch = np.concatenate([batch, np.zeros((short, *batch.shape[1:]), np.float32)])
            found = model.predict_on_batch(batch)
            answers[start:start + batch_size] = found[:len(pixels) - start]
            bad = ~np.isfinite(batch.sum(axis=(1, 2, 3)))
            answers[start:start + batch_size][bad[:len(pixels) - start]] = np.nan
    return answers


def _last_layers(model):
    """The layers that answer, one or more, in the order of the questions."""
    answers = model.outputs
    for layer in model.layers:
        if isinstance(layer, layers.Concatenate) and layer.output is answers[0]:
            answers = layer.input
            break
    dense = {id(layer.output): layer for layer in model.layers if isinstance(layer, layers.Dense)
             and layer.activation is keras.activations.sigmoid}
    if not all(id(answer) in dense for answer in answers):
        raise wrong("network", "answers of dense layers with a sigmoid", repr(model.name),
                    "astromorph cannot find the features of other networks.")
    return [dense[id(answer)] for answer in answers]


# Model -> its trunk. The weak key lets Python free the model.
_trunks = WeakKeyDictionary()


def _trunk(model):
    """All of a network but its last layers, as a model that shares its weights."""
    if model not in _trunks:
        seen = [layer.input for layer in _last_layers(model)]
        with plain_settings():
            trunk = keras.Model(model.input,
                                layers.Concatenate()(seen) if len(seen) > 1 else seen[0])
        trunk.jit_compile = model.jit_compile
        _trunks[model] = trunk
    return _trunks[model]


def _last_weights(model):
    """Kernel and bias of the last layers, joined as if they were one layer."""
    last = _last_layers(model)
    kernels = [layer.kernel.numpy() for layer in last]
    biases = [layer.bias.numpy() if layer.use_bias else np.zeros(layer.units, np.float32)
              for layer in last]
    return block_diag(*kernels), np.hstack(biases)


def last_arrays(model):
    """Return the names of the last layer's weights, as in `export_weights`.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`.

    Returns
    -------
    list of str
        Kernel, then bias; the questions are the last axis of both.

    Raises
    ------
    ArgumentError
        If the network answers each question by a layer of its own.
    """
    last = _last_layers(model)
    if len(last) > 1:
        raise wrong("train", "a network with one last layer for all questions, for 'all'",
                    repr(model.name), "Use train='head'.")
    names = {id(variable): name for name, variable in _variables(model).items()}
    return [names[id(variable)] for variable in last[0].weights]


def count_features(model):
    """Count the features of a network.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`.

    Returns
    -------
    int
    """
    return sum(layer.input.shape[-1] for layer in _last_layers(model))


def features(model, pixels, *, batch_size=64):
    """Compute the features of each galaxy: the input of the last layers.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`.
    pixels, batch_size
        As for `run`.

    Returns
    -------
    `~numpy.ndarray`, shape (n, features), float32
        A pinwheel has 192 features, a ds18 has 64 per question.
    """
    check_process()
    return run(_trunk(model), pixels, batch_size=batch_size)


def answer_features(model, seen):
    """Answer every question from features.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`.
    seen : `~numpy.ndarray`, shape (..., features)
        See `features`.

    Returns
    -------
    `~numpy.ndarray`, shape (..., questions), float32
        The same answers as from `run`.
    """
    check_process()
    kernel, bias = _last_weights(model)
    return _sigmoid(seen @ kernel + bias)


def _sigmoid(logits):
    return ((1 + np.tanh(logits / 2)) / 2).astype(np.float32)


def views(pixels):
    """Yield rotations of galaxies by right angles, and of their mirror images.

    Parameters
    ----------
    pixels : `~numpy.ndarray`, shape (n, y, x, 3)

    Yields
    ------
    `~numpy.ndarray`, shape (n, y, x, 3)
        Eight views of the same memory; the first is the galaxies as they are.
    """
    for image in (pixels, pixels[:, :, ::-1]):
        for turn in range(4):
            yield np.rot90(image, turn, axes=(1, 2))


def run_views(model, pixels, *, batch_size=64):
    """Answer for the eight rotations by right angles and reflections of each galaxy.

    Parameters
    ----------
    model, pixels, batch_size
        As for `run`.

    Returns
    -------
    `~numpy.ndarray`, shape (8, n, questions), float32
        The first are the galaxies as they are.
    """
    return np.stack([run(model, view, batch_size=batch_size) for view in views(pixels)])


def _kept_fractions(model):
    """Fraction of each feature that dropout keeps in training, (features, 1)."""
    dropout = {id(layer.output): layer.rate for layer in model.layers
               if isinstance(layer, layers.Dropout) and layer.rate}
    rates = [dropout.get(id(layer.input)) for layer in _last_layers(model)]
    if None in rates:
        raise wrong("uncertainty", "a network with dropout in front of its last layer for "
                    "'dropout'", f"{model.name!r}, which has none", 'Use uncertainty="views".')
    return np.repeat([1 - rate for rate in rates],
                     [layer.input.shape[-1] for layer in _last_layers(model)])[:, None]


def run_dropout(model, pixels, *, draws=50, seed=0, batch_size=64):
    """Answer with random inputs of the last layer dropped, as in training.

    This is Monte-Carlo dropout (Gal & Ghahramani 2016), but only in front of the last layer, so
    that the rest is computed once. A draw drops the same inputs for all galaxies. The answer for a
    galaxy then does not depend on the other galaxies.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`.
    pixels : `~numpy.ndarray`, shape (n, size, size, 3)
        As for `run`.
    draws : int
        Number of draws.
    seed : int
        Seed of the draws: the same seed gives the same answers.
    batch_size : int
        As for `run`.

    Returns
    -------
    `~numpy.ndarray`, shape (draws, n, questions), float32

    Raises
    ------
    ArgumentError
        If the network has no dropout directly in front of its last layer.
    """
    seen = features(model, pixels, batch_size=batch_size)
    return answer_features(model, drop_features(model, seen, draws=draws, seed=seed))


def drop_features(model, seen, *, draws=50, seed=0):
    """Drop random features and scale up the others, as in training.

    Parameters
    ----------
    model : `keras.Model`
        Result of `build`.
    seen : `~numpy.ndarray`, shape (n, features)
        See `features`.
    draws, seed
        As for `run_dropout`.

    Returns
    -------
    `~numpy.ndarray`, shape (draws, n, features), float32

    Raises
    ------
    ArgumentError
        If the network has no dropout directly in front of its last layer.
    """
    check_process()
    keep = _kept_fractions(model)
    kept = np.random.default_rng(seed).random((draws, len(keep), 1)) < keep
    return seen * np.swapaxes(kept / keep, 1, 2).astype(np.float32)
