"""What the network sees of the galaxies that are labeled: read once, kept in memory."""
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from astromorph.galaxies.rows import Rows
from astromorph.learning.aligning import align_frames
from astromorph.model.alignment import MIN_IMAGES

__all__ = ["SeenGalaxies"]

_TO_ALIGN = 300  # galaxies tell how bright the images are


class _OpenRows(Rows):
    """Some of the galaxies of a source that is open all the time."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


class SeenGalaxies:
    """What the network answers and sees of each galaxy, a context manager.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
    source : `~astromorph.galaxies.GalaxySource`

    Attributes
    ----------
    model : `~astromorph.model.TrainedModel`
        Aligned, once `align` was called.
    read : `~numpy.ndarray` of bool, shape (n,)
        Whether a galaxy was read.
    """

    def __init__(self, model, source):
        self.model, self.source = model, source
        self._items = list(source)
        self.read = np.zeros(len(self._items), bool)
        self._seen = None

    def __enter__(self):
        self.source.__enter__()
        self._pool = ThreadPoolExecutor(self.source.threads)
        return self

    def __exit__(self, *exception):
        self._pool.shutdown(cancel_futures=True)
        self.source.__exit__(*exception)

    def __len__(self):
        return len(self.read)

    def rows(self, rows):
        """The source of some of the galaxies."""
        return _OpenRows(self.source, rows, self._items)

    def align(self, survey=None):
        """Have the model see the images as bright as those that it was trained on.

        Parameters
        ----------
        survey : str or `~astromorph.surveys.Survey`, optional
            Whose images they are.
        """
        card = self.model.card
        if card.brightness is None or card.alignment is not None or card.adapted is not None:
            return
        some = np.random.default_rng(0).permutation(len(self))[:_TO_ALIGN]
        frames = [frame for frame in self._load(some) if frame is not None]
        if len(frames) >= MIN_IMAGES:
            self.model = align_frames(self.model, frames, survey)

    def add(self, rows):
        """Read galaxies; of those without an image nothing is seen.

        Parameters
        ----------
        rows : sequence of int
        """
        frames = self._load(rows)
        good = [k for k, frame in enumerate(frames) if frame is not None]
        pixels = self.model.prepare([frames[k] for k in good])
        if good:
            seen = self.model.answer_with_features(np.stack(pixels))
            self._keep(np.asarray(rows)[good], seen)
        self.read[rows] = True

    def _load(self, rows):
        return list(self._pool.map(self._frame, [self._items[row] for row in rows]))

    def _frame(self, item):
        try:
            return self.source.load(item, self.model.size, self.model.frame_r90, 0).pixels
        except Exception:  # one bad galaxy must not end the learning
            return None

    def _keep(self, rows, seen):
        if self._seen is None:
            self._seen = np.full((len(self), seen.shape[1]), np.nan, np.float16)
        self._seen[rows] = seen

    def usable(self):
        """Which galaxies were seen (`~numpy.ndarray` of bool, shape (n,))."""
        if self._seen is None:
            return np.zeros(len(self), bool)
        return np.isfinite(self._seen).all(axis=1)

    def place(self, question):
        """Place of a question among those of the network, None for others."""
        keys = self.model.card.keys
        return keys.index(question.key) if question.key in keys else None

    def of(self, rows):
        """Give what was seen of galaxies.

        Parameters
        ----------
        rows : sequence of int
            Usable ones.

        Returns
        -------
        present : `~numpy.ndarray`, shape (rows, questions)
            Answers of the network.
        features : `~numpy.ndarray`, shape (rows, features)
        """
        if self._seen is None:
            return np.empty((0, len(self.model.questions))), np.empty((0, 0))
        seen = self._seen[rows].astype(np.float32)
        return tuple(np.split(seen, [len(self.model.questions)], axis=1))
