"""ONNX files give what the classifier gives, in ONNX Runtime."""
import builtins
import json

import keras
import numpy as np
import pytest

from astromorph import MorphologyClassifier, Question
from astromorph.datasets import load_sample
from astromorph.model import TrainedModel
from astromorph.model.calibration import PlattScaling
from astromorph.model.files import bundled
from astromorph.model.heads import Head
from astromorph.model.onnx_export import export_onnx
from astromorph.networks import ARCHITECTURES, Architecture, build, export_weights
from astromorph.networks.onnx_graph import LAYERS
from astromorph.surveys import BUNDLED

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

FILES = {path.stem: path for path in bundled().values()}


def outputs_of(path, pixels):
    """Name of each output -> its numbers."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"pixels": pixels})))


def random_pixels(size, n=8):
    """Noise, blank frames and spots: all the ranges that a network may reach."""
    rng = np.random.default_rng(1)
    pixels = rng.random((n, size, size, 3), np.float32)**rng.integers(1, 9, (n, 1, 1, 1))
    pixels[0], pixels[1] = 0, 1
    return pixels.astype(np.float32)


def check_equal(model, path, pixels):
    columns = [column for question in model.all_questions for column in question.answer_columns]
    found, expected = outputs_of(path, pixels), model.answer(pixels).T
    assert list(found) == [column.name for column in columns]
    for column, values in zip(columns, expected):
        assert found[column.name].shape == (len(pixels),)
        assert found[column.name].dtype == np.float32
        np.testing.assert_allclose(found[column.name], values, rtol=0 if column.is_probability
                                   else 1e-5, atol=1e-5, err_msg=column.name)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if "pinwheel" not in
                                               name else ()) for name in FILES])
def test_bundled_weights(name, tmp_path):
    clf = MorphologyClassifier.read(FILES[name])
    clf.export(tmp_path / "x.onnx")
    galaxies = clf.prepare(load_sample(), images="file", r90="petroR90")
    assert galaxies.shape == (12, clf.model.size, clf.model.size, 3)
    assert galaxies.dtype == np.float32 and galaxies.max() == 1
    check_equal(clf.model, tmp_path / "x.onnx", galaxies)
    check_equal(clf.model, tmp_path / "x.onnx", random_pixels(clf.model.size))
    table = clf.classify(load_sample(), images="file", r90="petroR90", questions="all",
                         precision="float32")
    found = outputs_of(tmp_path / "x.onnx", galaxies)
    assert {"P_disk", "P_edge_on", "P_bar"} <= set(found) <= set(table.colnames)
    for column, values in found.items():
        np.testing.assert_allclose(values, table[column], rtol=1e-5, atol=1e-5)


def test_real_galaxies(real_data, classifier, tmp_path):
    images = sorted(real_data.rglob("*.jpg"))[::97][:64]
    classifier.export(tmp_path / "x.onnx")
    pixels = classifier.prepare([str(path) for path in images], r90="measure")
    check_equal(classifier.model, tmp_path / "x.onnx", pixels)


def test_what_the_file_says(classifier, tmp_path):
    classifier.export(tmp_path / "x.onnx")
    file = onnx.load(tmp_path / "x.onnx")
    assert file.producer_name == "astromorph" and "MorphologyClassifier.prepare" in file.doc_string
    metadata = {entry.key: entry.value for entry in file.metadata_props}
    assert json.loads(metadata["card"]) == classifier.card
    assert "float32 (n, 80, 80, 3)" in metadata["input"] and "(i, r, g)" in metadata["input"]
    columns = json.loads(metadata["columns"])
    assert [each["name"] for each in columns] == [output.name for output in file.graph.output]
    assert columns[0]["description"] == "Probability of a disk or features, against smooth"
    assert {each.domain for each in file.opset_import} == {""}


QUESTIONS = (Question("ring"), Question("arms", kind="grades", answers=("none", "weak", "strong")),
             Question("shape", kind="classes", answers=("round", "oval", "cigar", "odd")),
             Question("tilt", kind="number", unit="deg", limits=(0, 90)),
             Question("size", kind="number"))


def test_questions_of_all_kinds(classifier, tmp_path):
    """Also a number whose error would be larger than 32 bits hold."""
    n, rng = len(classifier.model.heads[0].kernel), np.random.default_rng(3)
    heads = []
    for question in QUESTIONS:
        width = {"ring": 1, "arms": 2, "shape": 4}.get(question.key, 2)
        heads.append(Head(question, rng.normal(0, 0.3, (n, width)),
                          [0, 99] if question.key == "size" else rng.normal(0, 1, width),
                          slope=tuple(rng.uniform(0.5, 2, width)),
                          intercept=tuple(rng.normal(0, 1, width))))
    model = classifier.model.replace(heads=tuple(heads))
    export_onnx(model, tmp_path / "x.onnx")
    check_equal(model, tmp_path / "x.onnx", random_pixels(80))


@pytest.mark.parametrize("column", ["clip_5", "cast_3", "constant_0"])
def test_columns_called_like_parts_of_a_graph(classifier, tmp_path, column):
    n = len(classifier.model.heads[0].kernel)
    model = classifier.model.replace(heads=(
        Head(Question("own", column=column), np.ones((n, 1)), np.zeros(1)),))
    export_onnx(model, tmp_path / "x.onnx")
    check_equal(model, tmp_path / "x.onnx", random_pixels(80, 5))


def test_a_column_called_like_the_input(classifier, tmp_path):
    n = len(classifier.model.heads[0].kernel)
    model = classifier.model.replace(heads=(
        Head(Question("own", column="pixels"), np.zeros((n, 1)), np.zeros(1)),))
    with pytest.raises(ValueError, match="other names than the input, pixels"):
        export_onnx(model, tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def toy(questions):
    """One layer of each kind that is known, and a model as a layer that is called twice."""
    layers = keras.layers
    inputs = keras.Input((17, 17, 3))
    x = layers.Rescaling(2.0, -1.0)(inputs)
    x = layers.Conv2D(6, 3, strides=2, padding="same", groups=3, activation="silu")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", dilation_rate=2,
                               activation="relu6")(x)
    x = layers.BatchNormalization(center=False, scale=False)(x)
    part = keras.Sequential([keras.Input((9, 9, 12)), layers.Conv2D(12, 2, padding="same"),
                             layers.Activation("tanh"), layers.Dropout(0.5)])
    x = layers.Add()([part(x), part(part(x)), x])
    x = layers.Concatenate()([layers.AveragePooling2D(3, strides=2, padding="same")(x),
                              layers.MaxPooling2D(3, strides=2, padding="same")(x)])
    flat = layers.Dense(8, use_bias=False)(layers.Flatten()(layers.ReLU(max_value=2.0)(x)))
    mean = layers.GlobalAveragePooling2D()(x)
    outputs = [layers.Dense(1, activation="sigmoid")(layers.Concatenate()([flat, mean]))
               for _ in questions]
    return keras.Model(inputs, layers.Concatenate()(outputs))


class Doubled(keras.layers.ReLU):
    """Not what its parent does: to export it as that would be wrong."""

    def call(self, inputs):
        return 2 * super().call(inputs)


def relu(x):
    return x + 1


def network_with(layer):
    """A builder of networks that have a layer for images in them."""
    def build_it(questions):
        inputs = keras.Input((17, 17, 3))
        x = keras.layers.Flatten()(layer()(inputs))
        return keras.Model(inputs, keras.layers.Dense(len(questions), activation="sigmoid")(x))

    return build_it


def model_of(monkeypatch, function):
    monkeypatch.setitem(ARCHITECTURES, "own", Architecture("own", function, 17))
    questions = (Question("ring"), Question("disk"))
    network = build("own", questions)
    rng = np.random.default_rng(5)
    arrays = {name: rng.uniform(0.5, 1.5, array.shape) if "variance" in name
              else rng.normal(0, 0.3, array.shape) for name, array
              in export_weights(network).items()}
    return TrainedModel.make(
        arrays, network="own", survey=BUNDLED["sdss"], questions=questions, size=17, frame_r90=4.0,
        calibration={"ring": PlattScaling(1.3, -0.4), "disk": PlattScaling(0.8, 0.1)})


def test_a_network_of_ones_own(monkeypatch, tmp_path):
    model = model_of(monkeypatch, toy)
    export_onnx(model, tmp_path / "x.onnx")
    check_equal(model, tmp_path / "x.onnx", random_pixels(17))


@pytest.mark.parametrize("layer, message", [
    (keras.layers.GlobalMaxPooling2D, "the layers Conv2D.*a GlobalMaxPooling2D.*LAYERS"),
    (Doubled, "the layers Conv2D.*a Doubled.*onnx_graph.LAYERS"),
    (lambda: keras.layers.Activation(relu), "network: expected activations among linear.*relu"),
    (lambda: keras.layers.ReLU(negative_slope=0.1), "neither threshold nor slope"),
    (lambda: keras.layers.BatchNormalization(axis=1), "channels that are normalized"),
    (lambda: keras.layers.Dense(2), "dense layers of vectors")])
def test_a_layer_that_is_not_known(layer, message, monkeypatch, tmp_path):
    model = model_of(monkeypatch, network_with(layer))
    with pytest.raises(ValueError, match=message):
        export_onnx(model, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_a_layer_of_ones_own(monkeypatch, tmp_path):
    monkeypatch.setitem(LAYERS, Doubled, lambda graph, layer, inputs, tensors: graph.add(
        "Mul", graph.add("Relu", *inputs), np.float32(2)))
    model = model_of(monkeypatch, network_with(Doubled))
    export_onnx(model, tmp_path / "x.onnx")
    check_equal(model, tmp_path / "x.onnx", random_pixels(17))


def test_names_and_existing_files(classifier, tmp_path):
    with pytest.raises(ValueError, match="path: expected a name that ends in .onnx"):
        classifier.export(tmp_path / "x.safetensors")
    (tmp_path / "x.onnx").write_text("precious")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        classifier.export(tmp_path / "x.onnx")
    classifier.export(tmp_path / "x.onnx", overwrite=True)
    assert onnx.load(tmp_path / "x.onnx").graph.output


def test_without_the_package(classifier, tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **options):
        if name.split(".")[0] == "onnx":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r'pip install "astromorph-galaxies\[onnx\]"'):
        classifier.export(tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())
