"""Read the parts of a checkpoint, which are Parquet files, and check them."""
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from astromorph.atomic import is_plain_file
from astromorph.flags import MorphFlag

__all__ = ["are_without_answers", "read_part"]

LARGEST_PART = 2 ** 26
"""Largest part that is read, in bytes, packed and unpacked (int)."""


def read_part(path, schema, start, stop, probabilities):
    """Read a part and check it.

    Parameters
    ----------
    path : path
        The file.
    schema : `pyarrow.Schema`
        Its expected columns.
    start, stop : int
        Its expected first row, and the row after its last.
    probabilities : list of str
        Columns with values in 0..1 only.

    Returns
    -------
    `pyarrow.Table` or None
        None if the part is missing, damaged or of another run.
    """
    try:
        with _opened(path) as file:
            about = file.metadata
            size = sum(about.row_group(n).total_byte_size for n in range(about.num_row_groups))
            expected = (about.num_rows == stop - start and size <= LARGEST_PART
                        and file.schema_arrow.equals(schema, check_metadata=True))
            part = file.read() if expected else None
    except (OSError, ValueError, pa.ArrowException):
        return None
    return part if part is not None and _is_sound(part, start, stop, probabilities) else None


def are_without_answers(paths, answers):
    """Tell whether no row of some parts has an answer, for example because all images were missing.

    Parameters
    ----------
    paths : iterable of path
        Files of the parts.
    answers : list of str
        Columns of the answers.

    Returns
    -------
    bool
        False also if a part cannot be read.
    """
    try:
        for path in paths:
            with _opened(path) as file:
                columns = file.read(columns=answers)
            if not all(np.isnan(column.to_numpy()).all() for column in columns):
                return False
    except (OSError, ValueError, TypeError, pa.ArrowException):
        return False
    return True


def _opened(path):
    if not is_plain_file(path, LARGEST_PART):
        raise OSError(f"{path} is not a part")
    return pq.ParquetFile(path, page_checksum_verification=True)


def _is_sound(part, start, stop, probabilities):
    """Whether a part holds these rows, with possible values only."""
    answers = [part[name].to_numpy() for name in probabilities]
    return (all(not column.null_count for column in part)
            and np.array_equal(part["row"].to_numpy(), np.arange(start, stop))
            and all(not np.any((values < 0) | (values > 1)) for values in answers)
            and not np.any(part["morph_flag"].to_numpy() & ~np.int32(sum(MorphFlag))))
