"""Read and write records of surveys as TOML."""
import json
import tomllib
from dataclasses import MISSING
from difflib import get_close_matches
from pathlib import Path

from astropy import units as u

from astromorph.errors import wrong

__all__ = ["default_of", "read_toml", "toml_text"]


def default_of(each):
    """The default of a field of a dataclass; MISSING if it has none."""
    return each.default if each.default_factory is MISSING else each.default_factory()


def read_toml(path, fields):
    """Read the fields of a record from a TOML file.

    Parameters
    ----------
    path : path
        The TOML file.
    fields : sequence of `dataclasses.Field`
        The known fields.

    Returns
    -------
    dict
        Name of a field to its value. Text becomes a quantity where the field is one.

    Raises
    ------
    OSError
        If the file cannot be read.
    ArgumentError
        If the file is not TOML, has an unknown field, or lacks a field that has no default.
    """
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # not TOML, or not UTF-8
        raise wrong("survey", "a TOML file with the fields of a Survey",
                    f"{path}, which is not one ({error})") from error
    kinds = {each.name: each.type for each in fields}
    for name in set(given) - set(kinds):
        near = get_close_matches(name, kinds, 1)
        raise wrong(f"{name} in {path}", "a field of a Survey", "an unknown one",
                    f"Did you mean {near[0]}?" if near else f"There are {', '.join(kinds)}.")
    for each in fields:
        if each.name not in given and default_of(each) is MISSING:
            raise wrong(f"{each.name} in {path}", "a value, because it has no default", "none")
    return {name: _quantity(value) if kinds[name] is u.Quantity else value
            for name, value in given.items()}


def _quantity(text):
    """Convert text to a quantity; other text stays as it is, and the check of the field fails."""
    try:
        return u.Quantity(text) if isinstance(text, str) else text
    except (TypeError, ValueError):
        return text


def toml_text(record):
    """Format a record as TOML.

    Parameters
    ----------
    record : dict
        The result of `~astromorph.surveys.Survey.to_json`.

    Returns
    -------
    str
    """
    lines = []
    for name, value in record.items():
        if name in ("pixel_scale", "psf_fwhm", "sky_noise"):
            value = "{!r} {}".format(*value)
        if isinstance(value, dict):
            pairs = (f"{json.dumps(key)} = {_written(each)}" for key, each in value.items())
            lines.append(f"{name} = {{{', '.join(pairs)}}}")
        elif value is not None:
            lines.append(f"{name} = {_written(value)}")
    return "\n".join(lines) + "\n"


def _written(value):
    """Format text, numbers and lists: as in JSON, except for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
