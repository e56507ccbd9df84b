"""Train networks: augmentation, loss, training on many galaxies or on few."""
import random
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from astromorph.errors import wrong
from astromorph.images import normalize_bands
from astromorph.networks.architectures import build, get_architecture
from astromorph.networks.backend import (XLA, check_process, keras, no_retracing_notes,
                                         plain_settings)
from astromorph.networks.inference import flat_layers, import_weights

__all__ = ["Augmentation", "FineTuning", "crop", "fit", "masked_crossentropy", "split"]

layers, ops = keras.layers, keras.ops


@keras.saving.register_keras_serializable(package="astromorph")
class Augmentation(layers.Layer):
    """Crop images to the network's frame; in training, transform them at random first.

    One interpolation does rotation, flips, zoom and shift. Then the contrast changes at random
    (gamma). At the end each band is divided by its own maximum, as always.

    Parameters
    ----------
    size : int
        Pixels of the network's frame.
    rotation : float
        Largest rotation, in degrees.
    zoom : tuple of float
        Smallest and largest magnification of the sky, sampled evenly in its logarithm.
    shift : float
        Largest shift as a fraction of the frame.
    gamma : float
        Largest change of contrast: exponents between 1 / (1 + gamma) and 1 + gamma, per band.
    appearance : float
        How far to vary what differs between surveys, but not between galaxies: sharpness, noise,
        level of the sky, saturation of colors. With 1, they vary as far as between surveys.
    seed : int
        Seed of all random numbers.
    """

    def __init__(self, size, *, rotation=180, zoom=(0.75, 1.25), shift=0.04, gamma=0.3,
                 appearance=0.0, seed=0):
        super().__init__(dtype="float32")
        self.size, self.rotation, self.zoom = size, rotation, zoom
        self.shift, self.gamma, self.appearance = shift, gamma, appearance
        self.random = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        """Cut network pixels from images; in training, change the images at random first.

        Parameters
        ----------
        images : tensor, shape (n, y, x, 3), uint8
            Color images with a margin around the frame.
        training : bool
            Whether to change them.

        Returns
        -------
        tensor, shape (n, size, size, 3)
        """
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
        return keras.random.uniform((ops.shape(images)[0], bands), low, high, "float32",
                                    seed=self.random)

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
        limit = self.appearance
        sharpness, sky, saturation, noise = (
            self._uniform(images, -limit, limit)[..., None, None] for _ in range(4))
        gray = ops.mean(images, axis=-1, keepdims=True)
        images = gray + (images - gray) * ops.exp(0.6 * saturation)
        images = images + (0.7 * sharpness - 0.3) * (images - self._blurred(images))
        images = images + 0.05 * sky + 0.012 * ops.exp(1.5 * noise) * keras.random.normal(
            ops.shape(images), dtype="float32", seed=self.random)
        return ops.clip(images, 0, 1)

    def _blurred(self, images):
        """Images smoothed by a Gaussian of a 75th of the frame."""
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
    """Compute the binary cross-entropy, weighted per galaxy and question.

    A weight of 0 masks a missing label.

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
    """Train a network; continue from ``folder`` if an earlier call was interrupted.

    Parameters
    ----------
    network : `keras.Model`
        Result of `build`; it is trained in place.
    images : `~numpy.ndarray`, shape (n, y, x, 3), uint8
        Color images a little larger than the network's frame.
    targets, weights : `~numpy.ndarray`, shape (n, questions)
        Labels (0 to 1) and their weights; weight 0 where there is no label.
    folder : path
        Folder for checkpoints and ``log.csv`` (epoch, validation score, training loss, note).
    validate : callable
        Function that takes the network and returns a score to minimize, and a note.
    augmentation : `Augmentation`
        Augmentation in front of the network.
    epochs : int
        Passes over the images.
    optimizer : `keras.optimizers.Optimizer`
        The optimizer; checkpoints include its state.
    batch_size, seed : int
        Images in a step; seed of their order.
    best : bool
        Leave the weights of the best validation in ``network``; else those of the last epoch.
    """
    check_process()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    log, last, top = (folder / name for name in ("log.csv", "last.weights.h5", "best.weights.h5"))
    with plain_settings():
        trainer = _trainer(network, augmentation, images)
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


def _trainer(network, augmentation, images):
    """A model from images to answers, with augmentation during the training."""
    pixels = keras.Input(images.shape[1:], dtype="uint8")
    return keras.Model(pixels, network(augmentation(pixels)))


def _compile(trainer, optimizer):
    trainer.compile(optimizer, masked_crossentropy, jit_compile="auto" if XLA else False)
    optimizer.build(trainer.trainable_variables)


def _train_epoch(trainer, inputs, targets, weights, batch_size, seed, on_batch=lambda: None):
    """Train on every galaxy once, except for an incomplete last batch; return the last loss."""
    both = np.concatenate([np.where(weights > 0, targets, 0), weights], axis=1).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(targets))
    batch_size = min(batch_size, len(order))
    with plain_settings(), no_retracing_notes():
        for start in range(0, len(order) - batch_size + 1, batch_size):
            rows = order[start:start + batch_size]
            loss = trainer.train_on_batch(_single([array[rows] for array in inputs]), both[rows])
            on_batch()
    return loss


def _single(items):
    """A single array without the list, as Keras wants it."""
    return items if len(items) > 1 else items[0]


@contextmanager
def _seeded(seed):
    """Seed Python's generator, from which Keras draws the seeds of layers; then restore it."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def split(network):
    """Cut a network in two models that share its weights: convolutions and dense layers.

    Parameters
    ----------
    network : `keras.Model`
        Result of `build`.

    Returns
    -------
    convolutions : `keras.Model`
        From network pixels to the input of the dense layers.
    dense : `keras.Model`
        From there to answers.

    Raises
    ------
    ArgumentError
        If the architecture does not say where the dense layers begin.
    """
    start = get_architecture(network.name).cut
    cut = [layer.input for layer in network.layers if start and layer.name.startswith(start)]
    if not cut:
        raise wrong("train", "a network whose record says where its dense layers begin, for "
                    "'dense'", repr(network.name), "Use 'all' or 'scratch'.")
    with plain_settings():
        return keras.Model(network.input, _single(cut)), keras.Model(_single(cut), network.output)


class FineTuning:
    """Train a network on a few galaxies, in memory, as often as needed.

    The network is built and traced once. Each training starts like the first one: with the same
    weights and the same random numbers.

    Parameters
    ----------
    name : str
        One of `ARCHITECTURES`.
    arrays : dict or None
        Weights to start from; None to start from random ones.
    images : `~numpy.ndarray`, shape (n, y, x, 3), uint8
        Color images with a margin around the network's frame.
    targets, weights : `~numpy.ndarray`, shape (n, questions)
        As for `fit`.
    dense : bool
        Train the dense layers alone, on features of a few augmented views, which are computed once.
    frozen_norms : bool
        Keep the statistics and scales of batch normalization.
    views : int
        Number of augmented views, for ``dense``.
    rate : float
        Highest learning rate: it rises linearly over a tenth of the steps, then falls to zero as a
        cosine.
    batch_size, seed : int
        Images in a step; seed of all random numbers.
    options : dict
        Options of the network's function.

    Attributes
    ----------
    network : `keras.Model`
        The network after the last training; the next training changes it.
    on_batch : callable
        Function without arguments, called after each batch, because an epoch may be long.
    """

    def __init__(self, name, arrays, images, targets, weights, *, dense, frozen_norms, views, rate,
                 batch_size, seed, options):
        self._images, self._labels, self._seed = images, (targets, weights), seed
        self._views, self._rate, self._batch_size = views if dense else 1, rate, batch_size
        self.on_batch = lambda: None
        with _seeded(seed), plain_settings():
            self.network = build(name, range(targets.shape[1]), **options)
            if arrays is not None:
                import_weights(self.network, arrays)
            for layer in flat_layers(self.network):
                if isinstance(layer, layers.BatchNormalization):
                    layer.trainable = not frozen_norms
            self._augmentation = Augmentation(self.network.input_shape[1], seed=seed)
            self._convolutions, self._head = split(self.network) if dense else (None, self.network)
            self._trainer = self._head if dense else _trainer(self.network, self._augmentation,
                                                              images)
            self._optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, beta_2=0.99,
                                                     global_clipnorm=5.0)
            _compile(self._trainer, self._optimizer)
        self._start = [(variable, variable.numpy()) for model in (self.network, self._augmentation)
                       for variable in model.variables]
        self._traced = {}

    def train(self, rows, held_out, epochs):
        """Train on some of the images, from the start.

        Parameters
        ----------
        rows, held_out : `~numpy.ndarray` of int
            Numbers of the images to train on, and of m images to answer.
        epochs : int
            Passes over the images.

        Yields
        ------
        `~numpy.ndarray`, shape (m, questions), or None
            Answers to ``held_out`` after each epoch; None if there are none.
        """
        with plain_settings():
            batch_size = self._restart(self._views * len(rows), epochs)
            inputs = [self._images[rows]]
            seen = [crop(self._images[held_out], self._augmentation.size)]
            if self._convolutions:
                inputs = _features(self._convolutions, self._augmentation, *inputs, self._views)
                seen = _in_batches(self._convolutions, seen)
        labels = [np.tile(array[rows], (self._views, 1)) for array in self._labels]
        for epoch in range(epochs):
            _train_epoch(self._trainer, inputs, *labels, batch_size, (self._seed, epoch),
                         self._after_batch)
            yield _in_batches(self._head, seen)[0] if len(held_out) else None

    def _restart(self, n, epochs):
        """Undo everything that a training changes; return the size of the batches of n galaxies."""
        batch_size = min(self._batch_size, n)
        if batch_size not in self._traced:  # a trace for several sizes could change the last bits
            self._trainer.make_train_function(force=True)
            self._traced[batch_size] = self._trainer.train_function
        self._trainer.train_function = self._traced[batch_size]
        for variable, value in self._start:
            variable.assign(value)
        for variable in self._optimizer.variables:
            variable.assign(ops.zeros_like(variable))
        steps = epochs * (n // batch_size)
        warmup = max(steps // 10, 1)
        self._schedule = keras.optimizers.schedules.CosineDecay(
            self._rate / 10, max(steps - warmup, 1), warmup_target=self._rate, warmup_steps=warmup)
        self._set_rate()
        return batch_size

    def _set_rate(self):
        """Set the rate of the next step; a schedule in the trace would fix the number of steps."""
        self._optimizer.learning_rate = self._schedule(self._optimizer.iterations)

    def _after_batch(self):
        self._set_rate()
        self.on_batch()


def _in_batches(model, inputs, batch_size=64):
    """Outputs of a model for a list of inputs, as a list."""
    parts = []
    for start in range(0, len(inputs[0]), batch_size):
        with plain_settings():
            outputs = model(_single([array[start:start + batch_size] for array in inputs]),
                            training=False)
        parts.append([ops.convert_to_numpy(array) for array
                      in (outputs if isinstance(outputs, (list, tuple)) else [outputs])])
    return [np.concatenate(arrays) for arrays in zip(*parts)]


def _features(convolutions, augmentation, images, views):
    """Features of augmented views of the images, one view after the other, in half precision."""
    parts = []
    for _ in range(views):
        for start in range(0, len(images), 64):
            view = augmentation(images[start:start + 64], training=True)
            parts.append([array.astype(np.float16) for array in _in_batches(convolutions, [view])])
    return [np.concatenate(arrays) for arrays in zip(*parts)]


def crop(images, size):
    """Cut network pixels from larger images, as `Augmentation` does outside of training.

    Parameters
    ----------
    images : `~numpy.ndarray`, shape (n, y, x, 3), uint8
        Color images with a margin around the network's frame.
    size : int
        Pixels of the frame.

    Returns
    -------
    `~numpy.ndarray`, shape (n, size, size, 3), float32
    """
    margin = (images.shape[1] - size) // 2
    return normalize_bands(images[:, margin:margin + size, margin:margin + size])
