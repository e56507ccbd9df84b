"""`MorphologyClassifier` takes galaxies and returns a table with probabilities."""
from astropy.table import Table, vstack

from astromorph import running
from astromorph.errors import keeps_result, wrong
from astromorph.galaxies import open_source
from astromorph.galaxies.rows import Rows
from astromorph.galaxies.source import check_options
from astromorph.galaxies.kinds import as_galaxies
from astromorph.learning.labels import read_labels, read_test_labels, read_training_labels
from astromorph.model import TrainedModel
from astromorph.model.calibration import METHODS, rounded
from astromorph.model.model_card import write_model_card
from astromorph.model.remote import is_address
from astromorph.questions import as_questions
from astromorph.scores import score_answers
from astromorph.surveys import get_survey

__all__ = ["MorphologyClassifier"]


class MorphologyClassifier:
    """Answer questions about the shapes of galaxies, with weights trained for a survey.

    The bundled weights answer the three questions of Dominguez Sanchez et al. (2019, MNRAS 484,
    93): is there a disk (or features), is it edge-on, is there a bar? Make a classifier with
    `from_pretrained` or `read`. A classifier never changes: `adapt`, `align` and `calibrate`
    return new ones.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        The content of a weights file.

    See Also
    --------
    astromorph.datasets.load_sample : Simulated galaxies to try the classifier on.
    astromorph.read_cutout : What astromorph reads of an image.
    astromorph.decode_flags : The meaning of ``morph_flag``.

    Examples
    --------
    >>> from astromorph import MorphologyClassifier
    >>> from astromorph.datasets import load_sample
    >>> clf = MorphologyClassifier.from_pretrained("sdss")
    >>> tbl = clf.classify(load_sample(), images="file", r90="petroR90")
    >>> tbl.colnames
    ['name', 'petroR90', 'file', 'P_disk', 'P_edge_on', 'P_bar', 'morph_flag']
    """

    def __init__(self, model):
        self.model = model

    @classmethod
    def from_pretrained(cls, weights="sdss", *, network=None, sha256=None):
        """Load weights that come with the package, or weights that others published.

        Parameters
        ----------
        weights : str or `~astromorph.surveys.Survey`
            The survey of your images, in upper or lower case. ``"sdss"`` has weights trained on it.
            ``"legacy"`` and ``"des"`` share weights adapted to DECam images. Any other survey gets
            the weights for a survey of the same camera. If there are none, it gets the weights for
            the survey with the most similar pixels, in units of the seeing. A warning then names
            the survey.

            Or the address of a weights file: ``"hf://USER/NAME@COMMIT"`` on the Hugging Face Hub,
            or an address that begins with ``https://``. If the repository has several weights
            files, write ``"hf://USER/NAME/FILE.safetensors@COMMIT"``. The file is downloaded
            once, checked before it is opened, and kept.
        network : str, optional
            ``"pinwheel"`` (the default), the slower and more precise ``"whirlpool"``, or
            ``"ds18"``, the network of the paper. Not for an address.
        sha256 : str, optional
            Checksum of the file at an address, 64 hexadecimal digits; it may also stand at the end
            of the address, after ``#sha256=``. It is needed unless a commit (40 hexadecimal
            digits) pins the file.

        Returns
        -------
        MorphologyClassifier

        Raises
        ------
        ValueError
            If there is no such survey or network; the message lists the bundled weights. Or if the
            file at the address has another checksum, or is not a weights file.
        `~astromorph.errors.FetchError`
            If the file at the address cannot be downloaded.

        Warns
        -----
        AstromorphWarning
            If the weights are for another survey than yours. Adapt or evaluate them before you
            trust their answers.

        See Also
        --------
        read : Read weights from a file.

        Examples
        --------
        >>> from astromorph import MorphologyClassifier
        >>> clf = MorphologyClassifier.from_pretrained("legacy")
        >>> [question.key for question in clf.questions]
        ['disk', 'edge_on', 'bar']
        """
        if not is_address(weights):
            if sha256 is not None:
                raise wrong("sha256", "an address that it belongs to", repr(weights))
            return cls(TrainedModel.bundled(weights, network))
        if network is not None:
            raise wrong("network", "none with an address, which names one file", repr(network))
        return cls(TrainedModel.downloaded(weights, sha256))

    @classmethod
    def read(cls, path):
        """Read a classifier from a file that `write` wrote.

        Parameters
        ----------
        path : path
            A ``.safetensors`` file that `write` wrote, or the folder that the page for labeling
            wrote.

        Returns
        -------
        MorphologyClassifier

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing or damaged, or is not a weights file.

        See Also
        --------
        from_pretrained : Load weights that come with the package.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from astromorph import MorphologyClassifier
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "mine.safetensors")
        ...     MorphologyClassifier.from_pretrained("sdss").write(path)
        ...     clf = MorphologyClassifier.read(path)
        >>> clf.survey.name
        'sdss'
        """
        return cls(TrainedModel.read(path))

    def write(self, path, *, overwrite=False, model_card=True):
        """Write the classifier to one file, its weights and its card, and a page about it.

        Parameters
        ----------
        path : path
            ``*.safetensors``.
        overwrite : bool
            Replace an existing file.
        model_card : bool
            Write the page too, to the same name with ``.md``. It is a model card that the Hugging
            Face Hub can read. It tells what the weights answer, what they were trained on, their
            scores, and how to load them. If there is a page that astromorph did not write, it
            stays, and a warning says so.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is False.
        ValueError
            If the name does not end in ``.safetensors``.

        See Also
        --------
        read : Read the file again.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from astromorph import MorphologyClassifier
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "mine.safetensors")
        ...     clf.write(path)
        ...     same = MorphologyClassifier.read(path)
        >>> same.card["sha256"] == clf.card["sha256"]
        True
        """
        self.model.write(path, overwrite=overwrite)
        if model_card:
            write_model_card(path, self.model.card)

    def export(self, path, *, overwrite=False):
        """Write the network as an ONNX file, to classify without astromorph.

        Its input, ``pixels``, is the array that `prepare` returns. Its outputs are the columns that
        `classify` fills with ``questions="all"``, each under its name, calibrated, and within 1e-5
        of them. Its metadata holds the card. It has no flags, errors or joint probabilities. This
        needs the extra ``[onnx]``.

        Parameters
        ----------
        path : path
            ``*.onnx``.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is False.
        ImportError
            If the package onnx is not installed.
        ValueError
            If the name does not end in ``.onnx``, or if the network is your own and has a layer
            that cannot be exported.

        See Also
        --------
        prepare : Make the input.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from astromorph import MorphologyClassifier
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> with TemporaryDirectory() as folder:
        ...     clf.export(Path(folder, "sdss.onnx"))
        """
        from astromorph.model.onnx_export import export_onnx

        export_onnx(self.model, path, overwrite=overwrite)

    @property
    def questions(self):
        """Questions that it answers by default, in the order of `predict` (tuple of Question)."""
        return self.model.find_questions()

    @property
    def all_questions(self):
        """Questions that it answers with ``questions="all"`` (tuple of Question)."""
        return self.model.all_questions

    @property
    def survey(self):
        """Survey whose images the weights are for (`~astromorph.surveys.Survey`)."""
        return self.model.survey

    @property
    def frame_r90(self):
        """Width of the frame that the network sees, in Petrosian R90 of the galaxy (float)."""
        return self.model.frame_r90

    @property
    def card(self):
        """Description of the weights: survey, training, calibration, scores (dict, a copy)."""
        return self.model.card.to_json()

    def __repr__(self):
        return repr(self.model).replace("TrainedModel", type(self).__name__, 1)

    def __dask_tokenize__(self):
        """Return the same token for classifiers that give the same answers."""
        return type(self).__name__, self.model.identity, self.model.precision

    def predict(self, data, **options):
        """Return probabilities as an array; raise an error if any image cannot be used.

        Parameters
        ----------
        data, **options
            As for `classify`.

        Returns
        -------
        `~numpy.ndarray`, shape (n, columns)
            The columns of the `questions`, in their order. A yes/no question has one column.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value.
        `~astromorph.errors.ImageError`
            If an image is missing or cannot be used.

        See Also
        --------
        classify : Flag a bad image instead, and go on.

        Examples
        --------
        >>> from astromorph import MorphologyClassifier
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> clf.predict(load_sample()["file"], r90="measure").shape
        (12, 3)
        """
        return running.predict(self.model, open_source(self.model, data, **options))

    def prepare(self, data, **options):
        """Return the pixels that the network sees; raise an error if any image cannot be used.

        They are the input of a file that `export` wrote.

        Parameters
        ----------
        data, **options
            As for `classify`.

        Returns
        -------
        `~numpy.ndarray`, shape (n, y, x, 3), float32
            One frame per galaxy. Row 0 is at the top. The bands are in the order red, green, blue,
            and each is divided by its own maximum.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value.
        `~astromorph.errors.ImageError`
            If an image is missing or cannot be used.

        Examples
        --------
        >>> from astromorph import MorphologyClassifier
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> clf.prepare(load_sample()["file"], r90="measure").shape
        (12, 80, 80, 3)
        """
        return running.prepare(self.model, open_source(self.model, data, **options))

    @keeps_result
    def classify(self, data, *, questions=None, images=None, cutout_r90=None, r90=None, width=None,
                 pixel_scale=None, survey=None, bands=None, ids=None, provenance=False,
                 uncertainty=None, joint=False, batch_size=128, precision=None, threads=None,
                 progress=None, checkpoint=None, **fetch):
        """Classify galaxies: return a table with their probabilities and a flag.

        Parameters
        ----------
        data : `~astropy.table.Table`, `~astropy.coordinates.SkyCoord`, iterable or path
            Positions or images. Positions are a SkyCoord, or a table (also of pandas) that has a
            SkyCoord column, or right ascension and declination in any usual spelling. Images are a
            table with a column of images (usually file names), a folder, a pattern such as
            ``"cutouts/*.fits"``, or a list. An item of the list is a path, an array (y, x, 3), or
            any other form that `~astromorph.read_cutout` takes. For positions, astromorph downloads
            the images from the survey's services; see `~astromorph.cutouts.fetch_cutouts`.
        questions : str or sequence of str, optional
            Keys or columns of the questions to answer, or ``"all"``; by default `questions`. The
            network answers all of them in one pass.
        images : object, optional
            For a table, the column that holds the images, or one image that shows all galaxies. If
            the table has positions and an image has a WCS, astromorph cuts out each galaxy at its
            position. Without ``images``, astromorph downloads them.
        cutout_r90 : float, array-like or str, optional
            Width of the cutouts in Petrosian R90 of their galaxies: a number, one per row, or the
            name of a column. Pass `frame_r90` for cutouts that are framed already. By default it
            follows from ``r90``. For positions, it is the width to download.
        r90 : `~astropy.units.Quantity` or str, optional
            Petrosian R90 of the galaxies: an angle, one per row, or the name of a column with an
            angular unit. By default, it is the column with a usual name, such as ``petroR90_r`` or
            ``petro_th90``. The images then need a celestial WCS, or ``pixel_scale``. If the scale
            or the size is missing, astromorph measures R90 on the image (flag ``MEASURED_SIZE``).
            If the measurement cannot be trusted, the whole image is the frame (``NO_SIZE``).
            ``"measure"`` measures R90 on every image.
        width : `~astropy.units.Quantity` or str, optional
            For positions, the width of the cutouts: an angle, one per row, or the name of a column.
            Without ``r90``, it is also the width of the frame.
        pixel_scale : `~astropy.units.Quantity` or str, optional
            For images without a celestial WCS, the angle of a pixel, such as ``0.262 * u.arcsec``:
            one for all, one per row, or the name of a column.
        survey : str or `~astromorph.surveys.Survey`, optional
            For positions, the survey whose images astromorph downloads; by default that of the
            weights. For images, the survey whose color mapping FITS fluxes go through; by default
            astromorph guesses it from the bands.
        bands : str, optional
            Bands of FITS planes in their order, such as ``"grz"``; by default from the headers.
        ids : str, optional
            For positions, the column of identifiers that name the files in a local folder of
            images.
        provenance : bool
            For positions, add columns that say where each image came from:
            `~astromorph.cutouts.PROVENANCE`.
        uncertainty : str, optional
            Add columns ``P_disk_err`` and so on: standard deviations of the calibrated probability.
            ``"views"`` takes them over the eight rotations and reflections of the image, in eight
            passes of the network. ``"dropout"`` drops inputs of the last layer at random
            (Monte-Carlo dropout), in two passes.
        joint : bool
            Add columns ``P_edge_on_joint`` and ``P_bar_joint``: the probability of a disk that is
            edge-on, and of a disk that is not edge-on and has a bar. ``P_edge_on`` and ``P_bar``
            are conditional: they hold for galaxies of which the question is asked.
        batch_size : int
            Galaxies in one pass of the network.
        precision : str, optional
            ``"float32"``, or ``"bfloat16"``, which is faster on processors that have it. By default
            `~astromorph.model.TrainedModel.in_precision` chooses.
        threads : int, optional
            Threads that download and read images. By default one per core for images, and twice the
            number of requests allowed at a time for positions.
        progress : bool, optional
            Show a progress bar; by default on a terminal and in a notebook. Elsewhere, a line goes
            to stderr about every half minute, unless ``progress`` is False.
        checkpoint : path, optional
            A folder that keeps finished rows, 1,024 at a time. However the run ends, the same call
            continues it.
        **fetch
            For positions: ``ra`` and ``dec``, the names of their columns, if astromorph does not
            recognize them; and the options of `~astromorph.cutouts.FetchOptions`, such as
            ``services``, ``cache`` and ``offline``.

        Returns
        -------
        `~astropy.table.Table`
            A copy of the table, or a new one for a list, with the same rows in the same order. It
            has the columns of the questions (``P_disk``, ``P_edge_on``, ``P_bar``) and
            ``morph_flag`` (`~astromorph.flags.MorphFlag`). Probabilities are masked where an image
            is missing or cannot be used. If the table was classified before, it keeps this
            classifier's answers to other questions, and loses those of another classifier.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value, or ``checkpoint`` belongs to another run. A
            bad image never raises.
        OSError
            If another process uses ``checkpoint``, or it cannot be written.

        See Also
        --------
        predict : Return an array, and raise an error for a bad image.
        classify_region : Classify the galaxies in a region of the sky.
        classify_catalog : Classify a whole survey.
        astromorph.write_report : Show the result on a page.

        Examples
        --------
        A bad image costs its own row only:

        >>> from astromorph import MorphologyClassifier, decode_flags
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> tbl = clf.classify([load_sample()["file"][0], "no_such_file.fits"], r90="measure")
        >>> tbl["P_disk"].mask
        array([False,  True])
        >>> decode_flags(tbl["morph_flag"])[1]
        ['MISSING_FILE']
        """
        check_options(fetch, self.classify)
        source = open_source(
            self.model, data, images=images, cutout_r90=cutout_r90, r90=r90, width=width,
            pixel_scale=pixel_scale, survey=survey, bands=bands, ids=ids, provenance=provenance,
            **fetch)
        return running.classify(
            self.model, source, questions=questions, uncertainty=uncertainty, joint=joint,
            batch_size=batch_size, precision=precision, threads=threads, progress=progress,
            checkpoint=checkpoint)

    def classify_region(self, region, *, survey=None, max_rows=100_000, faint_limit=None,
                        **options):
        """Classify the galaxies that a survey's catalog has in a region of the sky.

        Parameters
        ----------
        region : `~regions.SkyRegion`
            A circle, ellipse, polygon or rectangle.
        survey : str or `~astromorph.surveys.Survey`, optional
            The survey that provides the catalog and the images; by default that of the weights.
        max_rows, faint_limit
            See `~astromorph.query_galaxies`.
        **options
            Options of `classify`.

        Returns
        -------
        `~astropy.table.Table`
            The galaxies of the catalog, with the columns that `classify` adds.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value.
        `~astromorph.errors.FetchError`
            If the catalog's service does not answer.

        See Also
        --------
        astromorph.query_galaxies : Query the catalog only.
        astromorph.to_regions : Mark the galaxies on an image.

        Examples
        --------
        >>> from astropy import units as u
        >>> from astropy.coordinates import SkyCoord
        >>> from regions import CircleSkyRegion
        >>> from astromorph import MorphologyClassifier
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> coma = CircleSkyRegion(SkyCoord(194.95, 27.98, unit="deg"), 10 * u.arcmin)
        >>> tbl = clf.classify_region(coma, max_rows=1000)  # doctest: +SKIP
        """
        from astromorph.galaxies.catalogs import query_galaxies

        survey = get_survey(survey or self.survey)
        galaxies = query_galaxies(region, survey, max_rows=max_rows, faint_limit=faint_limit)
        return self.classify(galaxies, survey=survey, **options)

    def classify_catalog(self, catalog, *, ra=None, dec=None, workers=None, **options):
        """Classify a HATS catalog of LSDB, partition by partition, on all workers of Dask.

        Nothing is computed until you compute or write the result. Write it with its
        ``write_catalog``, or with `~astromorph.partitions.write_extension`. This needs the extra
        ``[lsdb]``.

        Parameters
        ----------
        catalog : `lsdb.catalog.Catalog`
            The galaxies. Its margin is left out, because its galaxies would be classified twice.
        ra, dec : str, optional
            Columns of the positions (ICRS); by default those that the catalog's properties name.
        workers : int, optional
            Worker processes that share ``per_host``, the limit on requests to image services; by
            default those that Dask has now.
        **options
            Options of `classify`, with columns given by their names, and of
            `~astromorph.partitions.classify_partition`, such as the ``units`` of columns. A column
            of ``images`` holds paths, bytes of image files, or arrays.

        Returns
        -------
        `lsdb.catalog.Catalog`
            The same rows and columns, with the columns that `classify` adds. Probabilities are null
            where an image is missing or cannot be used.

        Raises
        ------
        ImportError
            If LSDB is not installed.
        TypeError, ValueError
            If an argument has the wrong type or value. A bad image never raises.

        Examples
        --------
        >>> import lsdb  # doctest: +SKIP
        >>> from astromorph import MorphologyClassifier
        >>> clf = MorphologyClassifier.from_pretrained("legacy")
        >>> catalog = lsdb.open_catalog("survey_hats")  # doctest: +SKIP
        >>> result = clf.classify_catalog(catalog, units={"petroR90_r": "arcsec"})  # doctest: +SKIP
        >>> result.write_catalog("morphology_hats")  # doctest: +SKIP
        """
        from astromorph.partitions import classify_catalog

        return classify_catalog(self, catalog, ra=ra, dec=dec, workers=workers, **options)

    @keeps_result
    def embed(self, data, *, views=8, batch_size=128, threads=None, progress=None,
              checkpoint=None, **options):
        """Describe each galaxy by 16 numbers, so that `~astromorph.similar` can compare galaxies.

        Parameters
        ----------
        data : as for `classify`
            The galaxies.
        views : int
            Number of rotations and reflections of each image: 1, 2, 4 or 8. The features are
            averaged over them. Each view takes a pass of the network.
        batch_size, threads, progress, checkpoint, **options
            As for `classify`.

        Returns
        -------
        `~astropy.table.Table`
            A copy with the same rows in the same order, and with the columns ``features`` and
            ``morph_flag``. ``features`` is a vector of 16 float32 numbers of unit length; it is NaN
            where an image is missing or cannot be used. Compare two tables only if ``MORPHEMB`` in
            their ``meta`` is the same.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value, the weights have no axes of features
            (`fit_embedding` adds them), or ``checkpoint`` belongs to another run. A bad image never
            raises.
        OSError
            If another process uses ``checkpoint``, or it cannot be written.

        See Also
        --------
        astromorph.similar : Find the galaxies that look most like one galaxy.
        astromorph.odd : Find the galaxies that look like few others.

        Examples
        --------
        >>> from astromorph import MorphologyClassifier, similar
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> tbl = clf.embed(load_sample(), images="file", r90="petroR90")
        >>> tbl["features"].shape
        (12, 16)
        >>> similar(tbl, like=0, n=3).colnames
        ['name', 'petroR90', 'file', 'features', 'morph_flag', 'similarity']
        """
        from astromorph.learning.embedding import embed

        check_options(options, self.embed)
        return embed(self.model, open_source(self.model, data, **options), views=views,
                     batch_size=batch_size, threads=threads, progress=progress,
                     checkpoint=checkpoint)

    def look(self, table, **options):
        """Look at a classified table in a notebook, see `astromorph.labeling.look`.

        Parameters
        ----------
        table, **options
            As for `astromorph.labeling.look`.

        Returns
        -------
        widget
            The view.

        Raises
        ------
        ImportError, OSError, TypeError, ValueError
            As for `astromorph.labeling.look`.

        Examples
        --------
        >>> from astromorph import MorphologyClassifier
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> tbl = clf.classify(load_sample()[:2], images="file", r90="petroR90")
        >>> view = clf.look(tbl, images="file", r90="petroR90")
        >>> len(view.selection)  # before you select galaxies
        0
        """
        from astromorph.labeling import look

        return look(table, self, **options)

    @keeps_result
    def fit_embedding(self, data, *, views=8, batch_size=128, threads=None, progress=None,
                      **options):
        """Return a new classifier whose `embed` compares galaxies along axes fitted to these.

        The axes are principal components of the network's features. Probabilities stay as they are.
        The bundled weights of ``pinwheel`` and ``whirlpool`` have axes already, fitted to their
        training galaxies. Weights adapted from them keep these axes.

        Parameters
        ----------
        data : as for `classify`
            Galaxies of all kinds, without labels: at least 100, better thousands. The features of
            all of them stay in memory.
        views, batch_size, threads, progress, **options
            As for `embed`.

        Returns
        -------
        MorphologyClassifier

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value, or fewer than 100 images can be used.

        Examples
        --------
        The sample repeated stands in for a hundred galaxies:

        >>> from astromorph import MorphologyClassifier
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> images = load_sample()["file"].tolist() * 9
        >>> mine = clf.fit_embedding(images, views=1, cutout_r90=6)
        >>> mine.card["embedding"] == clf.card["embedding"]
        False
        """
        from astromorph.learning.embedding import fit_axes

        check_options(options, self.fit_embedding)
        return type(self)(fit_axes(self.model, open_source(self.model, data, **options),
                                   views=views, batch_size=batch_size, threads=threads,
                                   progress=progress))

    @keeps_result
    def suggest(self, data, n=300, *, seed=0, batch_size=64, threads=None, progress=None,
                **options):
        """Suggest galaxies to label: those whose labels would teach this classifier most.

        The classifier is uncertain of them, and they differ from each other; see
        `~astromorph.learning.suggesting.suggest_rows`. The features of all galaxies stay in memory:
        0.9 GB for a million.

        Parameters
        ----------
        data : as for `classify`
            The galaxies to choose from.
        n : int
            Number of galaxies to suggest. If fewer can be classified, all of them are suggested.
        seed : int
            Seed of the random draw: the same seed suggests the same galaxies.
        batch_size, threads, progress, **options
            As for `classify`. Use those that you will classify the galaxies with.

        Returns
        -------
        `~astropy.table.Table`
            The suggested galaxies with the columns of `classify`; label the first ones first. The
            first column, ``morph_row``, is the row in ``data``.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value.

        See Also
        --------
        label : Label the galaxies.
        adapt : Teach the classifier with the labels.

        Examples
        --------
        >>> from astromorph import MorphologyClassifier
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> suggested = clf.suggest(load_sample(), n=3, images="file", r90="petroR90")
        >>> len(suggested), suggested.colnames[:2]
        (3, ['morph_row', 'name'])
        """
        from astromorph.learning.suggesting import suggest

        check_options(options, self.suggest)
        return suggest(self.model, open_source(self.model, data, **options), n, seed=seed,
                       batch_size=batch_size, threads=threads, progress=progress)

    def label(self, data, output="labels.csv", *, questions=None, labeler=None, seed=0, learn=True,
              compare=(), overwrite=False, port=None, browser=True, **options):
        """Label galaxies with one key per answer, while a copy of this classifier learns from them.

        A notebook shows the galaxies in the notebook. Elsewhere, a page in the browser shows them
        until you press Ctrl-C. astromorph writes each answer to a journal, the file ``output`` with
        ``.journal`` added, before the page confirms it. The same call continues where you stopped.
        One galaxy in five is sealed: the classifier never trains on it, and its answer measures how
        good the classifier is. This needs the extra ``[label]``, in a notebook
        ``[notebook]``.

        Parameters
        ----------
        data : as for `classify`
            The galaxies.
        output : path
            The table of labels; the name says its format. astromorph writes it every few answers
            and at the end.
        questions : sequence of `~astromorph.Question`, optional
            One question of your own; by default disk, edge-on and bar.
        labeler : str, optional
            Who labels; by default the name of the account. Each labeler needs an ``output`` of
            their own.
        seed : int
            Seed that draws the sealed galaxies. Labelers with the same seed can be compared.
        learn : bool
            Train while you label, and show the galaxies first that teach most.
        compare : sequence of path
            Tables of other labelers of the same galaxies. The page shows how far you agree.
        overwrite : bool
            Replace an existing ``output`` that has no journal.
        port : int, optional
            Port of the page, which only this machine can open; by default a free one.
        browser : bool
            Open the page in the browser.
        **options
            As for `classify`. Use those that you will classify the galaxies with.

        Returns
        -------
        widget or `~astropy.table.Table`
            In a notebook, the view. Its ``labels`` are the labels so far, and ``close()`` ends it.
            Elsewhere, the labels.
            `adapt` learns from those that are not ``sealed``, and `evaluate` scores the others.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value, or the journal has other galaxies or
            questions.
        ImportError
            If the extra is not installed.
        OSError
            If another process uses the journal, or it cannot be written.

        See Also
        --------
        suggest : Choose the galaxies to label.
        adapt : Teach the classifier with the labels.

        Examples
        --------
        >>> from astromorph import MorphologyClassifier
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> labels = clf.label("cutouts", "labels.csv", r90="measure")  # doctest: +SKIP
        >>> training = labels[~labels["sealed"]]  # doctest: +SKIP
        >>> mine = clf.adapt("cutouts", training, r90="measure")  # doctest: +SKIP
        """
        check_options(options, self.label)
        from astromorph.labeling.opening import label

        return label(self, data, output, questions=questions, labeler=labeler, seed=seed,
                     learn=learn, compare=compare, overwrite=overwrite, port=port, browser=browser,
                     **options)

    @keeps_result
    def calibrate(self, data, labels=None, *, key=None, method="platt", survey=None,
                  batch_size=128, threads=None, progress=None, **options):
        """Return a new classifier whose probabilities come true for galaxies like these.

        Of galaxies with ``P_disk`` = 0.3, three in ten then have a disk. Do not use galaxies that
        trained the weights: the network is more certain of them. The order of galaxies by
        probability stays as it is, and so does the ROC area.

        With labels, ``"platt"`` fits slope and intercept, and ``"temperature"`` fits the slope
        only, to the network's answers before any calibration. Without labels, ``"prior"`` corrects
        for another base rate, which it estimates from the probabilities; see
        `~astromorph.model.calibration.estimate_base_rate`. Use ``"prior"`` if the galaxies look the
        same and only their mix differs. Do not use it for another survey: deeper images make smooth
        galaxies look featured, and ``"prior"`` takes that for more disks. Use `align` there.

        Parameters
        ----------
        data : as for `classify`
            The galaxies.
        labels, key
            As for `adapt`; by default from the columns of the table. ``"prior"`` takes none.
        method : str
            ``"platt"``, ``"temperature"`` or ``"prior"``.
        survey : str or `~astromorph.surveys.Survey`, optional
            Survey of the images; by default that of the weights.
        batch_size, threads, progress, **options
            As for `classify`.

        Returns
        -------
        MorphologyClassifier
            The calibrated classifier; its `calibration_report` says what changed. Questions with
            too few galaxies keep their calibration.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value, or no question can be calibrated.

        Warns
        -----
        AstromorphWarning
            If a question has too few galaxies, or its calibration error did not fall.

        Examples
        --------
        The sample repeated, with some wrong labels, stands in for labeled galaxies:

        >>> from astromorph import MorphologyClassifier
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> from astropy.table import vstack
        >>> sample = vstack([load_sample()] * 4)
        >>> sample["disk"] = ["smooth" not in name for name in sample["name"]]
        >>> sample["disk"][:4] = True, True, False, False
        >>> mine = clf.calibrate(sample, images="file", r90="petroR90")
        >>> mine.calibration_report["question", "n", "calibrated"].pprint()
        question  n  calibrated
        -------- --- ----------
            disk  48       True
         edge_on   0      False
             bar   0      False
        """
        from astromorph.learning.calibrating import calibrate

        check_options(options, self.calibrate)
        data = as_galaxies(data)
        if method in METHODS:  # "prior" takes no labels
            labels = read_labels(data, labels, self.questions, key=key)
        source = open_source(self.model, data, survey=survey, **options)
        return type(self)(calibrate(self.model, source, labels, method=method, survey=survey,
                                    batch_size=batch_size, threads=threads, progress=progress))

    @property
    def calibration_report(self):
        """What `calibrate` changed: a `~astropy.table.Table` with one row per question, or None.

        `~astromorph.model.calibration.recalibrate` explains the columns. Questions that were taught
        to heads have a row without numbers if they were calibrated; `evaluate` scores them.
        """
        done = self.model.card.calibrated
        if not done:
            return None
        report = rounded(Table(done["report"], meta={"method": done["method"]}))
        heads = [{"question": key, "calibrated": True} for key in done.get("heads", ())]
        return vstack([report, Table(heads)]) if heads else report

    @keeps_result
    def align(self, data, *, survey=None, blur=None, threads=None, progress=None, **options):
        """Return a new classifier for images of another survey, from images without labels.

        Deeper images show more of the faint parts of a galaxy. `align` compares the brightness of
        the pixels in all images with that in the training images. The new classifier corrects every
        image by the difference, then blurs it a little. See
        `~astromorph.model.alignment.Alignment`.

        Parameters
        ----------
        data : as for `classify`
            Galaxies of all kinds, at least 30, better hundreds. Frame them as you will to classify.
        survey : str or `~astromorph.surveys.Survey`, optional
            Survey of the images; by default that of the weights.
        blur : float, optional
            Standard deviation of the Gaussian blur as a fraction of the frame; by default
            `~astromorph.model.alignment.BLUR`. Use 0 if the images are no sharper than those of the
            training.
        threads, progress, **options
            As for `classify`.

        Returns
        -------
        MorphologyClassifier
            The aligned classifier. ``card["alignment"]`` has the curves.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value, fewer than 30 images can be used, or the
            weights do not say how bright their training images were.

        See Also
        --------
        adapt : Use labels, too.

        Examples
        --------
        The sample repeated stands in for images of the other survey:

        >>> from astromorph import MorphologyClassifier
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> images = load_sample()["file"].tolist() * 3
        >>> aligned = clf.align(images, survey="legacy", r90="measure")
        >>> aligned.card["alignment"]["n_images"]
        36
        """
        from astromorph.learning.aligning import align

        check_options(options, self.align)
        source = open_source(self.model, data, survey=survey, **options)
        return type(self)(align(self.model, source, survey=survey, blur=blur, threads=threads,
                                progress=progress))

    @keeps_result
    def adapt(self, data, labels=None, *, questions=None, key=None, survey=None, train=None,
              epochs=None, validation_fraction=0.2, folds=None, seed=0, align=True,
              learning_curve=(), threads=None, progress=None, **options):
        """Return a new classifier, trained further on labeled galaxies of your survey.

        `adapt` calibrates the new classifier on galaxies that its training did not see. Its
        `report` compares the scores before and after; a warning says if no question got better. A
        question keeps its old answers if one of its answers has fewer than 10 galaxies. Ctrl-C ends
        the training and keeps the best weights so far.

        Galaxies do not train if a column ``sealed`` or ``no_galaxy`` of the labels marks them, as
        `label` writes these columns.

        Parameters
        ----------
        data : as for `classify`
            Galaxies. Frame them as you will to classify. For positions, cutouts a little wider than
            needed (``cutout_r90``) leave fewer edges when training rotates them.
        labels : array-like, Table or `~astromorph.learning.labels.Labels`, optional
            An array (n, questions) of 1, 0 and NaN (unknown); for one question also a list of
            words. Or a table of labels or votes, or the result of `~astromorph.make_labels`. Tables
            are matched by the names of the galaxies. If there are no names, they are matched by the
            order of the rows. By default, the labels are columns of ``data``.
        questions : sequence of `~astromorph.Question`, optional
            Questions of your own to teach, of any kind. Columns named like their keys hold the
            labels. By default, the questions that the network answers.
        key : str, optional
            The column of names in ``data`` and ``labels``. By default, one that both have and that
            has a usual name: ``file``, ``name``, ``id``, ``objid`` or similar.
        survey : str or `~astromorph.surveys.Survey`, optional
            Survey of the images; by default that of the weights.
        train : str, optional
            Layers to train: ``"all"``; ``"dense"``, the dense layers only, on the old features; or
            ``"scratch"``, all layers from random weights. These are experiments (b), (c) and (d) of
            Dominguez Sanchez et al. (2019). ``"head"`` instead adds a linear head on the network's
            features for each of ``questions``. It takes seconds, keeps the old answers as they are,
            and is the default for ``questions``.
        epochs : int, optional
            Passes over the galaxies; by default those of the network's recipe.
        validation_fraction : float
            Part of the galaxies, at most 0.5, that chooses the epoch: the last one that is about as
            good as the best. With 0, `adapt` takes the last epoch.
        folds : int, optional
            Parts of a cross-validation that scores and calibrates. With 0, the validation part
            alone does so. By default 3 if, for a question to teach, one of the answers has fewer
            than 10 galaxies in the validation part.
        seed : int
            Seed of the training: the same seed gives the same classifier.
        align : bool
            First `align` with the images, of which there must be at least 30. If False, an earlier
            `align` remains in force.
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
            If an argument has the wrong type or value, or no question has enough labels.

        Warns
        -----
        AstromorphWarning
            If no question got better.

        See Also
        --------
        suggest : Choose the galaxies to label.
        calibrate : Correct the probabilities only.
        align : Adapt to another survey without labels.

        Examples
        --------
        Teach a question of your own. The sample repeated stands in for labeled galaxies:

        >>> from astropy.table import vstack
        >>> from astromorph import MorphologyClassifier, Question
        >>> from astromorph.datasets import load_sample
        >>> labeled = vstack([load_sample()] * 4)
        >>> labeled["spiral"] = ["spiral" in name for name in labeled["name"]]
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> mine = clf.adapt(labeled, questions=[Question("spiral")], images="file", r90="petroR90")
        >>> [question.key for question in mine.questions]
        ['disk', 'edge_on', 'bar', 'spiral']
        >>> print(mine.report)
        Questions taught to heads, scores on galaxies left out of the fit (68% interval):
        spiral: 48 galaxies
            TPR ...

        Teach the network's own questions, which takes minutes with a few hundred galaxies:

        >>> from astropy.table import Table
        >>> labeled = Table.read("labeled.csv")  # doctest: +SKIP
        >>> mine = clf.adapt(labeled, images="file", r90="measure")  # doctest: +SKIP
        >>> mine.write("mine.safetensors")  # doctest: +SKIP
        """
        from astromorph.learning.adapting import adapt

        check_options(options, self.adapt)
        questions = questions if questions is None else as_questions(questions)
        data = as_galaxies(data)
        labels, rows = read_training_labels(data, labels, questions or self.model.questions,
                                            key=key)
        source = open_source(self.model, data, survey=survey, **options)
        return type(self)(adapt(
            self.model, source if rows is None else Rows(source, rows), labels,
            questions=questions, survey=survey, train=train, epochs=epochs,
            validation_fraction=validation_fraction, folds=folds, seed=seed, aligned=align,
            learning_curve=learning_curve, threads=threads, progress=progress))

    @keeps_result
    def suspects(self, data, labels=None, *, questions=None, key=None, share=0.08, seed=0,
                 batch_size=128, threads=None, progress=None, **options):
        """Find labels that may be wrong, so that you can check them. It changes no label.

        `suspects` trains heads on four fifths of the labels, and compares their answers with the
        other fifth; it does so for each fifth. For the network's own questions the heads start from
        its answers. Use weights that did not train on these labels: such weights repeat the labels'
        errors.

        Parameters
        ----------
        data, labels, questions, key
            As for `adapt`.
        share : float
            Largest part of the labels of each question to list, the most suspect ones.
        seed : int
            Seed of the split: the same seed gives the same table.
        batch_size, threads, progress, **options
            As for `classify`.

        Returns
        -------
        `~astropy.table.Table`
            One row per suspect label, the most suspect first: ``row`` in ``data``, ``name`` of the
            galaxy, ``question``, ``label``, ``P`` and ``suspicion``. ``P`` is the probability of
            the label according to the heads. ``suspicion`` is how much more probable another answer
            is. For numbers, ``P`` is how often a right label would be as far off; ``suspicion`` is
            1 - P, for labels more than two standard errors off. Labels that the heads agree with
            are not listed.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type or value.

        Examples
        --------
        The sample repeated stands in for labeled galaxies. One label is wrong:

        >>> from astropy.table import vstack
        >>> from astromorph import MorphologyClassifier
        >>> from astromorph.datasets import load_sample
        >>> labeled = vstack([load_sample()] * 4)
        >>> labeled["disk"] = ["smooth" not in name for name in labeled["name"]]
        >>> labeled["disk"][0] = not labeled["disk"][0]
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> found = clf.suspects(labeled, images="file", r90="petroR90")
        >>> found["row", "question", "label"].pprint()
        row question label
        --- -------- ------
          0     disk smooth
        """
        from astromorph.learning.suspects import suspects

        check_options(options, self.suspects)
        data = as_galaxies(data)
        asked = self.model.questions if questions is None else as_questions(questions)
        return suspects(self.model, open_source(self.model, data, **options),
                        read_labels(data, labels, asked, key=key), asked, share=share, seed=seed,
                        batch_size=batch_size, threads=threads, progress=progress)

    @property
    def report(self):
        """What adapting changed: an `~astromorph.learning.reports.AdaptationReport`, or None."""
        from astromorph.learning.reports import AdaptationReport

        return AdaptationReport.of(self.model.card)

    @keeps_result
    def evaluate(self, data, labels=None, *, questions=None, key=None, threshold=0.5,
                 intervals=True, **options):
        """Score the classifier on galaxies with known answers.

        Draw these galaxies at random from those that you will classify. Do not use galaxies that
        trained, adapted or calibrated the classifier. If the labels have a column ``sealed``, as
        `label` writes it, only the sealed galaxies count.

        Parameters
        ----------
        data : `~astropy.table.Table` or images
            As for `classify`. A table that already has the probability columns is not classified
            again. Its probabilities must be from this classifier.
        labels
            As for `adapt`; by default from the columns of the table.
        questions
            As for `classify`.
        key
            As for `adapt`.
        threshold : float
            A galaxy counts as positive from this probability on.
        intervals : bool
            Add bootstrap intervals (68%).
        **options
            Options of `classify`.

        Returns
        -------
        `~astropy.table.Table`
            One row per question; see `~astromorph.score_table`. For questions of other kinds than
            yes/no, see `~astromorph.scores.score_answers`.

        Raises
        ------
        ValueError
            If there are no labels, their number differs from that of the galaxies, or the
            probabilities are from another classifier.

        Examples
        --------
        >>> from astromorph import MorphologyClassifier
        >>> from astromorph.datasets import load_sample
        >>> clf = MorphologyClassifier.from_pretrained("sdss")
        >>> sample = load_sample()
        >>> sample["disk"] = ["smooth" not in name for name in sample["name"]]
        >>> scores = clf.evaluate(sample, images="file", r90="petroR90", questions="disk")
        >>> scores.colnames[:4]
        ['question', 'n', 'n_positive', 'TPR']
        """
        check_options(options, self.evaluate, self.classify)
        asked, data = self.model.find_questions(questions), as_galaxies(data)
        labels = read_test_labels(data, labels, asked, key=key)
        done = isinstance(data, Table) and {
            column for question in asked for column in question.columns} <= set(data.colnames)
        if done and self.model.has_made(data) is False:
            raise wrong("data", f"galaxies, or the answers of this classifier, {self!r}",
                        f"the answers of another one, model {data.meta['MORPHMDL']}",
                        "Evaluate that classifier, or remove its columns to classify again.")
        table = data if done else self.classify(data, questions=questions, **options)
        return score_answers(labels, running.probabilities(table, asked), asked,
                             threshold=threshold, intervals=intervals)
