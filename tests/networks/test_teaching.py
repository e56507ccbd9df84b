"""The loss, the augmentation, and training: it learns, and goes on where it stopped."""
import keras
import numpy as np
import pytest

from astromorph import networks


def test_masked_crossentropy_by_hand():
    target = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    weight = np.array([[1, 0, 0], [2, 1, 0]], np.float32)
    answers = np.array([[0.8, 0.9, 0.3], [0.4, 0.5, 0.1]], np.float32)
    loss = keras.ops.convert_to_numpy(networks.masked_crossentropy(
        np.concatenate([target, weight], axis=1), answers))
    np.testing.assert_allclose(loss, [-np.log(0.8), -2 * np.log(0.6) - np.log(0.5)], rtol=1e-5)


def _blob(size, y, x, sigma=2.0):
    yy, xx = np.mgrid[:size, :size]
    blob = np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / 2 / sigma**2)
    return np.repeat((255 * blob).astype(np.uint8)[None, :, :, None], 3, axis=-1)


def test_augmentation_untrained_is_a_crop():
    images = np.random.default_rng(3).integers(0, 255, (2, 40, 40, 3), dtype=np.uint8)
    pixels = keras.ops.convert_to_numpy(networks.Augmentation(30)(images))
    np.testing.assert_allclose(pixels, networks.crop(images, 30), atol=1e-6)
    inner = images[:, 5:35, 5:35].astype(float)
    np.testing.assert_allclose(pixels, inner / inner.max(axis=(1, 2), keepdims=True), atol=1e-6)


def test_augmentation_moves_the_sky_as_it_says():
    size, n = 48, 64
    images = np.repeat(_blob(64, 31.5, 41.5), n, axis=0)  # 10 px right of the middle
    layer = networks.Augmentation(size, rotation=180, zoom=(0.8, 1.25), shift=0, gamma=0)
    moved = keras.ops.convert_to_numpy(layer(images, training=True))[..., 0]
    yy, xx = np.mgrid[:size, :size]
    y, x = ((moved * axis).sum(axis=(1, 2)) / moved.sum(axis=(1, 2)) - 23.5 for axis in (yy, xx))
    radius = np.hypot(y, x)
    assert 7.8 < radius.min() < 9 and 11 < radius.max() < 12.8  # 10 px times the zoom
    assert np.ptp(np.arctan2(y, x)) > 5  # every direction


def test_augmentation_flips():
    """Without rotation a flip is all that can move the blob: each quadrant turns up."""
    images = np.repeat(_blob(48, 13.5, 33.5), 40, axis=0)
    layer = networks.Augmentation(48, rotation=0, zoom=(1, 1), shift=0, gamma=0)
    moved = keras.ops.convert_to_numpy(layer(images, training=True))[..., 0]
    peaks = {tuple(np.argwhere(image == image.max()).mean(0).round()) for image in moved}
    assert {(y > 24, x > 24) for y, x in peaks} == {(a, b) for a in (0, 1) for b in (0, 1)}
    assert all(abs(abs(y - 23.5) - 10) <= 1 and abs(abs(x - 23.5) - 10) <= 1 for y, x in peaks)


def _looks(appearance, n=300):
    """What a reddish blob becomes: level and noise of the sky, color, and size of the core."""
    image = 20 + _blob(72, 35.5, 35.5, 6.0)[0] * [0.7, 0.6, 0.35]
    augmentation = networks.Augmentation(60, rotation=0, zoom=(1, 1), shift=0, gamma=0,
                                         appearance=appearance, seed=0)
    images = np.asarray(augmentation(np.stack([image.astype(np.uint8)] * n), training=True))
    assert images.shape == (n, 60, 60, 3) and images.min() >= 0
    assert np.median(images.max(axis=(1, 2))) == images.max() == 1
    corner = images[:, :12, :12]
    return (corner.mean(axis=(1, 2, 3)), corner.std(axis=(1, 2, 3)),
            images[:, 25:35, 25:35, 2].mean(axis=(1, 2)),
            (images.mean(axis=-1) > 0.7).mean(axis=(1, 2)))


def test_augmentation_varies_the_looks():
    plain, varied, twice = (np.std(_looks(appearance), axis=1) for appearance in (0.0, 1.0, 2.0))
    assert (plain < 1e-6).all()
    assert (varied > [0.01, 0.003, 0.003, 0.002]).all()
    assert (twice[:2] > 1.3 * varied[:2]).all()


def _tiny_network():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="out")(
        keras.layers.Flatten()(inputs)), name="tiny")


def _fit(folder, epochs):
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, (64, 1))
    images = rng.integers(0, 100, (64, 10, 10, 3), dtype=np.uint8)
    images[:, 3:7, 3:7] += (150 * labels[:, :, None, None]).astype(np.uint8)  # a bright middle
    network = _tiny_network()
    networks.fit(
        network, images, labels.astype(float), np.ones((64, 1)), folder=folder, epochs=epochs,
        validate=lambda net: (-np.log(np.where(
            labels == 1, answers := networks.run(net, networks.crop(images, 8)), 1 - answers
        )).mean(), "note"),
        augmentation=networks.Augmentation(8, rotation=0, zoom=(1, 1), shift=0, gamma=0.1),
        optimizer=keras.optimizers.Adam(0.01), batch_size=16, best=False)
    return network, [float(line.split(",")[1]) for line in
                     (folder / "log.csv").read_text().splitlines()]


def test_fit_learns_and_resumes(tmp_path):
    network, scores = _fit(tmp_path / "whole", 6)
    assert len(scores) == 6 and scores[-1] < 0.9 * scores[0]
    _fit(tmp_path / "parts", 3)
    resumed, resumed_scores = _fit(tmp_path / "parts", 6)
    # The random augmentation starts anew on resuming; the order of the galaxies does not.
    np.testing.assert_allclose(resumed_scores[:3], scores[:3], rtol=1e-4)
    np.testing.assert_allclose(resumed_scores[3:], scores[3:], rtol=0.2)
    assert resumed_scores[-1] < resumed_scores[2]


def _dropping_network(questions):
    """All that a training changes: weights, moving statistics, numbers drawn by two layers."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv", use_bias=False)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="norm")(x))
    x = keras.layers.Flatten(name="flat")(keras.layers.Dropout(0.3, name="drop1")(x))
    x = keras.layers.Dropout(0.3, name="drop2")(x)
    return keras.Model(inputs, keras.layers.Dense(len(questions), "sigmoid", name="out")(x))


@pytest.mark.parametrize("dense, scratch, n_before", [(False, True, 27), (True, False, 3)])
def test_each_training_begins_as_the_first(monkeypatch, dense, scratch, n_before):
    """After another one of more batches, or of smaller ones, all bits are the same."""
    monkeypatch.setitem(networks.ARCHITECTURES, "dropping", networks.Architecture(
        "dropping", _dropping_network, 8, cut="flat"))
    rng, rows = np.random.default_rng(6), np.arange(32)
    images = rng.integers(0, 255, (32, 12, 12, 3), dtype=np.uint8)
    labels, weights = rng.integers(0, 2, (32, 2)).astype(float), rng.random((32, 2))
    arrays = None if scratch else networks.export_weights(networks.build("dropping", range(2)))

    def trained(*plan):
        """Answers after each epoch of the last training, and its weights."""
        tuning = networks.FineTuning("dropping", arrays, images, labels, weights, dense=dense,
                                     frozen_norms=False, views=1, rate=0.01, batch_size=7, seed=3,
                                     options={})
        for n, epochs in plan:
            answers = list(tuning.train(rows[:n], rows[-5:], epochs))
        return [*answers, *networks.export_weights(tuning.network).values()]

    for one, other in zip(trained((19, 2)), trained((n_before, 3), (19, 2)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dense", [False, True])
def test_what_is_interrupted_leaves_nothing(monkeypatch, dense):
    """Nor does a training that nobody follows to its end; a size of batches is traced once."""
    monkeypatch.setitem(networks.ARCHITECTURES, "dropping", networks.Architecture(
        "dropping", _dropping_network, 8, cut="flat"))
    rng, rows = np.random.default_rng(6), np.arange(20)
    images = rng.integers(0, 255, (20, 12, 12, 3), dtype=np.uint8)
    labels, weights = rng.integers(0, 2, (20, 2)).astype(float), np.ones((20, 2))
    tuning = networks.FineTuning("dropping", None, images, labels, weights, dense=dense,
                                 frozen_norms=False, views=1, rate=0.01, batch_size=7, seed=3,
                                 options={})
    first = list(tuning.train(rows, rows, 2))

    def interrupt():
        raise KeyboardInterrupt

    tuning.on_batch = interrupt
    with pytest.raises(KeyboardInterrupt):
        next(tuning.train(rows[:5], rows, 2))
    tuning.on_batch = lambda: None
    next(tuning.train(rows[:5], rows, 2))
    traces = []
    make = tuning._trainer.make_train_function
    monkeypatch.setattr(tuning._trainer, "make_train_function", lambda force=False: (
        traces.append(force), make(force)))
    for _ in range(3):
        list(tuning.train(rows[:5], rows, 1))
        np.testing.assert_array_equal(list(tuning.train(rows, rows, 2)), first)
    assert not any(traces)
