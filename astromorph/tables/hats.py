"""Read and write HATS catalogs, which are folders of Parquet files by position, with LSDB."""
from pathlib import Path

import numpy as np
from astropy.table import Column

from astromorph.distribution import missing
from astromorph.errors import warn, wrong
from astromorph.tables.arrow import from_arrow, to_arrow
from astromorph.tables.columns import plain
from astromorph.tables.positions import find_positions
from astromorph.tables.provenance import PROVENANCE, scalars

__all__ = ["MAX_ROWS", "check_places", "describe_hats", "is_hats", "open_hats", "read_columns",
           "read_hats", "write_hats"]

MAX_ROWS = 3_000_000
"""Largest number of rows of a HATS catalog that `read_hats` reads into memory (int)."""
_MARKS = ("collection.properties", "hats.properties", "properties")


def is_hats(path):
    """Tell whether a path is the folder of a HATS catalog."""
    return any((Path(path) / name).is_file() for name in _MARKS)


def open_hats(path):
    """Open a HATS catalog without its margin; LSDB reads the rows only when they are needed.

    Returns
    -------
    `lsdb.catalog.Catalog`
    """
    return _lsdb().open_catalog(path)


def read_hats(path):
    """Read a HATS catalog into memory; it may have at most `MAX_ROWS` rows."""
    import pyarrow as pa

    catalog = open_hats(path)
    rows = len(catalog)
    if rows > MAX_ROWS:
        raise ValueError(f"it has {rows} rows, more than the {MAX_ROWS} that fit into memory; "
                         "open it with lsdb, and use MorphologyClassifier.classify_catalog")
    frame = catalog.compute(progress_bar=False)
    data = pa.Table.from_pandas(frame, preserve_index=False)
    table = from_arrow(data.replace_schema_metadata(_metadata(catalog)))
    properties = catalog.hc_structure.catalog_info.model_extra or {}
    table.meta |= {key: properties[key.lower()] for key in PROVENANCE if key.lower() in properties}
    return table


def read_columns(catalog):
    """Make a table without rows, with the columns of a catalog of LSDB and their descriptions."""
    data = catalog.hc_structure.schema.empty_table().select(list(catalog.columns))
    return from_arrow(data.replace_schema_metadata(_metadata(catalog)))


def write_hats(table, path, *, name=None):
    """Write a HATS catalog, by default named as its folder; the table must have positions.

    The file ``dataset/_common_metadata`` holds units, UCDs and descriptions, by the VOParquet
    convention. The file ``hats.properties`` holds the provenance.
    """
    import pandas as pd

    lsdb, name = _lsdb(), name or Path(path).name
    table, ra, dec = _placed(plain(table))
    catalog = lsdb.from_dataframe(
        to_arrow(table).to_pandas(types_mapper=pd.ArrowDtype), ra_column=ra, dec_column=dec,
        catalog_name=name, margin_threshold=None)
    catalog.write_catalog(
        path, catalog_name=name, as_collection=False, progress_bar=False,
        addl_hats_properties={key.lower(): str(value) for key, value, _ in scalars(table.meta)})
    describe_hats(path, table)


def check_places(table):
    """Return the positions of a table, ra and dec; raise unless a HATS catalog can hold them."""
    try:
        position = find_positions(plain(table))
    except ValueError as error:
        raise wrong("table", "positions in columns with usual names, for a HATS catalog",
                    f"a table without ({error})",
                    "Rename the columns to ra and dec, or choose another format.") from None
    if not np.isfinite(position[0]).any():
        raise wrong("table", "rows with a position, for a HATS catalog", "no such row")
    return position


def describe_hats(path, table):
    """Add the units, UCDs and descriptions of a table's columns to a HATS catalog of them."""
    from hats.io.parquet_metadata import write_voparquet_in_common_metadata

    columns = {column.name: column for column in plain(table).itercols()}
    write_voparquet_in_common_metadata(
        path, field_units={key: str(column.unit) for key, column in columns.items() if column.unit},
        field_ucds={key: column.meta["ucd"] for key, column in columns.items()
                    if column.meta.get("ucd")},
        field_descriptions={key: column.description for key, column in columns.items()
                            if column.description})


def _placed(table):
    """The rows with a position, and the names of the columns with ra and dec in degrees (ICRS)."""
    names, position = [], check_places(table)
    good = np.isfinite(position[0])
    if not good.all():
        warn(f"{np.sum(~good)} of {len(table)} rows have no position. They are left out, because a "
             "HATS catalog needs positions; use another format to keep them.")
    table, position = table[good], [angles[good] for angles in position]
    for key, angles in zip(("ra", "dec"), position):
        same = (name for name in table.colnames if table[name].dtype.kind == "f"
                and np.array_equal(table[name], angles))
        name = next(same, None)
        if name is None:
            name = key if key not in table.colnames else f"{key}_icrs"
            table[name] = Column(angles, unit="deg", meta={"ucd": f"pos.eq.{key}"},
                                 description="Position in the HATS catalog (ICRS)")
        names.append(name)
    return table, *names


def _metadata(catalog):
    """The metadata in the schema of a catalog, which describes its columns."""
    from pyarrow import parquet

    path = Path(str(catalog.hc_structure.catalog_base_dir)) / "dataset" / "_common_metadata"
    return (parquet.read_schema(path).metadata or {}) if path.is_file() else {}


def _lsdb():
    try:
        import lsdb
    except ImportError as error:
        raise missing("A HATS catalog", "LSDB", "lsdb") from error
    return lsdb
