"""Write files and folders completely or not at all."""
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
"""Hint of the error for a destination that exists (str)."""
UNFINISHED = ".????????.part-*"
"""Pattern that matches the names of unfinished files, which a killed process leaves (str)."""


@contextmanager
def written_whole(path, *, overwrite=False, part=None, durable=False):
    """Write to a temporary path, which replaces the destination when the block ends.

    If an error ends the block, such as a full disk, the destination stays as it was and the
    temporary path is removed.

    Parameters
    ----------
    path : path
        The destination, a file or folder.
    overwrite : bool
        Replace an existing destination.
    part : path, optional
        Temporary path to use. An error does not remove it, so a later run may continue from it.
    durable : bool
        Flush the file to disk before it replaces the destination, so that it survives a power cut.

    Yields
    ------
    `~pathlib.Path`
        The temporary path to write to.

    Raises
    ------
    DestinationError
        If the destination exists and ``overwrite`` is False, or a file would replace a folder.
    OSError
        If the folder of the destination is missing or cannot be written to.
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
    """Write a file, or replace an existing one.

    Parameters
    ----------
    path : path
        The file.
    data : bytes
        Its new contents.
    durable : bool
        See `written_whole`.

    Raises
    ------
    OSError
        If the file cannot be written. An existing file then stays as it was.
    """
    with written_whole(path, overwrite=True, durable=durable) as part:
        part.write_bytes(data)


def is_plain_file(path, largest):
    """Tell whether a path is a regular file that is not too large.

    Reading anything else, such as a pipe, may wait forever.

    Parameters
    ----------
    path : path
        The path. Other programs may have put anything there, even a link or a device.
    largest : int
        Largest allowed size in bytes.

    Returns
    -------
    bool
    """
    try:
        return _is_plain(os.lstat(path), largest)
    except (OSError, ValueError):
        return False


def read_plain_file(path, largest):
    """Read a file.

    Parameters
    ----------
    path, largest
        See `is_plain_file`.

    Returns
    -------
    bytes
        The contents; empty where `is_plain_file` returns False.

    Raises
    ------
    OSError
        If the path does not exist or cannot be read.
    """
    return Path(path).read_bytes() if _is_plain(os.lstat(path), largest) else b""


def remove_files(*paths):
    """Remove files. Files that are missing or cannot be removed are skipped.

    Parameters
    ----------
    *paths : path
        The files.
    """
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


def check_writable(path, *, overwrite=False):
    """Check a destination before the work starts, so that the work is not lost.

    Parameters
    ----------
    path, overwrite
        See `written_whole`.

    Raises
    ------
    DestinationError, OSError
        See `written_whole`.
    """
    path = Path(path)
    _check_free(path, overwrite)
    part = _beside(path)
    part.touch()  # permissions are not enough: the file system may be read-only
    part.unlink()


def _is_plain(status, largest):
    return stat.S_ISREG(status.st_mode) and status.st_size <= largest


def _beside(path):
    return path.with_name(f".{uuid.uuid4().hex[:8]}.part-{path.name}")  # keeps the suffix


def _check_free(path, overwrite):
    try:
        mode = path.stat().st_mode  # once, because another process may remove it meanwhile
    except (OSError, ValueError):
        mode = None
    if mode is not None:
        if not overwrite:
            raise wrong("path", "the name of a new file", f"{path}, which exists", REPLACE_HINT,
                        error=DestinationError)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise wrong("path", "a file, or a new name", f"{path}, which is not a file",
                        error=DestinationError)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to")


def _replace(part, path):
    if not path.is_dir():
        part.replace(path)
        return
    if not part.is_dir():
        raise wrong("path", "the name of a file", f"{path}, which is a folder",
                    error=DestinationError)
    old = part.with_name(f"{part.name}.old")  # a rename cannot replace a folder with files
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
    """Flush a file, or the names in a folder, to disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
