"""`MorphologyClassifier`: images in, probability columns out."""
import copy
import json
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime, timezone
from functools import cached_property, partial
from itertools import chain, compress, islice

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, Table
from threadpoolctl import threadpool_limits

from astromorph.model import files as weights
from astromorph.model.alignment import BLUR, Alignment, measure_brightness
from astromorph.model.calibration import (METHODS, PlattScaling, base_rates, recalibrate,
                                         shift_priors)
from astromorph.model.domain import DomainWatch
from astromorph.running.fingerprints import fingerprint
from astromorph.images.fits_planes import band_names
from astromorph.galaxies.given import ImageRows
from astromorph.images import CutoutError, normalize_bands
from astromorph.learning.labels import read_labels
from astromorph.metrics import as_floats, check_count, score_table
from astromorph.questions import QUESTIONS, probability_asked
from astromorph.services.base import FetchError
from astromorph.running.streaming import Outcomes, Results, in_groups, read_ahead, thread_pool
from astromorph.learning.suggesting import suggest_rows, total_entropy
from astromorph.surveys import get_survey

__all__ = ["MorphologyClassifier"]

_CHUNK = 128
# Change of a probability by bfloat16 that does not matter.
_HARMLESS = 3e-3
# What answers and flags depend on; the rest of a card tells how the weights came about.
_DECISIVE = ("network", "survey", "questions", "size", "frame_r90", "calibration", "alignment",
             "domain", "bfloat16_change", "sha256")
_BUILT = ("_model", "_frozen", "_in_bfloat16")
_SPREADS = {"views": "8 rotations and reflections", "dropout": "draws of Monte-Carlo dropout"}


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
        self._card, self._arrays = copy.deepcopy(card), arrays
        self._model  # built now, so that arrays which do not fit raise here
        known = {question.key: question for question in QUESTIONS}
        self.questions = tuple(known[key] for key in card["questions"])
        self._calibration = [PlattScaling.from_dict(card["calibration"][question.key])
                             for question in self.questions]
        self._alignment = (Alignment.from_dict(card["alignment"]) if card.get("alignment")
                           else None)

    @classmethod
    def from_pretrained(cls, survey="sdss", *, network=None):
        """Load bundled weights.

        Parameters
        ----------
        survey : str
            The survey whose images will be classified, in any case: ``"sdss"``, or ``"legacy"``
            and ``"des"``, which share weights adapted to DECam images.
        network : str, optional
            ``"pinwheel"`` (the default), ``"tuningfork"``, the default of earlier versions, or
            ``"ds18"``, the network of the paper.

        Raises
        ------
        ValueError
            If there are no such weights; the message lists those that there are.
        """
        survey, path = weights.find_bundled(survey, network)
        card, arrays = weights.read_weights(path)
        return cls(card | {"survey": survey}, arrays)

    @classmethod
    def read(cls, path):
        """Read a classifier that `write` wrote.

        Parameters
        ----------
        path : path
            A ``.safetensors`` file.

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing, damaged, or not a weights file.
        """
        return cls(*weights.read_weights(path))

    def write(self, path, *, overwrite=False):
        """Write weights and card to one ``.safetensors`` file.

        Parameters
        ----------
        path : path
            By convention ``*.safetensors``.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is not set.
        """
        from astromorph import networks

        weights.write_weights(path, self._card, networks.export_weights(self._model),
                              overwrite=overwrite)

    @cached_property
    def _model(self):
        from astromorph import networks

        model = networks.build(self._card["network"])
        networks.import_weights(model, self._arrays)
        return model

    @cached_property
    def _frozen(self):
        from astromorph import networks

        return networks.Frozen(self._model)

    def __getstate__(self):
        """All but the network, which a pickled classifier builds when it needs it."""
        return {name: value for name, value in self.__dict__.items() if name not in _BUILT}

    def __dask_tokenize__(self):
        """The same for classifiers that give the same answers."""
        return type(self).__name__, json.dumps({key: self._card.get(key) for key in _DECISIVE},
                                               sort_keys=True)

    @property
    def card(self):
        """What the weights are and how they came about (dict, a copy)."""
        return copy.deepcopy(self._card)

    @property
    def _origin(self):
        """What results say about where they come from: network, survey, weights, version (dict)."""
        from astromorph import __version__

        return {"MORPHNET": self._card["network"], "MORPHSRV": self._card["survey"],
                "MORPHWGT": self._card["sha256"][:16], "MORPHVER": __version__}

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
        return (self._answer(np.stack(self._prepare(frames))) if frames
                else np.empty((0, len(self.questions))))

    def classify(self, data, *, images=None, cutout_r90=None, r90=None, width=None, survey=None,
                 bands=None, names=None, provenance=False, errors=None, joint=False,
                 batch_size=128, precision=None, threads=None, progress=None, checkpoint=None,
                 **fetch):
        """Add probability columns to a table of positions or images, or make a table for a list.

        Parameters
        ----------
        data : `~astropy.table.Table`, `~astropy.coordinates.SkyCoord`, list or `~numpy.ndarray`
            A table with positions (a SkyCoord column, or right ascension and declination in any
            usual spelling), a SkyCoord, a table with a column of images (usually file names), or
            the images themselves: paths, bytes, HDULists, NDData, CCDData, Cutout2D, dictionaries
            of one file a band, or arrays (y, x, 3). Images of positions are got from the survey's
            services, see `~astromorph.cutouts.fetching.fetch_cutouts`.
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
            `~astromorph.cutouts.fetching.PROVENANCE`.
        errors : str, optional
            Add columns ``P_disk_err`` and so on: the standard deviation of the calibrated
            probability over the eight rotations and reflections of the image (``"views"``,
            eight passes of the network), or with parts of the last layer's inputs dropped at
            random (``"dropout"``: Monte-Carlo dropout, two passes). They rank the answers by how
            likely they are wrong about as well as the distance of the probability from 0 and 1.
        joint : bool
            ``P_edge_on`` and ``P_bar`` hold for galaxies of which the question is asked: with a
            disk or features, and for bars not edge-on. Add columns ``P_edge_on_joint`` and
            ``P_bar_joint``, the probabilities of all of it together: of a disk that is edge-on,
            and of a disk that is not edge-on and has a bar.
        batch_size : int
            Galaxies in one pass of the network.
        precision : str, optional
            ``"float32"``, or ``"bfloat16"``, faster on processors that have it. By default
            bfloat16 only on such, and only with weights for whose validation galaxies it changed no
            probability by more than 0.003 (``bfloat16_change`` on the card).
        threads : int, optional
            Threads that get and read images; by default one a core for images, and twice the
            requests that are allowed at a time for positions.
        progress : bool, optional
            Show a progress bar; by default when on a terminal.
        checkpoint : path, optional
            A folder that keeps what is done, 1,024 rows at a time. However the run ends, the same
            call goes on from there; what another call would answer otherwise is refused. Rows
            that a service failed are tried again. See `~astromorph.running.checkpoint.Checkpoint`.
        **fetch
            For positions, ``ra`` and ``dec``, the names of their columns where they cannot be told,
            and ``services``, ``cache``, ``offline`` and more: the options of
            `~astromorph.cutouts.fetching.fetch_cutouts`.

        Returns
        -------
        `~astropy.table.Table`
            A copy with the same rows in the same order, and the columns ``P_disk``, ``P_edge_on``,
            ``P_bar`` (masked where an image could not be had or used) and ``morph_flag`` (see
            `~astromorph.flags.MorphFlag`).

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or ``checkpoint`` belongs to another run. A bad
            image never raises.
        OSError
            If ``checkpoint`` is in use by another process, or cannot be written to.
        """
        if errors not in (None, "views", "dropout"):
            raise ValueError(f'errors: expected None, "views" or "dropout". Received {errors!r}.')
        rows = self._rows(data, images=images, cutout_r90=cutout_r90, r90=r90, width=width,
                          survey=survey, bands=bands, names=names, provenance=provenance, **fetch)
        if len(rows):
            run = self._computing_in(precision)
            answer = partial(run._answer_with_errors, errors) if errors else run._answer
            saved = None if checkpoint is None else self._checkpoint(
                checkpoint, rows, errors=errors, provenance=provenance, batch_size=batch_size,
                precision="float32" if run is self else "bfloat16")
            with saved or nullcontext():
                results = self._classify(rows, answer, batch_size, threads, progress, saved)
        else:  # Dask asks what columns there will be, from where no network should be built
            saved, results = None, Results(0, len(self.questions) * (2 if errors else 1))
        table = self._finish(rows.table, results, errors, joint, saved and saved.date)
        if provenance:
            from astromorph.cutouts.fetching import add_provenance

            add_provenance(table, results.sources)
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
            See `~astromorph.galaxies.catalogs.query_galaxies`.
        **options
            Passed to `classify`.

        Returns
        -------
        `~astropy.table.Table`
            The catalog's galaxies, with the columns that `classify` adds. See
            `~astromorph.galaxies.regions.to_regions` to mark them on an image.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        `~astromorph.services.base.FetchError`
            If the catalog's service does not answer.
        """
        from astromorph.galaxies.catalogs import query_galaxies

        survey = get_survey(survey or self._card["survey"])
        galaxies = query_galaxies(region, survey, max_rows=max_rows, faint_limit=faint_limit)
        return self.classify(galaxies, survey=survey, **options)

    def classify_catalog(self, catalog, *, ra=None, dec=None, workers=None, **options):
        """Classify a HATS catalog of LSDB, partition by partition, on all workers of Dask.

        Nothing is computed before the result is: write it by its ``write_catalog``, which resumes
        an interrupted run (``resume=True``), or by `~astromorph.partitions.write_extension`. Needs
        the extra ``astromorph[lsdb]``.

        Parameters
        ----------
        catalog : `lsdb.catalog.Catalog`
            Its margin is left out: the galaxies there would be classified twice.
        ra, dec : str, optional
            Columns of the positions (ICRS); by default those that the catalog's properties name.
        workers : int, optional
            Worker processes that share ``per_host``, the limit on requests to image services; by
            default those that Dask has now.
        **options
            Of `classify`, with columns given by their names, and of
            `~astromorph.partitions.classify_partition`, such as the ``units`` of columns. A column
            of ``images`` holds paths, the bytes of image files, or arrays.

        Returns
        -------
        `lsdb.catalog.Catalog`
            The same rows and columns with those that `classify` adds. Probabilities are null where
            an image could not be had or used.

        Raises
        ------
        ImportError
            If LSDB is not installed.
        TypeError, ValueError
            If an argument is not as described. A bad image never raises.
        """
        from astromorph.partitions import classify_catalog

        return classify_catalog(self, catalog, ra=ra, dec=dec, workers=workers, **options)

    def suggest(self, data, n=300, *, seed=0, batch_size=64, threads=None, progress=None,
                **options):
        """Suggest galaxies to label: those whose labels would teach this classifier most.

        Uncertain ones that differ from each other; see `~astromorph.learning.suggesting.suggest_rows`. What
        the network sees of every galaxy is kept in memory: 0.9 GB for a million.

        Parameters
        ----------
        data : as for `classify`
            The galaxies to choose from.
        n : int
            Number of galaxies; all that can be classified, where there are fewer.
        seed : int
            Same seed, same galaxies.
        batch_size, threads, progress, **options
            As for `classify`, and as the galaxies will be classified.

        Returns
        -------
        `~astropy.table.Table`
            What `classify` gives, of these galaxies only; those to label first are in front. The
            first column, ``morph_row``, is the row in ``data``.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        """
        check_count(n, "n")
        rows = self._rows(data, **options)
        results = self._classify(rows, self._answer_with_features, batch_size, threads, progress)
        usable = np.flatnonzero(np.isfinite(results.answers).all(axis=1))
        answers, features = np.split(results.answers[usable], [len(self.questions)], axis=1)
        chosen = usable[suggest_rows(features, total_entropy(self.questions, answers), n,
                                     seed=seed)]
        table = self._finish(rows.table, results)[chosen]
        table.add_column(Column(chosen, "morph_row", description="Row in the data"), 0)
        return table

    def calibrate(self, data, labels=None, *, method="platt", survey=None, **options):
        """Return a new classifier whose probabilities are right for galaxies like these.

        This classifier does not change. The galaxies must not have trained the weights: a network
        is surer of those it has seen. The order of galaxies in probability, and the area under the
        ROC curve, stay as they are.

        With labels, ``"platt"`` (slope and intercept) or ``"temperature"`` (slope only) is fitted
        to what the network says before any calibration. Without labels, ``"prior"`` corrects for
        another fraction of positives, estimated from the probabilities themselves; see
        `~astromorph.model.calibration.estimate_base_rate`. Use it where galaxies look the same and only
        their mix differs. It is no remedy for another survey: deeper images make smooth
        galaxies look featured, which this takes for more disks; see `align`.

        Parameters
        ----------
        data : as for `classify`
        labels : array-like or `~astromorph.learning.labels.Labels`, shape (n, questions), optional
            As for `adapt`; by default from the columns of the table. Not for ``"prior"``.
        method : str
            ``"platt"``, ``"temperature"`` or ``"prior"``.
        survey : str or `~astromorph.surveys.Survey`, optional
            Whose images they are, by default the survey of the weights.
        **options
            As for `classify`.

        Returns
        -------
        MorphologyClassifier
            Its `calibration_report` tells what changed. Questions with too few galaxies keep
            their calibration, with a warning.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or no question can be calibrated.
        """
        if method not in (*METHODS, "prior"):
            raise ValueError(f"method: expected one of {[*METHODS, 'prior']}. Received {method!r}.")
        if method == "prior":
            fit = partial(shift_priors, base_rates=self._base_rates(labels))
        else:
            from astromorph.learning.adapting import find_trained

            labels = read_labels(data, labels, self.questions)
            find_trained(labels, self.questions)
            fit = partial(recalibrate, labels=labels, method=method)
        scalings, report = fit(self.questions, self._calibration,
                               probabilities=self._raw(data, survey=survey, **options))
        return self._with(self._card | {
            "survey": get_survey(survey or self._card["survey"]).name,
            "calibration": self._calibrations(scalings),
            "base_rates": self._card.get("base_rates", {}) | base_rates(report),
            "calibrated": {"method": method, "report": {
                name: report[name].tolist() for name in report.colnames}}})

    @property
    def calibration_report(self):
        """What `calibrate` changed, a `~astropy.table.Table` of a row a question; else None.

        See `~astromorph.model.calibration.recalibrate` and `~astromorph.model.calibration.shift_priors`.
        """
        done = self._card.get("calibrated")
        return done and Table(done["report"], meta={"method": done["method"]})

    def _base_rates(self, labels=None):
        """Fractions of positives that the calibration is right for."""
        if labels is not None:
            raise ValueError('labels: method="prior" takes none. Expected one of '
                             f"{[*METHODS]} with labels.")
        rates = self._card.get("base_rates", {})
        if missing := [question.key for question in self.questions if question.key not in rates]:
            raise ValueError(f"these weights do not say what base rates of {missing} they were "
                             "calibrated for. Expected bundled weights, or calibrate with labels.")
        return rates

    def _raw(self, data, **options):
        """Probabilities (n, questions) before any calibration, NaN where there are none."""
        bare = self._with(self._card | {"calibration": self._calibrations(
            [PlattScaling.identity()] * len(self.questions))})
        table = bare.classify(data, **options)
        return np.stack([as_floats(table[q.column], q.column) for q in self.questions], axis=1)

    def _calibrations(self, scalings):
        """Scalings as the card holds them."""
        return {question.key: scaling.to_dict()
                for question, scaling in zip(self.questions, scalings)}

    def align(self, data, *, survey=None, blur=BLUR, threads=None, progress=None, **options):
        """Return a new classifier for images of another survey, from images without labels.

        This classifier does not change. The brightness of the pixels of all images together is
        compared with that of the images the weights were trained on: deeper images show more of
        the faint parts. The new classifier corrects every image accordingly, then blurs it a
        little. See `~astromorph.model.alignment.Alignment`.

        Parameters
        ----------
        data : as for `classify`
            Galaxies as they will be classified, of all kinds; at least 30, better hundreds.
        survey : str or `~astromorph.surveys.Survey`, optional
            Whose images they are, by default the survey of the weights.
        blur : float
            Standard deviation of the Gaussian blur as a fraction of the frame; 0 for images that
            are no sharper than those of the source.
        threads, progress, **options
            As for `classify`.

        Returns
        -------
        MorphologyClassifier
            The curves are in ``card["alignment"]``.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, fewer than 30 images can be used, or the weights
            do not say how bright their training images were.
        """
        rows = self._rows(data, survey=survey, **options)
        frames = (frame for frame in self._read(rows, threads, progress) if frame is not None)
        return self._aligned(frames, survey and get_survey(survey).name, blur)

    def adapt(self, data, labels=None, *, survey=None, train="all", epochs=None,
              validation_fraction=0.2, folds=None, seed=0, align=True, learning_curve=(),
              threads=None, progress=None, **options):
        """Return a new classifier, taught by labeled galaxies, for the survey they come from.

        This classifier does not change (and `keras.layers.Layer.adapt` is something else). The
        new one is calibrated anew, on galaxies that its training did not see; what adapting
        brought is in its `report`. Questions with fewer than 10 galaxies of either answer keep
        the old answers. Ctrl-C ends the training and keeps the best weights so far.

        Parameters
        ----------
        data : as for `classify`
            Galaxies framed as they will be classified. For positions, somewhat wider cutouts
            (``cutout_r90``) than needed leave fewer edges in images that are turned.
        labels : array-like or `~astromorph.learning.labels.Labels`, shape (n, questions), optional
            1, 0 or NaN (unknown); by default from the columns of the table, labels or votes, as
            `~astromorph.learning.labels.make_labels` understands them.
        survey : str or `~astromorph.surveys.Survey`, optional
            Whose images they are, by default the survey of the weights.
        train : str
            ``"all"`` layers; ``"dense"`` layers only, on the old features; or all layers from
            ``"scratch"``: experiments b, c and d of Dominguez Sanchez et al. (2019).
        epochs : int, optional
            Passes over the galaxies; by default those of `~astromorph.learning.adapting.RECIPES`.
        validation_fraction : float
            Part of the galaxies, at most 0.5, that chooses the epoch: the last one that is about
            as good as the best. With 0, the last one.
        folds : int, optional
            Parts of a cross-validation that scores and calibrates; 0 for the validation part
            alone. By default 3 where the validation part has fewer than 10 galaxies of either
            answer to a question that is taught.
        seed : int
            Same seed, same classifier.
        align : bool
            First `align` the images, which must be at least 30. Otherwise an earlier `align`
            remains in force.
        learning_curve : sequence of int
            Also train on these numbers of galaxies, for the report.
        threads, progress, **options
            As for `classify`.

        Returns
        -------
        MorphologyClassifier

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or no question has enough labels.
        """
        from astromorph.learning import adapting

        adapting.check_plan(self._card["network"], train, epochs, validation_fraction, folds, seed,
                            learning_curve)
        labels = read_labels(data, labels, self.questions)
        adapting.find_trained(labels, self.questions)  # before anything is read
        rows = self._rows(data, survey=survey, **options)
        name = get_survey(survey or self._card["survey"]).name
        size, margin = self._card["size"], round(self._card["size"] / 6)
        frames = list(self._read(rows, threads, progress, margin))
        good = np.array([frame is not None for frame in frames])
        labels = labels[good]
        adapting.find_trained(labels, self.questions)
        frames = [frame for frame in frames if frame is not None]
        inner = [frame[margin:margin + size, margin:margin + size] for frame in frames]
        before = self._answer(np.stack(self._prepare(inner)))
        source = self._aligned(inner, name, BLUR) if align else self
        images = np.stack([adapting.as_bytes(source._alignment(frame) if source._alignment
                                             else frame) for frame in frames])
        card, arrays = adapting.adapt(
            source, images, labels, before, train=train, epochs=epochs, folds=folds, seed=seed,
            validation_fraction=validation_fraction, learning_curve=learning_curve,
            progress=progress)
        return self._with(card | {"survey": name}, arrays)

    @property
    def report(self):
        """What adapting brought, an `~astromorph.learning.reports.AdaptationReport`; else None."""
        from astromorph.learning.reports import AdaptationReport

        adapted = self._card.get("adapted")
        return adapted and AdaptationReport.from_dict(adapted["report"])

    def evaluate(self, data, labels=None, *, threshold=0.5, intervals=True, **options):
        """Score the classifier on galaxies with known answers.

        Parameters
        ----------
        data : `~astropy.table.Table` or images
            As for `classify`; a table that already has the probability columns is not classified
            again.
        labels : array-like or `~astromorph.learning.labels.Labels`, shape (n, questions), optional
            As for `adapt`; by default from the columns of the table.
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
        labels = read_labels(data, labels, self.questions)
        table = data if done else self.classify(data, **options)
        answers = np.stack([as_floats(table[name], name) for name in columns], axis=1)
        return score_table(labels, answers, self.questions, threshold=threshold,
                           intervals=intervals)

    def _sky_rows(self, data, survey, options):
        from astromorph.galaxies.sky import SkyRows  # loads the clients of the image services

        return SkyRows(data, survey or self._card["survey"], frame_r90=self.frame_r90, **options)

    def _rows(self, data, *, images=None, cutout_r90=None, r90=None, width=None, survey=None,
              bands=None, names=None, provenance=False, **fetch):
        """The rows of positions or images; the parameters are those of `classify`."""
        survey = survey if survey is None else get_survey(survey)
        if bands is not None:
            band_names(bands)
        options = {"cutout_r90": cutout_r90, "r90": r90, "bands": bands}
        fetch |= {"width": width, "names": names, "provenance": provenance}
        return (self._sky_rows(data, survey, options | fetch) if _has_positions(data, images)
                else _image_rows(data, images, options | {"survey": survey}, fetch))

    def _checkpoint(self, folder, rows, *, errors, provenance, **options):
        """A `~astromorph.running.checkpoint.Checkpoint` that knows all that the answers depend on."""
        from astromorph import __version__
        from astromorph.running.checkpoint import Checkpoint

        card = self._card
        identity = {"astromorph": __version__, "network": card["network"],
                    "weights": card["sha256"][:16], "weights_survey": card["survey"],
                    "questions": card["questions"], "frame_r90": self.frame_r90,
                    **{name: fingerprint(card.get(name)) for name in (
                        "calibration", "alignment", "domain")},
                    **rows.identity(), "errors": errors, "provenance": provenance, **options}
        columns = [question.column for question in self.questions]
        columns += [f"{column}_err" for column in columns] if errors else []
        return Checkpoint(folder, identity, answers=columns, sources=_sources(provenance),
                          date=_now())

    def _classify(self, rows, answer, batch_size, threads, progress, checkpoint=None):
        """What ``answer`` makes of all rows: `~astromorph.running.streaming.Results`."""
        check_count(batch_size, "batch_size")
        nothing = np.empty((0, self._card["size"], self._card["size"], 3), np.float32)
        results = Results(len(rows), answer(nothing, batch_size).shape[1])
        if checkpoint:
            checkpoint.restore(results, rows.retryable)
        # Adapted weights know aligned images, those of the source do not.
        watch = DomainWatch(self._card.get("domain"),
                            whole=self._alignment is None or "adapted" in self._card)
        load = partial(self._load, rows, watch)
        with _reading(rows, load, threads, progress, results) as (stream, outcomes):
            for stop in self._answer_rows(results, stream, answer, batch_size):
                if checkpoint:
                    checkpoint.save(results, stop)
        outcomes.warn("classified")
        watch.warn()
        return results

    def _answer_rows(self, results, stream, answer, batch_size):
        """Fill in the rows to do, read ahead while the network works; yield where each chunk ends.
        """
        pixels = np.zeros((_CHUNK, self._card["size"], self._card["size"], 3), np.float32)
        for start in range(0, len(results), _CHUNK):
            stop = min(start + _CHUNK, len(results))
            good = []
            for row, (frame, flag, source, _) in zip(todo := results.todo(start, stop),
                                                     islice(stream, todo.size)):
                results.flags[row], results.sources[row] = flag, source
                if frame is not None:
                    pixels[row - start] = frame
                    good.append(row - start)
            if good:  # each in its own place: who shares its batch then makes no difference
                answers = answer(pixels[:stop - start], batch_size)
                results.answers[start:stop][good] = answers[good]
            yield stop

    def _load(self, rows, watch, group):
        """Network pixels of each of some rows, flag, provenance, and the error if there are none.
        """
        loaded = [self._load_frame(rows, row) for row in group]
        good = [k for k, (frame, *_) in enumerate(loaded) if frame is not None]
        pixels = self._prepare(loaded[k][0] for k in good)
        for k, image, unusual in zip(good, pixels, watch.look(pixels)):
            _, flag, *outcome = loaded[k]
            loaded[k] = image, flag | unusual if unusual else flag, *outcome
        return loaded

    def _load_frame(self, rows, row, margin=0):
        """The same of one row, but the pixels are as they were read."""
        try:
            pixels, flag, provenance = rows.load(row, self._card["size"], self.frame_r90, margin)
        except (CutoutError, FetchError) as error:
            return None, error.flag, None, error
        return pixels, flag, provenance, None

    def _prepare(self, frames):
        """Network pixels of each frame: one by one they stay in the processor's cache."""
        return [normalize_bands(self._alignment(frame) if self._alignment else frame)
                for frame in frames]

    def _read(self, rows, threads, progress, margin=0):
        """The frames of all rows in order, None where there is none."""
        def load(group):
            return [self._load_frame(rows, row, margin) for row in group]

        with _reading(rows, load, threads, progress) as (stream, outcomes):
            for pixels, *_ in stream:
                yield pixels
        outcomes.warn("read")

    def _aligned(self, frames, survey, blur):
        """A new classifier that carries the brightness of such frames to that of the source."""
        if "brightness" not in self._card:
            raise ValueError("these weights do not say how bright the images were that they were "
                             "trained on, so that others cannot be aligned with them. Expected "
                             "bundled weights, or those adapted from them.")
        quantiles, n_images = measure_brightness(frames)
        alignment = Alignment(quantiles, self._card["brightness"]["quantiles"],
                              self._card["size"], blur, n_images, survey)
        return self._with(self._card | {"alignment": alignment.to_dict()})

    def _with(self, card, arrays=None):
        """A new classifier with another card, and by default the same weights."""
        from astromorph import networks

        return type(self)(card, networks.export_weights(self._model) if arrays is None else arrays)

    def _computing_in(self, precision):
        """This classifier, or a copy that computes in bfloat16."""
        from astromorph import networks

        if precision not in (None, "float32", "bfloat16"):
            raise ValueError('precision: expected "float32", "bfloat16" or None to choose. '
                             f"Received {precision!r}.")
        harmless = self._card.get("bfloat16_change", np.inf) <= _HARMLESS
        low = precision == "bfloat16" or precision is None and harmless and networks.has_bfloat16()
        return self._in_bfloat16 if low else self

    @cached_property
    def _in_bfloat16(self):
        """A copy that computes in bfloat16."""
        from astromorph import networks

        twin = copy.copy(self)
        twin._model = networks.in_bfloat16(self._model)
        return twin

    def _answer(self, pixels, batch_size=64):
        """Calibrated probabilities of network pixels."""
        from astromorph import networks

        return self._calibrated(networks.run(self._frozen, pixels, batch_size=batch_size))

    def _calibrated(self, raw):
        """Calibrated probabilities (..., questions)."""
        return np.stack([calibrate(answers) for calibrate, answers
                         in zip(self._calibration, np.moveaxis(raw, -1, 0))], axis=-1)

    def _answer_with_errors(self, kind, pixels, batch_size):
        """Calibrated probabilities, then their standard deviations."""
        from astromorph import networks

        draw, network = {"views": (networks.run_views, self._frozen),
                         "dropout": (networks.run_dropout, self._model)}[kind]
        draws = self._calibrated(draw(network, pixels, batch_size=batch_size))
        # The first of the views is the image as it is.
        plain = draws[0] if kind == "views" else self._answer(pixels, batch_size)
        return np.hstack([plain, draws.std(axis=0)])

    def _answer_with_features(self, pixels, batch_size):
        """Calibrated probabilities, then what the last layers see."""
        from astromorph import networks

        seen = networks.features(self._model, pixels, batch_size=batch_size)
        return np.hstack([self._calibrated(networks.answer_features(self._model, seen)), seen])

    def _finish(self, table, results, errors=None, joint=False, date=None):
        """The table with its new columns and provenance."""
        answers, spreads = np.split(results.answers, [len(self.questions)], axis=1)
        for question, column in zip(self.questions, answers.T):
            _add_column(table, question.column, column, question.description, question.ucd)
        for question, column in zip(self.questions, spreads.T if errors else ()):
            _add_column(table, f"{question.column}_err", column,
                        f"Standard deviation of {question.column} over {_SPREADS[errors]}",
                        "stat.error;stat.probability")
        for question, column, likely in zip(self.questions, answers.T,
                                            probability_asked(self.questions, answers.T) if joint else ()):
            if question.parent:
                _add_column(table, f"{question.column}_joint", column * likely,
                            f"{question.column} times the probability of all that it presupposes",
                            question.ucd)
        table["morph_flag"] = Column(
            results.flags, description="Quality bits of the classification, 0 is good",
            meta={"ucd": "meta.code.qual"})
        table.meta.update(
            self._origin, MORPHDAT=date or _now())
        return table


def _now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def _sources(provenance):
    """Columns of the provenance and their types, where it is asked for."""
    if not provenance:
        return {}
    from astromorph.cutouts import PROVENANCE

    return {name: kind for name, (kind, _, _) in PROVENANCE.items()}


def _add_column(table, name, values, description, ucd):
    table[name] = MaskedColumn(values, mask=np.isnan(values), description=description,
                               meta={"ucd": ucd})


@contextmanager
def _reading(rows, load, threads, progress, results=None):
    """(what ``load`` makes of lists of rows, in order and read ahead; outcomes to count them).

    Rows of which ``results`` says that they are done are left out.
    """
    done = np.zeros(len(rows), bool) if results is None else results.done
    flags = () if results is None else results.flags[done]
    if threads is not None:
        check_count(threads, "threads")
    with ExitStack() as stack:
        pool = stack.enter_context(thread_pool(threads or rows.threads))
        stack.enter_context(rows)  # left before the pool, so that requests under way end
        outcomes = stack.enter_context(Outcomes(len(rows), progress, "galaxies", flags))
        # Every reading thread resamples by matrix products: BLAS threads of their own would only
        # be in each other's way.
        stack.enter_context(threadpool_limits(1, "blas"))
        groups = read_ahead(pool, load, in_groups(compress(rows, ~done), rows.chunk),
                            rows.prefetch // rows.chunk)
        yield outcomes.counting(chain.from_iterable(groups), np.flatnonzero(~done)), outcomes


def _has_positions(data, images):
    return images is None and isinstance(data, (SkyCoord, Table))


def _image_rows(data, images, options, sky_options):
    given = [name for name, value in sky_options.items()
             if value is not None and value is not False]
    if given:
        raise ValueError(f"{', '.join(given)}: only for positions, a table or SkyCoord without "
                         "images=. Received images.")
    return ImageRows(data, images, **options)
