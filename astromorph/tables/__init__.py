"""Tables from and to files, with all that a published catalog needs."""
from astromorph.tables.files import (FORMATS, Format, check_columns, check_destination, read_table,
                                     table_format, write_table)
from astromorph.tables.provenance import PROVENANCE

__all__ = ["FORMATS", "PROVENANCE", "Format", "check_columns", "check_destination", "read_table",
           "table_format", "write_table"]
