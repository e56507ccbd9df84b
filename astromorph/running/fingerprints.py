"""Short checksums that show whether two runs use the same data and functions."""
import functools
import hashlib
import inspect
import os
import pickle
from collections.abc import Mapping

import numpy as np

__all__ = ["describe_callable", "fingerprint", "fingerprint_images"]


def fingerprint(value):
    """Compute a checksum of numbers, texts or arrays, in any nesting.

    Parameters
    ----------
    value : object
        The values.

    Returns
    -------
    str
        16 hexadecimal digits, the same in every process.
    """
    return _sum_up(value, lambda text: os.fspath(text).encode("utf-8", "surrogateescape"))


def fingerprint_images(images):
    """Compute a checksum of images, in any nesting.

    Parameters
    ----------
    images : object
        File names or images. A file counts by its absolute name, size and time of change. An image
        in memory counts by its pixels, unit, mask, header and WCS.

    Returns
    -------
    str
        16 hexadecimal digits, the same in every process.
    """
    return _sum_up(images, _file)


def describe_callable(function):
    """Describe a callable by its name, its code, and its arguments or state.

    Parameters
    ----------
    function : callable
        A function, a partial function, a bound method or an object.

    Returns
    -------
    str or None
        A text that is the same in every process. None for a callable that cannot be identified: a
        lambda, a function inside another one, or an object that cannot be pickled.
    """
    if isinstance(function, functools.partial):
        parts = [describe_callable(function.func), _state([function.args, function.keywords])]
    elif inspect.ismethod(function):
        parts = [describe_callable(function.__func__), _state(function.__self__)]
    elif inspect.isroutine(function) or inspect.isclass(function):
        parts = [_name(function), _code(function),
                 _state([getattr(function, "__defaults__", None),
                         getattr(function, "__kwdefaults__", None)])]
    else:
        parts = [_name(type(function)), _code(type(function).__call__), _state(function)]
    return None if None in parts else " ".join(parts)


def _name(function):
    """The full name of a function; None for a lambda or a function inside another one."""
    name = f"{function.__module__}.{function.__qualname__}"
    return None if "<" in name else name


def _code(function):
    """Checksum of the code of a function in Python; empty for other functions."""
    code = function if inspect.iscode(function) else getattr(function, "__code__", None)
    if code is None:
        return ""
    constants = [_code(each) if inspect.iscode(each) else sorted(map(repr, each))
                 if isinstance(each, frozenset) else repr(each) for each in code.co_consts]
    return fingerprint([code.co_code, list(code.co_names), constants])


def _state(value):
    """Checksum of the state of an object; None if it cannot be pickled."""
    try:
        return hashlib.sha256(pickle.dumps(value, protocol=4)).hexdigest()
    except Exception:  # objects refuse to be pickled in different ways
        return None


def _sum_up(value, name):
    digest = hashlib.sha256()
    _feed(digest, value, name)
    return digest.hexdigest()[:16]


def _feed(digest, value, name):
    """Add a value to a digest; ``name`` converts a text, or the name of a file, to bytes."""
    if isinstance(value, Mapping):
        value = list(value.items())
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.tolist()
    if not isinstance(value, (list, tuple)) and (described := _described(value)):
        pixels = _pixels(value)
        value = [pixels.view(np.ndarray) if hasattr(pixels, "unit") else pixels, *described]
    if isinstance(value, (list, tuple)):  # an HDUList is one too
        digest.update(f"list {len(value)} ".encode())
        for item in value:
            _feed(digest, item, name)
        return
    if isinstance(value, (str, os.PathLike)):
        kind, data = "name", name(value)
    else:
        kind, data = _as_bytes(_pixels(value))
    digest.update(f"{kind} {len(data)} ".encode())
    digest.update(data)


def _file(name):
    """Absolute name, size and time of change of a file, as bytes."""
    path = os.fsencode(os.path.abspath(name))
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path + b" is not there"
    return path + f" {status.st_size} {status.st_mtime_ns}".encode()


def _pixels(value):
    """The array of an HDU, NDData, CCDData or Cutout2D; other values stay as they are."""
    holds = value is not np.ma.masked and hasattr(value, "data") and not isinstance(
        value, (np.ndarray, np.generic, memoryview))
    return value.data if holds else value


def _described(value):
    """Everything except the pixels that decides how an image is read, as bytes and arrays."""
    if isinstance(value, (str, bytes, os.PathLike)):
        return []
    unit, wcs = getattr(value, "unit", None), getattr(value, "wcs", None)
    header = getattr(value, "header", None) or getattr(value, "meta", None)
    mask = None if isinstance(value, np.ndarray) else getattr(value, "mask", None)
    found = {"unit": None if unit is None else str(unit).encode(), "mask": mask,
             "header": _header(header) if header else None,
             "wcs": None if wcs is None else _wcs(wcs)}
    return [part for key, each in found.items() if each is not None
            for part in (key.encode(), each)]


def _header(header):
    return (header.tostring() if hasattr(header, "tostring") else repr(list(header.items()))
            ).encode("utf-8", "replace")


def _wcs(wcs):
    wcs = getattr(wcs, "low_level_wcs", wcs)
    return (wcs.to_header_string(relax=True).encode() if hasattr(wcs, "to_header_string")
            else pickle.dumps(wcs))


def _as_bytes(value):
    """The kind and the bytes of a single value."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "bytes", bytes(value)
    if isinstance(value, np.ndarray):
        mask = np.ma.getmask(value)
        array = np.ascontiguousarray(np.ma.getdata(value))
        masked = b"" if mask is np.ma.nomask else mask.tobytes()
        return f"{array.dtype.str} {array.shape}", array.tobytes() + masked
    if isinstance(value, np.generic):
        value = value.item()
    return "value", repr(value).encode()
