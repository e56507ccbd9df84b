"""`MorphologyClassifier`: images in, probability columns out."""
import copy
import os
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

import numpy as np
from astropy import log
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.fits import HDUList
from astropy.table import Column, MaskedColumn, Table
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from astromorph import weights
from astromorph.calibration import PlattScaling
from astromorph.fits_planes import band_names
from astromorph.flags import MorphFlag, decode_flags
from astromorph.images import CutoutError, load_frame, normalize_bands
from astromorph.metrics import as_floats, check_count, score_table
from astromorph.questions import QUESTIONS
from astromorph.surveys import get_survey

__all__ = ["MorphologyClassifier"]

_CHUNK = 128


class MorphologyClassifier:
    """Answer the three questions of Dominguez Sanchez et al. (2019, MNRAS 484, 93) for galaxies.

    Make one with `from_pretrained` or `read`.

    Parameters
    ----------
    card : dict
        What the weights are: network, survey, questions, frame, calibration, training, metrics.
    arrays : dict of str to `~numpy.ndarray`
        The weights.

    Raises
    ------
    ValueError
        If the arrays do not fit the network that the card names.
    """

    def __init__(self, card, arrays):
        from astromorph import networks

        self._card = copy.deepcopy(card)
        self._model = networks.build(card["network"])
        networks.import_weights(self._model, arrays)
        known = {question.key: question for question in QUESTIONS}
        self.questions = tuple(known[key] for key in card["questions"])
        self._calibration = [PlattScaling.from_dict(card["calibration"][question.key])
                             for question in self.questions]

    @classmethod
    def from_pretrained(cls, survey="sdss", *, network=None):
        """Load bundled weights.

        Parameters
        ----------
        survey : str
            The survey that the weights were trained on, in any case.
        network : str, optional
            ``"tuningfork"`` (default) or ``"ds18"``, the network of the paper.

        Raises
        ------
        ValueError
            If there are no such weights; the message lists those that there are.
        """
        files = weights.bundled()
        wanted = (str(survey).lower(), str(network or "tuningfork").lower())
        if wanted not in files:
            there = ", ".join(f"{s!r} with network={n!r}" for s, n in files)
            raise ValueError(f"survey, network: there are no bundled weights {wanted}. "
                             f"Expected one of: {there}.")
        return cls.read(files[wanted])

    @classmethod
    def read(cls, path):
        """Read a classifier that `write` wrote.

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing, damaged, or not a weights file.
        """
        return cls(*weights.read_weights(path))

    def write(self, path, *, overwrite=False):
        """Write weights and card to one ``.safetensors`` file.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is not set.
        """
        from astromorph import networks

        weights.write_weights(path, self._card, networks.export_weights(self._model),
                              overwrite=overwrite)

    @property
    def card(self):
        """What the weights are and how they came about (dict, a copy)."""
        return copy.deepcopy(self._card)

    @property
    def frame_r90(self):
        """Width of the frame that the network sees, in Petrosian R90 of the galaxy."""
        return self._card["frame_r90"]

    def __repr__(self):
        return (f"<MorphologyClassifier {self._card['network']} for {self._card['survey']}, "
                f"weights {self._card['sha256'][:12]}>")

    def predict(self, images, *, cutout_r90=None, r90=None, survey=None, bands=None):
        """Probabilities of images that must all be good.

        Parameters
        ----------
        images, cutout_r90, r90, survey, bands
            As for `classify`.

        Returns
        -------
        `~numpy.ndarray`, shape (n, questions)
            In the order of ``questions``: disk or features, edge-on, barred.

        Raises
        ------
        CutoutError
            If an image cannot be used.
        """
        rows = _rows(_sources(images), cutout_r90, r90)
        frames = [self._load(*row, survey, bands)[0] for row in rows]
        return self._answer(np.stack(frames)) if frames else np.empty((0, len(self.questions)))

    def classify(self, data, *, images=None, cutout_r90=None, r90=None, survey=None, bands=None,
                 batch_size=64, threads=None, progress=None):
        """Add probability columns to a table, or make a table for a list of images.

        Parameters
        ----------
        data : `~astropy.table.Table`, list or `~numpy.ndarray`
            A table with a column of images (usually file names), or the images themselves: paths,
            bytes, HDULists, NDData, CCDData, Cutout2D, dictionaries of one file a band, or arrays
            (y, x, 3).
        images : str, optional
            For a table, the column that holds the images.
        cutout_r90 : float, array-like or str, optional
            Width of the cutouts in Petrosian R90 of their galaxies: a number, one a row, the name
            of a column, or ``"measure"`` to measure R90 in each image. By default the cutouts are
            taken to be framed as the weights expect (`frame_r90`), unless ``r90`` is given.
        r90 : `~astropy.units.Quantity` or str, optional
            Petrosian R90 as an angle, one or one a row, or the name of a column with an angular
            unit; the cutouts must then have a celestial WCS.
        survey : str, optional
            The survey of the cutouts, whose color mapping FITS fluxes go through; by default
            guessed from the bands.
        bands : str, optional
            Bands of FITS planes in their order, as ``"grz"``; by default from the headers.
        batch_size : int
            Galaxies in one pass of the network.
        threads : int, optional
            Threads that read images; by default one a core.
        progress : bool, optional
            Show a progress bar; by default when on a terminal.

        Returns
        -------
        `~astropy.table.Table`
            A copy with the same rows in the same order, and the columns ``P_disk``, ``P_edge_on``,
            ``P_bar`` (masked where an image could not be used) and ``morph_flag`` (see
            `~astromorph.flags.MorphFlag`).

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described. A bad image never raises.
        """
        if survey is not None:
            get_survey(survey)
        if bands is not None:
            band_names(bands)
        threads = threads or os.cpu_count()
        check_count(threads, "threads")
        check_count(batch_size, "batch_size")
        table, sources = _table_and_sources(data, images)
        rows = _rows(sources, _column(data, cutout_r90, "cutout_r90"), _column(data, r90, "r90"))
        answers = np.full((len(rows), len(self.questions)), np.nan, np.float32)
        flags = np.zeros(len(rows), np.int32)
        problems = {}
        # Every reading thread resamples by matrix products: BLAS threads of their own would only
        # be in each other's way.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool, \
                tqdm(total=len(rows), unit=" galaxies",
                     disable=None if progress is None else not progress) as bar:
            for start, frames, chunk_flags, errors in self._chunks(pool, rows, survey, bands):
                good = [k for k, frame in enumerate(frames) if frame is not None]
                if good:
                    answers[[start + k for k in good]] = self._answer(
                        np.stack([frames[k] for k in good]), batch_size)
                flags[start:start + len(frames)] = chunk_flags
                for row, (flag, error) in enumerate(zip(chunk_flags, errors), start):
                    if error:
                        problems.setdefault(flag, f"row {row}: {error}")
                bar.update(len(frames))
        self._report(flags, problems)
        return self._finish(table, answers, flags)

    def evaluate(self, data, labels=None, *, threshold=0.5, intervals=True, **options):
        """Score the classifier on galaxies with known answers.

        Parameters
        ----------
        data : `~astropy.table.Table` or images
            As for `classify`; a table that already has the probability columns is not classified
            again.
        labels : array-like, shape (n, questions), optional
            1, 0 or NaN (unknown); by default the columns ``q1``, ``q2``, ``q3`` of the table.
        threshold : float
            Probability from which the answer counts as positive.
        intervals : bool
            Add bootstrap intervals (68%).
        **options
            Passed to `classify`.

        Returns
        -------
        `~astropy.table.Table`
            One row a question; see `~astromorph.metrics.score_table`.

        Raises
        ------
        ValueError
            If there are no labels, or not one row of them for each galaxy.
        """
        columns = [question.column for question in self.questions]
        done = isinstance(data, Table) and set(columns) <= set(data.colnames)
        if labels is None:
            labels = self._labels(data)
        table = data if done else self.classify(data, **options)
        answers = np.stack([as_floats(table[name], name) for name in columns], axis=1)
        return score_table(labels, answers, self.questions, threshold=threshold,
                           intervals=intervals)

    def _labels(self, data):
        keys = [question.key for question in self.questions]
        missing = [key for key in keys
                   if not isinstance(data, Table) or key not in data.colnames]
        if missing:
            raise ValueError(f"labels: none given, and the data have no columns {missing}. "
                             "Expected an array (n, questions) of 1, 0 and NaN, or such columns.")
        return np.stack([as_floats(data[key], key) for key in keys], axis=1)

    def _chunks(self, pool, rows, survey, bands):
        """Yield (first row, frames, flags, errors), reading ahead while the network works."""
        def load(row):
            try:
                return *self._load(*row, survey, bands), None
            except CutoutError as error:
                return None, error.flag, error

        def submit(start):
            return start, [pool.submit(load, row) for row in rows[start:start + _CHUNK]]

        starts = iter(range(0, len(rows), _CHUNK))
        ahead = deque(map(submit, islice(starts, 2)))
        while ahead:
            start, futures = ahead.popleft()
            ahead.extend(map(submit, islice(starts, 1)))
            yield start, *zip(*(future.result() for future in futures))

    def _load(self, source, cutout_r90, r90, survey, bands):
        """One image as network pixels, and its flag."""
        pixels, flag = load_frame(source, self._card["size"], frame_r90=self.frame_r90,
                                  cutout_r90=cutout_r90, r90_arcsec=r90, survey=survey, bands=bands)
        return normalize_bands(pixels), flag

    def _answer(self, pixels, batch_size=64):
        """Calibrated probabilities of network pixels."""
        from astromorph import networks

        raw = networks.run(self._model, pixels, batch_size=batch_size)
        return np.stack([calibrate(answers) for calibrate, answers
                         in zip(self._calibration, raw.T)], axis=1)

    @staticmethod
    def _report(flags, problems):
        """One warning that counts the galaxies without probabilities, with the first of a kind."""
        if not problems:
            return
        bad = flags[(flags & MorphFlag.UNCLASSIFIED) != 0]
        counts = Counter(" | ".join(decode_flags(flag)) for flag in bad)
        listed = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        log.warning(f"{len(bad)} of {len(flags)} galaxies could not be classified ({listed}); "
                    f"for example {'; '.join(problems.values())}")

    def _finish(self, table, answers, flags):
        """The table with its new columns and provenance."""
        from astromorph import __version__

        for question, values in zip(self.questions, answers.T):
            table[question.column] = MaskedColumn(
                values, mask=np.isnan(values), description=question.description,
                meta={"ucd": question.ucd})
        table["morph_flag"] = Column(
            flags, description="Quality bits of the classification, 0 is good",
            meta={"ucd": "meta.code.qual"})
        table.meta.update(
            MORPHNET=self._card["network"], MORPHSRV=self._card["survey"],
            MORPHWGT=self._card["sha256"][:16], MORPHVER=__version__,
            MORPHDAT=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"))
        return table


def _sources(data):
    """A list of images from whatever holds them."""
    if isinstance(data, SkyCoord):
        raise ValueError("data: positions alone cannot be classified yet. "
                         "Expected images of the galaxies, or a table with a column of them.")
    if isinstance(data, np.ndarray) and data.ndim == 3:
        raise ValueError(f"data: expected images, an array of them has 4 dimensions (n, y, x, 3). "
                         f"Received shape {data.shape}; pass [image] for a single one.")
    single = isinstance(data, (str, Path, bytes, HDUList, dict)) or not hasattr(data, "__len__")
    return [data] if single or hasattr(data, "wcs") else list(data)


def _table_and_sources(data, images):
    """The table to fill (a copy) and its images."""
    if not isinstance(data, Table):
        if images is not None:
            raise ValueError("images: names a column of a table. "
                             f"Received data of type {type(data).__name__}.")
        sources = _sources(data)
        names = [str(source) for source in sources if isinstance(source, (str, Path))]
        return Table({"file": names} if names and len(names) == len(sources) else None), sources
    if images is None:
        raise ValueError("images: expected the name of the table's column of cutouts (classifying "
                         f"by position is not available yet). The table has {data.colnames}.")
    column = _named(data, images, "images")
    if column.dtype.kind == "S":  # names as FITS tables have them, not the bytes of images
        column = np.char.decode(np.ma.filled(column, b""), "utf-8")
    return data.copy(), list(column)


def _named(table, name, argument):
    """A column of the user's table."""
    if not isinstance(table, Table):
        raise ValueError(f"{argument}: there is no column {name!r}; no table was given.")
    if name not in table.colnames:
        raise ValueError(f"{argument}: there is no column {name!r}; the table has "
                         f"{table.colnames}.")
    return table[name]


def _column(data, value, argument):
    """A column where a value names one, else the value."""
    return (_named(data, value, argument) if isinstance(value, str) and value != "measure"
            else value)


def _rows(sources, cutout_r90, r90):
    """(source, cutout_r90, R90 in arcsec) of each galaxy."""
    if cutout_r90 is not None and r90 is not None:
        raise ValueError("cutout_r90, r90: both were given. Expected the width of the cutouts in "
                         "R90, or R90 itself for cutouts with a WCS.")
    if r90 is not None:
        unit = getattr(r90, "unit", None)
        if unit is None or not unit.is_equivalent(u.arcsec):
            raise ValueError(f"r90: expected an angle, as 5 * u.arcsec or a column with a unit. "
                             f"Received unit {unit}.")
        r90 = u.Quantity(r90.filled(np.nan) if hasattr(r90, "filled") else r90).to_value(u.arcsec)
    widths = [cutout_r90] * len(sources) if isinstance(cutout_r90, str) else _spread(
        cutout_r90, len(sources), "cutout_r90")
    return list(zip(sources, widths, _spread(r90, len(sources), "r90")))


def _spread(value, n, argument):
    """One number a row."""
    if value is None:
        return [None] * n
    values = as_floats(value, argument)
    if values.ndim and values.shape != (n,):
        raise ValueError(f"{argument}: expected one number or {n}, one a galaxy. "
                         f"Received shape {values.shape}.")
    return np.broadcast_to(values, (n,)).tolist()
