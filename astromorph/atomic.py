"""Files and folders that are there whole or not at all."""
import os
import shutil
import stat
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

from astromorph.errors import DestinationError, wrong

__all__ = ["REPLACE_HINT", "UNFINISHED", "check_writable", "is_plain_file", "read_plain_file",
           "remove_files", "write_file", "written_whole"]

REPLACE_HINT = "Pass overwrite=True to replace it."
"""Hint of the error for a destination that exists."""
UNFINISHED = ".????????.part-*"
"""Pattern of the names of unfinished files, which a killed process leaves."""


@contextmanager
def written_whole(path, *, overwrite=False, part=None, durable=False):
    """Give a name beside a destination to write to, which takes its place once all is written.

    An error, such as a full disk, leaves the destination as it was, and nothing else.

    Parameters
    ----------
    path : path
        The file or folder that should be there in the end.
    overwrite : bool
        Replace an existing one.
    part : path, optional
        Write here, and leave what is there if an error comes: a later run may go on from it.
    durable : bool
        Have the file on the disk before it takes its place, so that it outlives a power cut.

    Yields
    ------
    `~pathlib.Path`
        Where to write.

    Raises
    ------
    DestinationError
        If it exists and ``overwrite`` is not set.
    OSError
        If it cannot be written there.
    """
    path = Path(path)
    _check_free(path, overwrite)
    unfinished = _beside(path) if part is None else Path(part)
    try:
        yield unfinished
        if durable:
            _sync(unfinished, os.O_RDWR)
        _replace(unfinished, path)
    finally:
        if part is None:
            _remove(unfinished)
    if durable:
        with suppress(OSError):  # Windows opens no folders
            _sync(path.parent, os.O_RDONLY)


def write_file(path, data, *, durable=False):
    """Write a file, in place of an existing one.

    Parameters
    ----------
    path : path
        The file.
    data : bytes
        What it should hold.
    durable : bool
        See `written_whole`.

    Raises
    ------
    OSError
        If it cannot be written; what was there is still there.
    """
    with written_whole(path, overwrite=True, durable=durable) as part:
        part.write_bytes(data)


def is_plain_file(path, largest):
    """Tell whether there is a file that can be read without waiting, and is not too large.

    Parameters
    ----------
    path : path
        Where others may have put anything: a link, a pipe, a device.
    largest : int
        Bytes.

    Returns
    -------
    bool
    """
    try:
        return _is_plain(os.lstat(path), largest)
    except (OSError, ValueError):
        return False


def read_plain_file(path, largest):
    """Give the contents of a file.

    Parameters
    ----------
    path, largest
        See `is_plain_file`.

    Returns
    -------
    bytes
        None of what `is_plain_file` does not take for a file.

    Raises
    ------
    OSError
        If there is nothing, or it cannot be read.
    """
    return Path(path).read_bytes() if _is_plain(os.lstat(path), largest) else b""


def remove_files(*paths):
    """Remove files, as far as they are there and the system allows it.

    Parameters
    ----------
    *paths : path
        The files.
    """
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


def check_writable(path, *, overwrite=False):
    """Raise what `written_whole` would, before the work rather than after it.

    Parameters
    ----------
    path, overwrite
        See `written_whole`.

    Raises
    ------
    DestinationError, OSError
        As `written_whole`.
    """
    path = Path(path)
    _check_free(path, overwrite)
    part = _beside(path)
    part.touch()  # permissions do not tell: a file system may be read-only
    part.unlink()


def _is_plain(status, largest):
    return stat.S_ISREG(status.st_mode) and status.st_size <= largest


def _beside(path):
    return path.with_name(f".{uuid.uuid4().hex[:8]}.part-{path.name}")  # the same suffix


def _check_free(path, overwrite):
    if path.exists():
        if not overwrite:
            raise wrong("path", "the name of a new file", f"{path}, which exists", REPLACE_HINT,
                        error=DestinationError)
        if not (path.is_file() or path.is_dir()):
            raise wrong("path", "a file, or a new name", f"{path}, which is no file",
                        error=DestinationError)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to")


def _replace(part, path):
    if not path.is_dir():
        part.replace(path)
        return
    old = part.with_name(f"{part.name}.old")  # a folder with files takes no other's place
    path.rename(old)
    try:
        part.rename(path)
    except OSError:
        old.rename(path)
        raise
    _remove(old)


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path, flags):
    """Have a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
