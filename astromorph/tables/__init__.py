"""Read and write tables, with the units, descriptions and UCDs of a published catalog."""
from astromorph.tables.files import (FORMATS, Format, check_columns, check_destination, read_table,
                                     table_format, write_table)
from astromorph.tables.provenance import PROVENANCE

__all__ = ["FORMATS", "PROVENANCE", "Format", "check_columns", "check_destination", "read_table",
           "table_format", "write_table"]
