"""Convert the tables of other packages: pandas, pyarrow, polars and NumPy."""
import numpy as np
from astropy.io.fits import FITS_rec
from astropy.table import Table

from astromorph.errors import wrong
from astromorph.tables.arrow import from_arrow

__all__ = ["as_table"]


def as_table(data):
    """Convert a table of another package.

    Parameters
    ----------
    data : object
        A data frame of pandas or polars, a table or record batch of pyarrow, or a structured array
        of NumPy; an astropy table stays as it is. Integers keep every digit, also beside missing
        values. A named index becomes a column.

    Returns
    -------
    `~astropy.table.Table` or None
        None if the object is no such table.

    Raises
    ------
    ArgumentError
        If two columns have the same name.

    Examples
    --------
    >>> import numpy as np
    >>> from astromorph.tables.data_frames import as_table
    >>> as_table(np.zeros(3, dtype=[("ra", float), ("dec", float)])).colnames
    ['ra', 'dec']
    """
    if isinstance(data, Table):
        return data
    if hasattr(data, "to_pandas") and hasattr(data, "schema"):  # pyarrow, polars
        return _from_arrow(data)
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        return _from_pandas(data)
    if isinstance(data, np.ndarray) and data.dtype.names and not isinstance(data, FITS_rec):
        return Table(data)
    return None


def _from_arrow(data):
    import pyarrow as pa

    data = pa.table(data)
    _check_names(data.column_names)
    return from_arrow(data)


def _from_pandas(frame):
    others = [level for level, name in enumerate(frame.index.names)
              if name is None or name in frame.columns]
    if len(others) < frame.index.nlevels:
        frame = frame.reset_index([level for level in range(frame.index.nlevels)
                                   if level not in others])
    names = [str(name) for name in frame.columns]
    _check_names(names)
    return Table.from_pandas(frame.set_axis(names, axis="columns"))


def _check_names(names):
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise wrong("data", "columns with different names", f"several columns {twice[0]!r}",
                    "Rename or drop all but one.")
