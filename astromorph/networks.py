"""The networks: build, run, fit. The only module that knows Keras and TensorFlow."""
import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

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

__all__ = ["NETWORKS", "Augmentation", "build", "ds18", "export_weights", "fit", "import_weights",
           "masked_crossentropy", "run", "tuningfork"]


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


def _residual_block(x, channels, stride, name):
    """Two 3x3 convolutions around a shortcut (He et al. 2016)."""
    conv = partial(layers.Conv2D, channels, padding="same", use_bias=False,
                   kernel_initializer="he_normal")
    norm = partial(layers.BatchNormalization, momentum=0.97)
    y = conv(3, strides=stride, name=f"{name}_conv1")(x)
    y = layers.ReLU()(norm(name=f"{name}_norm1")(y))
    y = norm(name=f"{name}_norm2")(conv(3, name=f"{name}_conv2")(y))
    if stride > 1 or x.shape[-1] != channels:
        x = norm(name=f"{name}_norm0")(conv(1, strides=stride, name=f"{name}_shortcut")(x))
    return layers.ReLU()(layers.Add()([x, y]))


def tuningfork(keys=("q1", "q2", "q3")):
    """Build the default network: one residual trunk, one output per question.

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


NETWORKS = {"tuningfork": tuningfork, "ds18": ds18}
# XLA makes these networks slower on a CPU under TensorFlow; other backends need their compiler.
_XLA = keras.config.backend() != "tensorflow"


def build(name):
    """Build a network by name, untrained; its pixels are ``model.input_shape[1:3]``.

    Raises
    ------
    ValueError
        If there is no network of that name.
    """
    if name not in NETWORKS:
        raise ValueError(f"network: expected one of {sorted(NETWORKS)}. Received {name!r}.")
    network = NETWORKS[name]()
    if not _XLA:
        network.jit_compile = False
    return network


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


def run(model, pixels, *, batch_size=64):
    """Answer every question for every galaxy.

    Parameters
    ----------
    model : `keras.Model`
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
        # A constant shape: a shorter last batch would be compiled anew.
        padded = np.zeros((batch_size, *batch.shape[1:]), np.float32)
        padded[:len(batch)] = batch
        answers[start:start + len(batch)] = model.predict_on_batch(padded)[:len(batch)]
    return answers


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
    seed : int
        Seed of all of it.
    """

    def __init__(self, size, *, rotation=180, zoom=(0.75, 1.25), shift=0.04, gamma=0.3, seed=0):
        super().__init__(dtype="float32")
        self.size, self.rotation, self.zoom = size, rotation, zoom
        self.shift, self.gamma = shift, gamma
        self.random = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        images = ops.cast(images, "float32") / 255
        if training:
            images = self._contrast(self._move(images))
        margin = (images.shape[1] - self.size) // 2
        images = images[:, margin:margin + self.size, margin:margin + self.size]
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
    trainer.compile(optimizer, masked_crossentropy, jit_compile="auto" if _XLA else False)
    optimizer.build(trainer.trainable_variables)
    scores = [float(line.split(",")[1]) for line in log.read_text().split("\n")[:-1]
              ] if log.exists() else []
    if scores:
        trainer.load_weights(last)
    both = np.concatenate([np.where(weights > 0, targets, 0), weights], axis=1).astype(np.float32)
    for epoch in range(len(scores), epochs):
        order = np.random.default_rng((seed, epoch)).permutation(len(images))
        losses = [trainer.train_on_batch(images[rows], both[rows])
                  for rows in np.split(order, range(batch_size, len(order), batch_size))
                  if len(rows) == batch_size]
        score, note = validate(network)
        scores.append(score)
        if score == min(scores):
            network.save_weights(top)
        trainer.save_weights(last)
        with log.open("a") as file:
            file.write(f"{epoch},{score:.5f},{losses[-1]:.5f},{note}\n")
    if best:
        network.load_weights(top)


def crop(images, size):
    """Network pixels of uint8 images larger than the frame: what `Augmentation` does untrained."""
    margin = (images.shape[1] - size) // 2
    return normalize_bands(images[:, margin:margin + size, margin:margin + size])
