"""The networks: the paper's architecture exactly, weights in and out, the loss, and training."""
import gc

import keras
import numpy as np
import pytest

from astromorph import networks

# (layer, output shape, parameters) of Table 1 of Dominguez Sanchez et al. (2018)
TABLE_1 = [
    ("Conv2D", (69, 69, 32), 3488), ("Dropout", (69, 69, 32), 0),
    ("Conv2D", (69, 69, 64), 51264), ("MaxPooling2D", (34, 34, 64), 0),
    ("Dropout", (34, 34, 64), 0), ("Conv2D", (34, 34, 128), 32896),
    ("MaxPooling2D", (17, 17, 128), 0), ("Dropout", (17, 17, 128), 0),
    ("Conv2D", (17, 17, 128), 147584), ("Dropout", (17, 17, 128), 0),
    ("Flatten", (36992,), 0), ("Dense", (64,), 2367552), ("Dropout", (64,), 0),
    ("Dense", (1,), 65),
]


def _flat_layers(model):
    for layer in model.layers:
        if isinstance(layer, keras.Sequential):
            yield from _flat_layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


@pytest.fixture(scope="module")
def ds18():
    return networks.build("ds18")


@pytest.fixture(scope="module")
def tuningfork():
    return networks.build("tuningfork")


def test_ds18_is_the_network_of_the_paper():
    model = networks.ds18(("disk",))
    layers = list(_flat_layers(model))
    assert [(type(layer).__name__, layer.output.shape[1:], layer.count_params())
            for layer in layers] == TABLE_1
    assert model.count_params() == 2_602_849
    assert [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)] == [
        0.5, 0.25, 0.25, 0.25, 0.5]
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.kernel_size for layer in convolutions] == [(6, 6), (5, 5), (2, 2), (3, 3)]
    assert {layer.padding for layer in convolutions} == {"same"}
    assert [layer.activation.__name__ for layer in layers if hasattr(layer, "activation")] == [
        "relu"] * 5 + ["sigmoid"]


def test_ds18_is_one_network_a_question(ds18):
    assert ds18.count_params() == 3 * 2_602_849
    pixels = np.random.default_rng(0).random((2, 69, 69, 3), np.float32)
    before = networks.run(ds18, pixels)
    arrays = networks.export_weights(ds18)
    changed = {path: array * 0 if "q2" in path else array for path, array in arrays.items()}
    networks.import_weights(ds18, changed)
    after = networks.run(ds18, pixels)
    networks.import_weights(ds18, arrays)
    np.testing.assert_array_equal(after[:, [0, 2]], before[:, [0, 2]])
    np.testing.assert_array_equal(after[:, 1], 0.5)


def test_tuningfork_size(tuningfork):
    assert tuningfork.input_shape == (None, 96, 96, 3)
    assert tuningfork.output_shape == (None, 3)
    assert tuningfork.count_params() == 1_375_091


def test_pinwheel_size():
    """Half a block by hand: the arithmetic is two operations a weight and place."""
    network = networks.build("pinwheel")
    assert network.input_shape == (None, 80, 80, 3) and network.output_shape == (None, 3)
    stem, first = 20 * 20 * 32 * 8 * 8 * 3, 2 * 20 * 20 * 32 * 32 * 9
    second = 10 * 10 * 96 * (32 * 9 + 96 * 9 + 32)
    third = 5 * 5 * 192 * (96 * 9 + 192 * 9 + 96)
    assert networks.gigaflops(network) == pytest.approx(
        2e-9 * (stem + first + second + third + 192 * 3))


@pytest.mark.parametrize("text, expected", [
    ("flags\t\t: fpu avx512f avx512_bf16\n", True), ("flags : fpu amx_bf16 sse", True),
    ("Features : fp asimd bf16", True), ("flags : fpu avx512f avx512_vnni\n", False), ("", False)])
def test_has_bfloat16(monkeypatch, text, expected):
    monkeypatch.setattr(networks.Path, "read_text", lambda path: text)
    assert networks.has_bfloat16() is expected


def test_bfloat16_is_not_known_everywhere(monkeypatch):
    def missing(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(networks.Path, "read_text", missing)
    assert networks.has_bfloat16() is False


@pytest.mark.parametrize("n", [0, 1, 5, 8])
def test_run_does_not_depend_on_the_batch(tuningfork, n):
    pixels = np.random.default_rng(1).random((n, 96, 96, 3), np.float32)
    whole = networks.run(tuningfork, pixels, batch_size=8)
    assert whole.shape == (n, 3)
    np.testing.assert_allclose(networks.run(tuningfork, pixels, batch_size=3), whole, atol=1e-6)


def test_unknown_network():
    with pytest.raises(ValueError, match="expected one of .*ds18.*Received 'resnet'"):
        networks.build("resnet")


def test_weights_round_trip(tuningfork):
    arrays = networks.export_weights(tuningfork)
    other = networks.build("tuningfork")
    pixels = np.random.default_rng(2).random((3, 96, 96, 3), np.float32)
    assert np.abs(networks.run(other, pixels) - networks.run(tuningfork, pixels)).max() > 1e-4
    networks.import_weights(other, arrays)
    np.testing.assert_array_equal(networks.run(other, pixels), networks.run(tuningfork, pixels))


def _without(arrays, name):
    return {key: value for key, value in arrays.items() if key != name}


@pytest.mark.parametrize("spoil, message", [
    (lambda a, n: _without(a, n), "1 arrays are missing or unknown"),
    (lambda a, n: a | {"extra": np.zeros(3)}, "extra"),
    (lambda a, n: a | {n: a[n][..., :1]}, "should have shape"),
    (lambda a, n: a | {n: a[n] * np.nan}, "not finite"),
])
def test_wrong_weights(tuningfork, spoil, message):
    arrays = networks.export_weights(tuningfork)
    with pytest.raises(ValueError, match=message):
        networks.import_weights(tuningfork, spoil(arrays, next(iter(arrays))))


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


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_features_give_the_answers_and_keep_no_network_alive(name):
    model = networks.build(name)
    size, alive = model.input_shape[1], len(networks._trunks)
    pixels = np.random.default_rng(0).random((3, size, size, 3), dtype=np.float32)
    seen = networks.features(model, pixels, batch_size=4)
    np.testing.assert_allclose(networks.answer_features(model, seen),
                               networks.run(model, pixels, batch_size=4), atol=1e-5)
    assert len(networks._trunks) == alive + 1
    del model
    gc.collect()
    assert len(networks._trunks) == alive


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_frozen(name):
    model = networks.build(name)
    rng = np.random.default_rng(4)
    networks.import_weights(model, {path: array + rng.normal(0, 0.01, array.shape)
                                    for path, array in networks.export_weights(model).items()})
    pixels = rng.random((5, *model.input_shape[1:]), np.float32)
    frozen = networks.Frozen(model)
    expected = networks.run(model, pixels)
    assert len(np.unique(expected)) > 3
    assert networks.run(frozen, pixels, batch_size=4) == pytest.approx(expected, abs=1e-6)
    # What is frozen does not follow the model.
    networks.import_weights(model, {path: 0 * array for path, array
                                    in networks.export_weights(model).items()})
    assert networks.run(frozen, pixels) == pytest.approx(expected, abs=1e-6)
