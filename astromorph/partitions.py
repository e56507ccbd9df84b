"""Classify HATS catalogs, partition by partition, with LSDB and Dask."""
import copy
import os
from collections import deque
from pathlib import Path
from threading import Lock

import numpy as np
from astropy.table import Column, Table

from astromorph.arguments import check_count
from astromorph.distribution import missing
from astromorph.errors import ArgumentTypeError, wrong
from astromorph.galaxies.frames import MEASURE
from astromorph.running.results import clear_answers
from astromorph.tables.positions import has_positions, position_columns, size_column

__all__ = ["KEEP_MEMORY", "classify_catalog", "classify_partition", "write_extension"]

KEEP_MEMORY = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**27}
"""Configuration of Dask that makes new workers reuse the memory of images (`dict`).

By default workers return memory to the system at once, which costs time for every image.
"""

# Arguments that may name a column.
_COLUMNS = ("images", "ids", "r90", "width", "cutout_r90", "pixel_scale")
_KEPT = 3
_models = deque(maxlen=_KEPT)  # the last models of this process, so that their networks stay built
# A process classifies one partition at a time: each partition uses several threads, and the limit
# of requests to an image service holds per process.
_turn = Lock()


def classify_partition(partition, classifier, *, ra=None, dec=None, units=None, threads=None,
                       progress=False, **options):
    """Classify the galaxies of one partition; a function for LSDB's ``Catalog.map_partitions``.

    Use it where `classify_catalog` does not fit. The catalog must have no margin cache; otherwise
    astromorph downloads the images of the margin twice. A process classifies one partition at a
    time, with the threads that Dask gave its worker.

    Parameters
    ----------
    partition : `~pandas.DataFrame`
        The galaxies. An empty partition uses neither the network nor an image service.
    classifier : `~astromorph.classifier.MorphologyClassifier`
        The classifier. A process builds its network once.
    ra, dec : str, optional
        Columns of the positions (ICRS). By default astromorph finds them by their names.
    units : dict of str to str or `~astropy.units.Unit`, optional
        Units of columns, such as ``{"radius": "arcmin"}``, because columns of pandas have none.
        By default positions are in degrees.
    threads : int, optional
        Threads that download and read images. By default, for images that you hold, the threads
        of the worker.
    progress : bool
        Show a progress bar for this partition.
    **options
        Options of `~astromorph.classifier.MorphologyClassifier.classify`. Give columns by their
        names. The column of ``images`` may hold paths, bytes of image files, or nested lists.

    Returns
    -------
    `~pandas.DataFrame`
        The same rows and columns, and the new columns of ``classify`` in types of Arrow.
        Probabilities are null where there are none. Other answers of an earlier classification are
        left out.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value. A bad image never raises.

    See Also
    --------
    classify_catalog : Classify a whole catalog.

    Examples
    --------
    >>> from astromorph import MorphologyClassifier
    >>> from astromorph.datasets import load_sample
    >>> from astromorph.partitions import classify_partition
    >>> clf = MorphologyClassifier.from_pretrained("sdss")
    >>> partition = load_sample()[:2].to_pandas()
    >>> done = classify_partition(partition, clf, images="file", r90="petroR90",
    ...                           units={"petroR90": "arcsec"})
    >>> list(done.columns)
    ['name', 'petroR90', 'file', 'P_disk', 'P_edge_on', 'P_bar', 'morph_flag']
    """
    table = _table(partition, ra, dec, units or {}, options)
    with _turn:
        if len(partition):
            cores = _own_cores()
            if classifier.model not in _models:  # unpickling gives one object for equal models
                _models.append(classifier.model)
            if options.get("images") is not None:
                threads = threads or cores
        done = classifier.classify(table, threads=threads, progress=bool(progress), **options)
    kept = _up_to_date(partition.columns, classifier.model, options.get("questions"))
    result = partition[kept].copy(deep=False)
    for name in done.colnames[len(table.colnames):]:
        result[name] = _as_arrow(done[name])
    return result


def classify_catalog(classifier, catalog, *, ra=None, dec=None, workers=None, **options):
    """Plan the classification of a HATS catalog, which runs when you compute or write the result.

    Parameters
    ----------
    classifier : `~astromorph.classifier.MorphologyClassifier`
        The classifier.
    catalog, ra, dec, workers, **options
        See `~astromorph.classifier.MorphologyClassifier.classify_catalog`.

    Returns
    -------
    `lsdb.catalog.Catalog`
        The catalog with the new columns of ``classify``.

    Raises
    ------
    ImportError, TypeError, ValueError
        See `~astromorph.classifier.MorphologyClassifier.classify_catalog`.

    See Also
    --------
    write_extension : Write only the new columns, beside the catalog.

    Examples
    --------
    >>> import lsdb  # doctest: +SKIP
    >>> from astromorph import MorphologyClassifier
    >>> from astromorph.partitions import classify_catalog
    >>> clf = MorphologyClassifier.from_pretrained("legacy")
    >>> catalog = lsdb.open_catalog("survey_hats")  # doctest: +SKIP
    >>> result = classify_catalog(clf, catalog, units={"petroR90_r": "arcsec"})  # doctest: +SKIP
    >>> result.write_catalog("morphology_hats")  # doctest: +SKIP
    """
    _check_catalog(catalog, "catalog")
    if options.pop("checkpoint", None) is not None:
        raise wrong("checkpoint", "none for a catalog", "some",
                    "write_catalog(..., resume=True) continues after an interruption.")
    info = catalog.hc_structure.catalog_info
    options |= {"ra": ra or info.ra_column, "dec": dec or info.dec_column}
    if options.get("images") is None:
        options["per_host"] = _share(workers, **options)
    if catalog.margin is not None:
        catalog = copy.copy(catalog)
        catalog.margin = None
    result = catalog.map_partitions(classify_partition, classifier, **options)
    result.hc_structure.catalog_info = result.hc_structure.catalog_info.copy_and_update(
        **{key.lower(): value for key, value in classifier.model.provenance.items()})
    return result


def write_extension(result, folder, *, on, name="morphology", **options):
    """Write the new columns of `classify_catalog` as a HATS extension of the original catalog.

    Anyone who has the catalog can then join the columns: ``catalog.load_extension(path)``.

    Parameters
    ----------
    result : `lsdb.catalog.Catalog`
        The result of `classify_catalog`, for a catalog that was read from disk or the network.
    folder : path
        Where to write: the subfolder ``name`` gets the columns, and the file ``name.properties``
        describes the extension. If the folder is the catalog's own HATS collection, the collection
        also lists the extension, and ``load_extension(name)`` finds it.
    on : str
        Column that identifies a galaxy. Its values must be unique within a partition.
    name : str
        Name of the extension.
    **options
        Options of ``Catalog.write_catalog``, such as ``resume=True`` to continue after an
        interruption.

    Returns
    -------
    `~pathlib.Path`
        The file ``name.properties``, the path for ``load_extension``.

    Raises
    ------
    ImportError
        If LSDB is not installed.
    TypeError, ValueError
        If an argument has the wrong type or value, or the result has no new columns.

    Examples
    --------
    >>> import lsdb  # doctest: +SKIP
    >>> from astromorph import MorphologyClassifier
    >>> from astromorph.partitions import write_extension
    >>> clf = MorphologyClassifier.from_pretrained("legacy")
    >>> catalog = lsdb.open_catalog("survey_hats")  # doctest: +SKIP
    >>> result = clf.classify_catalog(catalog, units={"petroR90_r": "arcsec"})  # doctest: +SKIP
    >>> path = write_extension(result, "extensions", on="objid")  # doctest: +SKIP
    >>> catalog.load_extension(path)  # doctest: +SKIP
    """
    _check_catalog(result, "result")
    from hats.catalog import ExtensionProperties

    folder = Path(folder)
    primary, known = _primary(result)
    info = result.hc_structure.catalog_info
    added = [column for column in result.columns if column not in known]
    if not added or on not in known or on not in result.columns:
        raise wrong("on, result", f"a catalog with new columns and {on!r}",
                    f"the columns {list(result.columns)}; {primary} has {known}")
    shared = dict.fromkeys((on, info.ra_column, info.dec_column))
    rows = result[[*shared, *added]].map_partitions(_unique, on)
    rows.write_catalog(folder / name, catalog_name=name, as_collection=False, **options)
    own = (folder / "collection.properties").is_file() and str(folder.resolve()) == primary
    ExtensionProperties(
        name=name, primary_catalog=folder.resolve().name if own else primary, primary_column=on,
        join_catalog=name, join_column=on, extension_columns=added, extension_join_style="left",
        shares_primary_coordinates=True).to_properties_file(folder)
    if own:
        _list_extension(folder, name)
    return folder / f"{name}.properties"


def _check_catalog(catalog, argument):
    try:
        from lsdb.catalog import Catalog
    except ImportError as error:
        raise missing("A HATS catalog", "LSDB", "lsdb") from error
    if not isinstance(catalog, Catalog):
        raise wrong(argument, "a catalog of LSDB, as lsdb.open_catalog gives",
                    type(catalog).__name__, error=ArgumentTypeError)


def _share(workers, *, per_host=None, services=None, offline=False, **others):
    """Simultaneous requests per worker process, so that all together keep the limit."""
    from astromorph.cutouts import PER_HOST
    from astromorph.services.base import is_local

    per_host = PER_HOST if per_host is None else per_host
    workers = _count_workers() if workers is None else workers
    check_count(per_host, "per_host")
    check_count(workers, "workers")
    services = services if isinstance(services, (list, tuple)) else [services]
    if offline or all(map(is_local, services)):
        return per_host
    if workers > per_host:
        raise wrong("per_host, workers", "at least one request at a time per worker process",
                    f"{per_host} requests and {workers} workers",
                    "Use fewer workers, or images that you already have (services, images).")
    return per_host // workers


def _count_workers():
    """Number of worker processes that Dask would use now."""
    import dask
    from distributed import get_client

    try:
        return max(len(get_client().nthreads()), 1)
    except ValueError:  # no cluster
        processes = dask.config.get("scheduler", None) in ("processes", "multiprocessing")
        return dask.config.get("num_workers", os.cpu_count()) if processes else 1


def _up_to_date(names, model, questions):
    """Columns without old answers, because a partition does not tell which model gave them."""
    table = Table({name: [] for name in names})
    clear_answers(table, model, model.find_questions(questions))
    return table.colnames


def _own_cores():
    """Number of threads of this Dask worker; None outside a worker.

    It also sets the variables that limit TensorFlow's threads, which TensorFlow reads at its start.
    """
    try:
        from distributed import get_worker

        cores = get_worker().state.nthreads
    except (ImportError, ValueError):
        return None
    for kind in ("INTRAOP", "INTEROP"):
        os.environ.setdefault(f"TF_NUM_{kind}_THREADS", str(cores))
    return cores


def _table(partition, ra, dec, units, options):
    """The columns that the options name, and the positions as ``ra`` and ``dec``."""
    names = {options.get(argument): argument for argument in _COLUMNS
             if isinstance(options.get(argument), str) and options[argument] != MEASURE}
    columns = {name: _column(partition, name, argument) for name, argument in names.items()}
    empty = Table({name: [] for name in partition.columns})
    sizes = size_column(empty) if options.get("r90") is None else None
    if sizes:
        columns[sizes] = _column(partition, sizes, "r90")
    if options.get("images") is None or ra or dec or has_positions(empty):
        if ra is None or dec is None:
            ra, dec = position_columns(empty)
        units = {"ra": units.get(ra), "dec": units.get(dec)} | units
        columns |= {"ra": _column(partition, ra, "ra"), "dec": _column(partition, dec, "dec")}
    for name, unit in units.items():
        if name in columns:
            columns[name].unit = unit
    return Table(columns, copy=False)


def _column(partition, name, argument):
    """A column of Astropy: numbers, or objects with an empty string for a missing value."""
    if name not in partition.columns:
        raise wrong(argument, f"one of the catalog's columns, {list(partition.columns)}",
                    repr(name))
    series = partition[name]
    if argument not in ("images", "ids") and series.dtype.kind in "iuf":
        return Column(series.to_numpy(float, na_value=np.nan))
    column = Column(np.empty(len(series), object))
    column[:] = [_plain(value) for value in series]
    return column


def _plain(value):
    """A value of a column; nested lists are images and become arrays."""
    if isinstance(value, (list, np.ndarray)):
        return np.array(value)
    import pandas as pd

    return "" if pd.isna(value) else value


def _as_arrow(column):
    """Convert a column for pandas; masked values and NaN become null."""
    import pandas as pd
    import pyarrow as pa

    return pd.arrays.ArrowExtensionArray(pa.array(
        np.ma.getdata(column), mask=np.ma.getmaskarray(column), from_pandas=True))


def _unique(partition, on):
    """The partition, if its identifiers are unique and complete, so that one can join on them."""
    if not partition[on].is_unique or partition[on].isna().any():
        raise wrong("on", "a column that identifies each galaxy",
                    f"{on!r}, which has missing or repeated values in a partition")
    return partition


def _primary(result):
    """Path of the original catalog, or of its collection, and the names of its columns."""
    import hats

    path = result.hc_structure.catalog_path
    if path is None:
        raise wrong("result", "the result of a catalog that was read from disk or the network",
                    "one made in memory", "Write the catalog and open it first.")
    known = hats.read_hats(path).schema.names
    primary = str(path if result.hc_collection is None else result.hc_collection.collection_path)
    return (primary if "://" in primary else str(Path(primary).resolve())), known


def _list_extension(folder, name):
    """Add an extension to the properties of its collection."""
    from hats.catalog import CollectionProperties

    properties = CollectionProperties.read_from_dir(folder)
    listed = (properties.all_extensions or {}) | {name: f"{name}.properties"}
    properties.model_copy(update={"all_extensions": listed}).to_properties_file(folder)
