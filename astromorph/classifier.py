"""`MorphologyClassifier`: galaxies in, a table with probabilities out."""
from astropy.table import Table, vstack

from astromorph import running
from astromorph.errors import keeps_result, wrong
from astromorph.galaxies import open_source
from astromorph.galaxies.source import check_options
from astromorph.galaxies.kinds import as_galaxies
from astromorph.learning.labels import read_labels
from astromorph.model import TrainedModel
from astromorph.model.calibration import METHODS
from astromorph.model.model_card import write_model_card
from astromorph.model.remote import is_address
from astromorph.questions import as_questions
from astromorph.scores import score_answers
from astromorph.surveys import get_survey

__all__ = ["MorphologyClassifier"]


class MorphologyClassifier:
    """Answer questions about the shapes of galaxies, with weights that know the survey.

    The bundled weights answer the three questions of Dominguez Sanchez et al. (2019, MNRAS 484,
    93): disk or features, edge-on, barred. Make a classifier with `from_pretrained` or `read`. It
    does not change: `adapt`, `align` and `calibrate` return new ones.

    Parameters
    ----------
    model : `~astromorph.model.TrainedModel`
        What one weights file holds.

    See Also
    --------
    astromorph.datasets.load_sample : Simulated galaxies to try it on.
    astromorph.read_cutout : What is read of one image.
    astromorph.decode_flags : What ``morph_flag`` says.

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
    def from_pretrained(cls, survey="sdss", *, network=None, sha256=None):
        """Load bundled weights, or weights that others published.

        Parameters
        ----------
        survey : str or `~astromorph.surveys.Survey`
            The survey whose images will be classified, in upper or lower case: ``"sdss"``, or
            ``"legacy"`` and ``"des"``, which share weights adapted to DECam images. Any other
            survey gets the weights for one of the same camera, else for the one whose pixels are
            the nearest in units of its seeing, with a warning that says which.

            Or the address of a weights file: ``"hf://OWNER/NAME@COMMIT"`` on the Hugging Face Hub
            (``"hf://OWNER/NAME/FILE.safetensors@COMMIT"`` where the repository has several), or any
            that begins with ``https://``. The file is downloaded once, checked before it is
            opened, and kept.
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
            If there is no such survey or network (the message lists the weights that there are), or
            the file at the address has another checksum or is not a weights file.
        `~astromorph.errors.FetchError`
            If the file at the address cannot be downloaded.

        Warns
        -----
        AstromorphWarning
            If the weights are those for another survey: `adapt`, or the check of the domain, must
            confirm them.
        """
        if not is_address(survey):
            if sha256 is not None:
                raise wrong("sha256", "an address that it belongs to", repr(survey))
            return cls(TrainedModel.bundled(survey, network))
        if network is not None:
            raise wrong("network", "none with an address, which names one file", repr(network))
        return cls(TrainedModel.downloaded(survey, sha256))

    @classmethod
    def read(cls, path):
        """Read a classifier that `write` wrote.

        Parameters
        ----------
        path : path
            A ``.safetensors`` file.

        Returns
        -------
        MorphologyClassifier

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing, damaged, or not a weights file.
        """
        return cls(TrainedModel.read(path))

    def write(self, path, *, overwrite=False, model_card=True):
        """Write weights and card to one file, and a page about them beside it.

        Parameters
        ----------
        path : path
            ``*.safetensors``.
        overwrite : bool
            Replace an existing file.
        model_card : bool
            Write the page, the same name with ``.md``: a model card as the Hugging Face Hub reads
            it, with what the weights answer, what taught them, their scores and how to load them.
            A page there that astromorph did not write stays, with a warning.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is not set.
        ValueError
            If its name does not end in ``.safetensors``.
        """
        self.model.write(path, overwrite=overwrite)
        if model_card:
            write_model_card(path, self.model.card)

    def export(self, path, *, overwrite=False):
        """Write the network as an ONNX file, to classify where there is no astromorph.

        The file takes ``pixels``, what `prepare` gives. It gives the columns that `classify` fills
        for the questions ``"all"``, each by its name, calibrated, and within 1e-5 of them. Its
        metadata has the card. Flags, errors and joint probabilities are not in it. Needs the extra
        ``astromorph[onnx]``.

        Parameters
        ----------
        path : path
            ``*.onnx``.
        overwrite : bool
            Replace an existing file.

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is not set.
        ImportError
            If the package onnx is not installed.
        ValueError
            If the name ends otherwise, or the network, one of your own, has layers that cannot be
            exported.
        """
        from astromorph.model.onnx_export import export_onnx

        export_onnx(self.model, path, overwrite=overwrite)

    @property
    def questions(self):
        """What it answers where none are named, in the order of `predict` (tuple of Question)."""
        return self.model.find_questions()

    @property
    def all_questions(self):
        """What it answers if asked ``"all"`` (tuple of Question)."""
        return self.model.all_questions

    @property
    def survey(self):
        """Whose images the weights are for (`~astromorph.surveys.Survey`)."""
        return self.model.survey

    @property
    def frame_r90(self):
        """Width of the frame that the network sees, in Petrosian R90 of the galaxy (float)."""
        return self.model.frame_r90

    @property
    def card(self):
        """What the weights are and how they came about (dict, a copy)."""
        return self.model.card.to_json()

    def __repr__(self):
        return repr(self.model).replace("TrainedModel", type(self).__name__, 1)

    def __dask_tokenize__(self):
        """Give the same for classifiers that give the same answers."""
        return type(self).__name__, self.model.identity, self.model.precision

    def predict(self, data, **options):
        """Give probabilities of images that must all be good.

        Parameters
        ----------
        data, **options
            As for `classify`.

        Returns
        -------
        `~numpy.ndarray`, shape (n, columns)
            In the order of `questions`; one column for a yes/no question.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        `~astromorph.errors.ImageError`
            If an image is not to be had, or cannot be used.
        """
        return running.predict(self.model, open_source(self.model, data, **options))

    def prepare(self, data, **options):
        """Give what the network sees of images that must all be good.

        It is the input of a file that `export` wrote.

        Parameters
        ----------
        data, **options
            As for `classify`.

        Returns
        -------
        `~numpy.ndarray`, shape (n, y, x, 3), float32
            The frames: row 0 at the top, bands in the order red, green, blue, each divided by its
            own maximum.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        `~astromorph.errors.ImageError`
            If an image is not to be had, or cannot be used.
        """
        return running.prepare(self.model, open_source(self.model, data, **options))

    @keeps_result
    def classify(self, data, *, questions=None, images=None, cutout_r90=None, r90=None, width=None,
                 pixel_scale=None, survey=None, bands=None, ids=None, provenance=False,
                 uncertainty=None, joint=False, batch_size=128, precision=None, threads=None,
                 progress=None, checkpoint=None, **fetch):
        """Add probability columns to a table of positions or images, or make a table for a list.

        Parameters
        ----------
        data : `~astropy.table.Table`, `~astropy.coordinates.SkyCoord`, iterable or path
            A table (also of pandas) with positions (a SkyCoord column, or right ascension and
            declination in any usual spelling), a SkyCoord, a table with a column of images
            (usually file names), a folder of images, a pattern such as ``"cutouts/*.fits"``,
            or the images themselves: paths, bytes, HDULists, NDData, CCDData, Cutout2D, pictures
            of Pillow, dictionaries of one file per band, or arrays (y, x, 3). Images of positions
            are downloaded from the survey's services, see `~astromorph.cutouts.fetch_cutouts`.
        questions : str or sequence of str, optional
            Keys or columns of the questions to answer, or ``"all"``; by default `questions`. All
            are answered in one pass of the network.
        images : object, optional
            For a table, the column that holds the images, or one image that shows all galaxies.
            Cutouts are made at the positions of the table, where it has some and an image a WCS.
            Without ``images``, those of the positions are downloaded.
        cutout_r90 : float, array-like or str, optional
            Width of the cutouts in Petrosian R90 of their galaxies: a number, one per row, or the
            name of a column; `frame_r90` takes them as they are. By default according to ``r90``.
            For positions, the width to download.
        r90 : `~astropy.units.Quantity` or str, optional
            Petrosian R90 as an angle, one or one per row, or the name of a column with an angular
            unit; by default the column with one of the usual names, as ``petroR90_r`` or
            ``petro_th90``. Images need a celestial WCS for it, or ``pixel_scale``. Where that
            lacks, or there is no size, R90 is measured on the image (flag ``MEASURED_SIZE``), and
            where that cannot be trusted, the image is framed as given (``NO_SIZE``).
            ``"measure"`` measures R90 on every image.
        width : `~astropy.units.Quantity` or str, optional
            For positions, the width of the cutouts to make as an angle, one or one per row, or the
            name of a column; without ``r90``, also that of the frame to classify.
        pixel_scale : `~astropy.units.Quantity` or str, optional
            For images without a celestial WCS, the angle of a pixel, as ``0.262 * u.arcsec``, one
            or one per row, or the name of a column.
        survey : str or `~astromorph.surveys.Survey`, optional
            For positions, the survey whose images are downloaded, by default that of the weights.
            For images, the survey whose color mapping FITS fluxes go through, by default guessed
            from the bands.
        bands : str, optional
            Bands of FITS planes in their order, as ``"grz"``; by default from the headers.
        ids : str, optional
            For positions, the column of identifiers that a local folder of images goes by.
        provenance : bool
            For positions, add columns that say where each image came from:
            `~astromorph.cutouts.PROVENANCE`.
        uncertainty : str, optional
            Add columns ``P_disk_err`` and so on: the standard deviation of the calibrated
            probability over the eight rotations and reflections of the image (``"views"``,
            eight passes of the network), or with parts of the last layer's inputs dropped at
            random (``"dropout"``: Monte-Carlo dropout, two passes).
        joint : bool
            ``P_edge_on`` and ``P_bar`` hold for galaxies of which the question is asked. Add
            columns ``P_edge_on_joint`` and ``P_bar_joint``: the probabilities of a disk that is
            edge-on, and of a disk that is not edge-on and has a bar.
        batch_size : int
            Galaxies in one pass of the network.
        precision : str, optional
            ``"float32"``, or ``"bfloat16"``, faster on processors that have it. By default the one
            that `~astromorph.model.TrainedModel.in_precision` chooses.
        threads : int, optional
            Threads that download and read images; by default one per core for images, and twice
            the requests that are allowed at a time for positions.
        progress : bool, optional
            Show a progress bar; by default on a terminal and in a notebook. Elsewhere, unless it is
            False, a line goes to stderr every half minute or so.
        checkpoint : path, optional
            A folder that keeps what is done, 1,024 rows at a time. However the run ends, the same
            call goes on from there. See `~astromorph.running.checkpoint.Checkpoint`.
        **fetch
            For positions, ``ra`` and ``dec``, the names of their columns where they cannot be told,
            and the options of `~astromorph.cutouts.FetchOptions`: ``services``, ``cache``,
            ``offline`` and more.

        Returns
        -------
        `~astropy.table.Table`
            A copy with the same rows in the same order, the columns of the questions (``P_disk``,
            ``P_edge_on``, ``P_bar``; masked where an image is not to be had or used) and
            ``morph_flag`` (see `~astromorph.flags.MorphFlag`). Of a table that was classified
            before, the answers to other questions stay where they are of this classifier, and are
            left out where they are of another one.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or ``checkpoint`` belongs to another run. A bad
            image never raises.
        OSError
            If ``checkpoint`` is in use by another process, or cannot be written to.
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
        """Classify the galaxies of a survey's catalog that lie in a region of the sky.

        Parameters
        ----------
        region : `~regions.SkyRegion`
            A circle, ellipse, polygon or rectangle.
        survey : str or `~astromorph.surveys.Survey`, optional
            The survey whose catalog and images are used; by default that of the weights.
        max_rows, faint_limit
            See `~astromorph.query_galaxies`.
        **options
            Passed to `classify`.

        Returns
        -------
        `~astropy.table.Table`
            The catalog's galaxies, with the columns that `classify` adds. See
            `~astromorph.to_regions` to mark them on an image.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        `~astromorph.errors.FetchError`
            If the catalog's service does not answer.
        """
        from astromorph.galaxies.catalogs import query_galaxies

        survey = get_survey(survey or self.survey)
        galaxies = query_galaxies(region, survey, max_rows=max_rows, faint_limit=faint_limit)
        return self.classify(galaxies, survey=survey, **options)

    def classify_catalog(self, catalog, *, ra=None, dec=None, workers=None, **options):
        """Classify a HATS catalog of LSDB, partition by partition, on all workers of Dask.

        Nothing is computed before the result is: write it by its ``write_catalog``, or by
        `~astromorph.partitions.write_extension`. Needs the extra ``astromorph[lsdb]``.

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
            an image is not to be had or used.

        Raises
        ------
        ImportError
            If LSDB is not installed.
        TypeError, ValueError
            If an argument is not as described. A bad image never raises.
        """
        from astromorph.partitions import classify_catalog

        return classify_catalog(self, catalog, ra=ra, dec=dec, workers=workers, **options)

    @keeps_result
    def embed(self, data, *, views=8, batch_size=128, threads=None, progress=None,
              checkpoint=None, **options):
        """Describe the looks of galaxies by a few numbers, for `~astromorph.similar` and `odd`.

        Parameters
        ----------
        data : as for `classify`
            The galaxies.
        views : int
            What the network sees is averaged over so many rotations and reflections of the image,
            1, 2, 4 or 8, at the cost of as many passes.
        batch_size, threads, progress, checkpoint, **options
            As for `classify`.

        Returns
        -------
        `~astropy.table.Table`
            A copy with the same rows in the same order, a column ``features`` (16 numbers of 32
            bits, of unit length as a vector; NaN where an image is not to be had or used) and
            ``morph_flag``. The features of two tables can be compared where ``MORPHEMB`` in their
            ``meta`` is the same.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, the weights do not know the axes (`fit_embedding`),
            or ``checkpoint`` belongs to another run. A bad image never raises.
        OSError
            If ``checkpoint`` is in use by another process, or cannot be written to.

        See Also
        --------
        astromorph.similar : The galaxies that look most like one.
        astromorph.odd : The galaxies that look like few others.

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
        """Look at a classified table in a notebook: sort, filter, select, correct answers.

        Parameters
        ----------
        table : `~astropy.table.Table`
            What `classify` returned.
        **options
            See `~astromorph.labeling.look`, and those of `classify` that say which images.

        Returns
        -------
        `~astromorph.labeling.widget.GalleryWidget`
            Its ``selection`` is a table of the selected galaxies.

        Raises
        ------
        ImportError
            If anywidget is not installed.
        TypeError, ValueError
            If an argument is not as described.
        """
        from astromorph.labeling import look

        return look(table, self, **options)

    @keeps_result
    def fit_embedding(self, data, *, views=8, batch_size=128, threads=None, progress=None,
                      **options):
        """Return a new classifier whose `embed` compares galaxies along the axes of these.

        The axes are principal components of what the network sees. Bundled weights of the default
        network bring those of their training galaxies, which weights adapted from them keep.
        Probabilities stay as they are.

        Parameters
        ----------
        data : as for `classify`
            Galaxies of all kinds, without labels; at least 100, better thousands. What the network
            sees of every one is kept in memory.
        views, batch_size, threads, progress, **options
            As for `embed`.

        Returns
        -------
        MorphologyClassifier

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or fewer than 100 images can be used.
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

        They are uncertain, and differ from each other; see
        `~astromorph.learning.suggesting.suggest_rows`. What the network sees of every galaxy is
        kept in memory: 0.9 GB for a million.

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
        from astromorph.learning.suggesting import suggest

        check_options(options, self.suggest)
        return suggest(self.model, open_source(self.model, data, **options), n, seed=seed,
                       batch_size=batch_size, threads=threads, progress=progress)

    def label(self, data, output="labels.csv", *, questions=None, labeler=None, seed=0, learn=True,
              compare=(), overwrite=False, port=None, browser=True, **options):
        """Label galaxies, one key an answer, while a copy of this classifier learns from them.

        In a notebook a view of the galaxies is shown; elsewhere a page in the browser, until Ctrl-C
        ends it. Each answer is written to a journal, the file ``output`` with ``.journal`` added,
        before the page says so; the same call goes on from there. One galaxy in five is never
        trained on, and tells how good the classifier is. Needs the extra ``astromorph[label]``, in
        a notebook ``astromorph[notebook]``.

        Parameters
        ----------
        data : as for `classify`
            The galaxies.
        output : path
            The table of labels, in the format that its name says. It is written every few answers,
            and in the end.
        questions : sequence of `~astromorph.Question`, optional
            One question of your own; by default disk, edge-on and bar.
        labeler : str, optional
            Who labels, by default the name of the account. Each needs an ``output`` of their own.
        seed : int
            Same seed, same sealed share: two labelers then can be compared.
        learn : bool
            Train while you label, and show the galaxies first that teach most.
        compare : sequence of path
            Tables of other labelers of the same galaxies, to show how far you agree.
        overwrite : bool
            Replace an existing ``output`` that has no journal.
        port : int, optional
            Of the page, which only this machine can open; by default a free one.
        browser : bool
            Open the page in the browser.
        **options
            As for `classify`, and as the galaxies will be classified.

        Returns
        -------
        widget or `~astropy.table.Table`
            In a notebook the view, whose ``conversation`` should be closed in the end. Elsewhere
            the labels, which `adapt` takes; leave out those in the column ``sealed`` to test with.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or the journal is of other galaxies or questions.
        ImportError
            If the extra is not installed.
        OSError
            If the journal is in use by another process, or cannot be written.
        """
        check_options(options, self.label)
        from astromorph.labeling.opening import label

        return label(self, data, output, questions=questions, labeler=labeler, seed=seed,
                     learn=learn, compare=compare, overwrite=overwrite, port=port, browser=browser,
                     **options)

    @keeps_result
    def calibrate(self, data, labels=None, *, key=None, method="platt", survey=None,
                  batch_size=128, threads=None, progress=None, **options):
        """Return a new classifier whose probabilities are right for galaxies like these.

        The galaxies must not have trained the weights: a network is surer of those it has seen.
        The order of galaxies in probability, and the area under the ROC curve, stay as they are.

        With labels, ``"platt"`` (slope and intercept) or ``"temperature"`` (slope only) is fitted
        to what the network says before any calibration. Without labels, ``"prior"`` corrects for
        another fraction of positives, estimated from the probabilities themselves; see
        `~astromorph.model.calibration.estimate_base_rate`. Use it where galaxies look the same and
        only their mix differs. It is no remedy for another survey: deeper images make smooth
        galaxies look featured, which this takes for more disks; see `align`.

        Parameters
        ----------
        data : as for `classify`
            The galaxies.
        labels, key
            As for `adapt`; by default from the columns of the table. Not for ``"prior"``.
        method : str
            ``"platt"``, ``"temperature"`` or ``"prior"``.
        survey : str or `~astromorph.surveys.Survey`, optional
            Whose images they are, by default the survey of the weights.
        batch_size, threads, progress, **options
            As for `classify`.

        Returns
        -------
        MorphologyClassifier
            Its `calibration_report` tells what changed. Questions with too few galaxies keep
            their calibration, with a warning; another one names those whose error did not fall.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or no question can be calibrated.
        """
        from astromorph.learning.calibrating import calibrate

        check_options(options, self.calibrate)
        data = as_galaxies(data)
        if method in METHODS:  # those that take labels
            labels = read_labels(data, labels, self.questions, key=key)
        source = open_source(self.model, data, survey=survey, **options)
        return type(self)(calibrate(self.model, source, labels, method=method, survey=survey,
                                    batch_size=batch_size, threads=threads, progress=progress))

    @property
    def calibration_report(self):
        """What `calibrate` changed, a `~astropy.table.Table` of one row per question; else None.

        Its columns are those of `~astromorph.model.calibration.recalibrate`. Of questions that were
        taught to heads it has those that were calibrated, and no numbers: `evaluate` has them.
        """
        done = self.model.card.calibrated
        if not done:
            return None
        report = Table(done["report"], meta={"method": done["method"]})
        heads = [{"question": key, "calibrated": True} for key in done.get("heads", ())]
        return vstack([report, Table(heads)]) if heads else report

    @keeps_result
    def align(self, data, *, survey=None, blur=None, threads=None, progress=None, **options):
        """Return a new classifier for images of another survey, from images without labels.

        The brightness of the pixels of all images together is compared with that of the images the
        weights were trained on: deeper images show more of the faint parts. The new classifier
        corrects every image accordingly, then blurs it a little. See
        `~astromorph.model.alignment.Alignment`.

        Parameters
        ----------
        data : as for `classify`
            Galaxies as they will be classified, of all kinds; at least 30, better hundreds.
        survey : str or `~astromorph.surveys.Survey`, optional
            Whose images they are, by default the survey of the weights.
        blur : float, optional
            Standard deviation of the Gaussian blur as a fraction of the frame, by default
            `~astromorph.model.alignment.BLUR`; 0 for images that are no sharper.
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
        from astromorph.learning.aligning import align

        check_options(options, self.align)
        source = open_source(self.model, data, survey=survey, **options)
        return type(self)(align(self.model, source, survey=survey, blur=blur, threads=threads,
                                progress=progress))

    @keeps_result
    def adapt(self, data, labels=None, *, questions=None, key=None, survey=None, train=None,
              epochs=None, validation_fraction=0.2, folds=None, seed=0, align=True,
              learning_curve=(), threads=None, progress=None, **options):
        """Return a new classifier, taught by labeled galaxies, for the survey they come from.

        The new classifier is calibrated anew, on galaxies that its training did not see; what
        adapting brought is in its `report`, and a warning says if no question got better. Questions
        with fewer than 10 galaxies of either answer keep the old answers. Ctrl-C ends the training
        and keeps the best weights so far.

        Parameters
        ----------
        data : as for `classify`
            Galaxies framed as they will be classified. For positions, somewhat wider cutouts
            (``cutout_r90``) than needed leave fewer edges in images that are turned.
        labels : array-like, Table or `~astromorph.learning.labels.Labels`, optional
            An array (n, questions) of 1, 0 and NaN (unknown), of one question also a list of words;
            or a table of labels or votes, or what `~astromorph.make_labels` made of one. Tables are
            matched by the names of the galaxies, else by the order of the rows. By default, the
            columns of ``data``.
        questions : sequence of `~astromorph.Question`, optional
            Questions of one's own, of any kind, to teach; their labels are in columns named like
            their keys. By default those that the network answers.
        key : str, optional
            The column of names in ``data`` and ``labels``, by default one that both have and that
            has a usual name: ``file``, ``name``, ``id``, ``objid`` or similar.
        survey : str or `~astromorph.surveys.Survey`, optional
            Whose images they are, by default the survey of the weights.
        train : str, optional
            ``"all"`` layers; ``"dense"`` layers only, on the old features; or all layers from
            ``"scratch"``: experiments b, c and d of Dominguez Sanchez et al. (2019). Or a
            ``"head"`` for each of ``questions``, the default for these: a linear map of what the
            network sees. It takes seconds, and the old answers stay as they are.
        epochs : int, optional
            Passes over the galaxies; by default those of the network's recipe.
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
        from astromorph.learning.adapting import adapt

        check_options(options, self.adapt)
        questions = questions if questions is None else as_questions(questions)
        data = as_galaxies(data)
        return type(self)(adapt(
            self.model, open_source(self.model, data, survey=survey, **options),
            read_labels(data, labels, questions or self.model.questions, key=key),
            questions=questions, survey=survey, train=train, epochs=epochs,
            validation_fraction=validation_fraction, folds=folds, seed=seed, aligned=align,
            learning_curve=learning_curve, threads=threads, progress=progress))

    @keeps_result
    def suspects(self, data, labels=None, *, questions=None, key=None, share=0.08, seed=0,
                 batch_size=128, threads=None, progress=None, **options):
        """Find labels that may be wrong, to look at again; none is changed.

        A fifth of the labels after the other is compared with answers that the other four fifths
        taught: heads on what the network sees, which for its own questions begin with its own
        answers. Where weights have learned from these very labels, they know them: take weights
        that have not.

        Parameters
        ----------
        data, labels, questions, key
            As for `adapt`.
        share : float
            Largest part of the labels of each question to list, the most suspect ones.
        seed : int
            Same seed, same table.
        batch_size, threads, progress, **options
            As for `classify`.

        Returns
        -------
        `~astropy.table.Table`
            A row a suspect label, the most suspect first: ``row`` in ``data``, ``name`` of the
            galaxy, ``question``, ``label``; ``P``, how probable the answers make the label; and
            ``suspicion``, how much more probable they make another answer. For numbers ``P`` is how
            often a right label would be as far off, and ``suspicion`` is 1 - P of those that are
            more than two standard errors off. Labels that are not contradicted are not listed.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        """
        from astromorph.learning.suspects import suspects

        check_options(options, self.suspects)
        data, asked = as_galaxies(data), self.model.questions if questions is None else questions
        return suspects(self.model, open_source(self.model, data, **options),
                        read_labels(data, labels, asked, key=key), asked, share=share, seed=seed,
                        batch_size=batch_size, threads=threads, progress=progress)

    @property
    def report(self):
        """What adapting brought, an `~astromorph.learning.reports.AdaptationReport`; else None."""
        from astromorph.learning.reports import AdaptationReport

        return AdaptationReport.of(self.model.card)

    @keeps_result
    def evaluate(self, data, labels=None, *, questions=None, key=None, threshold=0.5,
                 intervals=True, **options):
        """Score the classifier on galaxies with known answers.

        Parameters
        ----------
        data : `~astropy.table.Table` or images
            As for `classify`; a table that already has the probability columns is not classified
            again. They must not be of another classifier, as far as the table says.
        labels
            As for `adapt`; by default from the columns of the table.
        questions
            As for `classify`.
        key
            As for `adapt`.
        threshold : float
            Probability from which the answer counts as positive.
        intervals : bool
            Add bootstrap intervals (68%).
        **options
            Passed to `classify`.

        Returns
        -------
        `~astropy.table.Table`
            One row per question; see `~astromorph.score_table`, and
            `~astromorph.scores.score_answers` for questions that are no yes/no questions.

        Raises
        ------
        ValueError
            If there are no labels, or not one row of them for each galaxy.
        """
        check_options(options, self.evaluate, self.classify)
        asked, data = self.model.find_questions(questions), as_galaxies(data)
        labels = read_labels(data, labels, asked, key=key)
        done = isinstance(data, Table) and {
            column for question in asked for column in question.columns} <= set(data.colnames)
        if done and self.model.has_made(data) is False:
            raise wrong("data", f"galaxies, or the answers of this classifier, {self!r}",
                        f"those of another one, model {data.meta['MORPHMDL']}",
                        "Evaluate with that one, or remove its columns: then they are classified.")
        table = data if done else self.classify(data, questions=questions, **options)
        return score_answers(labels, running.probabilities(table, asked), asked,
                             threshold=threshold, intervals=intervals)
