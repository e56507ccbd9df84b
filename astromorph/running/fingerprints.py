"""Short checksums that tell whether two runs are about the same things."""
import functools
import hashlib
import inspect
import os
import pickle
from collections.abc import Mapping

import numpy as np

__all__ = ["describe_callable", "fingerprint", "fingerprint_images"]


def fingerprint(value):
    """Sum up numbers, texts or arrays, in any nesting, in 16 hexadecimal digits.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
        The same in every process.
    """
    return _sum_up(value, lambda text: os.fspath(text).encode("utf-8", "surrogateescape"))


def fingerprint_images(images):
    """Sum up images, in any nesting, as `fingerprint` does other things.

    Parameters
    ----------
    images : object
        Files count by their absolute names, sizes and times; images in memory by their pixels, unit
        and mask, and by the header and WCS that come with them.

    Returns
    -------
    str
    """
    return _sum_up(images, _file)


def describe_callable(function):
    """Say which callable it is: its name, its code, and its arguments or state.

    Parameters
    ----------
    function : callable
        Also a partial one, a bound method, or an object.

    Returns
    -------
    str or None
        The same in every process; None for one that cannot be told from others: a lambda, a
        function inside another one, or what cannot be pickled.
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
    """The name by which others find it, or None."""
    name = f"{function.__module__}.{function.__qualname__}"
    return None if "<" in name else name


def _code(function):
    """What a function does, if it is one in Python."""
    code = function if inspect.iscode(function) else getattr(function, "__code__", None)
    if code is None:
        return ""
    constants = [_code(each) if inspect.iscode(each) else sorted(map(repr, each))
                 if isinstance(each, frozenset) else repr(each) for each in code.co_consts]
    return fingerprint([code.co_code, list(code.co_names), constants])


def _state(value):
    """What an object holds, or None if it does not say."""
    try:
        return hashlib.sha256(pickle.dumps(value, protocol=4)).hexdigest()
    except Exception:  # objects refuse in their own ways
        return None


def _sum_up(value, name):
    digest = hashlib.sha256()
    _feed(digest, value, name)
    return digest.hexdigest()[:16]


def _feed(digest, value, name):
    """Add a value; ``name`` gives the bytes that a text, or the name of a file, counts by."""
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
    """Which file a name stands for, and in which state it is."""
    path = os.fsencode(os.path.abspath(name))
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path + b" is not there"
    return path + f" {status.st_size} {status.st_mtime_ns}".encode()


def _pixels(value):
    """The array of an HDU, NDData, CCDData, Cutout2D; other values as they are."""
    holds = value is not np.ma.masked and hasattr(value, "data") and not isinstance(
        value, (np.ndarray, np.generic, memoryview))
    return value.data if holds else value


def _described(value):
    """What decides, beside its pixels, how an image is read; as bytes and arrays."""
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
    """What a single value is, and its bytes."""
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
