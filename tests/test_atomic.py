"""Files are there whole or not at all."""
import os
from fnmatch import fnmatchcase

import pytest

from astromorph.atomic import (REPLACE_HINT, UNFINISHED, check_writable, is_plain_file,
                               read_plain_file, remove_files, write_file, written_whole)
from astromorph.errors import DestinationError


def test_what_is_written_takes_its_place(tmp_path):
    path = tmp_path / "file.txt"
    with written_whole(path) as part:
        part.write_text("new")
        assert not path.exists() and part.suffix == ".txt"
        assert fnmatchcase(part.name, UNFINISHED)
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), written_whole(path, overwrite=True) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_part_of_ones_own_stays(tmp_path):
    with pytest.raises(OSError), written_whole(tmp_path / "a", part=tmp_path / "b") as part:
        part.write_text("half")
        raise OSError
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize("write", [lambda path: write_file(path / "none" / "a", b""),
                                   lambda path: check_writable(path / "none" / "a")])
def test_no_folder(tmp_path, write):
    with pytest.raises(FileNotFoundError, match="there is no folder .*none to write a to"):
        write(tmp_path)


def test_existing_destinations(tmp_path):
    with pytest.raises(DestinationError) as caught:
        check_writable(tmp_path)
    error = caught.value
    assert (error.argument, error.hint) == ("path", REPLACE_HINT)
    assert str(error) == (f"path: expected the name of a new file. Received {tmp_path}, which "
                          "exists. Pass overwrite=True to replace it.")
    check_writable(tmp_path, overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_durable_files_are_on_the_disk(tmp_path, monkeypatch):
    """The file before it has its name, then the name."""
    steps, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: steps.append("sync") or fsync(file))
    monkeypatch.setattr(os, "replace", lambda *paths: steps.append("name") or replace(*paths))
    write_file(tmp_path / "file", b"data", durable=True)
    assert steps == ["sync", "name", "sync"] and (tmp_path / "file").read_bytes() == b"data"
    write_file(tmp_path / "file", b"other")
    assert steps[3:] == ["name"] and (tmp_path / "file").read_bytes() == b"other"


def test_files_that_are_gone_are_removed_too(tmp_path):
    (tmp_path / "a").touch()
    remove_files(tmp_path / "b", tmp_path / "a", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_plain_files(tmp_path):
    """A pipe, a link, a folder, or what is too large is none; nothing waits for a pipe."""
    file, pipe, link, folder = (tmp_path / name for name in ("file", "pipe", "link", "folder"))
    file.write_bytes(b"four")
    os.mkfifo(pipe)
    link.symlink_to(file)
    folder.mkdir()
    assert is_plain_file(file, 4) and read_plain_file(file, 4) == b"four"
    for path, largest in ((file, 3), (pipe, 9), (link, 9), (folder, 10**9)):
        assert not is_plain_file(path, largest) and read_plain_file(path, largest) == b""
    assert not is_plain_file(tmp_path / "none", 9) and not is_plain_file("\0", 9)
    with pytest.raises(FileNotFoundError):
        read_plain_file(tmp_path / "none", 9)


def test_a_file_never_replaces_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kept").touch()
    with pytest.raises(DestinationError, match="a, which is a folder"):
        write_file(tmp_path / "a", b"")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "kept"]
