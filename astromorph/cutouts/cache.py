"""Keep image files between runs, write them completely or not at all, and check them on reading."""
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

from astromorph.arguments import as_path, as_seconds, check_number
from astromorph.atomic import is_plain_file, read_plain_file, remove_files, write_file
from astromorph.cutouts.cache_files import evict, list_files
from astromorph.errors import warn

__all__ = ["CacheEntry", "CutoutCache", "cache_key"]

SHARDS = 256
REFRESH = 64
"""Number of files written to a shard before its size is measured again (int).

Other processes write there too.
"""
LONGEST_CLAIM = 600.0
"""Longest time in seconds to wait for the claim of another thread or process (float)."""
LARGEST_RECORD, LARGEST_IMAGE = 2 ** 16, 2 ** 29
"""Largest sidecar and largest image that the cache reads, in bytes (int)."""
SUFFIXES = (".jpg", ".png", ".fits")


@dataclass(frozen=True)
class CacheEntry:
    """An image in the cache.

    Parameters
    ----------
    data : bytes
        Contents of the file.
    meta : dict
        Metadata that was stored with it.
    path : `~pathlib.Path`
        The file.
    age : float
        Seconds since it was stored.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from astromorph.cutouts import CutoutCache
    >>> with TemporaryDirectory() as folder:
    ...     entry = CutoutCache(folder).put(64 * "0", b"an image", {"survey": "sdss"})
    >>> entry.data, entry.meta, entry.path.suffix, entry.age
    (b'an image', {'survey': 'sdss'}, '.jpg', 0.0)
    """

    data: bytes
    meta: dict
    path: Path
    age: float


def cache_key(request, source):
    """Compute the key of a requested image in the cache.

    Parameters
    ----------
    request : `~astromorph.services.base.CutoutRequest`
        The request.
    source : str
        Everything else that decides the image, such as the service and the survey's record.

    Returns
    -------
    str
        64 hexadecimal digits. Positions within about 1e-8 degrees and widths within 1e-6 arcseconds
        give the same key.

    Examples
    --------
    >>> from astromorph import get_survey
    >>> from astromorph.cutouts.cache import cache_key
    >>> from astromorph.services import CutoutRequest
    >>> request = CutoutRequest(180.0, 30.0, width=25.0, pixels=212, survey=get_survey("sdss"),
    ...                         bands=("g", "r", "i"))
    >>> len(cache_key(request, "my-archive"))
    64
    """
    ra = round(request.ra % 360, 8) % 360
    parts = [source, f"{ra:.8f}", f"{round(request.dec, 8) + 0.0:.8f}", f"{request.width:.6f}",
             int(request.pixels), list(request.bands)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class CutoutCache:
    """A cache of image files in a folder, which threads and processes may share.

    A JSON file beside each image holds its metadata and its checksum. When the cache is full, it
    removes the least recently used images.

    Parameters
    ----------
    folder : path, optional
        Folder of the cache. By default the environment variable ``ASTROMORPH_CACHE`` names it;
        otherwise it is ``cutouts`` in Astropy's cache directory for astromorph.
    max_size : float
        Approximate limit in bytes. Each of 256 subfolders has the same share of it.

    Raises
    ------
    ArgumentError
        If ``max_size`` is not positive.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from astromorph.cutouts import CutoutCache
    >>> key = 64 * "0"  # of astromorph.cutouts.cache.cache_key
    >>> with TemporaryDirectory() as folder:
    ...     cache = CutoutCache(folder, max_size=1e9)
    ...     with cache.claim(key):  # no other process downloads the same image
    ...         entry = cache.put(key, b"an image", {"survey": "sdss"})
    ...     print(cache.get(key).data, cache.info()["by_survey"])
    ...     cache.warn_of_failures()  # all was written
    ...     print(cache.clear(survey="sdss")["entries"])
    b'an image' {'sdss': 1}
    1
    """

    def __init__(self, folder=None, *, max_size=10 * 10 ** 9):
        check_number(max_size, "max_size", "a positive number of bytes", lambda value: value > 0)
        self._problem, self._warned = None, False
        folder = folder or os.environ.get("ASTROMORPH_CACHE")
        self.folder = as_path(folder, "cache") if folder else self._usual_folder()
        self.max_size = max_size
        self._sizes = {}  # shard: bytes, and number of files written since they were measured
        self._lock = threading.Lock()

    def __repr__(self):
        return f"CutoutCache({str(self.folder)!r}, max_size={self.max_size})"

    def __reduce__(self):
        """Pickle the folder and the limit; the copy uses the same folder."""
        return partial(type(self), max_size=self.max_size), (self.folder,)

    def get(self, key):
        """Read an entry.

        Parameters
        ----------
        key : str
            The result of `~astromorph.cutouts.cache.cache_key`.

        Returns
        -------
        CacheEntry or None
            None if there is no such entry. A damaged entry is removed.
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
        except OSError:  # the entry itself may be good
            return None
        if hashlib.sha256(data).hexdigest() != record["sha256"]:
            remove_files(sidecar, path)
            return None
        with suppress(OSError):
            os.utime(sidecar)  # marks the time of its last use
        return CacheEntry(data, record["meta"], path, _age(record))

    def __contains__(self, key):
        """Whether there is an entry. It is not read, so it may be damaged."""
        return is_plain_file(self._sidecar(key), LARGEST_RECORD)

    def put(self, key, data, meta, *, suffix=".jpg"):
        """Store an entry, or replace an older one.

        Parameters
        ----------
        key : str
            The result of `~astromorph.cutouts.cache.cache_key`.
        data : bytes
            Contents of the image file.
        meta : dict
            Metadata of the image: strings, numbers and lists. `clear` and `info` use ``"survey"``.
        suffix : str
            Ending of the file name.

        Returns
        -------
        CacheEntry or None
            None if the file cannot be written. `warn_of_failures` then warns.
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
        """Warn once per cache, at the end of the work, if images could not be stored."""
        if self._problem is not None and not self._warned:
            self._warned = True
            warn(f"Images are not kept, because they cannot be written to {self.folder} "
                 f"({self._problem}); free space there, or set another cache.", late=True)

    @contextmanager
    def claim(self, key, given_up=None):
        """Prevent other threads and processes from downloading the same image at the same time.

        If a process dies, the system ends its claim. Some file systems have no locks. There the
        claim has no effect, and an image may be downloaded twice.

        Parameters
        ----------
        key : str
            The result of `~astromorph.cutouts.cache.cache_key`.
        given_up : callable, optional
            Called now and then; True ends the wait for the claim.

        Yields
        ------
        None
            The claim holds inside the ``with`` statement.
        """
        lock = self._acquired(key, given_up)
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def info(self):
        """Summarize the contents of the cache.

        Returns
        -------
        dict
            ``folder``, ``entries``, ``bytes`` and ``max_size``; ``oldest`` and ``newest``, times
            (UTC) or None; and ``by_survey``, the number of entries per survey.
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
        """Remove all entries, or some of them.

        Parameters
        ----------
        older_than : `~astropy.units.Quantity` or float, optional
            Remove only entries older than this time; a number is in seconds.
        survey : str, optional
            Remove only entries of this survey.

        Returns
        -------
        dict
            Number of ``entries`` and ``bytes`` that were removed.
        """
        seconds = None if older_than is None else as_seconds(older_than, "older_than", u.s)
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
        """The default folder, in Astropy's cache directory."""
        try:
            return get_cache_dir_path("astromorph") / "cutouts"
        except OSError as error:
            self._problem = error
            return Path("~/.cache/astromorph/cutouts").expanduser()

    def _sidecar(self, key):
        return self.folder / key[:2] / f"{key}.json"

    def _entries(self):
        """Yield the files of each key, and their record or None."""
        for shard in self.folder.glob("[0-9a-f][0-9a-f]"):
            for key, files in list_files(shard).items():
                try:
                    yield files, _parse(read_plain_file(self._sidecar(key), LARGEST_RECORD), key)
                except OSError:
                    yield files, None

    def _limit(self, key, size):
        """Count the bytes written to a shard, and evict files if there are too many."""
        shard, quota = self.folder / key[:2], self.max_size / SHARDS
        with self._lock:
            total, written = self._sizes.get(shard.name, (0, REFRESH))
            total, written = total + size, written + 1
            if total > quota or written > REFRESH:
                total, written = evict(shard, quota, key), 0
            self._sizes[shard.name] = total, written

    def _acquired(self, key, given_up):
        """Acquire the lock of a key; return None if locks do not work here."""
        path = self.folder / "locks" / f"{key[:3]}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path, timeout=LONGEST_CLAIM, is_singleton=True)  # one per thread
            lock.acquire(cancel_check=given_up)
        except (OSError, NotImplementedError):
            return None
        return lock


def _image_path(sidecar, record):
    """Path of an image. Its name has part of the checksum, so replacing it disturbs no reader."""
    return sidecar.with_name(f"{sidecar.stem}.{record['sha256'][:8]}{record['suffix']}")


def _parse(text, key):
    """The record in the sidecar of a key; None if it is damaged or not from astromorph."""
    try:
        record = json.loads(text)
        sound = (record.pop("check") == _checksum(record) and record["key"] == key
                 and re.fullmatch(r"[0-9a-f]{64}", record["sha256"])
                 and record["suffix"] in SUFFIXES and 0 <= record["stored"] < math.inf
                 and isinstance(record["meta"].get("survey", ""), str))
        return record if sound and datetime.fromtimestamp(record["stored"]) else None
    except Exception:  # the file may hold anything
        return None


def _checksum(record):
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _plain(meta):
    """Convert metadata to the types of JSON, also scalars of NumPy."""
    return json.loads(json.dumps(meta, default=lambda value: value.item()))


def _age(record):
    """Seconds since an image was stored; a time in the future is as wrong as one in the past."""
    return abs(time.time() - record["stored"])


def _fits(record, seconds, survey):
    return (record is not None and (seconds is None or _age(record) > seconds)
            and (survey is None or record["meta"].get("survey") == survey))
