"""Files and folders that are there whole or not at all."""
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path

__all__ = ["check_writable", "written_whole"]


@contextmanager
def written_whole(path, *, overwrite=False, part=None):
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

    Raises
    ------
    FileExistsError
        If it exists and ``overwrite`` is not set.
    OSError
        If it cannot be written there.
    """
    path = Path(path)
    _check_free(path, overwrite)
    unfinished = _beside(path) if part is None else Path(part)
    try:
        yield unfinished
        _replace(unfinished, path)
    finally:
        if part is None:
            _remove(unfinished)


def check_writable(path, *, overwrite=False):
    """Raise what `written_whole` would, before the work rather than after it."""
    path = Path(path)
    _check_free(path, overwrite)
    part = _beside(path)
    part.touch()  # permissions do not tell: a file system may be read-only
    part.unlink()


def _beside(path):
    return path.with_name(f".{uuid.uuid4().hex[:8]}.part-{path.name}")  # the same suffix


def _check_free(path, overwrite):
    if path.exists():
        if not overwrite:
            raise FileExistsError(f"path: {path} exists; pass overwrite=True to replace it.")
        if not (path.is_file() or path.is_dir()):
            raise FileExistsError(f"path: {path} is no file. Expected one, or a new name.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: there is no folder {path.parent} to write {path.name} to.")


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
