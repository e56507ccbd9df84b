"""A network is one record: built, run, kept, frozen and taught, whatever the questions are."""
import keras
import numpy as np
import pytest

from astromorph import networks
from astromorph.errors import ArgumentError
from astromorph.questions import QUESTIONS


@pytest.mark.parametrize("n", [1, 2, 4])
def test_toy(toy, pixels_for, n):
    questions = [*QUESTIONS, "tidal"][:n]
    model = networks.build("toy", questions)
    assert networks.get_architecture(model.name) is toy
    pixels = pixels_for(model)
    answers = networks.run(model, pixels, batch_size=3)
    assert answers.shape == (3, n) and answers.dtype == np.float32

    arrays, other = networks.export_weights(model), networks.build("toy", questions)
    assert list(arrays) == ["conv2d/kernel", "conv2d/bias", "dense/kernel", "dense/bias"]
    networks.import_weights(other, arrays)
    frozen, low = networks.Frozen(other), networks.in_bfloat16(other)
    np.testing.assert_array_equal(networks.run(other, pixels, batch_size=3), answers)
    np.testing.assert_allclose(networks.run(frozen, pixels), answers, atol=1e-6)
    np.testing.assert_allclose(networks.run(low, pixels), answers, atol=0.02)
    seen = networks.features(other, pixels)
    np.testing.assert_allclose(networks.answer_features(other, seen), answers, atol=1e-6)
    assert networks.run_views(frozen, pixels).shape == (8, 3, n)
    assert networks.gigaflops(model) == pytest.approx(2e-9 * (14 * 14 * 9 * 3 * 4 + 4 * n))

    for spoiled in (arrays | {"dense/kernel": arrays["dense/kernel"][:3]},
                    arrays | {"dense/bias": np.append(arrays["dense/bias"], 0)},
                    arrays | {"dense_1/kernel": arrays["dense/kernel"]},
                    {"dense/kernel": arrays["dense/kernel"]}):
        with pytest.raises(ArgumentError, match="weights of toy"):
            networks.import_weights(other, spoiled)
    np.testing.assert_array_equal(networks.run(other, pixels, batch_size=3), answers)


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("train", ["all", "scratch", "dense"])
def test_toy_is_taught(toy, train, n):
    """Bright galaxies and faint ones: two epochs bring the answers nearer to the labels."""
    rng = np.random.default_rng(5)
    labels = np.repeat(rng.integers(0, 2, (64, 1)), n, axis=1)
    images = rng.integers(0, 60, (64, 24, 24, 3), dtype=np.uint8)
    images[labels[:, 0] == 1, 8:16, 8:16] += 150
    arrays = networks.export_weights(networks.build("toy", range(n)))
    recipe = toy.recipes["scratch" if train == "scratch" else "all"]
    tuning = networks.FineTuning(
        "toy", None if train == "scratch" else arrays, images, labels, np.ones((64, n)),
        dense=train == "dense", frozen_norms=True, views=1, rate=0.05,
        batch_size=recipe.batch_size, seed=2, options=recipe.options)

    def loss():
        answers = networks.run(tuning.network, networks.crop(images, 16))
        return -np.log(np.where(labels == 1, answers, 1 - answers)).mean()

    batches = []
    tuning.on_batch = lambda: batches.append(len(batches))
    before = loss()
    answers = list(tuning.train(np.arange(64), np.arange(5), epochs=4))
    assert len(batches) == 4 * (64 // recipe.batch_size)
    assert np.shape(answers) == (4, 5, n) and loss() < before
    np.testing.assert_allclose(
        networks.run(tuning.network, networks.crop(images[:5], 16)), answers[-1], atol=2e-3)
    after = networks.export_weights(tuning.network)
    same = [(after[path] == array).all() for path, array in arrays.items()]
    assert same == {"all": [False] * 4, "scratch": [False] * 4,
                    "dense": [True] * 2 + [False] * 2}[train]


def test_names_must_differ(register):
    """A layer without a name would have that of another one."""
    def build(questions):
        inputs = keras.Input((16, 16, 3))
        keras.layers.Dense(1)  # Keras names it, if it is the first in the process, "dense"
        x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, name="dense")(inputs))
        return keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(x))

    with pytest.raises(ArgumentError, match="network: expected a name of its own"):
        networks.export_weights(register(build))


def test_names_that_keras_makes_up_are_of_the_model(register):
    """Parts that are models too, and a model that is a `keras.Sequential`."""
    def build(questions):
        part = keras.Sequential([keras.layers.Conv2D(2, 3), keras.layers.Conv2D(2, 3)])
        return keras.Sequential([keras.Input((16, 16, 3)), part, keras.layers.Conv2D(2, 3),
                                 keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")])

    first, second = register(build), register(build)
    arrays = networks.export_weights(first)
    assert [path for path in arrays if path.endswith("kernel")] == [
        "sequential/conv2d_1/kernel", "sequential/conv2d_2/kernel", "conv2d/kernel",
        "dense/kernel"]
    networks.import_weights(second, arrays)
    pixels = np.random.default_rng(0).random((3, 16, 16, 3), np.float32)
    np.testing.assert_array_equal(*(networks.run(model, pixels) for model in (first, second)))
    seen = networks.features(second, pixels)
    np.testing.assert_allclose(networks.answer_features(second, seen),
                               networks.run(second, pixels), atol=1e-6)
