"""A table goes to another program by a hub, and rows come back."""
import contextlib
import threading
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from pyvo.samp import SAMPHubServer, SAMPIntegratedClient, SAMPProxyError, conf

from astromorph import AstromorphWarning
from astromorph.interop import SampLink, send
from astromorph.tables import read_table

WAIT = 60


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Where hubs tell of themselves: not that of the user, who may have one running."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SAMP_HUB", raising=False)
    with conf.set_temp("use_internet", False):
        yield tmp_path


@pytest.fixture
def hub(home):
    hub = SAMPHubServer(web_profile=False, addr="127.0.0.1")
    hub.start()
    yield hub
    hub.stop()


class Program:
    """Stands in for TOPCAT: it loads what it is sent, and notes what it is told of rows."""

    def __init__(self, hub, name="topcat", mtypes=("table.load.votable", "table.highlight.row",
                                                   "table.select.rowList")):
        self.client = SAMPIntegratedClient(name=name, addr="127.0.0.1")
        self.client.connect(hub=hub)
        self.told, self.came, self.table = [], threading.Event(), None
        for mtype in mtypes:
            self.client.bind_receive_notification(mtype, self.receive)

    def receive(self, key, sender, message, mtype, parameters, extra):
        if mtype == "table.load.votable":
            self.table = read_table(Path(url2pathname(urlsplit(parameters["url"]).path)))
        self.told.append((mtype, parameters))
        self.came.set()

    def ask(self, **parameters):
        """Highlight a row by a call, which is answered; the hub loses an answer now and then."""
        for _attempt in range(3):
            with contextlib.suppress(SAMPProxyError):
                other, = self.client.get_subscribed_clients("table.highlight.row")
                return self.client.ecall_and_wait(other, "table.highlight.row", "10", **parameters)
        raise AssertionError("no answer came")

    def wait(self):
        assert self.came.wait(WAIT)
        self.came.clear()
        return self.told[-1]


@pytest.fixture
def program(hub):
    program = Program(hub)
    yield program
    program.client.disconnect()


@pytest.fixture
def table():
    return Table({"name": ["a", "b", "c"], "ra": [1.0, 2.0, 3.0], "dec": [0.0, 1.0, 2.0],
                  "P_disk": MaskedColumn(np.array([0.1, 0.9, 0], np.float32), mask=[0, 0, 1])})


def test_the_table_arrives_and_rows_come_back(program, table):
    rows, lists, came = [], [], threading.Event()

    def on_select(selected):
        lists.append(selected)
        came.set()

    with send(table, on_highlight=rows.append, on_select=on_select, name="galaxies") as link:
        mtype, parameters = program.wait()
        assert mtype == "table.load.votable" and parameters["name"] == "galaxies"
        assert program.table["name"].tolist() == ["a", "b", "c"]
        assert program.table["P_disk"].mask.tolist() == [False, False, True]
        assert link.clients == ["topcat"] and link.row is None and len(link.selection) == 0
        about = {"table-id": parameters["table-id"], "url": parameters["url"]}
        # By a call, which waits for an answer, as some programs do; and by a notification.
        assert program.ask(row="1", **about)["samp.status"] == "samp.ok"
        assert link.row == 1 and set(rows) == {1} and table[link.row]["name"] == "b"
        program.client.enotify_all("table.select.rowList", **{"row-list": ["0", "2"]}, **about)
        assert came.wait(WAIT)
        assert lists == [[0, 2]] and link.selection["name"].tolist() == ["a", "c"]


def test_rows_go_there(program, table):
    with send(table, client="TOPCAT") as link:
        program.wait()
        link.highlight(2)
        mtype, parameters = program.wait()
        assert (mtype, parameters["row"]) == ("table.highlight.row", "2")
        link.select(np.array([0, 1]))
        mtype, parameters = program.wait()
        assert (mtype, parameters["row-list"]) == ("table.select.rowList", ["0", "1"])
        for wrong in (3, -1, 0.5, "x"):
            with pytest.raises(ValueError, match="row: expected a whole number from 0 to 2"):
                link.highlight(wrong)
        with pytest.raises(ValueError, match="rows: expected rows from 0 to 2"):
            link.select([0, 7])


@pytest.mark.parametrize("parameters", [
    {"row": "1"}, {"row": "1", "table-id": "another"}, {"row": "7"}, {"row": "x"}, {}])
def test_messages_of_other_tables_or_rows_do_not_count(program, table, parameters):
    with send(table) as link:
        known = program.wait()[1]
        if parameters.get("row") != "1":
            parameters = parameters | {"table-id": known["table-id"]}
        link._highlighted(parameters)
        assert link.row is None
        link._highlighted({"row": "1", "url": known["url"]})
        assert link.row == 1


def test_a_function_that_fails_ends_nothing(program, table):
    def broken(row):
        raise RuntimeError("oh")

    with send(table, on_highlight=broken) as link:
        known = program.wait()[1]
        with pytest.warns(AstromorphWarning, match="broken failed: RuntimeError: oh"):
            program.ask(row="0", **{"table-id": known["table-id"]})
        assert link.row == 0


def test_closing_removes_the_file(program, table):
    link = send(table)
    path = Path(url2pathname(urlsplit(program.wait()[1]["url"]).path))
    assert path.exists() and "topcat" in repr(link)
    link.close()
    link.close()
    assert not path.exists()
    with pytest.raises(ConnectionError, match="connection is closed"):
        link.highlight(0)
    assert list(program.client.get_registered_clients()) == ["cli#hub"]


def test_no_program_of_that_name(program, table):
    with pytest.raises(ConnectionError, match="called 'aladin'; connected are: topcat"):
        send(table, client="aladin")


def test_no_program_at_all(hub, table):
    with pytest.raises(ConnectionError, match="no program.*connected are: none.*Start TOPCAT"):
        send(table)


def test_no_hub(table):
    with pytest.raises(ConnectionError) as caught:
        send(table)
    assert str(caught.value) == ("no SAMP hub is running. Start TOPCAT or Aladin, which have one, "
                                 "and send the table again.")


def test_a_table_that_cannot_be_sent(program):
    with pytest.raises(ValueError, match="'x'"):
        send(Table({"x": [{1: 2}, {}]}))


def test_rows_stay_what_they_were(program, table):
    with send(table) as link:
        about = {"table-id": program.wait()[1]["table-id"], "row-list": ["2"]}
        table.remove_row(0)
        program.client.ecall_and_wait(
            program.client.get_subscribed_clients("table.select.rowList").popitem()[0],
            "table.select.rowList", str(WAIT), **about)
        assert link.selection["name"].tolist() == ["c"]


@pytest.mark.parametrize("rows", ["12", {"1": ""}, [["1"]], ["-1"], [" 1"], ["1_0"], ["\u0661"],
                                  ["1" * 5000], ["3"]])
def test_lists_of_rows_that_are_none(rows):
    table = Table({"x": [1, 2, 3]})
    link = SampLink.__new__(SampLink)
    link._table, link._id, link._path = table, "id", Path("/x")
    assert link._rows_of({"table-id": "id"}, rows) is None
    assert link._rows_of({"table-id": "id"}, ["2", "0"]) == [2, 0]


def test_a_condition_is_no_list_of_rows(program, table):
    with send(table) as link:
        for rows in (table["ra"] > 1, [True], [1.0], None, "0"):
            with pytest.raises(ValueError, match="rows from 0 to 2.*numpy.flatnonzero"):
                link.select(rows)


def test_a_hub_that_ends(hub, table):
    Program(hub)
    with send(table) as link:
        hub.stop()
        for ask in (link.send, lambda: link.highlight(0), lambda: link.select([0])):
            with pytest.raises(ConnectionError, match="hub is gone.*send the table again"):
                ask()


def test_a_lock_file_of_something_else(home, table):
    (home / ".samp").write_bytes(b"\xff\xfe")
    with pytest.raises(ConnectionError, match="no SAMP hub is running"):
        send(table)


@pytest.mark.parametrize("options, argument", [
    ({"table": [1]}, "table"), ({"on_highlight": 5}, "on_highlight"), ({"on_select": 5},
                                                                       "on_select")])
def test_wrong_arguments(table, options, argument):
    with pytest.raises(ValueError, match=f"{argument}: expected"):
        send(**{"table": table} | options)


def test_names_and_texts_with_control_characters(program, table):
    table.meta["note"] = "\x1b[31m"
    with send(table, name="a\x1b"):
        assert program.wait()[1]["name"] == r"a\x1b"
        assert program.table.meta["note"] == r"\x1b[31m"
