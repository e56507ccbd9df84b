"""The architectures: the paper's exactly, the default one, and records that users add."""
import random

import keras
import numpy as np
import pytest

from astromorph import networks
from astromorph.errors import ArgumentError
from astromorph.questions import QUESTIONS

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
NAMES = ("pinwheel", "whirlpool", "ds18")
SMALL = {"pinwheel": {"size": 32, "blocks": ((8, 2),)},
         "whirlpool": {"size": 32, "stages": ((3, 1, 1, 8, 1), (5, 2, 6, 12, 2))}}


def _flat_layers(model):
    for layer in model.layers:
        if isinstance(layer, keras.Sequential):
            yield from _flat_layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def test_ds18_is_the_network_of_the_paper():
    model = networks.build("ds18", ["disk"])
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


def test_ds18_is_one_network_per_question(pixels_for):
    ds18 = networks.build("ds18", ["disk", "bar"])
    assert ds18.count_params() == 2 * 2_602_849
    pixels = pixels_for(ds18, 2)
    before = networks.run(ds18, pixels, batch_size=2)
    networks.import_weights(ds18, {path: array * ("q2" not in path) for path, array
                                   in networks.export_weights(ds18).items()})
    after = networks.run(ds18, pixels, batch_size=2)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    np.testing.assert_array_equal(after[:, 1], 0.5)


def test_layers_of_ds18_are_named_by_position():
    paths = networks.export_weights(networks.build("ds18", ["bar"])).keys()
    assert sorted(paths) == [
        f"{layer}_q1{part}/{kind}" for layer, parts in [
            ("dense1", [""]), ("dense2", [""]), ("ds18", [f"/conv{n}" for n in range(1, 5)])]
        for part in parts for kind in ("bias", "kernel")]


def test_pinwheel_size():
    network = networks.build("pinwheel", QUESTIONS)
    assert network.input_shape == (None, 80, 80, 3) and network.output_shape == (None, 3)
    assert network.count_params() == 658_755


def test_whirlpool_is_efficientnet_lite0():
    """As many weights as the published one, which has a thousand outputs."""
    network = networks.build("whirlpool", QUESTIONS)
    assert network.input_shape == (None, 128, 128, 3) and network.output_shape == (None, 3)
    trainable = sum(weight.size for weight in map(np.asarray, network.trainable_variables))
    assert trainable + 997 * 1281 == 4_652_008
    steps = [layer.output.shape[1] for layer in network.layers
             if layer.name.endswith("_depthwise")]
    assert steps == [64] + [32] * 2 + [16] * 2 + [8] * 6 + [4] * 5
    assert network.get_layer("dropout").output.shape == (None, 1280)
    arrays = networks.export_weights(network)
    assert np.abs(arrays["block7_expand/kernel"] - arrays["block8_expand/kernel"]).max() > 0.1


def test_whirlpool_pads_what_is_gray_to_imagenet():
    """Its convolutions see zeros around a frame, and in a frame of 127 of 255."""
    network = networks.build("whirlpool", ["bar"], **SMALL["whirlpool"])
    stem = keras.Model(network.input, network.get_layer("stem_conv").output)
    gray = np.full((1, 32, 32, 3), 127 / 255, np.float32)
    assert np.abs(stem.predict_on_batch(gray)).max() < 1e-6
    dark = stem.predict_on_batch(np.zeros_like(gray))
    kernel = networks.export_weights(network)["stem_conv/kernel"]
    np.testing.assert_allclose(dark[0, 3, 3], -127 / 128 * kernel.sum((0, 1, 2)), rtol=1e-4,
                               atol=1e-6)
    # All padding is at the far end, where two rows of three are in the frame.
    np.testing.assert_allclose(dark[0, -1, 3], -127 / 128 * kernel[:2].sum((0, 1, 2)), rtol=1e-4,
                               atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("questions", [["bar"], ["disk", "bar"], "abcd"])
def test_records_agree_with_their_networks(name, questions):
    record, model = networks.get_architecture(name), networks.build(name, iter(questions))
    assert model.name == record.name == name
    assert model.input_shape == (None, record.size, record.size, 3)
    assert model.output_shape == (None, len(questions))
    convolutions, dense = networks.split(model)
    assert convolutions.count_params() + dense.count_params() == model.count_params()
    assert dense.count_params() < 0.96 * model.count_params()
    assert record.recipes.keys() == {"all", "dense", "scratch"}


@pytest.mark.parametrize("name", ["resnet", None, ["ds18"]])
def test_unknown_network(name):
    with pytest.raises(ArgumentError, match="network: expected one of .*ds18.*Received .?'?"):
        networks.build(name, QUESTIONS)


@pytest.mark.parametrize("questions", [[], "disk"])
def test_wrong_questions(questions):
    with pytest.raises(ArgumentError, match="questions: expected a sequence"):
        networks.build("pinwheel", questions)


def test_record_that_contradicts_its_network(toy, monkeypatch):
    wrong = networks.Architecture("toy", toy.build, 20)
    monkeypatch.setitem(networks.ARCHITECTURES, "toy", wrong)
    with pytest.raises(ArgumentError, match=r"network: .*20, 20.* Received \(None, 16, 16, 3\)"):
        networks.build("toy", ["disk"])
    three = networks.Architecture("toy", lambda questions: toy.build("abc"), 16)
    monkeypatch.setitem(networks.ARCHITECTURES, "toy", three)
    with pytest.raises(ArgumentError, match=r"\(None, 2\)\. Received .*\(None, 3\)"):
        networks.build("toy", ["disk", "bar"])


def test_dense_mode_wants_a_cut(register):
    model = register(lambda questions: networks.pinwheel(questions, size=16))
    with pytest.raises(ArgumentError, match="train: .*'dense'.* Received 'new'"):
        networks.split(model)


def test_recipe_makes_its_steps():
    recipe = networks.Recipe(1e-3, epochs=4, steps=60, batch_size=32)
    assert [recipe.epochs_for(n) for n in (32, 100, 10_000)] == [60, 20, 4]


@pytest.fixture(params=[
    ("float32", "channels_first", "mixed_float16"), ("float32", "channels_last", "mixed_bfloat16"),
    ("float16", "channels_first", "float16"), ("float64", "channels_last", "float64")],
    ids=lambda settings: "-".join(settings))
def users_settings(request):
    """Keras' settings as a user may have changed them."""
    before = (keras.config.floatx(), keras.config.image_data_format(),
              keras.config.dtype_policy())
    floatx, data_format, policy = request.param
    keras.config.set_floatx(floatx)
    keras.config.set_image_data_format(data_format)
    keras.config.set_dtype_policy(policy)
    now = (keras.config.floatx(), keras.config.image_data_format(), keras.config.dtype_policy())
    yield
    assert now == (keras.config.floatx(), keras.config.image_data_format(),
                   keras.config.dtype_policy())
    keras.config.set_floatx(before[0])
    keras.config.set_image_data_format(before[1])
    keras.config.set_dtype_policy(before[2])


def _everything(name, arrays):
    """All answers of a network, also of one that is taught."""
    model = networks.build(name, QUESTIONS[:2], **SMALL[name])
    networks.import_weights(model, arrays)
    rng = np.random.default_rng(0)
    pixels = rng.random((3, 32, 32, 3), np.float32)
    answers = [networks.run(one, pixels, batch_size=3) for one in (model, networks.Frozen(model))]
    seen = networks.features(model, pixels, batch_size=3)
    answers += [seen, networks.answer_features(model, seen),
                networks.run_dropout(model, pixels, draws=2, batch_size=3)]
    images = rng.integers(0, 255, (8, 40, 40, 3), dtype=np.uint8)
    for dense in (False, True):
        answers += networks.FineTuning(
            name, arrays, images, np.eye(8, 2), np.ones((8, 2)), dense=dense, frozen_norms=True,
            views=1, rate=1e-3, batch_size=4, seed=1, options=SMALL[name],
        ).train(np.arange(8), np.arange(2), epochs=1)
    return np.concatenate([np.float32(answer).ravel() for answer in answers])


@pytest.fixture(scope="module", params=SMALL)
def plain(request):
    """Name and weights of a network, and all its answers in Keras' usual settings."""
    random.seed(0)
    name = request.param
    arrays = networks.export_weights(networks.build(name, QUESTIONS[:2], **SMALL[name]))
    return name, arrays, _everything(name, arrays)


def test_settings_of_users_do_not_matter(plain, users_settings):
    name, arrays, expected = plain
    np.testing.assert_array_equal(_everything(name, arrays), expected)
    assert {array.dtype for array in arrays.values()} == {np.dtype("float32")}


def test_settings_do_not_matter_for_networks_of_users(toy, users_settings, pixels_for):
    model = networks.build("toy", QUESTIONS)
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert model.layers[1].data_format == "channels_last"
    assert networks.run(model, pixels_for(model)).shape == (3, 3)
