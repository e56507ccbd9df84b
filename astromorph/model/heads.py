"""A head answers one more question by a linear map of the features."""
import hashlib
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from astromorph.answers import LARGEST
from astromorph.arguments import as_floats
from astromorph.errors import wrong
from astromorph.model.card_forms import HEAD_TRAINING
from astromorph.model.forms import FLAG
from astromorph.model.head_kinds import head_kind
from astromorph.questions import Question

__all__ = ["Head", "head_arrays"]

_FOLDER = "heads"


@dataclass(frozen=True, eq=False, repr=False)
class Head:
    """A last layer for one more question, on the features; the network stays as it is.

    Parameters
    ----------
    question : `~astromorph.questions.Question`
        The question, of any kind.
    kernel : `~numpy.ndarray`, shape (features, outputs)
        Weights. A yes/no question has one output, classes and grades have one per answer, and a
        number has two.
    bias : `~numpy.ndarray`, shape (outputs,)
        Added to the outputs.
    slope, intercept : sequence of float, optional
        The calibration: a straight line in each output; by default none.
    default : bool
        Whether `~astromorph.MorphologyClassifier.classify` answers the question by default.
    training : dict
        How the head was made, in the types of JSON.

    Raises
    ------
    ValueError
        If the parts do not fit each other, or are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph import Question
    >>> from astromorph.model.heads import Head
    >>> head = Head(Question("ring"), kernel=np.array([[2.0], [0.0]]), bias=np.array([0.0]))
    >>> features = np.array([[-1.0, 5.0], [0.0, 5.0], [1.0, 5.0]])
    >>> head.outputs(features).ravel()
    array([-2.,  0.,  2.])
    >>> head.answer(features).ravel().round(2)
    array([0.12, 0.5 , 0.88])
    >>> Head.from_json(head.to_json(), head.arrays) == head
    True

    Labels of other galaxies say that it is too certain:

    >>> labels = np.tile([0.0, 1, 1, 1, 0, 0, 0, 1], 5)
    >>> new = head.calibrated(labels, np.tile([[1.0, 0], [1, 0], [1, 0], [1, 0],
    ...                                        [-1, 0], [-1, 0], [-1, 0], [-1, 0]], (5, 1)))
    >>> new.answer(features).ravel().round(2)
    array([0.27, 0.5 , 0.73])
    """

    question: Question
    kernel: np.ndarray
    bias: np.ndarray
    slope: tuple = ()
    intercept: tuple = ()
    default: bool = True
    training: dict = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.question, Question):
            raise wrong("question", "a Question", repr(self.question))
        for name, form in {"default": FLAG, "training": HEAD_TRAINING}.items():
            form.check(getattr(self, name), name)
        width = head_kind(self.question).outputs(self.question)
        for name, default in {"slope": np.ones(width), "intercept": np.zeros(width)}.items():
            given = getattr(self, name)
            given = default if isinstance(given, tuple) and not given else given
            object.__setattr__(self, name, tuple(self._checked(name, given, (width,)).tolist()))
        for name, shape in {"bias": (width,), "kernel": (None, width)}.items():
            values = self._checked(name, getattr(self, name), shape)
            object.__setattr__(self, name, values.astype(np.float32))

    def _checked(self, name, given, shape):
        """The numbers of a part; raise an error unless they have the shape and fit 32 bits.

        None in the shape stands for any length.
        """
        values = as_floats(given, name)
        good = np.abs(values) <= LARGEST
        if values.ndim != len(shape) or values.shape[-1] != shape[-1] or not good.all():
            raise wrong(f"{name} of {self.question.key!r}", f"finite numbers of 32 bits, shape "
                        f"{shape}".replace("None", "features"),
                        f"shape {values.shape}, with {good.sum()} such numbers")
        return values

    @property
    def key(self):
        """Key of the question (str)."""
        return self.question.key

    @property
    def sha256(self):
        """Checksum of the weights (str)."""
        weights = np.vstack([self.kernel, self.bias]).astype("<f4")
        return hashlib.sha256(f"{weights.shape}".encode() + weights.tobytes()).hexdigest()

    def outputs(self, features):
        """Compute the outputs before any calibration.

        Parameters
        ----------
        features : `~numpy.ndarray`, shape (..., features)
            Features of galaxies.

        Returns
        -------
        `~numpy.ndarray`, shape (..., outputs)
        """
        # Double precision: answers then barely depend on the other galaxies of the batch.
        return np.asarray(features, float) @ self.kernel.astype(float) + self.bias

    def answer(self, features):
        """Answer the question.

        Parameters
        ----------
        features
            As for `outputs`.

        Returns
        -------
        `~numpy.ndarray`, shape (..., columns)
            The columns of the question.
        """
        calibrated = self.outputs(features) * self.slope + self.intercept
        return head_kind(self.question).answer(self.question, calibrated)

    def calibrated(self, labels, features, method="platt"):
        """Return a head calibrated on galaxies that did not train it.

        Parameters
        ----------
        labels : `~numpy.ndarray`, shape (n,)
            NaN where there is no label.
        features : `~numpy.ndarray`, shape (n, features)
            NaN where there are no features.
        method : str
            One of `~astromorph.model.calibration.METHODS`, for a yes/no question or grades.

        Returns
        -------
        Head
        """
        known = np.isfinite(labels) & np.isfinite(features).all(axis=-1)
        slope, intercept = head_kind(self.question).calibrate(
            self.question, labels[known], self.outputs(features[known]), method)
        return replace(self, slope=tuple(slope), intercept=tuple(intercept))

    def to_json(self):
        """Return everything but the weights in the types of JSON, and the checksum of the weights.

        Returns
        -------
        dict
        """
        return {"question": asdict(self.question), "slope": list(self.slope),
                "intercept": list(self.intercept), "default": self.default, "sha256": self.sha256,
                "training": self.training}

    @classmethod
    def from_json(cls, record, arrays):
        """Make a head from the result of `to_json` and the arrays of the file.

        Parameters
        ----------
        record : dict
            Result of `to_json`.
        arrays : dict of str to `~numpy.ndarray`
            Arrays of the file, among them those that `arrays` names.

        Returns
        -------
        Head

        Raises
        ------
        ValueError
            If it is not the record of a head, or the arrays belong to another record.
        """
        record = dict(record)
        question, sha256 = Question.from_json(record.pop("question")), record.pop("sha256")
        try:
            parts = {name: arrays[f"{_FOLDER}/{question.key}/{name}"]
                     for name in ("kernel", "bias")}
        except KeyError as error:
            raise wrong("heads", f"the array {error}", "a file without it",
                        "The file is damaged: download or copy it again.") from None
        head = cls(question, **parts, **record)
        if head.sha256 != sha256:
            raise wrong(f"heads[{question.key!r}]", f"weights with the checksum {sha256:.16}",
                        f"{head.sha256:.16}", "The file is damaged or was edited: download or "
                        "copy it again.")
        return head

    @property
    def arrays(self):
        """The weights under their names in a file (dict of str to `~numpy.ndarray`)."""
        return {f"{_FOLDER}/{self.key}/{name}": getattr(self, name) for name in ("kernel", "bias")}

    def __eq__(self, other):
        return isinstance(other, Head) and self.to_json() == other.to_json()

    __hash__ = None

    def __repr__(self):
        return f"<Head {self.key!r}, {self.question.kind}, of {len(self.kernel)} features>"


def head_arrays(arrays):
    """Separate the arrays of heads from those of the network.

    Parameters
    ----------
    arrays : dict of str to `~numpy.ndarray`
        The arrays of a weights file.

    Returns
    -------
    heads, network : dict of str to `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.model.heads import head_arrays
    >>> heads, network = head_arrays({"heads/ring/bias": np.zeros(1), "dense/bias": np.zeros(3)})
    >>> list(heads), list(network)
    (['heads/ring/bias'], ['dense/bias'])
    """
    parts = {}, {}
    for name, array in arrays.items():
        parts[not name.startswith(f"{_FOLDER}/")][name] = array
    return parts
