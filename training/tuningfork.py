"""The default network of earlier versions: it taught those that come with the package.

Importing this makes it known to `astromorph.networks`. ``sdss-tuningfork.safetensors`` beside it
holds its weights.
"""
from pathlib import Path

from keras import Input, Model, layers

from astromorph.networks import ARCHITECTURES, Architecture, get_architecture, residual_block

WEIGHTS = Path(__file__).with_name("sdss-tuningfork.safetensors")


def tuningfork(questions):
    """Build one residual trunk with one output per question.

    A strided 5x5 stem, four residual blocks of 48, 96, 160 and 224 channels, a global average;
    1.4 million parameters, about a tenth of three ``ds18`` networks' arithmetic.

    Parameters
    ----------
    questions : sequence
        One output each.

    Returns
    -------
    `keras.Model`
        (n, 96, 96, 3) -> (n, questions).
    """
    inputs = Input((96, 96, 3))
    x = layers.Conv2D(48, 5, strides=2, padding="same", use_bias=False,
                      kernel_initializer="he_normal", name="stem_conv")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.97, name="stem_norm")(x))
    x = layers.MaxPooling2D(2)(x)
    for number, (channels, stride) in enumerate(((48, 1), (96, 2), (160, 2), (224, 1)), 1):
        x = residual_block(x, channels, stride, f"block{number}")
    x = layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = layers.Dropout(0.3, dtype="float32", name="dropout")(x)
    outputs = layers.Dense(len(questions), activation="sigmoid", dtype="float32",
                           name="answers")(x)
    return Model(inputs, outputs, name="tuningfork")


TUNINGFORK = Architecture("tuningfork", tuningfork, 96, cut="dropout",
                          recipes=get_architecture("pinwheel").recipes)
ARCHITECTURES[TUNINGFORK.name] = TUNINGFORK
