"""Networks at work: answers, features, weights in and out, arithmetic."""
import gc
import weakref

import keras
import numpy as np
import pytest

from astromorph import networks
from astromorph.errors import ArgumentError

NAMES = ("pinwheel", "whirlpool", "ds18")
QUESTIONS = ("disk", "edge_on", "bar")
layers = keras.layers


@pytest.fixture(scope="module")
def pinwheel():
    return networks.build("pinwheel", QUESTIONS)


@pytest.mark.parametrize("text, expected", [
    ("flags\t\t: fpu avx512f avx512_bf16\n", True), ("flags : fpu amx_bf16 sse", True),
    ("Features : fp asimd bf16", True), ("flags : fpu avx512f avx512_vnni\n", False), ("", False)])
def test_has_bfloat16(monkeypatch, text, expected):
    monkeypatch.setattr("pathlib.Path.read_text", lambda path: text)
    assert networks.has_bfloat16() is expected


def test_bfloat16_is_not_known_everywhere(monkeypatch):
    def missing(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr("pathlib.Path.read_text", missing)
    assert networks.has_bfloat16() is False


@pytest.mark.parametrize("name, options", [
    ("pinwheel", {}), ("pinwheel", {"size": 48, "blocks": ((16, 2),)}),
    ("whirlpool", {"size": 64}), ("ds18", {})])
def test_bfloat16_keeps_questions_and_options(name, options, pixels_for):
    model = networks.build(name, QUESTIONS[:2], **options)
    twin = networks.in_bfloat16(model)
    assert (twin.name, twin.input_shape, twin.output_shape) == (
        name, model.input_shape, model.output_shape)
    assert {layer.compute_dtype for layer in twin.layers} == {"bfloat16", "float32"}
    exact, answers = (networks.run(one, pixels_for(model), batch_size=3) for one in (model, twin))
    assert 0 < np.abs(answers - exact).max() < 0.03
    arrays, same = networks.export_weights(model), networks.export_weights(twin)
    assert all((same[path] == array).all() for path, array in arrays.items())


@pytest.mark.parametrize("n", [0, 1, 5, 8])
def test_run_does_not_depend_on_the_batch(pinwheel, pixels_for, n):
    pixels = pixels_for(pinwheel, n)
    whole = networks.run(pinwheel, pixels, batch_size=8)
    assert whole.shape == (n, 3)
    np.testing.assert_allclose(networks.run(pinwheel, pixels, batch_size=3), whole, atol=1e-6)


def test_pixels_that_are_not_finite_have_no_answer(pinwheel, pixels_for):
    pixels = pixels_for(pinwheel, 5)
    good = networks.run(pinwheel, pixels, batch_size=3)
    pixels[1, 3, 3, 0], pixels[4, 0, 0, 2] = np.nan, np.inf
    answers = networks.run(pinwheel, pixels, batch_size=3)
    assert np.isnan(answers[[1, 4]]).all()
    np.testing.assert_array_equal(answers[[0, 2, 3]], good[[0, 2, 3]])


def test_views_are_turned_and_reflected(pinwheel, pixels_for):
    pixels = pixels_for(pinwheel, 2)
    views = networks.run_views(pinwheel, pixels, batch_size=2)
    assert views.shape == (8, 2, 3)
    np.testing.assert_array_equal(views[0], networks.run(pinwheel, pixels, batch_size=2))
    np.testing.assert_array_equal(
        views[4], networks.run(pinwheel, pixels[:, :, ::-1], batch_size=2))
    assert len(np.unique(views[:, 0, 0])) == 8


def test_weights_round_trip(pinwheel, pixels_for):
    other, pixels = networks.build("pinwheel", QUESTIONS), pixels_for(pinwheel)
    first, second = (networks.run(one, pixels, batch_size=3) for one in (pinwheel, other))
    assert np.abs(first - second).max() > 1e-4
    networks.import_weights(other, networks.export_weights(pinwheel))
    np.testing.assert_array_equal(networks.run(other, pixels, batch_size=3), first)


@pytest.mark.parametrize("spoil, message", [
    (lambda a, n: {key: a[key] for key in a if key != n}, "1 arrays are missing or unknown"),
    (lambda a, n: a | {"extra": np.zeros(3)}, "extra"),
    (lambda a, n: a | {n: a[n][..., :1]}, r"expected .* of shape \(.*32\)\. Received \(.*1\)"),
    (lambda a, n: a | {n: np.concatenate([a[n], a[n]])}, "of shape"),
    (lambda a, n: a | {n: a[n] * np.nan}, "not finite"),
    (lambda a, n: a | {n: a[n] + np.float64(1e300)}, "not finite"),
])
def test_wrong_weights_change_nothing(pinwheel, spoil, message):
    arrays = networks.export_weights(pinwheel)
    with pytest.raises(ArgumentError, match=message):
        networks.import_weights(pinwheel, spoil(arrays, "block1_conv1/kernel"))
    assert all((arrays[path] == array).all()
               for path, array in networks.export_weights(pinwheel).items())


def test_arrays_of_another_number_of_questions(pinwheel):
    two = networks.export_weights(networks.build("pinwheel", QUESTIONS[:2]))
    with pytest.raises(ArgumentError, match=r"answers/kernel of shape \(192, 3\)"):
        networks.import_weights(pinwheel, two)
    with pytest.raises(ArgumentError, match="12 arrays are missing or unknown"):
        networks.import_weights(networks.build("ds18", QUESTIONS[:1]),
                                networks.export_weights(networks.build("ds18", QUESTIONS[:2])))


def _random_weights(model):
    rng = np.random.default_rng(4)
    networks.import_weights(model, {path: array + rng.normal(0, 0.01, array.shape)
                                    for path, array in networks.export_weights(model).items()})


@pytest.mark.parametrize("name", NAMES)
def test_features_give_the_answers_and_keep_no_network_alive(name, pixels_for):
    model = networks.build(name, QUESTIONS[:2])
    _random_weights(model)
    pixels = pixels_for(model)
    expected = networks.run(model, pixels, batch_size=4)
    for _ in range(2):
        seen = networks.features(model, pixels, batch_size=4)
        np.testing.assert_allclose(networks.answer_features(model, seen), expected, atol=1e-5)
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


# float32 rounds in each of whirlpool's fifty layers, in another order where it is frozen.
@pytest.mark.parametrize("name, rounding", [("pinwheel", 1e-6), ("whirlpool", 1e-5),
                                            ("ds18", 1e-6)])
def test_frozen(name, rounding, pixels_for):
    model = networks.build(name, QUESTIONS[:2])
    _random_weights(model)
    pixels = pixels_for(model, 5)
    frozen = networks.Frozen(model)
    expected = networks.run(model, pixels, batch_size=5)
    assert len(np.unique(expected)) > 3
    assert networks.run(frozen, pixels, batch_size=4) == pytest.approx(expected, abs=rounding)
    # What is frozen does not follow the model.
    networks.import_weights(model, {path: 0 * array for path, array
                                    in networks.export_weights(model).items()})
    assert networks.run(frozen, pixels) == pytest.approx(expected, abs=rounding)


def _two_heads(questions, *, rates=(0.5, 0.1), gate=False):
    """A network that answers by one layer per question; a sigmoid inside it answers nothing."""
    x = inputs = keras.Input((16, 16, 3))
    x = layers.GlobalMaxPooling2D()(layers.Conv2D(6, 3, name="conv")(x))
    x = layers.Multiply()([x, layers.Dense(6, activation="sigmoid", name="gate")(x)])
    heads = [layers.Dense(1, activation="sigmoid", use_bias=rate > 0.2, name=f"head{n}")(
        layers.Dropout(rate)(x) if rate else x) for n, rate in enumerate(rates)]
    return keras.Model(inputs, layers.Concatenate()(heads[::-1]))


def test_features_of_any_network(register, pixels_for):
    model = register(_two_heads, QUESTIONS[:2])
    pixels = pixels_for(model)
    seen = networks.features(model, pixels, batch_size=3)
    assert seen.shape == (3, 12)
    np.testing.assert_allclose(networks.answer_features(model, seen),
                               networks.run(model, pixels, batch_size=3), atol=1e-6)


def test_features_of_a_network_without_dense_answers(register, pixels_for):
    def convolutional(questions):
        inputs = keras.Input((16, 16, 3))
        x = layers.Conv2D(len(questions), 16, activation="sigmoid")(inputs)
        return keras.Model(inputs, layers.Flatten()(x))

    model = register(convolutional)
    assert networks.run(model, pixels_for(model)).shape == (3, 1)
    with pytest.raises(ArgumentError, match="network: expected answers of dense layers"):
        networks.features(model, pixels_for(model))


def test_dropout_by_hand(register, pixels_for):
    """The mean over many draws of the logits is that of the answers; so is their variance."""
    model = register(_two_heads, QUESTIONS[:2])
    pixels = pixels_for(model)
    draws = networks.run_dropout(model, pixels, draws=20_000, batch_size=3)
    logits = np.log(draws / (1 - draws))
    answers = networks.run(model, pixels, batch_size=3)
    np.testing.assert_allclose(logits.mean(axis=0), np.log(answers / (1 - answers)), atol=0.03)
    seen = networks.features(model, pixels, batch_size=3).reshape(3, 2, 6)
    arrays = networks.export_weights(model)
    terms = seen * np.stack([arrays[f"head{n}/kernel"][:, 0] for n in (1, 0)])
    variance = (terms**2).sum(axis=2) * [0.1 / 0.9, 0.5 / 0.5]  # of a sum of dropped terms
    np.testing.assert_allclose(logits.var(axis=0), variance, rtol=0.05)
    np.testing.assert_array_equal(draws, networks.run_dropout(
        model, pixels, draws=20_000, batch_size=3))


def test_dropout_of_a_network_without(toy, register, pixels_for):
    half = register(lambda questions: _two_heads(questions, rates=(0.5, 0)), QUESTIONS[:2])
    for model in (networks.build("toy", QUESTIONS), half, networks.build(
            "ds18", QUESTIONS[:1], dropout=0.0)):
        with pytest.raises(ArgumentError, match="uncertainty: .*dropout.* Received '"):
            networks.run_dropout(model, pixels_for(model))


def test_gigaflops_of_pinwheel(pinwheel):
    """Half a block by hand: the arithmetic is two operations a weight and place."""
    stem, first = 20 * 20 * 32 * 8 * 8 * 3, 2 * 20 * 20 * 32 * 32 * 9
    second = 10 * 10 * 96 * (32 * 9 + 96 * 9 + 32)
    third = 5 * 5 * 192 * (96 * 9 + 192 * 9 + 96)
    assert networks.gigaflops(pinwheel) == pytest.approx(
        2e-9 * (stem + first + second + third + 192 * 3))


# Weights of each kind of layer on 16 x 16 x 3 pixels, times the places where they are applied.
@pytest.mark.parametrize("layer, operations", [
    (layers.Conv2D(8, 3), 14 * 14 * 3 * 3 * 3 * 8),
    (layers.Conv2D(6, 3, groups=3, padding="same", strides=2), 8 * 8 * 3 * 3 * 1 * 6),
    (layers.DepthwiseConv2D(5, depth_multiplier=2, padding="same"), 16 * 16 * 5 * 5 * 3 * 2),
    (layers.SeparableConv2D(8, 3, padding="same", strides=2), 8 * 8 * (3 * 3 * 3 + 3 * 8)),
    (layers.Conv2DTranspose(8, 3, strides=2), 16 * 16 * 3 * 3 * 3 * 8),
    (layers.Dense(7), 16 * 16 * 3 * 7),
    (layers.BatchNormalization(), 0), (layers.PReLU(), 0), (layers.MaxPooling2D(2), 0),
    (keras.Sequential([layers.Conv2D(4, 1), layers.Conv2D(5, 1, use_bias=False)]),
     16 * 16 * (3 * 4 + 4 * 5)),
], ids=lambda value: getattr(value, "name", None))
def test_gigaflops_by_hand(register, layer, operations):
    def build(questions):
        inputs = keras.Input((16, 16, 3))
        x = layers.GlobalAveragePooling2D()(layer(inputs))
        return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))

    model = register(build)
    calls = len(model.layers)
    last = model.layers[-1].kernel.shape[0]
    assert networks.gigaflops(model) == pytest.approx(2e-9 * (operations + last))
    assert len(model.layers) == calls


def test_gigaflops_of_a_layer_that_is_called_twice(register):
    def build(questions):
        inputs = keras.Input((16, 16, 3))
        convolution = layers.Conv2D(3, 3, padding="same")
        x = layers.Flatten()(convolution(layers.MaxPooling2D(2)(convolution(inputs))))
        return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))

    places = 16 * 16 + 8 * 8
    assert networks.gigaflops(register(build)) == pytest.approx(
        2e-9 * (places * 3 * 3 * 3 * 3 + 8 * 8 * 3))


def test_gigaflops_refuses_what_it_does_not_know(register):
    def attention(questions):
        x = inputs = keras.Input((16, 16, 3))
        x = layers.Reshape((256, 3))(x)
        x = layers.MultiHeadAttention(1, 4, name="attention")(x, x)
        x = layers.GlobalAveragePooling1D()(x)
        return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))

    with pytest.raises(ArgumentError, match="network: .* 'attention', a MultiHeadAttention"):
        networks.gigaflops(register(attention))
