"""The networks: build, run, fit. The only module that knows Keras and TensorFlow."""
import os
import random
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from scipy.linalg import block_diag

from astromorph.images import normalize_bands


@contextmanager
def _silent_start():
    """Keep TensorFlow's start-up notes, which no setting of its own stops, off the terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


with _silent_start():
    import keras
    from keras import layers, ops

__all__ = ["NETWORKS", "Augmentation", "FineTuning", "Frozen", "answer_features", "build", "crop",
           "ds18", "export_weights", "features", "fit", "gigaflops", "has_bfloat16",
           "import_weights", "in_bfloat16", "masked_crossentropy", "pinwheel", "run",
           "run_dropout", "run_views", "split", "tuningfork"]


def _ds18_convolutions(name, initializer, dropout):
    """The convolutional part of the paper's network, 235,232 parameters."""
    conv = partial(layers.Conv2D, padding="same", activation="relu", kernel_initializer=initializer)
    return keras.Sequential([
        keras.Input((69, 69, 3)),
        conv(32, 6, name="conv1"), layers.Dropout(0.5 * dropout),
        conv(64, 5, name="conv2"), layers.MaxPooling2D(2), layers.Dropout(0.25 * dropout),
        conv(128, 2, name="conv3"), layers.MaxPooling2D(2), layers.Dropout(0.25 * dropout),
        conv(128, 3, name="conv4"), layers.Dropout(0.25 * dropout),
    ], name=name)


def ds18(keys=("q1", "q2", "q3"), *, initializer="glorot_uniform", dropout=1.0,
         shared=False):
    """Build the network of Dominguez Sanchez et al. (2018, 2019, Table 1), one per question.

    Parameters
    ----------
    keys : tuple of str
        The questions, one output each.
    initializer : str
        Keras initializer of the convolutions and of the hidden dense layer.
    dropout : float
        Factor on the paper's dropout rates (.5, .25, .25, .25, .5), which act in training only.
    shared : bool
        Let the questions share one convolutional part: a stage of training, never the
        released network.

    Returns
    -------
    `keras.Model`
        (n, 69, 69, 3) -> (n, len(keys)); 2,602,849 parameters a question.
    """
    inputs = keras.Input((69, 69, 3))
    common = _ds18_convolutions("ds18_trunk", initializer, dropout)(inputs) if shared else None
    outputs = []
    for key in keys:
        x = common if shared else _ds18_convolutions(f"ds18_{key}", initializer, dropout)(inputs)
        x = layers.Flatten(name=f"flatten_{key}")(x)
        x = layers.Dense(64, activation="relu", kernel_initializer=initializer,
                         name=f"dense1_{key}")(x)
        x = layers.Dropout(0.5 * dropout, name=f"dropout_{key}")(x)
        outputs.append(layers.Dense(1, activation="sigmoid", dtype="float32",
                                    name=f"dense2_{key}")(x))
    merged = layers.Concatenate(dtype="float32")(outputs) if len(outputs) > 1 else outputs[0]
    return keras.Model(inputs, merged, name="ds18")


def _residual_block(x, channels, stride, name, *, average=False):
    """Two 3x3 convolutions around a shortcut (He et al. 2016).

    The shortcut may average before it strides (ResNet-D, He et al. 2019).
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


def tuningfork(keys=("q1", "q2", "q3")):
    """Build an earlier default network: one residual trunk, one output per question.

    A strided 5x5 stem, four residual blocks of 48, 96, 160 and 224 channels, a global average;
    1.4 million parameters, about a tenth of three ``ds18`` networks' arithmetic.

    Parameters
    ----------
    keys : tuple of str
        The questions, one output each.

    Returns
    -------
    `keras.Model`
        (n, 96, 96, 3) -> (n, len(keys)).
    """
    inputs = keras.Input((96, 96, 3))
    x = layers.Conv2D(48, 5, strides=2, padding="same", use_bias=False,
                      kernel_initializer="he_normal", name="stem_conv")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.97, name="stem_norm")(x))
    x = layers.MaxPooling2D(2)(x)
    for number, (channels, stride) in enumerate(((48, 1), (96, 2), (160, 2), (224, 1)), 1):
        x = _residual_block(x, channels, stride, f"block{number}")
    x = layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = layers.Dropout(0.3, dtype="float32")(x)
    outputs = layers.Dense(len(keys), activation="sigmoid", dtype="float32", name="answers")(x)
    return keras.Model(inputs, outputs, name="tuningfork")


def pinwheel(keys=("q1", "q2", "q3"), *, size=80, stem=(32, 8, 4),
             blocks=((32, 1), (96, 2), (192, 2))):
    """Build the default network: a short residual trunk on overlapping patches.

    0.66 million parameters, a thirtieth of three ``ds18`` networks' arithmetic.

    Parameters
    ----------
    keys : tuple of str
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
        (n, size, size, 3) -> (n, len(keys)).
    """
    inputs = keras.Input((size, size, 3))
    channels, width, stride = stem
    x = layers.Conv2D(channels, width, strides=stride, padding="same", use_bias=False,
                      kernel_initializer="he_normal", name="stem_conv")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.97, name="stem_norm")(x))
    for number, (channels, stride) in enumerate(blocks, 1):
        x = _residual_block(x, channels, stride, f"block{number}", average=True)
    x = layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = layers.Dropout(0.2, dtype="float32")(x)
    outputs = layers.Dense(len(keys), activation="sigmoid", dtype="float32", name="answers")(x)
    return keras.Model(inputs, outputs, name="pinwheel")


NETWORKS = {"pinwheel": pinwheel, "tuningfork": tuningfork, "ds18": ds18}
# XLA makes these networks slower on a CPU under TensorFlow; other backends need their compiler.
_XLA = keras.config.backend() != "tensorflow"


def build(name, **options):
    """Build a network by name, untrained; its pixels are ``model.input_shape[1:3]``.

    Parameters
    ----------
    name : str
        One of `NETWORKS`.
    **options
        Of that network's function.

    Raises
    ------
    ValueError
        If there is no network of that name.
    """
    if name not in NETWORKS:
        raise ValueError(f"network: expected one of {sorted(NETWORKS)}. Received {name!r}.")
    network = NETWORKS[name](**options)
    if not _XLA:
        network.jit_compile = False
    return network


def has_bfloat16():
    """Whether the processor multiplies bfloat16 by instructions of its own (Linux only)."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    flags = next((line.split() for line in text.splitlines()
                  if line.startswith(("flags", "Features"))), ())
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)


def in_bfloat16(model):
    """A network with the same weights that computes in bfloat16, all but its last layer."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        twin = build(model.name)
    finally:
        keras.config.set_dtype_policy(policy)
    import_weights(twin, export_weights(model))
    return twin


class Frozen:
    """A network as it is now, its weights constants of one graph: the same answers, faster.

    TensorFlow then works out ahead what normalization does to a convolution's weights. On another
    backend the network stays as it is.

    Parameters
    ----------
    model : `keras.Model`
        From `build`, with the weights that it shall have.
    """

    def __init__(self, model):
        self.output_shape = model.output_shape
        self.predict_on_batch = (_constant_graph(model) if keras.config.backend() == "tensorflow"
                                 else model.predict_on_batch)


def _constant_graph(model):
    """A function pixels -> answers, arrays both."""
    import tensorflow as tf

    weights = [[variable.numpy() for variable in group] for group
               in (model.trainable_variables, model.non_trainable_variables)]
    pixels = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    answer = tf.function(lambda batch: model.stateless_call(*weights, batch, training=False)[0])
    graph = answer.get_concrete_function(pixels)
    return lambda batch: graph(tf.constant(batch, tf.float32)).numpy()


def export_weights(model):
    """Return a model's weights as a dictionary of path -> float32 array."""
    return {variable.path: variable.numpy() for variable in model.weights}


def import_weights(model, arrays):
    """Set a model's weights from a dictionary of path -> array.

    Raises
    ------
    ValueError
        If a name is missing or unknown, a shape differs or a value is not finite.
    """
    expected = {variable.path: variable for variable in model.weights}
    if odd := sorted(expected.keys() ^ arrays.keys()):
        raise ValueError(f"weights of {model.name}: {len(odd)} arrays are missing or unknown "
                         f"(first: {odd[:3]}); the file belongs to another network.")
    for path, variable in expected.items():
        if arrays[path].shape != tuple(variable.shape):
            raise ValueError(f"weights of {model.name}: {path} should have shape "
                             f"{tuple(variable.shape)}. Received {arrays[path].shape}.")
        if not np.isfinite(arrays[path]).all():
            raise ValueError(f"weights of {model.name}: {path} holds values that are not finite; "
                             "the file is damaged.")
    for path, variable in expected.items():
        variable.assign(np.asarray(arrays[path], np.float32))


def gigaflops(model):
    """Arithmetic of one image: two operations for each weight and place where it is applied."""
    total = 0
    for layer in _layers(model):
        if isinstance(layer, layers.Conv2D):
            total += 2 * np.prod(layer.kernel.shape) * np.prod(layer.output.shape[1:3])
        elif isinstance(layer, layers.Dense):
            total += 2 * np.prod(layer.kernel.shape)
    return float(total / 1e9)


def _layers(model):
    """All layers, those of parts that are models too."""
    for layer in model.layers:
        yield from _layers(layer) if isinstance(layer, keras.Model) else [layer]


def run(model, pixels, *, batch_size=64):
    """Answer every question for every galaxy.

    Parameters
    ----------
    model : `keras.Model` or `Frozen`
        From `build`.
    pixels : `~numpy.ndarray`, shape (n, size, size, 3)
        Network pixels, each band divided by its own maximum.
    batch_size : int
        Galaxies in one pass.

    Returns
    -------
    `~numpy.ndarray`, shape (n, questions), float32
    """
    answers = np.empty((len(pixels), model.output_shape[-1]), np.float32)
    for start in range(0, len(pixels), batch_size):
        batch = pixels[start:start + batch_size]
        if short := batch_size - len(batch):  # a batch of another shape would be compiled anew
            batch = np.concatenate([batch, np.zeros((short, *batch.shape[1:]), np.float32)])
        answers[start:start + batch_size] = model.predict_on_batch(batch)[:len(pixels) - start]
    return answers


def _last_layers(model):
    """The layers that answer, one or one a question."""
    return [layer for layer in model.layers if isinstance(layer, layers.Dense)
            and layer.activation is keras.activations.sigmoid]


_trunks = WeakKeyDictionary()


def _trunk(model):
    """All of a network but its last layers, as a model that shares its weights."""
    if model not in _trunks:
        last = [layer.input for layer in _last_layers(model)]
        trunk = keras.Model(model.input, layers.Concatenate()(last) if len(last) > 1 else last[0])
        trunk.jit_compile = model.jit_compile
        _trunks[model] = trunk
    return _trunks[model]


def _last_weights(model):
    """Kernel and bias of the last layers, as those of one."""
    kernels, biases = zip(*(layer.get_weights() for layer in _last_layers(model)))
    return block_diag(*kernels), np.hstack(biases)


def features(model, pixels, *, batch_size=64):
    """What the last layers of a network see of each galaxy.

    Parameters
    ----------
    model, pixels, batch_size
        As for `run`.

    Returns
    -------
    `~numpy.ndarray`, shape (n, features), float32
        224 features of a tuningfork, three times 64 of a ds18.
    """
    return run(_trunk(model), pixels, batch_size=batch_size)


def answer_features(model, seen):
    """Answer every question from what the last layers see.

    Parameters
    ----------
    model : `keras.Model`
        From `build`.
    seen : `~numpy.ndarray`, shape (..., features)
        See `features`.

    Returns
    -------
    `~numpy.ndarray`, shape (..., questions), float32
        As `run` answers.
    """
    kernel, bias = _last_weights(model)
    return _sigmoid(seen @ kernel + bias)


def _sigmoid(logits):
    return ((1 + np.tanh(logits / 2)) / 2).astype(np.float32)


def run_views(model, pixels, *, batch_size=64):
    """Answer for the eight rotations by right angles and reflections of each galaxy.

    Parameters
    ----------
    model, pixels, batch_size
        As for `run`.

    Returns
    -------
    `~numpy.ndarray`, shape (8, n, questions), float32
    """
    return np.stack([run(model, np.rot90(view, turn, axes=(1, 2)), batch_size=batch_size)
                     for view in (pixels, pixels[:, :, ::-1]) for turn in range(4)])


def run_dropout(model, pixels, *, draws=50, seed=0, batch_size=64):
    """Answer with random parts of the last layer's inputs dropped, as in training.

    Monte-Carlo dropout (Gal & Ghahramani 2016), only in front of the last layer: all before it is
    computed once. A draw drops the same inputs for all galaxies, so that an answer does not depend
    on the others.

    Parameters
    ----------
    model, pixels, batch_size
        As for `run`.
    draws : int
        How often to drop.
    seed : int
        Same seed, same answers.

    Returns
    -------
    `~numpy.ndarray`, shape (draws, n, questions), float32
    """
    kernel, bias = _last_weights(model)
    keep = 1 - [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)][-1]
    kept = np.random.default_rng(seed).random((draws, len(kernel), 1)) < keep
    seen = features(model, pixels, batch_size=batch_size)
    return _sigmoid(seen @ (kept * kernel / keep) + bias)


@keras.saving.register_keras_serializable(package="astromorph")
class Augmentation(layers.Layer):
    """Crop to the network's frame, in training after one random projective transform.

    Rotation, flips, zoom and shift are one interpolation; then a random contrast (gamma), and
    each band divided by its own maximum as always.

    Parameters
    ----------
    size : int
        Pixels of the network's frame.
    rotation : float
        Largest rotation, degrees.
    zoom : tuple of float
        Smallest and largest magnification of the sky; the range is sampled in its logarithm.
    shift : float
        Largest shift as a fraction of the frame.
    gamma : float
        Largest change of contrast: exponents between 1 / (1 + gamma) and 1 + gamma, per band.
    looks : float
        How far to vary what differs between surveys and not between galaxies, 1 for as far as
        they do: sharpness, noise, level of the sky, saturation of colors.
    seed : int
        Seed of all of it.
    """

    def __init__(self, size, *, rotation=180, zoom=(0.75, 1.25), shift=0.04, gamma=0.3, appearance=0.0,
                 seed=0):
        super().__init__(dtype="float32")
        self.size, self.rotation, self.zoom = size, rotation, zoom
        self.shift, self.gamma, self.appearance = shift, gamma, appearance
        self.random = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        images = ops.cast(images, "float32") / 255
        if training:
            images = self._move(images)
        margin = (images.shape[1] - self.size) // 2
        images = images[:, margin:margin + self.size, margin:margin + self.size]
        if training:
            images = self._contrast(self._look(images))
        peak = ops.max(images, axis=(1, 2), keepdims=True)
        return images / ops.maximum(peak, 1e-6)

    def _uniform(self, images, low, high, bands=1):
        return keras.random.uniform((ops.shape(images)[0], bands), low, high, seed=self.random)

    def _move(self, images):
        angle = self._uniform(images, -self.rotation, self.rotation) * np.pi / 180
        step = ops.exp(-self._uniform(images, *np.log(self.zoom)))
        flip_x, flip_y = (ops.sign(self._uniform(images, -1, 1)) for _ in range(2))
        limit = self.shift * self.size
        dx, dy = (self._uniform(images, -limit, limit) for _ in range(2))
        a, b = step * flip_x * ops.cos(angle), -step * flip_y * ops.sin(angle)
        c, d = step * flip_x * ops.sin(angle), step * flip_y * ops.cos(angle)
        middle = (images.shape[1] - 1) / 2
        zero = ops.zeros_like(a)
        transform = ops.concatenate([a, b, middle * (1 - a - b) + dx,
                                     c, d, middle * (1 - c - d) + dy, zero, zero], axis=1)
        return ops.image.affine_transform(images, transform, fill_mode="reflect",
                                          data_format="channels_last")

    def _look(self, images):
        if not self.appearance:
            return images
        sharpness, sky, saturation, noise = (
            self._uniform(images, -self.appearance, self.appearance)[..., None, None] for _ in range(4))
        gray = ops.mean(images, axis=-1, keepdims=True)
        images = gray + (images - gray) * ops.exp(0.6 * saturation)
        images = images + (0.7 * sharpness - 0.3) * (images - self._blurred(images))
        images = images + 0.05 * sky + 0.012 * ops.exp(1.5 * noise) * keras.random.normal(
            ops.shape(images), seed=self.random)
        return ops.clip(images, 0, 1)

    def _blurred(self, images):
        """Smoothed by a Gaussian of a 75th of the frame."""
        sigma = self.size / 75
        x = np.arange(-round(3 * sigma), round(3 * sigma) + 1)
        kernel = np.exp(-0.5 * (x / sigma)**2)
        kernel = np.repeat((kernel / kernel.sum())[:, None, None, None], 3, axis=2)
        for axis in (0, 1):
            images = ops.depthwise_conv(images, np.moveaxis(kernel, 0, axis).astype(np.float32),
                                        padding="same", data_format="channels_last")
        return images

    def _contrast(self, images):
        if not self.gamma:
            return images
        limit = float(np.log1p(self.gamma))
        power = ops.exp(self._uniform(images, -limit, limit) / 2
                        + self._uniform(images, -limit, limit, bands=3) / 2)
        return ops.power(ops.clip(images, 1e-6, 1), power[:, None, None, :])


def masked_crossentropy(target_and_weight, answers):
    """Binary cross-entropy, weighted per galaxy and question; weight 0 masks a missing label.

    Parameters
    ----------
    target_and_weight : tensor, shape (n, 2 x questions)
        Targets (0 to 1), then weights.
    answers : tensor, shape (n, questions)

    Returns
    -------
    tensor, shape (n,)
    """
    target, weight = ops.split(target_and_weight, 2, axis=-1)
    answers = ops.clip(answers, 1e-6, 1 - 1e-6)
    entropy = -target * ops.log(answers) - (1 - target) * ops.log(1 - answers)
    return ops.sum(weight * entropy, axis=-1)


def fit(network, images, targets, weights, *, folder, validate, augmentation, epochs, optimizer,
        batch_size=64, seed=0, best=True):
    """Train a network, resuming from ``folder`` if an earlier call was interrupted.

    Parameters
    ----------
    network : `keras.Model`
        From `build`; trained in place.
    images : `~numpy.ndarray`, shape (n, y, x, 3), uint8
        Color images somewhat larger than the network's frame.
    targets, weights : `~numpy.ndarray`, shape (n, questions)
        Labels (0 to 1) and their weights; weight 0 where there is none.
    folder : path
        Checkpoints and ``log.csv`` (epoch, validation score, training loss, note).
    validate : callable
        network -> (score to minimize, note).
    augmentation : `Augmentation`
        Applied in front of the network.
    epochs, batch_size, seed : int
        As usual.
    optimizer : `keras.optimizers.Optimizer`
        Its state is part of the checkpoint.
    best : bool
        Leave the weights of the best validation in ``network``, else those of the last epoch.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    log, last, top = (folder / name for name in ("log.csv", "last.weights.h5", "best.weights.h5"))
    inputs = keras.Input(images.shape[1:], dtype="uint8")
    trainer = keras.Model(inputs, network(augmentation(inputs)))
    _compile(trainer, optimizer)
    scores = [float(line.split(",")[1]) for line in log.read_text().split("\n")[:-1]
              ] if log.exists() else []
    if scores:
        trainer.load_weights(last)
    for epoch in range(len(scores), epochs):
        loss = _train_epoch(trainer, [images], targets, weights, batch_size, (seed, epoch))
        score, note = validate(network)
        scores.append(score)
        if score == min(scores):
            network.save_weights(top)
        trainer.save_weights(last)
        with log.open("a") as file:
            file.write(f"{epoch},{score:.5f},{loss:.5f},{note}\n")
    if best:
        network.load_weights(top)


def _compile(trainer, optimizer):
    trainer.compile(optimizer, masked_crossentropy, jit_compile="auto" if _XLA else False)
    optimizer.build(trainer.trainable_variables)


def _train_epoch(trainer, inputs, targets, weights, batch_size, seed):
    """Train on every galaxy once, but for an incomplete last batch; the last batch's loss."""
    both = np.concatenate([np.where(weights > 0, targets, 0), weights], axis=1).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(targets))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        rows = order[start:start + batch_size]
        loss = trainer.train_on_batch(_single([array[rows] for array in inputs]), both[rows])
    return loss


def _single(items):
    """Keras takes one array without a list."""
    return items if len(items) > 1 else items[0]


@contextmanager
def _seeded(seed):
    """Keras draws the seeds of layers from Python's generator; leave that as it was."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def split(network):
    """Cut a network in two models that share its weights: convolutions and dense layers.

    Returns
    -------
    convolutions : `keras.Model`
        Network pixels -> features: all that the dense layers see.
    dense : `keras.Model`
        Features -> answers.
    """
    first = layers.Flatten if network.name == "ds18" else layers.Dropout
    cut = _single([layer.input for layer in network.layers if isinstance(layer, first)])
    return keras.Model(network.input, cut), keras.Model(cut, network.output)


class FineTuning:
    """Train a copy of a network on few galaxies, in memory, epoch by epoch.

    Parameters
    ----------
    name : str
        Of the network.
    arrays : dict or None
        Weights to start from; None to start from random ones.
    images : `~numpy.ndarray`, shape (n, y, x, 3), uint8
        Color images with a margin around the network's frame.
    targets, weights : `~numpy.ndarray`, shape (n, questions)
        As for `fit`.
    held_out : `~numpy.ndarray`, shape (m, y, x, 3), uint8
        Images to answer after each epoch.
    dense : bool
        Train the dense layers alone, on features of a few augmented views computed once.
    frozen_norms : bool
        Keep the statistics and scales of batch normalization.
    views : int
        Augmented views, for ``dense``.
    rate : float
        Highest learning rate: a linear warm-up over a tenth of the steps, then a cosine to zero.
    epochs, batch_size, seed : int
        As usual.
    options : dict
        Of the network's function.
    """

    def __init__(self, name, arrays, images, targets, weights, held_out, *, dense, frozen_norms,
                 views, rate, epochs, batch_size, seed, options):
        with _seeded(seed):
            self.network = NETWORKS[name](**options)
            if arrays is not None:
                import_weights(self.network, arrays)
            for layer in self.network.layers:
                if isinstance(layer, layers.BatchNormalization):
                    layer.trainable = not frozen_norms
            size = self.network.input_shape[1]
            augmentation = Augmentation(size, seed=seed)
            self._held_out = [crop(held_out, size)] if len(held_out) else None
            if dense:
                convolutions, self._head = split(self.network)
                inputs = _features(convolutions, augmentation, images, views)
                if self._held_out:
                    self._held_out = _in_batches(convolutions, self._held_out)
                trainer = self._head
                targets, weights = (np.tile(array, (views, 1)) for array in (targets, weights))
            else:
                self._head, inputs = self.network, [images]
                pixels = keras.Input(images.shape[1:], dtype="uint8")
                trainer = keras.Model(pixels, self.network(augmentation(pixels)))
        self._data = inputs, targets, weights, min(batch_size, len(targets))
        steps = epochs * (len(targets) // self._data[-1])
        warmup = max(steps // 10, 1)
        _compile(trainer, keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(rate / 10, max(steps - warmup, 1),
                                                   warmup_target=rate, warmup_steps=warmup),
            weight_decay=0.01, beta_2=0.99, global_clipnorm=5.0))
        self._trainer, self._epochs, self._seed = trainer, epochs, seed

    def __iter__(self):
        """Train; after each epoch, yield the answers (m, questions) of the held-out images."""
        for epoch in range(self._epochs):
            _train_epoch(self._trainer, *self._data, (self._seed, epoch))
            yield None if self._held_out is None else _in_batches(self._head, self._held_out)[0]


def _in_batches(model, inputs, batch_size=64):
    """Outputs of a model with a list of inputs, as a list."""
    parts = []
    for start in range(0, len(inputs[0]), batch_size):
        outputs = model(_single([array[start:start + batch_size] for array in inputs]),
                        training=False)
        parts.append([ops.convert_to_numpy(array) for array
                      in (outputs if isinstance(outputs, (list, tuple)) else [outputs])])
    return [np.concatenate(arrays) for arrays in zip(*parts)]


def _features(convolutions, augmentation, images, views):
    """Features of augmented views of the images, one view after the other; half precision."""
    parts = []
    for _ in range(views):
        for start in range(0, len(images), 64):
            view = augmentation(images[start:start + 64], training=True)
            parts.append([array.astype(np.float16) for array in _in_batches(convolutions, [view])])
    return [np.concatenate(arrays) for arrays in zip(*parts)]


def crop(images, size):
    """Network pixels of uint8 images larger than the frame: what `Augmentation` does untrained."""
    margin = (images.shape[1] - size) // 2
    return normalize_bands(images[:, margin:margin + size, margin:margin + size])
