"""Image files kept between runs: written whole or not at all, and checked when they are read."""
import hashlib
import json
import math
import os
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from astropy import units as u
from astropy.config import get_cache_dir_path
from filelock import FileLock

from astromorph.arguments import check_number
from astromorph.atomic import is_plain_file, read_plain_file, remove_files, write_file
from astromorph.cutouts.cache_files import evict, list_files
from astromorph.errors import warn

__all__ = ["CacheEntry", "CutoutCache", "cache_key"]

SHARDS = 256
REFRESH = 64
"""Files written to a shard after which its size is measured again, as others write there too."""
LONGEST_CLAIM = 600.0
"""Seconds to wait for another one's claim, before going on without."""
LARGEST_RECORD, LARGEST_IMAGE = 2 ** 16, 2 ** 29
"""Bytes of the largest sidecar and the largest image that are read."""
SUFFIXES = (".jpg", ".png", ".fits")


@dataclass(frozen=True)
class CacheEntry:
    """A file of the cache.

    Parameters
    ----------
    data : bytes
        Its contents.
    meta : dict
        What was stored with it.
    path : `~pathlib.Path`
        The file.
    age : float
        Seconds since it was stored.
    """

    data: bytes
    meta: dict
    path: Path
    age: float


def cache_key(request, source):
    """Name a requested image in the cache.

    Parameters
    ----------
    request : `~astromorph.services.base.CutoutRequest`
    source : str
        All else that decides the image; see `~astromorph.cutouts.sources.image_source`.

    Returns
    -------
    str
        64 hexadecimal digits, the same for positions within about 1e-8 degrees and widths within
        1e-6 arcseconds.
    """
    ra = round(request.ra % 360, 8) % 360
    parts = [source, f"{ra:.8f}", f"{round(request.dec, 8) + 0.0:.8f}", f"{request.width:.6f}",
             int(request.pixels), list(request.bands)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class CutoutCache:
    """Image files in a folder, shared by threads and processes.

    Each image is a file with another one beside it, in JSON, that says what it is and holds its
    checksum. The least recently used ones are removed when there is no more space for new ones.

    Parameters
    ----------
    folder : path, optional
        Where to keep them; by default what the environment variable ``ASTROMORPH_CACHE`` says,
        else ``cutouts`` in Astropy's cache directory for astromorph.
    max_size : float
        Bytes to keep, about: each of 256 subfolders has the same share.
    """

    def __init__(self, folder=None, *, max_size=10 * 10 ** 9):
        check_number(max_size, "max_size", "a positive number of bytes", lambda value: value > 0)
        self._problem, self._warned = None, False
        folder = folder or os.environ.get("ASTROMORPH_CACHE")
        self.folder = Path(folder).expanduser() if folder else self._usual_folder()
        self.max_size = max_size
        self._sizes = {}  # of shards: bytes, and files written since they were measured
        self._lock = threading.Lock()

    def __repr__(self):
        return f"CutoutCache({str(self.folder)!r}, max_size={self.max_size})"

    def __reduce__(self):
        """In another process it is a cache of its own in the same folder."""
        return partial(type(self), max_size=self.max_size), (self.folder,)

    def get(self, key):
        """Read an entry.

        Parameters
        ----------
        key : str
            From `cache_key`.

        Returns
        -------
        CacheEntry or None
            None if there is none. A damaged one is removed.
        """
        sidecar = self._sidecar(key)
        try:
            text = read_plain_file(sidecar, LARGEST_RECORD)
        except OSError:
            return None
        record = _parse(text, key)
        if record is None:
            remove_files(sidecar)
            return None
        path = _image_path(sidecar, record)
        try:
            data = read_plain_file(path, LARGEST_IMAGE)
        except FileNotFoundError:
            data = b""
        except OSError:  # which says nothing about the entry
            return None
        if hashlib.sha256(data).hexdigest() != record["sha256"]:
            remove_files(sidecar, path)
            return None
        with suppress(OSError):
            os.utime(sidecar)  # used last
        return CacheEntry(data, record["meta"], path, _age(record))

    def __contains__(self, key):
        """Whether there is an entry, without reading it: it may turn out to be damaged."""
        return is_plain_file(self._sidecar(key), LARGEST_RECORD)

    def put(self, key, data, meta, *, suffix=".jpg"):
        """Store an entry, in place of an older one.

        Parameters
        ----------
        key : str
            From `cache_key`.
        data : bytes
            Contents of the image file.
        meta : dict
            What to store with it: strings, numbers and lists; ``"survey"`` is used by `clear` and
            `info`.
        suffix : str
            The end of the file's name.

        Returns
        -------
        CacheEntry or None
            None if it cannot be stored, of which `warn_of_failures` warns.
        """
        sidecar = self._sidecar(key)
        record = {"key": key, "sha256": hashlib.sha256(data).hexdigest(), "suffix": suffix,
                  "stored": time.time(), "meta": _plain(meta)}
        text = json.dumps(record | {"check": _checksum(record)}).encode()
        path = _image_path(sidecar, record)
        try:
            sidecar.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, data)
            write_file(sidecar, text)
            self._limit(key, len(data) + len(text))
        except OSError as error:
            self._problem = error
            return None
        return CacheEntry(data, record["meta"], path, 0.0)

    def warn_of_failures(self):
        """Warn if an image could not be stored, once for each cache, at the end of the work."""
        if self._problem is not None and not self._warned:
            self._warned = True
            warn(f"Images are not kept, as they cannot be written to {self.folder} "
                 f"({self._problem}); free space there, or set another cache.", late=True)

    @contextmanager
    def claim(self, key, given_up=None):
        """Keep other threads and processes from getting the same image meanwhile.

        The system ends the claim of a process that dies. Without a lock, as on a file system that
        has none, nothing is kept from anybody, and an image may be got twice.

        Parameters
        ----------
        key : str
            From `cache_key`.
        given_up : callable, optional
            Says, now and then, whether to go on without waiting any longer.
        """
        lock = self._acquired(key, given_up)
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def info(self):
        """Tell what is stored.

        Returns
        -------
        dict
            ``folder``, ``entries``, ``bytes``, ``max_size``, the times (UTC) ``oldest`` and
            ``newest`` or None, and ``by_survey``, the number of entries of each.
        """
        size, times, surveys = 0, [], Counter()
        for files, record in self._entries():
            size += files.size
            if record is not None:
                times.append(datetime.fromtimestamp(record["stored"], timezone.utc))
                surveys[record["meta"].get("survey")] += 1
        return {"folder": self.folder, "entries": len(times), "bytes": size,
                "max_size": self.max_size, "oldest": min(times, default=None),
                "newest": max(times, default=None), "by_survey": dict(surveys)}

    def clear(self, *, older_than=None, survey=None):
        """Remove entries, all of them or some.

        Parameters
        ----------
        older_than : `~astropy.units.Quantity` or float, optional
            Only those stored longer ago than this time, in seconds if it has no unit.
        survey : str, optional
            Only those of this survey.

        Returns
        -------
        dict
            ``entries`` and ``bytes`` removed.
        """
        seconds = None if older_than is None else u.Quantity(older_than, u.s).value
        everything = older_than is None and survey is None
        removed = {"entries": 0, "bytes": 0}
        for files, record in self._entries():
            if everything or _fits(record, seconds, survey):
                remove_files(*files.paths)
                removed["entries"] += record is not None
                removed["bytes"] += files.size
        with self._lock:
            self._sizes.clear()
        return removed

    def _usual_folder(self):
        """In Astropy's cache directory, which Astropy makes where it can."""
        try:
            return get_cache_dir_path("astromorph") / "cutouts"
        except OSError as error:
            self._problem = error
            return Path("~/.cache/astromorph/cutouts").expanduser()

    def _sidecar(self, key):
        return self.folder / key[:2] / f"{key}.json"

    def _entries(self):
        """The files of each key, and their record or None."""
        for shard in self.folder.glob("[0-9a-f][0-9a-f]"):
            for key, files in list_files(shard).items():
                try:
                    yield files, _parse(read_plain_file(self._sidecar(key), LARGEST_RECORD), key)
                except OSError:
                    yield files, None

    def _limit(self, key, size):
        """Count what was written to a shard, and remove what is too much there."""
        shard, quota = self.folder / key[:2], self.max_size / SHARDS
        with self._lock:
            total, written = self._sizes.get(shard.name, (0, REFRESH))
            total, written = total + size, written + 1
            if total > quota or written > REFRESH:
                total, written = evict(shard, quota, key), 0
            self._sizes[shard.name] = total, written

    def _acquired(self, key, given_up):
        """A lock that is held, or None if locks do not work here."""
        path = self.folder / "locks" / f"{key[:3]}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path, timeout=LONGEST_CLAIM, is_singleton=True)  # once a thread
            lock.acquire(cancel_check=given_up)
        except (OSError, NotImplementedError):
            return None
        return lock


def _image_path(sidecar, record):
    """Named by its contents too: an entry that is replaced stays whole for who is reading it."""
    return sidecar.with_name(f"{sidecar.stem}.{record['sha256'][:8]}{record['suffix']}")


def _parse(text, key):
    """What the sidecar of a key says, or None if it is damaged, or not one of ours."""
    try:
        record = json.loads(text)
        sound = (record.pop("check") == _checksum(record) and record["key"] == key
                 and re.fullmatch(r"[0-9a-f]{64}", record["sha256"])
                 and record["suffix"] in SUFFIXES and 0 <= record["stored"] < math.inf
                 and isinstance(record["meta"].get("survey", ""), str))
        return record if sound and datetime.fromtimestamp(record["stored"]) else None
    except Exception:  # anything may be in it
        return None


def _checksum(record):
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _plain(meta):
    """As JSON gives it back, with NumPy's scalars as Python's."""
    return json.loads(json.dumps(meta, default=lambda value: value.item()))


def _age(record):
    return max(0.0, time.time() - record["stored"])


def _fits(record, seconds, survey):
    return (record is not None and (seconds is None or _age(record) > seconds)
            and (survey is None or record["meta"].get("survey") == survey))
