"""Tables to TOPCAT, Aladin and other programs on this machine, and rows back: SAMP."""
import re
import tempfile
import uuid
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from numbers import Integral
from pathlib import Path

from astropy.table import Table

from astromorph import __version__
from astromorph.arguments import check_whole
from astromorph.errors import warn, wrong
from astromorph.printing import printable
from astromorph.tables import write_table

__all__ = ["SampLink", "send"]

_LOAD, _HIGHLIGHT, _SELECT = "table.load.votable", "table.highlight.row", "table.select.rowList"
_ROW = re.compile("[0-9]{1,18}")
_START = "Start TOPCAT or Aladin, which have one, and send the table again."


def send(table, *, client=None, name="astromorph", on_highlight=None, on_select=None):
    """Send a table to TOPCAT, Aladin, or another program on this machine that speaks SAMP.

    Rows that are highlighted or selected there come back. TOPCAT sends a row that you click on
    where the activation action "Send row index" is on, and a subset by "Transmit Subset" or
    "Broadcast Subset".

    Parameters
    ----------
    table : `~astropy.table.Table`
        Such as `~astromorph.MorphologyClassifier.classify` returns.
    client : str, optional
        Name of the program that gets it, as ``"topcat"``, in upper or lower case; by default all
        that take tables.
    name : str
        What the table is called there.
    on_highlight : callable, optional
        Called with the number of each row that is highlighted there. TOPCAT may tell it twice.
    on_select : callable, optional
        Called with the list of numbers of the rows that are selected there.

    Returns
    -------
    SampLink
        It holds the connection; close it, or use it in a ``with`` statement.

    Raises
    ------
    ConnectionError
        If no program is running that takes the table.
    TypeError, ValueError
        If the table cannot be written as VOTable.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.interop import send
    >>> tbl = Table({"ra": [10.0], "dec": [0.0], "P_disk": [0.9]})
    >>> link = send(tbl, client="topcat")  # doctest: +SKIP

    Now click on a row in TOPCAT, and send a subset:

    >>> tbl[link.row]  # doctest: +SKIP
    >>> link.selection  # doctest: +SKIP
    >>> link.close()  # doctest: +SKIP
    """
    link = SampLink(table, name=name, on_highlight=on_highlight, on_select=on_select)
    try:
        link.send(client)
    except BaseException:
        link.close()
        raise
    return link


class SampLink:
    """A table that other programs have, and what they say of its rows; a context manager.

    It keeps a copy of the table, so that rows stay what they were when yours changes.

    Parameters
    ----------
    table, name, on_highlight, on_select
        See `send`.

    Attributes
    ----------
    row : int or None
        The row that was highlighted last.
    rows : list of int
        The rows that were selected last.
    clients : list of str
        Names of the programs that have the table.

    Raises
    ------
    ConnectionError, TypeError, ValueError
        As `send`.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astromorph.interop import SampLink
    >>> tbl = Table({"ra": [10.0, 11.0], "dec": [0.0, 0.0], "P_disk": [0.9, 0.1]})
    >>> with SampLink(tbl) as link:  # doctest: +SKIP
    ...     link.send("topcat")
    ...     link.highlight(0)
    ...     link.select([0, 1])
    >>> link.close()  # doctest: +SKIP
    """

    def __init__(self, table, *, name="astromorph", on_highlight=None, on_select=None):
        if not isinstance(table, Table):
            raise wrong("table", "an astropy table", type(table).__name__)
        for argument, given in {"on_highlight": on_highlight, "on_select": on_select}.items():
            if not (given is None or callable(given)):
                raise wrong(argument, "a function, or None", f"{given!r:.200}")
        self.row, self.rows, self.clients = None, [], []
        self._table, self._name = table.copy(), printable(str(name))
        self._id = f"astromorph-{uuid.uuid4().hex[:12]}"
        self._on_highlight, self._on_select = on_highlight, on_select
        self._folder = tempfile.TemporaryDirectory(prefix="astromorph-")
        self._path = Path(self._folder.name) / "table.vot"
        self._client = None
        try:
            write_table(table, self._path)
            self._client = _connected()
        except BaseException:
            self.close()
            raise
        self._listen()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __repr__(self):
        return f"<SampLink {self._name!r}, sent to {', '.join(self.clients) or 'nobody'}>"

    @property
    def selection(self):
        """The rows that were selected last (`~astropy.table.Table`)."""
        return self._table[self.rows]

    def send(self, client=None):
        """Send the table, again if need be.

        Parameters
        ----------
        client : str, optional
            See `~astromorph.interop.send`.

        Raises
        ------
        ConnectionError
            If there is no such program.
        """
        there = self._receivers(_LOAD)
        wanted = {key: name for key, name in there.items()
                  if client is None or name.lower() == str(client).lower()}
        if not wanted:
            raise ConnectionError(
                "no program that takes tables " + (f"is called {client!r}" if client else
                                                   "is connected by SAMP")
                + f"; connected are: {', '.join(there.values()) or 'none'}. Start TOPCAT or Aladin "
                "and try again.")
        self._notify(wanted, _LOAD, name=self._name)
        self.clients = sorted({*self.clients, *wanted.values()})

    def highlight(self, row):
        """Highlight a row in the programs that have the table.

        Parameters
        ----------
        row : int
            From 0.

        Raises
        ------
        ValueError
            If there is no such row.
        """
        check_whole(row, "row", 0, len(self._table) - 1)
        self._tell(_HIGHLIGHT, row=str(int(row)))

    def select(self, rows):
        """Select rows in the programs that have the table.

        Parameters
        ----------
        rows : iterable of int
            From 0.

        Raises
        ------
        ValueError
            If there is no such row.
        """
        rows = list(rows) if isinstance(rows, Iterable) else [rows]
        if not all(isinstance(row, Integral) and not isinstance(row, bool)
                   and row in range(len(self._table)) for row in rows):
            raise wrong("rows", f"rows from 0 to {len(self._table) - 1}", f"{rows!r:.200}",
                        "Of a condition, pass numpy.flatnonzero(condition).")
        self._tell(_SELECT, **{"row-list": [str(int(row)) for row in rows]})

    def close(self):
        """End the connection; the programs keep the table."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # the hub may be gone
                client.disconnect()
        self._folder.cleanup()

    def _tell(self, mtype, **parameters):
        self._notify(self._receivers(mtype), mtype, **parameters)

    def _notify(self, keys, mtype, **parameters):
        with _asking("the SAMP hub is gone"):
            for key in keys:
                self._client.enotify(key, mtype, url=self._path.as_uri(),
                                     **{"table-id": self._id}, **parameters)

    def _receivers(self, mtype):
        """Who takes a kind of message: identifiers and names."""
        if self._client is None:
            raise ConnectionError("the connection is closed; send the table again")
        with _asking("the SAMP hub is gone"):
            return {key: printable(str(self._client.get_metadata(key).get("samp.name", key)))
                    for key in self._client.get_subscribed_clients(mtype)}

    def _listen(self):
        for mtype, handle in {_HIGHLIGHT: self._highlighted, _SELECT: self._selected}.items():
            received = self._receiver(handle)
            self._client.bind_receive_notification(mtype, received)
            self._client.bind_receive_call(mtype, received)

    def _receiver(self, handle):
        """What pyvo calls with a message, which has a number if its sender waits for an answer."""
        def received(key, sender, message, mtype, parameters, extra):
            handle(parameters)
            if message is not None:
                self._client.ereply(message, "samp.ok", result={})

        return received

    def _highlighted(self, parameters):
        rows = self._rows_of(parameters, [parameters.get("row")])
        if rows:
            self.row = rows[0]
            _call(self._on_highlight, self.row)

    def _selected(self, parameters):
        rows = self._rows_of(parameters, parameters.get("row-list"))
        if rows is not None:
            self.rows = rows
            _call(self._on_select, rows)

    def _rows_of(self, parameters, rows):
        """Rows that a message names, None if it is of another table or makes no sense."""
        ours = (parameters.get("table-id") == self._id
                or parameters.get("url") == self._path.as_uri())
        if not (ours and isinstance(rows, list)
                and all(isinstance(row, str) and _ROW.fullmatch(row) for row in rows)):
            return None
        rows = list(map(int, rows))
        return rows if all(row in range(len(self._table)) for row in rows) else None


def _call(function, value):
    """Call what the user gave; it runs in a thread of the connection, which must go on."""
    try:
        if function is not None:
            function(value)
    except Exception as error:
        warn(f"{getattr(function, '__name__', 'the function')} failed: "
             f"{type(error).__name__}: {error}")


def _connected():
    """A client of the hub that is running, reachable from this machine only."""
    from pyvo import samp

    with samp.conf.set_temp("use_internet", False):  # which would be asked for a name
        client = samp.SAMPIntegratedClient(
            name="astromorph", description=f"Galaxy morphology, version {__version__}",
            addr="127.0.0.1")
        with _asking("no SAMP hub is running"):
            client.connect()
    return client


@contextmanager
def _asking(message):
    """Raise one error for whatever becomes of a question to a hub that may not be there."""
    from pyvo import samp

    try:
        yield
    except Exception as error:  # pyvo, its lock file and its XML fail in many ways
        # A SAMPHubError only says the same again.
        why = "" if isinstance(error, samp.SAMPHubError) else f" ({error})"
        raise ConnectionError(f"{message}{why}. {_START}") from error
