"""List the files of a cache by key, and remove the least recently used ones."""
import os
import re
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from astromorph.atomic import UNFINISHED, remove_files

__all__ = ["KeyFiles", "evict", "list_files"]

KEEP = 0.9
"""Fraction of its quota that a shard keeps after it became too large (float)."""
LEFTOVER = 3600.0
"""Age in seconds from which an unfinished file counts as abandoned (float)."""

_ENTRY = re.compile(r"[0-9a-f]{64}\.")


@dataclass
class KeyFiles:
    """The files of a key in a shard: bytes, time of last use, and paths."""

    size: int = 0
    used: float = 0.0
    paths: list = field(default_factory=list)


def list_files(shard):
    """List the files of a shard by key, and remove unfinished files that were abandoned."""
    keys = defaultdict(KeyFiles)
    with suppress(FileNotFoundError), os.scandir(shard) as found:
        for file in found:
            with suppress(FileNotFoundError):  # another process may remove it now
                status = file.stat()
                if _ENTRY.match(file.name):
                    files = keys[file.name[:64]]
                    files.size += status.st_size
                    files.used = max(files.used, status.st_mtime)
                    files.paths.append(file.path)
                elif (fnmatchcase(file.name, UNFINISHED)
                      and time.time() - status.st_mtime > LEFTOVER):
                    remove_files(file.path)
    return keys


def evict(shard, quota, new):
    """Remove the least recently used files of a shard that is too large; return its new size."""
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
