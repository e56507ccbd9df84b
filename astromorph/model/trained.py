"""`TrainedModel` takes network pixels and returns calibrated probabilities."""
import json
import threading
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from weakref import WeakValueDictionary

import numpy as np

from astromorph.arguments import check_choice
from astromorph.errors import warn, wrong
from astromorph.images import normalize_bands
from astromorph.model import files, remote
from astromorph.model.card import Card
from astromorph.model.domain import DomainWatch
from astromorph.model.heads import head_arrays
from astromorph.questions import Question

__all__ = ["PRECISIONS", "SPREADS", "TrainedModel"]

PRECISIONS = ("float32", "bfloat16")
SPREADS = MappingProxyType({"views": "8 rotations and reflections",
                            "dropout": "draws of Monte-Carlo dropout"})
"""Ways to measure the uncertainty of an answer, and their descriptions."""

# Largest change of a probability by bfloat16 that is harmless.
_HARMLESS = 3e-3
# Attributes that models of the same weights share.
_BUILT = ("network", "_frozen", "_seeing")
_MADE_BY = "MORPHMDL"
# Models that this process has unpickled; equal ones become one object.
_known = WeakValueDictionary()
_lock = threading.Lock()


@dataclass(frozen=True, eq=False, repr=False)
class TrainedModel:
    """The content of a weights file: a network, its weights, and the card.

    It checks its parts and never changes: `replace` makes another one.

    Parameters
    ----------
    card : Card
        Description of the weights.
    arrays : dict of str to `~numpy.ndarray`
        The weights, by layer: ``LAYER/VARIABLE``.
    precision : str
        Precision of the network's arithmetic: ``"float32"`` or ``"bfloat16"``.

    Raises
    ------
    ValueError
        If the arrays do not fit the network and the questions of the card.

    Examples
    --------
    Weights come with astromorph (`bundled`), from a file (`read`), or from a new network (`make`):

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from astromorph.model import TrainedModel
    >>> model = TrainedModel.bundled("sdss")
    >>> with TemporaryDirectory() as folder:
    ...     model.write(Path(folder, "mine.safetensors"))
    ...     same = TrainedModel.read(Path(folder, "mine.safetensors"))
    >>> same.identity == model.identity
    True
    >>> parts = {name: getattr(model.card, name) for name in (
    ...     "network", "survey", "questions", "size", "frame_r90", "calibration")}
    >>> TrainedModel.make(model.arrays, **parts).card.sha256 == model.card.sha256
    True

    A model never changes:

    >>> model.replace(frame_r90=5.0).frame_r90, model.frame_r90
    (5.0, 4.24)
    >>> model.in_precision("bfloat16").precision
    'bfloat16'
    >>> [question.column for question in model.find_questions(["bar", "P_disk"])]
    ['P_disk', 'P_bar']
    >>> model.asking("disk").heads
    ()

    Galaxies have frames, `prepare` makes pixels of them (with `align`), and `answer` answers:

    >>> import numpy as np
    >>> from astromorph.datasets import load_sample
    >>> from astromorph.galaxies import open_source
    >>> source = open_source(model.asking("disk"), load_sample()["file"][:2], r90="measure")
    >>> frames = [source.load(item, model.size, model.frame_r90).pixels for item in source]
    >>> model = model.asking("disk")
    >>> pixels = np.stack(model.prepare(frames))
    >>> answers = model.answer(pixels)
    >>> pixels.shape, answers.shape
    ((2, 80, 80, 3), (2, 3))
    >>> model.align(frames[0]) is frames[0]  # these weights change no brightness
    True
    >>> model.watch().look(pixels)
    [<MorphFlag: 0>, <MorphFlag: 0>]

    Without heads, `answer` is `raw` and then `calibrate`. With heads, it is `raw_with_features` and
    then `complete`:

    >>> seen = model.raw_with_features(pixels)
    >>> np.allclose(model.calibrate(model.raw(pixels)), answers)
    True
    >>> np.allclose(model.complete(seen), answers, atol=1e-5)
    True
    >>> model.answer_with_features(pixels).shape == seen.shape
    True
    >>> model.answer_with_spread("views", pixels).shape
    (2, 6)

    `has_made` returns None for a table that no classifier has made:

    >>> print(model.has_made(load_sample()))
    None
    """

    card: Card
    arrays: dict
    precision: str = "float32"

    def __post_init__(self):
        check_choice(self.precision, "precision", PRECISIONS)
        if self.card.sha256 != files.digest(self.arrays, self.card.keys):
            raise wrong("card['sha256']", "the checksum of the weights and of the questions "
                        f"{list(self.card.keys)}, in this order", self.card.sha256[:16],
                        "The file is damaged or was edited: download or copy it again.")
        # Built now, so that arrays which do not fit raise their error here.
        self.__dict__["network"] = self._build()

    @classmethod
    def make(cls, arrays, **card):
        """Make a model of new weights, and compute their checksum.

        Parameters
        ----------
        arrays : dict of str to `~numpy.ndarray`
            The weights.
        **card
            The parts of the `Card`.

        Returns
        -------
        TrainedModel
        """
        keys = tuple(question.key for question in card["questions"])
        return cls(Card(**card | {"sha256": files.digest(arrays, keys)}), arrays)

    @classmethod
    def read(cls, path):
        """Read a weights file and check it.

        Parameters
        ----------
        path : path
            A ``.safetensors`` file that `write` wrote, or the folder that the page for labeling
            wrote.

        Returns
        -------
        TrainedModel

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing or damaged, or is not a weights file.
        """
        record, arrays = files.read_weights(path)
        heads, arrays = head_arrays(arrays)
        with files.reading(path):
            return cls(Card.from_json(record, heads), arrays)

    @classmethod
    def bundled(cls, survey="sdss", network=None):
        """Read weights that come with astromorph.

        Parameters
        ----------
        survey, network : str
            See `~astromorph.classifier.MorphologyClassifier.from_pretrained`.

        Returns
        -------
        TrainedModel

        Raises
        ------
        ValueError
            If there are no such weights.
        """
        record, path, owner = files.find_bundled(survey, network)
        model = cls.read(path)
        if owner is None:
            return model if model.survey == record else model.replace(survey=record)
        warn(f"There are no weights for {record.title} ({record.name}). astromorph uses those for "
             f"{owner.title} ({owner.name}), the most similar survey by its camera and its pixels "
             "in units of the seeing. Before you use the probabilities, adapt the weights with a "
             "few hundred labels (adapt), or classify images and see that no warning says that "
             "they differ from the training images.")
        return model.replace(survey=record, weights_of=owner.name)

    @classmethod
    def downloaded(cls, address, sha256=None):
        """Download weights, unless they were downloaded before, and read them.

        Parameters
        ----------
        address, sha256 : str
            See `~astromorph.model.remote.fetch_weights`.

        Returns
        -------
        TrainedModel

        Raises
        ------
        ValueError
            If the address is invalid, or if the file has another checksum or is not a weights file.
        `~astromorph.errors.FetchError`
            If the file cannot be downloaded.
        OSError
            If the file cannot be stored.

        Examples
        --------
        >>> from astromorph.model import TrainedModel
        >>> model = TrainedModel.downloaded("hf://USER/NAME@COMMIT")  # doctest: +SKIP
        """
        path = remote.fetch_weights(address, sha256)
        try:
            return cls.read(path)
        except ValueError as error:
            raise wrong("weights", "the address of a weights file that astromorph wrote",
                        f"{remote.WeightsAddress.of(address, sha256).shown} ({error})") from error

    def write(self, path, *, overwrite=False):
        """Write weights and card to one file.

        Parameters
        ----------
        path : path
            ``*.safetensors``.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is False.
        ValueError
            If the name does not end in ``.safetensors``.
        """
        arrays = dict(self.arrays)
        for head in self.heads:
            arrays |= head.arrays
        files.write_weights(path, self.card.to_json(), arrays, overwrite=overwrite)

    def replace(self, *, arrays=None, **card):
        """Return a model with other parts of the card, or with other weights.

        Parameters
        ----------
        arrays : dict of str to `~numpy.ndarray`, optional
            Other weights; by default the same. The new model has no heads unless they are given,
            because the old heads know the features of the old weights only.
        **card
            Parts of the `Card` to replace, by name.

        Returns
        -------
        TrainedModel
        """
        changed = self.card.replace(**card)
        same = all(getattr(changed, name) == getattr(self.card, name)
                   for name in ("keys", "network", "size"))
        if arrays is None and same:
            if changed.heads != self.heads:
                _check_heads(changed.heads, self.network)
            return self._sharing(changed, self.precision)
        if arrays is None:
            arrays = self.arrays
        elif "heads" not in card:
            changed = changed.replace(heads=())
        changed = changed.replace(sha256=files.digest(arrays, changed.keys))
        return TrainedModel(changed, arrays, self.precision)

    def in_precision(self, precision=None):
        """Return the same model with another precision of its arithmetic.

        Parameters
        ----------
        precision : str, optional
            ``"float32"`` or ``"bfloat16"``. The default is bfloat16 if the processor has it and it
            changed no probability of the validation galaxies by more than 0.003; else float32.

        Returns
        -------
        TrainedModel

        Raises
        ------
        ValueError
            If there is no such precision.
        """
        from astromorph import networks

        check_choice(precision, "precision", (*PRECISIONS, None))
        if precision is None:
            change = self.card.bfloat16_change
            harmless = change is not None and change <= _HARMLESS
            precision = "bfloat16" if harmless and networks.has_bfloat16() else "float32"
        if precision == self.precision:
            return self
        with _lock:
            twins = self.__dict__.setdefault("_twins", {})
            if precision not in twins:
                twins[precision] = self._sharing(self.card, precision)
            return twins[precision]

    def _sharing(self, card, precision):
        """A model of the same weights; it shares the network if that is built."""
        model = _unchecked(card, self.arrays, precision)
        if "network" in self.__dict__ and precision == self.precision:
            model.__dict__.update({name: self.__dict__[name] for name in _BUILT
                                   if name in self.__dict__})
        return model

    @cached_property
    def network(self):
        """The network with these weights (`keras.Model`)."""
        return self._build()

    def _build(self):
        from astromorph import networks

        network = networks.build(self.card.network, self.questions)
        if network.input_shape[1] != self.size:
            raise wrong("card['size']", f"{network.input_shape[1]}, the pixels of the network "
                        f"{self.card.network!r}", self.size)
        networks.import_weights(network, self.arrays)
        _check_heads(self.heads, network)
        return network if self.precision == "float32" else networks.in_bfloat16(network)

    @cached_property
    def _frozen(self):
        from astromorph import networks

        return networks.Frozen(self.network)

    @cached_property
    def _seeing(self):
        from astromorph import networks

        return networks.Frozen(self.network, seeing=True)

    @property
    def questions(self):
        """Questions that the network answers (tuple of `~astromorph.questions.Question`)."""
        return self.card.questions

    @property
    def heads(self):
        """Heads, which answer further questions (tuple of `~astromorph.model.heads.Head`)."""
        return self.card.heads

    @property
    def all_questions(self):
        """Questions that `answer` answers: of the network, then of the heads (tuple)."""
        return self.card.all_questions

    def find_questions(self, asked=None):
        """Find questions by key or column.

        Parameters
        ----------
        asked : str or sequence of str or `~astromorph.questions.Question`, optional
            Questions of the model, their keys or columns, or ``"all"``. By default the questions of
            the network, and those of the default heads.

        Returns
        -------
        tuple of `~astromorph.questions.Question`
            In the order of `all_questions`.

        Raises
        ------
        ValueError
            If there is no such question.
        """
        if asked is None:
            return self.questions + tuple(head.question for head in self.heads if head.default)
        names = [asked] if isinstance(asked, (str, Question)) or not isinstance(
            asked, Iterable) else list(asked)
        known = {question: {question, question.key, question.column, *question.columns, "all"}
                 for question in self.all_questions}
        there = set().union(*known.values())
        if not names or not all(isinstance(each, Hashable) and each in there for each in names):
            raise wrong("questions", f"'all', or some of "
                        f"{', '.join(question.key for question in known)}", f"{asked!r:.200}")
        return tuple(question for question in known if not known[question].isdisjoint(names))

    def has_made(self, table):
        """Tell whether the answers in a table are from this model.

        Parameters
        ----------
        table : `~astropy.table.Table`
            The result of `~astromorph.MorphologyClassifier.classify`, or any other table.

        Returns
        -------
        bool or None
            None if the table does not say.
        """
        there = [question for question in self.all_questions
                 if set(question.columns) <= set(table.colnames)]
        if not there or _MADE_BY not in table.meta:
            return None
        return self.asking(there).identity == str(table.meta[_MADE_BY])

    def asking(self, asked=None):
        """Return the model with the heads of some questions only.

        Parameters
        ----------
        asked
            As for `find_questions`.

        Returns
        -------
        TrainedModel
            It answers all questions of the network, and those of ``asked``.
        """
        questions = self.find_questions(asked)
        heads = tuple(head for head in self.heads if head.question in questions)
        if heads == self.heads:
            return self
        keys = tuple(head.key for head in heads)
        with _lock:  # all threads get the same model, so that its network is built once
            asked = self.__dict__.setdefault("_asked", {})
            if keys not in asked:
                asked[keys] = self._sharing(self.card.replace(heads=heads), self.precision)
            return asked[keys]

    @property
    def size(self):
        """Pixels of the network's frame on a side (int)."""
        return self.card.size

    @property
    def frame_r90(self):
        """Width of the network's frame in Petrosian R90 of the galaxy (float)."""
        return self.card.frame_r90

    @property
    def survey(self):
        """Survey whose images the weights are for (`~astromorph.surveys.Survey`)."""
        return self.card.survey

    @cached_property
    def identity(self):
        """Checksum of everything that answers and flags depend on, 16 hexadecimal digits (str)."""
        return self.card.identity

    @property
    def provenance(self):
        """Metadata of results: header keys and values that say which model made them (dict)."""
        from astromorph import __version__

        return {"MORPHNET": self.card.network,
                "MORPHSRV": self.card.weights_of or self.survey.name,
                "MORPHWGT": self.card.sha256[:16], _MADE_BY: self.identity,
                "MORPHPRC": self.precision, "MORPHVER": __version__}

    def watch(self):
        """Return the object that flags images which differ from the training images.

        Returns
        -------
        DomainWatch
            Its ``look`` returns the flag of each image; its ``complaint`` says how all of them
            differ.
        """
        # Adapted weights were trained on aligned images; weights that are only aligned were not.
        whole = self.card.alignment is None or self.card.adapted is not None
        return DomainWatch(self.card.domain, whole=whole)

    def align(self, frame):
        """Change the brightness of a frame if the card has an alignment.

        Parameters
        ----------
        frame : `~numpy.ndarray`, shape (y, x, 3)
            The frame, with or without a margin.

        Returns
        -------
        `~numpy.ndarray`
        """
        return self.card.alignment(frame) if self.card.alignment else frame

    def prepare(self, frames):
        """Turn frames into network pixels.

        Parameters
        ----------
        frames : iterable of `~numpy.ndarray`, shape (size, size, 3)
            Frames. They are prepared one by one, because a single one stays in the processor's
            cache.

        Returns
        -------
        list of `~numpy.ndarray`
        """
        return [normalize_bands(self.align(frame)) for frame in frames]

    def raw(self, pixels, *, batch_size=64):
        """Answer the network's questions, before any calibration.

        Parameters
        ----------
        pixels : `~numpy.ndarray`, shape (n, size, size, 3)
            Result of `prepare`.
        batch_size : int
            Galaxies in one pass of the network.

        Returns
        -------
        `~numpy.ndarray`, shape (n, questions)
        """
        from astromorph import networks

        return networks.run(self._frozen, pixels, batch_size=batch_size)

    def answer(self, pixels, *, batch_size=64):
        """Answer every question.

        Parameters
        ----------
        pixels, batch_size
            As for `raw`.

        Returns
        -------
        `~numpy.ndarray`, shape (n, columns)
            Calibrated probabilities, then the columns of the heads' questions.
        """
        if not self.heads:
            return self.calibrate(self.raw(pixels, batch_size=batch_size))
        return self.complete(self.raw_with_features(pixels, batch_size=batch_size))

    def raw_with_features(self, pixels, *, batch_size=64):
        """Return answers before any calibration, and the features, in one pass.

        Parameters
        ----------
        pixels, batch_size
            As for `raw`.

        Returns
        -------
        `~numpy.ndarray`, shape (n, questions + features)
        """
        from astromorph import networks

        return networks.run(self._seeing, pixels, batch_size=batch_size)

    def complete(self, raw):
        """Turn the network's answers and features into the answers to all questions.

        Parameters
        ----------
        raw : `~numpy.ndarray`, shape (..., questions + features)
            Result of `raw_with_features`. Without heads, the features may be missing.

        Returns
        -------
        `~numpy.ndarray`, shape (..., columns)
        """
        raw, seen = np.split(raw, [len(self.questions)], axis=-1)
        return np.concatenate([self.calibrate(raw), *(head.answer(seen) for head in self.heads)],
                              axis=-1)

    def answer_with_spread(self, kind, pixels, *, batch_size=64):
        """Answer every question, and measure how far the answers spread.

        Parameters
        ----------
        kind : str
            ``"views"``, over 8 rotations and reflections, or ``"dropout"``, Monte-Carlo dropout.
        pixels, batch_size
            As for `raw`.

        Returns
        -------
        `~numpy.ndarray`, shape (n, 2 columns)
            Result of `answer`, then the standard deviations.
        """
        from astromorph import networks

        if kind == "views":  # the first view is the image as it is
            network = self._seeing if self.heads else self._frozen
            draws = self.complete(networks.run_views(network, pixels, batch_size=batch_size))
            return np.hstack([draws[0], draws.std(axis=0)])
        seen = networks.drop_features(
            self.network, networks.features(self.network, pixels, batch_size=batch_size))
        answers = networks.answer_features(self.network, seen)
        draws = self.complete(np.concatenate([answers, seen], axis=-1))
        return np.hstack([self.answer(pixels, batch_size=batch_size), draws.std(axis=0)])

    def answer_with_features(self, pixels, *, batch_size=64):
        """Return calibrated probabilities of the network's questions, and the features.

        Parameters
        ----------
        pixels, batch_size
            As for `raw`.

        Returns
        -------
        `~numpy.ndarray`, shape (n, questions + features)
            Calibrated probabilities, then the features, from one pass of the network.
        """
        raw, seen = np.split(self.raw_with_features(pixels, batch_size=batch_size),
                             [len(self.questions)], axis=1)
        return np.hstack([self.calibrate(raw), seen])

    def calibrate(self, raw):
        """Turn the network's answers into probabilities.

        Parameters
        ----------
        raw : `~numpy.ndarray`, shape (..., questions)
            Result of `raw`.

        Returns
        -------
        `~numpy.ndarray`, shape (..., questions)
        """
        answers = np.moveaxis(raw, -1, 0)
        return np.stack([self.card.calibration[key](each) for key, each
                         in zip(self.card.keys, answers, strict=True)], axis=-1)

    def __repr__(self):
        changed = "".join(f", {word}" for word, part in {
            "aligned": self.card.alignment, "adapted": self.card.adapted,
            "calibrated": self.card.calibrated}.items() if part)
        owner = f" of {self.card.weights_of}" if self.card.weights_of else ""
        return (f"<TrainedModel {self.card.network}{owner} for {self.survey.name}{changed}, "
                f"model {self.identity}>")

    def __reduce__(self):
        """Pickle everything but the network, which is built again when it is needed."""
        return _known_model, (self.card, self.arrays, self.precision)


def _check_heads(heads, network):
    """Raise an error unless heads fit the number of features of a network."""
    from astromorph import networks

    for head in heads:
        if len(head.kernel) != (n := networks.count_features(network)):
            raise wrong(f"heads[{head.key!r}]", f"weights for the {n} features of "
                        f"{network.name!r}", len(head.kernel),
                        "The head belongs to another network.")


def _known_model(card, arrays, precision):
    """The model of this process with the same card, or a new one."""
    key = json.dumps([card.to_json(), precision], sort_keys=True)
    with _lock:
        model = _known.get(key)
        if model is None:
            model = _known[key] = _unchecked(card, arrays, precision)
        return model


def _unchecked(card, arrays, precision):
    """A model of parts that were checked before; its network is built when it is needed."""
    model = object.__new__(TrainedModel)
    model.__dict__.update(card=card, arrays=arrays, precision=precision)
    return model
