"""The architectures: one record per network says how to build, cut and train it."""
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from astromorph.errors import wrong
from astromorph.networks.backend import XLA, check_process, keras, plain_settings

__all__ = ["ARCHITECTURES", "Architecture", "Recipe", "build", "ds18", "get_architecture",
           "pinwheel", "residual_block", "whirlpool"]

layers = keras.layers


@dataclass(frozen=True)
class Recipe:
    """How to train a network.

    Parameters
    ----------
    rate : float
        Highest learning rate.
    epochs, steps : int
        Least number of passes over the galaxies, and of steps.
    batch_size : int
        Galaxies in a step.
    scratch : bool
        Start from random weights.
    retain : float
        Weight of the old answer as the target of a galaxy without a label, times the probability
        that the question is asked of it.
    dense : bool
        Train the dense layers alone, on features that are computed once.
    frozen_norms : bool
        Keep the statistics and scales of batch normalization.
    views : int
        Number of augmented views of a galaxy, for ``dense``.
    options : dict
        Options of the network's function.

    Examples
    --------
    At least 50 steps of 32 galaxies:

    >>> from astromorph.networks import Recipe
    >>> recipe = Recipe(rate=1e-3, epochs=4, steps=50)
    >>> recipe.epochs_for(100), recipe.epochs_for(10_000)
    (16, 4)
    """

    rate: float
    epochs: int
    steps: int = 0
    batch_size: int = 32
    scratch: bool = False
    retain: float = 0.0
    dense: bool = False
    frozen_norms: bool = True
    views: int = 1
    options: dict = field(default_factory=dict)

    def epochs_for(self, n):
        """Compute the number of passes over the galaxies.

        Parameters
        ----------
        n : int
            Number of galaxies.

        Returns
        -------
        int
        """
        return max(self.epochs, -(-self.steps * self.batch_size // (n * self.views)))


@dataclass(frozen=True)
class Architecture:
    """Record of a network; add the record of your own to `ARCHITECTURES`.

    Parameters
    ----------
    name : str
        Its key in `ARCHITECTURES`, and the name of its models.
    build : callable
        Function that takes the questions (only their number and order matter), and options by
        keyword. It returns a `keras.Model`, (n, size, size, 3) -> (n, questions). The model answers
        by dense layers with a sigmoid: a single one, or several in a `keras.layers.Concatenate`.
    size : int
        Pixels of its frame on a side. An option ``size`` of ``build`` replaces it.
    cut : str, tuple of str or None
        How the names of the layers start at which the dense part begins. None if the dense part
        cannot be trained alone.
    recipes : dict of str to Recipe
        How to train it: "all" layers, the "dense" ones alone, or from "scratch".

    Examples
    --------
    >>> from keras import Input, Model, layers
    >>> from astromorph.networks import ARCHITECTURES, Architecture, Recipe, build
    >>> def toy(questions):
    ...     inputs = Input((16, 16, 3))
    ...     x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    ...     x = layers.GlobalAveragePooling2D(name="average")(x)
    ...     return Model(inputs, layers.Dense(len(questions), "sigmoid", name="answers")(x))
    >>> ARCHITECTURES["toy"] = Architecture("toy", toy, 16, cut="answers",
    ...                                     recipes={"all": Recipe(1e-3, epochs=10)})
    >>> build("toy", ["disk", "edge_on"]).output_shape
    (None, 2)
    >>> del ARCHITECTURES["toy"]
    """

    name: str
    build: Callable
    size: int
    cut: str | tuple | None = None
    recipes: Mapping[str, Recipe] = field(default_factory=dict)


def _ds18_convolutions(name, initializer, dropout):
    """The convolutional part of the paper's network; it has 235,232 parameters."""
    conv = partial(layers.Conv2D, padding="same", activation="relu", kernel_initializer=initializer)
    return keras.Sequential([
        keras.Input((69, 69, 3)),
        conv(32, 6, name="conv1"), layers.Dropout(0.5 * dropout),
        conv(64, 5, name="conv2"), layers.MaxPooling2D(2), layers.Dropout(0.25 * dropout),
        conv(128, 2, name="conv3"), layers.MaxPooling2D(2), layers.Dropout(0.25 * dropout),
        conv(128, 3, name="conv4"), layers.Dropout(0.25 * dropout),
    ], name=name)


def ds18(questions, *, initializer="glorot_uniform", dropout=1.0, shared=False):
    """Build the networks of Dominguez Sanchez et al. (2018, 2019, Table 1), one per question.

    Parameters
    ----------
    questions : sequence
        The questions, one output each. Layers are named by position: ``dense1_q1``, ``dense1_q2``,
        ...
    initializer : str
        Keras initializer of the convolutions and of the hidden dense layer.
    dropout : float
        Factor on the paper's dropout rates (.5, .25, .25, .25, .5), which act in training only.
    shared : bool
        Let the questions share one convolutional part. This is a stage of training; the released
        network does not share it.

    Returns
    -------
    `keras.Model`
        (n, 69, 69, 3) -> (n, questions); 2,602,849 parameters per question.
    """
    inputs = keras.Input((69, 69, 3))
    common = _ds18_convolutions("ds18_trunk", initializer, dropout)(inputs) if shared else None
    outputs = []
    for q in range(1, len(questions) + 1):
        x = common if shared else _ds18_convolutions(f"ds18_q{q}", initializer, dropout)(inputs)
        x = layers.Flatten(name=f"flatten_q{q}")(x)
        x = layers.Dense(64, activation="relu", kernel_initializer=initializer,
                         name=f"dense1_q{q}")(x)
        x = layers.Dropout(0.5 * dropout, name=f"dropout_q{q}")(x)
        outputs.append(layers.Dense(1, activation="sigmoid", dtype="float32",
                                    name=f"dense2_q{q}")(x))
    merged = layers.Concatenate(dtype="float32")(outputs) if len(outputs) > 1 else outputs[0]
    return keras.Model(inputs, merged, name="ds18")


def residual_block(x, channels, stride, name, *, average=False):
    """Add two 3x3 convolutions with a shortcut around them (He et al. 2016).

    Parameters
    ----------
    x : `keras.KerasTensor`
        Input of the block.
    channels, stride : int
        Channels of both convolutions, stride of the first.
    name : str
        Start of the names of its layers.
    average : bool
        Let the shortcut average before it strides (ResNet-D, He et al. 2019).

    Returns
    -------
    `keras.KerasTensor`
        Output of the block.
    """
    conv = partial(layers.Conv2D, channels, padding="same", use_bias=False,
                   kernel_initializer="he_normal")
    norm = partial(layers.BatchNormalization, momentum=0.97)
    y = conv(3, strides=stride, name=f"{name}_conv1")(x)
    y = layers.ReLU()(norm(name=f"{name}_norm1")(y))
    y = norm(name=f"{name}_norm2")(conv(3, name=f"{name}_conv2")(y))
    if stride > 1 or x.shape[-1] != channels:
        if average and stride > 1:
            x, stride = layers.AveragePooling2D(stride)(x), 1
        x = norm(name=f"{name}_norm0")(conv(1, strides=stride, name=f"{name}_shortcut")(x))
    return layers.ReLU()(layers.Add()([x, y]))


def _averaged_answers(inputs, x, questions, name):
    """A model that averages over the frame, then answers by one dense layer."""
    x = layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = layers.Dropout(0.2, dtype="float32", name="dropout")(x)
    outputs = layers.Dense(len(questions), activation="sigmoid", dtype="float32",
                           name="answers")(x)
    return keras.Model(inputs, outputs, name=name)


def pinwheel(questions, *, size=80, stem=(32, 8, 4), blocks=((32, 1), (96, 2), (192, 2))):
    """Build the default network: a short residual trunk on overlapping patches.

    It has 0.66 million parameters, and a thirtieth of the arithmetic of three ``ds18`` networks.

    Parameters
    ----------
    questions : sequence
        The questions, one output each.
    size : int
        Pixels of the frame on a side.
    stem : tuple of int
        Channels, width and stride of the first convolution.
    blocks : tuple of tuple of int
        Channels and stride of each residual block.

    Returns
    -------
    `keras.Model`
        (n, size, size, 3) -> (n, questions).
    """
    inputs = keras.Input((size, size, 3))
    channels, width, stride = stem
    x = layers.Conv2D(channels, width, strides=stride, padding="same", use_bias=False,
                      kernel_initializer="he_normal", name="stem_conv")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.97, name="stem_norm")(x))
    for number, (channels, stride) in enumerate(blocks, 1):
        x = residual_block(x, channels, stride, f"block{number}", average=True)
    return _averaged_answers(inputs, x, questions, "pinwheel")


# Width, stride, expansion, channels and number of blocks, for each stage of whirlpool.
_STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
           (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1))
# EfficientNet's initializer, as a description, so that each layer draws its own numbers.
_START = {"class_name": "VarianceScaling", "config": {
    "scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"}}
_conv = partial(layers.Conv2D, kernel_initializer=_START)


def _conv_norm(x, conv, name):
    """A convolution, then batch normalization."""
    x = conv(padding="same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name.removesuffix('_conv')}_norm")(x)


def _inverted_block(x, channels, width, stride, expansion, name):
    """A wide depthwise convolution between two 1x1 convolutions (Sandler et al. 2018)."""
    y = x
    if expansion > 1:
        wide = partial(_conv, expansion * x.shape[-1], 1)
        y = layers.ReLU(6)(_conv_norm(x, wide, f"{name}_expand"))
    depthwise = partial(layers.DepthwiseConv2D, width, strides=stride, depthwise_initializer=_START)
    y = layers.ReLU(6)(_conv_norm(y, depthwise, f"{name}_depthwise"))
    y = _conv_norm(y, partial(_conv, channels, 1), f"{name}_project")
    return layers.Add()([x, y]) if y.shape == x.shape else y


def whirlpool(questions, *, size=128, stages=_STAGES):
    """Build the precise network: EfficientNet-Lite0 (Tan & Le 2019).

    It has 3.4 million parameters. `pinwheel` is several times as fast.

    Parameters
    ----------
    questions : sequence
        The questions, one output each.
    size : int
        Pixels of the frame on a side.
    stages : tuple of tuple of int
        Width and stride of the depthwise convolutions, expansion, channels and number of the blocks
        of each stage. Only the first block of a stage strides.

    Returns
    -------
    `keras.Model`
        (n, size, size, 3) -> (n, questions).
    """
    inputs = keras.Input((size, size, 3))
    # The scale of ImageNet, whose weights it starts from. The padding zeros come after rescaling.
    x = layers.Rescaling(255 / 128, -127 / 128)(inputs)
    x = layers.ReLU(6)(_conv_norm(x, partial(_conv, 32, 3, strides=2), "stem_conv"))
    number = 0
    for width, stride, expansion, channels, repeats in stages:
        for step in (stride, *[1] * (repeats - 1)):
            number += 1
            x = _inverted_block(x, channels, width, step, expansion, f"block{number}")
    x = layers.ReLU(6)(_conv_norm(x, partial(_conv, 1280, 1), "head_conv"))
    return _averaged_answers(inputs, x, questions, "whirlpool")


ARCHITECTURES = {architecture.name: architecture for architecture in (
    Architecture("pinwheel", pinwheel, 80, cut="dropout", recipes={
        "all": Recipe(1e-3, epochs=10, steps=150, retain=0.5),
        "dense": Recipe(3e-3, epochs=10, steps=600, dense=True, views=8),
        "scratch": Recipe(1e-3, epochs=25, scratch=True, frozen_norms=False)}),
    Architecture("whirlpool", whirlpool, 128, cut="dropout", recipes={
        "all": Recipe(3e-4, epochs=8, steps=150, retain=0.5),
        "dense": Recipe(1e-3, epochs=10, steps=600, dense=True, views=8),
        "scratch": Recipe(1e-3, epochs=25, scratch=True, frozen_norms=False)}),
    Architecture("ds18", ds18, 69, cut="flatten", recipes={
        "all": Recipe(3e-4, epochs=4, steps=60, retain=0.5, options={"dropout": 0.4}),
        "dense": Recipe(5e-4, epochs=7, steps=100, batch_size=64, dense=True, views=2,
                        options={"dropout": 0.4}),
        "scratch": Recipe(1e-3, epochs=20, scratch=True)}),
)}
"""Name of a network to its `Architecture` (`dict`). You may add networks of your own."""


def get_architecture(name):
    """Find an architecture by name.

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`.

    Returns
    -------
    Architecture

    Raises
    ------
    ArgumentError
        If there is no architecture of that name.

    Examples
    --------
    >>> from astromorph.networks import get_architecture
    >>> get_architecture("pinwheel").size
    80
    """
    try:
        return ARCHITECTURES[name]
    except (KeyError, TypeError):
        raise wrong("network", f"one of {sorted(ARCHITECTURES)}", repr(name)) from None


def build(name, questions, *, dtype="float32", **options):
    """Build a network by name, untrained; its pixels are ``model.input_shape[1:3]``.

    The user's settings of Keras, in a program or a configuration file, do not matter.

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`.
    questions : sequence
        Questions that it answers, in this order: records or keys.
    dtype : str
        Keras dtype policy of layers that name none, for example "mixed_bfloat16".
    **options
        Options of that network's function.

    Returns
    -------
    `keras.Model`
        The network. Its ``rebuild(dtype=...)`` builds it again, with other random weights.

    Raises
    ------
    ArgumentError
        If there is no network of that name, or it does not fit its record or the questions.
    """
    architecture = get_architecture(name)
    if isinstance(questions, str) or not (questions := tuple(questions)):
        raise wrong("questions", "a sequence of at least one question", repr(questions))
    check_process()
    with plain_settings(dtype):
        model = architecture.build(questions, **options)
        if isinstance(model, keras.Sequential):  # its layers cannot be taken apart
            model = keras.Model(model.inputs, model.outputs)
    size = options.get("size", architecture.size)
    shapes = (None, size, size, 3), (None, len(questions))
    if (model.input_shape, model.output_shape) != shapes:
        raise wrong("network", f"a network {name!r} of shape {shapes[0]} -> {shapes[1]}",
                    f"{model.input_shape} -> {model.output_shape}",
                    "Its function and its record must agree.")
    model.name = name
    model.rebuild = partial(build, name, questions, **options)
    if not XLA:
        model.jit_compile = False
    return model
