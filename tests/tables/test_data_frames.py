"""Tables of other packages keep every digit and every missing value."""
import numpy as np
import pytest
from astropy.table import Table

from astromorph.tables.data_frames import as_table

ID = 1237648720693755919  # a float of 64 bits does not hold it
COLUMNS = {"objid": [ID, None, 3], "ra": [1.5, None, 2.5], "name": ["a", None, "b"],
           "good": [True, None, False]}


class Polars:
    """What a data frame of polars offers."""

    schema = {}

    def __init__(self, table):
        self._table = table

    def to_pandas(self):
        raise AssertionError("its integers would lose digits")

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def frames():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    table = pyarrow.table(COLUMNS)
    kinds = {"objid": "Int64", "name": "string", "good": "boolean"}
    return [table, table.to_batches()[0], Polars(table), pandas.DataFrame(COLUMNS | {
                name: pandas.array(COLUMNS[name], dtype=kind) for name, kind in kinds.items()}),
            table.to_pandas(types_mapper=pandas.ArrowDtype)]


@pytest.mark.parametrize("number", range(5))
def test_missing_values_cost_no_digits(number):
    table = as_table(frames()[number])
    assert table["objid"].tolist() == [ID, None, 3] and table["objid"].dtype == np.int64
    for name in ("name", "good"):
        assert table[name].tolist() == COLUMNS[name]
    assert np.ma.filled(table["ra"], np.nan)[[0, 2]].tolist() == [1.5, 2.5]


def test_a_named_index_is_a_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"tile": ["a", "b"], "objid": [5, 6], "f": [1, 2]})
    assert as_table(frame.set_index("objid")).colnames == ["objid", "tile", "f"]
    assert as_table(frame.set_index(["tile", "objid"])).colnames == ["tile", "objid", "f"]
    assert as_table(frame.set_index("objid", drop=False)).colnames == ["tile", "objid", "f"]
    assert as_table(frame).colnames == ["tile", "objid", "f"]


def test_names_of_columns():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    assert as_table(pandas.DataFrame([[1, 2]])).colnames == ["0", "1"]
    frame = pandas.DataFrame([[1, 2, 3]], columns=["ra", "dec", "ra"])
    arrow = pyarrow.Table.from_arrays([pyarrow.array([1])] * 3, names=["ra", "dec", "ra"])
    for twice in (frame, arrow):
        with pytest.raises(ValueError, match="several columns 'ra'. Rename or drop all but one"):
            as_table(twice)


def test_arrays_with_names_are_tables():
    array = np.array([(1.5, "a")], dtype=[("ra", float), ("name", "U3")])
    for each in (array, array.view(np.recarray)):
        assert as_table(each).colnames == ["ra", "name"] and as_table(each)["name"][0] == "a"
    table = Table(array)
    assert as_table(table) is table
    assert all(as_table(other) is None for other in (np.ones(3), [1], "t.csv", {"ra": [1]}, None))
