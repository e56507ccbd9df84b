"""Files in the folders of a cache: written whole, listed by key, removed when too many."""
import os
import re
import time
import uuid
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

__all__ = ["KeyFiles", "evict", "list_files", "remove_files", "write_file"]

KEEP = 0.9
"""Fraction of its quota that is kept of a shard that became too large."""
LEFTOVER = 3600.0
"""Age in seconds of an unfinished file whose writer must be gone."""

_ENTRY = re.compile(r"[0-9a-f]{64}\.")
_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.tmp$")


def write_file(path, data, *, durable=False):
    """Make a file that is whole as soon as it is there; a durable one outlives a power cut."""
    unfinished = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        unfinished.write_bytes(data)
        if durable:
            _sync(unfinished, os.O_RDWR)
        os.replace(unfinished, path)
    except BaseException:
        remove_files(unfinished)
        raise
    if durable:
        with suppress(OSError):  # Windows opens no folders
            _sync(path.parent, os.O_RDONLY)


def _sync(path, flags):
    """Have a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_files(*paths):
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


@dataclass
class KeyFiles:
    """What a shard holds of a key."""

    size: int = 0
    used: float = 0.0
    paths: list = field(default_factory=list)


def list_files(shard):
    """Files of a shard by key; what dead writers left is removed."""
    keys = defaultdict(KeyFiles)
    with suppress(FileNotFoundError), os.scandir(shard) as found:
        for file in found:
            with suppress(FileNotFoundError):  # removed meanwhile by another process
                status = file.stat()
                if _ENTRY.match(file.name):
                    files = keys[file.name[:64]]
                    files.size += status.st_size
                    files.used = max(files.used, status.st_mtime)
                    files.paths.append(file.path)
                elif _UNFINISHED.match(file.name) and time.time() - status.st_mtime > LEFTOVER:
                    remove_files(file.path)
    return keys


def evict(shard, quota, new):
    """Remove the least recently used files of a too large shard; the bytes that are left."""
    keys = list_files(shard)
    total = sum(files.size for files in keys.values())
    if total <= quota:
        return total
    for key in sorted(keys.keys() - {new}, key=lambda key: keys[key].used):
        remove_files(*keys[key].paths)
        total -= keys[key].size
        if total <= KEEP * quota:
            break
    return total
