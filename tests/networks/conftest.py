"""A toy architecture, as a user would add it, and random pixels."""
import keras
import numpy as np
import pytest

from astromorph import networks


def _toy(questions, *, channels=4):
    inputs = keras.Input((16, 16, 3))
    # Without names of their own, so that those that Keras makes up are tested, too.
    x = keras.layers.Conv2D(channels, 3, activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, keras.layers.Dense(len(questions), activation="sigmoid")(x))


@pytest.fixture
def toy(monkeypatch):
    """The record of a network of 16 pixels without dropout, known by the name "toy"."""
    record = networks.Architecture("toy", _toy, 16, cut="average", recipes={
        "all": networks.Recipe(1e-3, epochs=2),
        "scratch": networks.Recipe(1e-2, epochs=2, scratch=True)})
    monkeypatch.setitem(networks.ARCHITECTURES, "toy", record)
    return record


@pytest.fixture
def register(monkeypatch):
    """A function that makes a builder known, of 16 pixels, and builds a network of it."""
    def register(build, questions=("disk",), name="new"):
        record = networks.Architecture(name, build, 16)
        monkeypatch.setitem(networks.ARCHITECTURES, name, record)
        return networks.build(name, questions)

    return register


@pytest.fixture
def pixels_for():
    """A function (model, number) -> random pixels of the size that the model wants."""
    return lambda model, n=3: np.random.default_rng(n).random(
        (n, *model.input_shape[1:]), np.float32)
