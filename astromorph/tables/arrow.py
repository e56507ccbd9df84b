"""Convert tables to and from Arrow, the format inside Parquet files and HATS catalogs."""
import io

import numpy as np
from astropy.table import Column, MaskedColumn, Table
from astropy.table.meta import get_header_from_yaml, get_yaml_from_table

from astromorph.tables.columns import check_cells, plain
from astromorph.tables.votables import as_votable, describe_columns

__all__ = ["from_arrow", "read_parquet", "to_arrow", "write_parquet"]

_YAML = b"table_meta_yaml"  # read by astropy
_VOTABLE = b"IVOA.VOTable-Parquet."  # read by TOPCAT


def to_arrow(table):
    """Convert a table to a `pyarrow.Table`; masked values become null.

    Its schema holds units, descriptions, UCDs and provenance in two forms: that of astropy, and the
    VOParquet convention of the Virtual Observatory.
    """
    import pyarrow as pa

    table = plain(table, objects=True)
    for column in table.itercols():
        check_cells(column, "Parquet", kinds="biufSUO", arrays="biuf", most=2, control="\0")
    described = [name for name in table.colnames if table[name].dtype.kind != "O"]
    metadata = {_YAML: "\n".join(get_yaml_from_table(table[described])).encode(),
                _VOTABLE + b"version": b"1.0",
                _VOTABLE + b"content": _votable_header(table[described])}
    for column in table.itercols():
        if column.dtype.kind == "U":  # astropy needs the length of text
            metadata[f"table::len::{column.name}".encode()] = str(
                column.dtype.itemsize // 4).encode()
    return pa.table({column.name: _to_array(column) for column in table.itercols()},
                    metadata=metadata)


def from_arrow(data):
    """Convert a `pyarrow.Table` to a table, with the metadata of its schema; null is masked."""
    table = Table({name: _from_array(data[name]) for name in data.column_names})
    metadata = data.schema.metadata or {}
    if _YAML in metadata:
        _apply_yaml(table, metadata[_YAML].decode())
    elif (content := metadata.get(_VOTABLE + b"content")) is not None:
        describe_columns(table, content)
    return table


def write_parquet(table, path):
    """Write a Parquet file."""
    from pyarrow import parquet

    parquet.write_table(to_arrow(table), path)


def read_parquet(path):
    """Read a Parquet file."""
    from pyarrow import parquet

    data = parquet.ParquetFile(path).read()
    # astropy writes masks and mixins as extra columns, which only astropy can put together again.
    if b"__serialized_columns__" in (data.schema.metadata or {}).get(_YAML, b""):
        return Table.read(path, format="parquet")
    return from_arrow(data)


def _to_array(column):
    import pyarrow as pa

    if column.dtype.kind == "O":
        return pa.array([None if value is None or np.ma.is_masked(value) else value
                         for value in column])
    mask = np.ma.getmaskarray(column)
    values = np.asarray(column)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.ndim == 1:
        return pa.array(values, mask=mask if mask.any() else None)
    size = int(np.prod(values.shape[1:]))
    flat = pa.array(values.ravel(), mask=mask.ravel() if mask.any() else None)
    return pa.FixedSizeListArray.from_arrays(flat, size)


def _from_array(array):
    """Convert a chunked array of Arrow to a column."""
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    mask = np.asarray(array.is_null())
    if pa.types.is_fixed_size_list(array.type) and not mask.any():
        array = array.combine_chunks()
        inner = _from_array(pa.chunked_array([array.flatten()]))
        return inner.reshape(len(array), array.type.list_size)
    if mask.any() and _is_number(array.type):
        array = array.fill_null(False if pa.types.is_boolean(array.type) else 0)
    if _is_bytes(array.type):
        values = np.empty(len(array), object)
        values[:] = array.to_pylist()
        return MaskedColumn(values, mask=mask) if mask.any() else Column(values)
    values = array.to_numpy()
    if values.dtype.kind == "O" and not pa.types.is_nested(array.type):
        values = np.array(["" if value is None else value for value in values], str)
    return MaskedColumn(values, mask=mask) if mask.any() else Column(values)


def _is_bytes(kind):
    from pyarrow import types

    return (types.is_binary(kind) or types.is_large_binary(kind)
            or types.is_fixed_size_binary(kind))


def _is_number(kind):
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _apply_yaml(table, text):
    header = get_header_from_yaml(text.split("\n"))
    table.meta.update(header.get("meta") or {})
    for about in header["datatype"]:
        if about["name"] in table.colnames:
            for attribute in ("unit", "description", "format", "meta"):
                if attribute in about:
                    setattr(table[about["name"]], attribute, about[attribute])


def _votable_header(table):
    """The text of a VOTable without rows, which describes the columns."""
    text = io.BytesIO()
    as_votable(table[:0]).to_xml(text)
    return text.getvalue()
