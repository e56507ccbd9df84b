"""Describe the looks of a galaxy by a few numbers, so that galaxies can be compared."""
import base64
import hashlib
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from astropy.table import Column

from astromorph.arguments import check_choice, check_count
from astromorph.errors import wrong
from astromorph.running import run
from astromorph.running.results import Results

__all__ = ["COLUMN", "SIZE", "VIEWS", "Axes", "embed", "fit_axes"]

COLUMN = "features"
"""The column that `~astromorph.MorphologyClassifier.embed` adds."""
SIZE = 16
"""Numbers per galaxy: a million galaxies take 64 MB."""
VIEWS = (1, 2, 4, 8)
"""Numbers of rotations and reflections of an image that features can be averaged over."""

# Order of the views. The first few differ much: a view, its mirror image, then both turned by 180
# degrees.
_ORDER = (0, 4, 2, 6, 1, 5, 3, 7)
_FEWEST = 100
_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Axes:
    """Axes that galaxies are compared along: principal components of their features.

    Parameters
    ----------
    center : `~numpy.ndarray`, shape (features,)
        Subtracted from the features.
    kernel : `~numpy.ndarray`, shape (features, `~astromorph.learning.embedding.SIZE`)
        Multiplies the difference.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.learning.embedding import Axes
    >>> from astromorph.model import TrainedModel
    >>> seen = np.random.default_rng(1).random((100, 32))
    >>> Axes.fit(seen)(seen).shape
    (100, 16)
    >>> model = TrainedModel.bundled("sdss")
    >>> axes = Axes.of(model)
    >>> sorted(axes.to_json())
    ['center', 'kernel']
    >>> len(axes.identity(model, views=8))
    16
    """

    center: np.ndarray
    kernel: np.ndarray

    @classmethod
    def fit(cls, seen):
        """Fit the axes to some galaxies.

        Each component is divided by the fourth root of its variance. Rare differences then count
        more than without the division, but still less than common ones.

        Parameters
        ----------
        seen : `~numpy.ndarray`, shape (galaxies, features)
            Features of the galaxies.

        Returns
        -------
        Axes
        """
        center, scale = seen.mean(axis=0), seen.std(axis=0) + _TINY
        variances, axes = np.linalg.eigh(np.cov((seen - center) / scale, rowvar=False))
        kernel = axes * np.clip(variances, _TINY, None) ** -0.25 / scale[:, None]
        return cls(center.astype(np.float32), kernel[:, ::-1][:, :SIZE].astype(np.float32))

    @classmethod
    def of(cls, model):
        """Read the axes from the card of a model.

        Parameters
        ----------
        model : `~astromorph.model.TrainedModel`
            The model, whose card holds the axes.

        Returns
        -------
        Axes

        Raises
        ------
        ValueError
            If the card has none, or they do not fit the network.
        """
        known = model.card.more.get("embedding")
        if known is None:
            raise wrong("classifier", "weights whose card has axes to compare galaxies along",
                        repr(model), "fit_embedding(data) returns such a classifier. It needs a "
                        "few hundred galaxies, without labels.")
        from astromorph import networks

        n = networks.count_features(model.network)
        center, kernel = (np.frombuffer(base64.b64decode(known[name]), "<f4")
                          for name in ("center", "kernel"))
        if (center.size, kernel.size) != (n, n * SIZE):
            raise wrong("card['embedding']", f"axes of the {n} features of {model.card.network!r}",
                        f"{center.size} and {kernel.size} numbers",
                        "fit_embedding(data) makes them.")
        axes = cls(center, kernel.reshape(n, SIZE))
        if not np.isfinite(center).all() or not np.isfinite(kernel).all():
            raise wrong("card['embedding']", "finite numbers", "numbers that are not finite",
                        "The file is damaged: download or copy it again.")
        return axes

    def to_json(self):
        """Return the axes in the form that a card holds.

        Returns
        -------
        dict
        """
        return {name: base64.b64encode(getattr(self, name).astype("<f4").tobytes()).decode()
                for name in ("center", "kernel")}

    def __call__(self, seen):
        """Return the direction in which each galaxy differs from the center.

        Parameters
        ----------
        seen : `~numpy.ndarray`, shape (galaxies, features)
            Features of the galaxies.

        Returns
        -------
        `~numpy.ndarray`, shape (galaxies, `~astromorph.learning.embedding.SIZE`)
            Vectors of length 1. The product of two is the cosine of the angle between them.
        """
        along = (seen - self.center) @ self.kernel
        return along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), _TINY)

    def identity(self, model, views):
        """Return a digest of everything but the image that determines the numbers of a galaxy.

        Parameters
        ----------
        model : `~astromorph.model.TrainedModel`
            The model that computes the features.
        views : int
            Number of rotations and reflections to average over.

        Returns
        -------
        str
            16 hexadecimal digits.
        """
        card = model.card
        parts = [card.sha256, card.network, card.size, card.frame_r90, views,
                 card.alignment and card.alignment.to_dict(), self.to_json()]
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def embed(model, source, *, views=8, batch_size=128, threads=None, progress=None, checkpoint=None):
    """Describe the looks of the galaxies of a source.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        A model whose card has axes.
    source : `~astromorph.galaxies.GalaxySource`
        The galaxies.
    views, batch_size, threads, progress, checkpoint
        See `~astromorph.classifier.MorphologyClassifier.embed`.

    Returns
    -------
    `~astropy.table.Table`
        The source's table with the new columns.

    Raises
    ------
    ValueError
        If an argument has the wrong type or value, or the card has no axes.
    """
    check_choice(views, "views", VIEWS)
    check_count(batch_size, "batch_size")
    axes = Axes.of(model)
    identity = axes.identity(model, views)
    results = Results(0, SIZE)
    if len(source):
        saved = _checkpoint(checkpoint, model, source, embedding=identity, batch_size=batch_size)
        results = _run(model, source, axes, views, checkpoint=saved,
                       batch_size=batch_size, threads=threads, progress=progress)
    table = source.table
    table[COLUMN] = Column(results.answers, description="Direction in which the galaxy differs "
                           "from others; NaN where there is no image",
                           meta={"ucd": "meta.modelled"})
    results.answers = results.answers[:, :0]
    known = model.asking().provenance
    # Answers that the table already has keep their own metadata.
    known |= {name: table.meta[name] for name in known if name in table.meta}
    return results.to_table(table, (), provenance_columns=source.provenance_columns,
                            meta=known | {"MORPHEMB": identity})


def fit_axes(model, source, *, views=8, **options):
    """Fit the axes to the galaxies of a source.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The model to start from.
    source : `~astromorph.galaxies.GalaxySource`
        The galaxies.
    views
        See `~astromorph.classifier.MorphologyClassifier.embed`.
    **options
        Options of `~astromorph.running.run`.

    Returns
    -------
    `~astromorph.model.TrainedModel`
        The same model with the axes on its card.

    Raises
    ------
    ValueError
        If fewer than 100 images can be used.
    """
    check_choice(views, "views", VIEWS)
    seen = _run(model, source, lambda seen: seen, views, **options).answers if len(source) else ()
    seen = seen[np.isfinite(seen).all(axis=1)] if len(seen) else seen
    if len(seen) < _FEWEST:
        raise wrong("data", f"at least {_FEWEST} images that can be used", len(seen))
    known = Axes.fit(seen).to_json() | {"galaxies": len(seen)}
    return model.replace(more=model.card.more | {"embedding": known})


def _run(model, source, turn_into, views, *, checkpoint=None, **options):
    """Results computed from the features, which are averaged over views."""
    def answer(pixels, *, batch_size):
        return turn_into(_seen(model, pixels, views, batch_size))

    with checkpoint or nullcontext() as saved:
        return run(source, answer, size=model.size, frame_r90=model.frame_r90,
                   prepare=model.prepare, watch=model.watch(), checkpoint=saved, **options)


def _seen(model, pixels, views, batch_size):
    """Features, averaged over rotations and reflections."""
    from astromorph import networks

    turned = list(networks.views(pixels))
    total = sum(model.answer_with_features(turned[k], batch_size=batch_size)
                for k in _ORDER[:views])
    return total[:, len(model.questions):] / views


def _checkpoint(folder, model, source, **options):
    """The checkpoint of a run, or None."""
    if folder is None:
        return None
    from astromorph.running.checkpoint import begin  # loads Arrow

    names = [f"{COLUMN}_{k}" for k in range(SIZE)]
    return begin(folder, model, source, answers=names, numbers=names, **options)
