"""The journal holds one entry per line. Each entry is on the disk before it is confirmed."""
import json
import os
from datetime import datetime, timezone
from pathlib import Path
from threading import RLock

from filelock import FileLock, Timeout

from astromorph.atomic import write_file
from astromorph.errors import warn, wrong

__all__ = ["MEND", "Journal", "read_journal"]

MEND = "Take the line from a copy, or remove it and number the following ones anew."
"""What to do about a damaged line."""


class Journal:
    """A file of JSON lines that only grows. It is a context manager.

    Only one process at a time can write to it. Threads of this process can share it.

    Parameters
    ----------
    path : path
        The file. It is made if it does not exist.

    Attributes
    ----------
    path : `~pathlib.Path`
    entries : list of dict
        All entries.

    Raises
    ------
    OSError
        If another process has the file open, or it cannot be written.
    ValueError
        If a line is damaged, see `read_journal`.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from astromorph.labeling.journal import Journal
    >>> with TemporaryDirectory() as folder, Journal(f"{folder}/labels.journal") as journal:
    ...     first = journal.append({"kind": "answer", "id": "a", "row": 3, "key": "S"})
    ...     again = journal.append({"kind": "answer", "id": "a", "row": 3, "key": "S"})
    >>> first["n"], again is first
    (1, True)
    """

    def __init__(self, path):
        self.path = _plain(path)
        self._lock, self._turn = FileLock(f"{self.path}.lock", thread_local=False), RLock()
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise OSError(f"{self.path} is in use by another process, or by another view in "
                          "this notebook; end that one, or write to another file") from None
        try:
            if not self.path.exists():
                write_file(self.path, b"", durable=True)
            self.entries, self._end, is_ended = _read(self.path)
            self._file = os.open(self.path, os.O_RDWR | getattr(os, "O_BINARY", 0))
            os.ftruncate(self._file, self._end)  # removes an incomplete last line
            if not is_ended:
                self._write(b"\n")  # which an editor left out
        except BaseException:
            self._lock.release()
            raise
        self._known = {entry["id"]: entry for entry in self.entries if "id" in entry}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Close the file, so that other processes can write to it."""
        with self._turn:
            if self._lock.is_locked:
                os.close(self._file)
                self._lock.release()

    def append(self, entry):
        """Write one entry. It is on the disk when this function returns.

        Parameters
        ----------
        entry : dict
            Values that JSON can hold. An entry with a known ``id`` is not written again.

        Returns
        -------
        dict
            The entry with its number ``n`` and ``time`` (UTC). If the ``id`` is known, the earlier
            entry.

        Raises
        ------
        OSError
            If it cannot be written. The journal then stays as it was.
        """
        with self._turn:
            if entry.get("id") in self._known:
                return self._known[entry["id"]]
            now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            entry = {"n": len(self.entries) + 1, "time": now.replace("+00:00", "Z")} | entry
            self._write((json.dumps(entry, allow_nan=False) + "\n").encode("ascii"))
            self.entries.append(entry)
            if "id" in entry:
                self._known[entry["id"]] = entry
            return entry

    def _write(self, line):
        if not self._lock.is_locked:
            raise OSError(f"{self.path} is closed")
        try:
            os.lseek(self._file, self._end, os.SEEK_SET)
            if os.write(self._file, line) < len(line):
                raise OSError(f"{self.path}: only a part of a line was written; is the disk full?")
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end += len(line)


def read_journal(path):
    """Read a journal. Another process may write to it meanwhile.

    Parameters
    ----------
    path : path

    Returns
    -------
    list of dict

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If a line is damaged. The message gives its number.

    Warns
    -----
    AstromorphWarning
        If the last line is incomplete. It was not confirmed, and is left out. A complete last
        line without a newline counts: some editors leave the newline out.
    """
    return _read(path)[0]


def _plain(path):
    """The path; raise if there is a folder, a pipe or a device, whose reading may never end."""
    path = Path(path)
    if path.exists() and not path.is_file():
        raise wrong("journal", "the name of a file", f"{path}, which is not a file")
    return path


def _read(path):
    """The entries, the bytes that they take, and whether the last line has its end."""
    content = _plain(path).read_bytes()
    *lines, rest = content.split(b"\n")
    entries = [_entry(path, number, line) for number, line in enumerate(lines, 1)]
    is_ended = not rest
    if rest and _parsed(rest, len(lines) + 1) is not None:
        entries, rest = [*entries, _entry(path, len(lines) + 1, rest)], b""
    if rest:
        warn(f"{path}: the last line is incomplete and left out; it was not confirmed")
    _check_ids(path, entries)
    return entries, len(content) - len(rest), is_ended or bool(rest)


def _entry(path, number, line):
    entry = _parsed(line, number)
    if entry is None:
        raise wrong("journal", f"one entry a line in {path}", f"line {number}, {line!r:.60}",
                    MEND)
    return entry


def _parsed(line, number):
    """The entry of a line, or None."""
    try:
        entry = json.loads(line)
        if (isinstance(entry, dict) and entry["n"] == number and isinstance(entry["kind"], str)
                and isinstance(entry.get("id", ""), str)):
            return entry
    except (ValueError, KeyError, RecursionError):
        pass
    return None


def _check_ids(path, entries):
    known = set()
    for entry in entries:
        if "id" in entry and entry["id"] in known:
            raise wrong("journal", f"each id once in {path}",
                        f"line {entry['n']} with that of another, {entry['id']!r:.60}", MEND)
        known.add(entry.get("id"))
