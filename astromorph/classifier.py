"""`MorphologyClassifier`: images in, probability columns out."""
import copy
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import partial
from itertools import islice

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, Table
from threadpoolctl import threadpool_limits

from astromorph import weights
from astromorph.calibration import PlattScaling
from astromorph.fits_planes import band_names
from astromorph.imagerows import ImageRows
from astromorph.images import CutoutError, normalize_bands
from astromorph.metrics import as_floats, check_count, score_table
from astromorph.questions import QUESTIONS
from astromorph.services.base import FetchError
from astromorph.streaming import Outcomes, read_ahead, thread_pool
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
        rows = ImageRows(images, cutout_r90=cutout_r90, r90=r90, survey=survey, bands=bands)
        frames = [rows.load(row, self._card["size"], self.frame_r90)[0] for row in rows]
        return (self._answer(normalize_bands(np.stack(frames))) if frames
                else np.empty((0, len(self.questions))))

    def classify(self, data, *, images=None, cutout_r90=None, r90=None, width=None, survey=None,
                 bands=None, names=None, provenance=False, batch_size=64, threads=None,
                 progress=None, **fetch):
        """Add probability columns to a table of positions or images, or make a table for a list.

        Parameters
        ----------
        data : `~astropy.table.Table`, `~astropy.coordinates.SkyCoord`, list or `~numpy.ndarray`
            A table with positions (a SkyCoord column, or right ascension and declination in any
            usual spelling), a SkyCoord, a table with a column of images (usually file names), or
            the images themselves: paths, bytes, HDULists, NDData, CCDData, Cutout2D, dictionaries
            of one file a band, or arrays (y, x, 3). Images of positions are got from the survey's
            services, see `~astromorph.cutouts.fetch_cutouts`.
        images : str, optional
            For a table, the column that holds the images. Without it the positions are used.
        cutout_r90 : float, array-like or str, optional
            Width of the cutouts in Petrosian R90 of their galaxies: a number, one a row, the name
            of a column, or ``"measure"`` to measure R90 in each image. By default the cutouts are
            taken to be framed as the weights expect (`frame_r90`), unless ``r90`` is given. For
            positions, the width of the cutouts to get.
        r90 : `~astropy.units.Quantity` or str, optional
            Petrosian R90 as an angle, one or one a row, or the name of a column with an angular
            unit; images must then have a celestial WCS. For positions, by default the column with
            one of the usual names, as ``petroR90_r`` or ``petro_th90``.
        width : `~astropy.units.Quantity` or str, optional
            For positions, the width of the cutouts to get as an angle, one or one a row, or the
            name of a column; without ``r90``, also that of the frame to classify.
        survey : str or `~astromorph.surveys.Survey`, optional
            For positions, the survey to get images of, by default that of the weights. For images,
            the survey whose color mapping FITS fluxes go through, by default guessed from the
            bands.
        bands : str, optional
            Bands of FITS planes in their order, as ``"grz"``; by default from the headers.
        names : str, optional
            For positions, the column of identifiers that a local folder of images goes by.
        provenance : bool
            For positions, add columns that say where each image came from:
            `~astromorph.cutouts.PROVENANCE`.
        batch_size : int
            Galaxies in one pass of the network.
        threads : int, optional
            Threads that get and read images; by default one a core for images, and twice the
            requests that are allowed at a time for positions.
        progress : bool, optional
            Show a progress bar; by default when on a terminal.
        **fetch
            For positions, ``ways``, ``cache``, ``offline`` and more: the options of
            `~astromorph.cutouts.fetch_cutouts`.

        Returns
        -------
        `~astropy.table.Table`
            A copy with the same rows in the same order, and the columns ``P_disk``, ``P_edge_on``,
            ``P_bar`` (masked where an image could not be had or used) and ``morph_flag`` (see
            `~astromorph.flags.MorphFlag`).

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described. A bad image never raises.
        """
        survey = survey if survey is None else get_survey(survey)
        if bands is not None:
            band_names(bands)
        check_count(batch_size, "batch_size")
        if threads is not None:
            check_count(threads, "threads")
        options = {"cutout_r90": cutout_r90, "r90": r90, "bands": bands}
        fetch |= {"width": width, "names": names}
        rows = (self._sky_rows(data, survey, options | fetch) if _has_positions(data, images)
                else _image_rows(data, images, options | {"survey": survey},
                                 fetch | {"provenance": provenance}))
        with ExitStack() as stack:
            pool = stack.enter_context(thread_pool(threads or rows.threads))
            stack.enter_context(rows)  # left before the pool, so that requests under way end
            outcomes = stack.enter_context(Outcomes(len(rows), progress, "galaxies"))
            # Every reading thread resamples by matrix products: BLAS threads of their own would
            # only be in each other's way.
            stack.enter_context(threadpool_limits(1, "blas"))
            answers, flags, sources = self._answer_rows(rows, pool, outcomes, batch_size)
        outcomes.warn("classified")
        table = self._finish(rows.table, answers, flags)
        if provenance:
            from astromorph.cutouts import add_provenance

            add_provenance(table, sources)
        return table

    def classify_region(self, region, *, survey=None, max_rows=100_000, faint_limit=None,
                        **options):
        """Classify the galaxies of a survey's catalog that lie in a region of the sky.

        Parameters
        ----------
        region : `~regions.SkyRegion`
            A circle, ellipse, polygon or rectangle.
        survey : str or `~astromorph.surveys.Survey`, optional
            The survey whose catalog and images are used; by default that of the weights.
        max_rows, faint_limit
            See `~astromorph.catalogs.query_galaxies`.
        **options
            Passed to `classify`.

        Returns
        -------
        `~astropy.table.Table`
            The catalog's galaxies, with the columns that `classify` adds. See
            `~astromorph.sky_regions.to_regions` to mark them on an image.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        `~astromorph.services.base.FetchError`
            If the catalog's service does not answer.
        """
        from astromorph.catalogs import query_galaxies

        survey = get_survey(survey or self._card["survey"])
        galaxies = query_galaxies(region, survey, max_rows=max_rows, faint_limit=faint_limit)
        return self.classify(galaxies, survey=survey, **options)

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

    def _sky_rows(self, data, survey, options):
        from astromorph.skyrows import SkyRows  # loads the clients of the image services

        return SkyRows(data, survey or self._card["survey"], frame_r90=self.frame_r90, **options)

    def _answer_rows(self, rows, pool, outcomes, batch_size):
        """Probabilities, flags and provenance of all rows, read ahead while the network works."""
        answers = np.full((len(rows), len(self.questions)), np.nan, np.float32)
        flags = np.zeros(len(rows), np.int32)
        sources = []
        stream = outcomes.counting(read_ahead(pool, partial(self._load, rows), rows, rows.ahead))
        for start in range(0, len(rows), _CHUNK):
            frames, chunk_flags, provenance, _ = zip(*islice(stream, _CHUNK))
            good = [k for k, frame in enumerate(frames) if frame is not None]
            if good:
                answers[[start + k for k in good]] = self._answer(
                    np.stack([frames[k] for k in good]), batch_size)
            flags[start:start + len(frames)] = chunk_flags
            sources.extend(provenance)
        return answers, flags, sources

    def _load(self, rows, row):
        """Network pixels of a row, its flag, provenance, and the error if there are no pixels."""
        try:
            pixels, flag, provenance = rows.load(row, self._card["size"], self.frame_r90)
        except (CutoutError, FetchError) as error:
            return None, error.flag, None, error
        return normalize_bands(pixels), flag, provenance, None

    def _answer(self, pixels, batch_size=64):
        """Calibrated probabilities of network pixels."""
        from astromorph import networks

        raw = networks.run(self._model, pixels, batch_size=batch_size)
        return np.stack([calibrate(answers) for calibrate, answers
                         in zip(self._calibration, raw.T)], axis=1)

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


def _has_positions(data, images):
    return images is None and isinstance(data, (SkyCoord, Table))


def _image_rows(data, images, options, sky_options):
    given = [name for name, value in sky_options.items()
             if value is not None and value is not False]
    if given:
        raise ValueError(f"{', '.join(given)}: only for positions, a table or SkyCoord without "
                         "images=. Received images.")
    return ImageRows(data, images, **options)
