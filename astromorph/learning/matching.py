"""Match rows of labels to galaxies by the galaxies' names."""
import os
import re
from itertools import product

import numpy as np
from astropy.table import Table

from astromorph.errors import warn, wrong
from astromorph.names import IMAGE_ENDINGS, as_names

__all__ = ["find_identifiers", "identifiers", "match_labels"]

# Names of columns that name a galaxy, in lower case and without separators. If the paths of files
# differ, files are matched by their names alone.
_FILES = ("file", "filename", "filepath", "fileloc", "path", "image", "imagefile")
_IDS = ("name", "id", "objid", "objname", "object", "objectid", "galaxy", "galaxyid", "galaxyname",
        "idstr", "iauname", "sourceid", "targetid", "dr7objid", "dr8objid", "specobjid", "lsid",
        "coaddobjectid", "assetid", "zooniverseid")

_MISSING = {"", "nan", "none", "null", "--", "n/a", "-9999", "-9999.0"}


def identifiers(data, key=None):
    """Find the columns that name the galaxies.

    Parameters
    ----------
    data : `~astropy.table.Table` or sequence
        A table, or file names.
    key : str, optional
        The name of the only column to use.

    Returns
    -------
    dict of str to list
        Names of columns, in lower case and without separators, and the identifiers in them as text;
        None where missing. A column with an unusual name is in it if its texts or whole numbers are
        all different; a question mark then comes before its name.

    Raises
    ------
    ValueError
        If there is no column ``key``, or its numbers have lost digits.
    """
    if not isinstance(data, Table):
        names = data if isinstance(data, (list, tuple)) else ()
        if not names or not all(isinstance(name, (str, os.PathLike)) for name in names):
            return {}
        data = Table({"file": [os.fspath(name) for name in names]})
    if key is not None and key not in data.colnames:
        raise wrong("key", f"the name of a column, one of {data.colnames}", repr(key))
    found = {}
    for name in [key] if key is not None else data.colnames:
        usual = key is not None or _form(name) in _FILES + _IDS
        if getattr(data[name], "ndim", 0) == 1 and getattr(
                getattr(data[name], "dtype", None), "kind", "V") in ("SUOiuf" if usual else "SUiu"):
            values = [_plain(each) for each in as_names(_exact(data[name], name))]
            if usual or None not in values and 1 < len(set(values)) == len(values):
                found[_form(name) if usual else f"?{_form(name)}"] = values
    return found


def _exact(column, name):
    """A column of identifiers; raise an error if its numbers have lost digits."""
    if column.dtype.kind == "f" and np.any(np.abs(np.ma.filled(column, 0)) >= 2**53):
        raise wrong("labels", "identifiers as whole numbers or text", f"{name!r} of type "
                    f"{column.dtype}, which keeps 16 digits", "Read the column as text or int64.")
    return column


def find_identifiers(names, key):
    """Find the identifiers of one column.

    Parameters
    ----------
    names : dict of str to list
        The `identifiers` of a table.
    key : str
        The name of the column.

    Returns
    -------
    list of str or None

    Raises
    ------
    ValueError
        If there is no such column.
    """
    if _form(key) not in names:
        raise wrong("key", "a column that names the galaxies of the labels, one of "
                    f"{list(names)}", repr(key))
    return names[_form(key)]


def match_labels(galaxies, labeled, values):
    """Give each galaxy the labels of the rows with its name.

    Parameters
    ----------
    galaxies, labeled : dict of str to list
        The `identifiers` of the galaxies, and of the rows of the labels.
    values : `~numpy.ndarray`, float, shape (n, questions)
        Labels, NaN where unknown.

    Returns
    -------
    `~numpy.ndarray`, float, shape (galaxies, questions), or None
        NaN where a galaxy has no row, or several that disagree. None if no column names the
        galaxies in both.

    Raises
    ------
    ValueError
        If both have such columns but no name in common, or two columns disagree.

    Warns
    -----
    AstromorphWarning
        If rows of one name have different labels.
    """
    pairs = [(mine, theirs) for mine, theirs in product(galaxies, labeled)
             if mine == theirs and mine[0] != "?" or mine in _FILES and theirs in _FILES + _IDS
             or theirs in _FILES and mine in _IDS]
    exact = [(mine, theirs) for mine, theirs in pairs
             if mine == theirs or mine in _FILES and theirs in _FILES]
    found = _matches(exact, galaxies, labeled) or _matches(
        [pair for pair in pairs if pair not in exact], galaxies, labeled)
    if not found:
        if not exact:
            return _by_content(galaxies, labeled, values)
        mine, theirs = exact[0]
        raise wrong("labels", f"names of the galaxies in the column {theirs!r}, such as "
                    f"{_first(galaxies[mine])}",
                    f"only other names, such as {_first(labeled[theirs])}")
    rows = found[0]
    for others in found[1:]:
        clash = [n for n, (one, other) in enumerate(zip(rows, others))
                 if one and other and not set(one) & set(other)]
        if clash:
            raise wrong("labels", "columns of names that agree with each other",
                        f"two that name different rows for galaxy {clash[0]}",
                        "Choose one with key=.")
        rows = [one or other for one, other in zip(rows, others)]
    _check_agreement(exact, galaxies, labeled, rows)
    return _gathered(rows, values)


def _check_agreement(pairs, galaxies, labeled, rows):
    """Raise an error if a galaxy's name in one column differs from that of its rows of labels."""
    for mine, theirs in pairs:
        form = _stem if mine in _FILES else str
        for name, found in zip(galaxies[mine], rows):
            others = {labeled[theirs][row] for row in found} - {None}
            if name is not None and others and form(name) not in map(form, others):
                raise wrong("labels", "columns of names that agree with each other",
                            f"{name!r} and {min(others)!r} in {theirs!r} for one galaxy",
                            "Choose one column with key=.")


def _by_content(galaxies, labeled, values):
    """Labels by a column with an unusual name, if its content leaves no doubt."""
    pairs = [(mine, theirs) for mine, theirs in product(galaxies, labeled) if theirs[0] == "?"
             and (mine == theirs or mine in _FILES)]
    for rows in _matches(pairs, galaxies, labeled):
        if all(rows) or len({row for mine in rows for row in mine}) == len(values):
            return _gathered(rows, values)
    return None


def _matches(pairs, galaxies, labeled):
    """For each pair of columns with names in common, the rows of labels of each galaxy."""
    found = []
    for mine, theirs in pairs:
        forms = _PATHS if mine in _FILES or theirs in _FILES else (str,)
        for form in forms:
            rows = {}
            for row, name in enumerate(labeled[theirs]):
                if name is not None:
                    rows.setdefault(form(name), []).append(row)
            here = [rows.get(form(name), []) if name is not None else []
                    for name in galaxies[mine]]
            if any(here):
                _check_forms(form, galaxies[mine], labeled[theirs])
                found.append(here)
                break
    return found


def _check_forms(form, *columns):
    """Raise an error if two files of one column differ only in their folders or endings."""
    for names in columns:
        whole = {}
        for name in names:
            if name is not None and whole.setdefault(form(name), name) != name:
                raise wrong("labels", "file names that tell the galaxies apart",
                            f"{whole[form(name)]!r} and {name!r}",
                            "Write whole paths, as in the table of galaxies.")


def _gathered(rows, values):
    """Labels of each galaxy from its rows; NaN, with a warning, where the rows disagree."""
    labels, clash = np.full((len(rows), values.shape[1]), np.nan), 0
    for number, mine in enumerate(rows):
        if mine:
            known = ~np.isnan(values[mine])
            best = np.max(np.where(known, values[mine], -np.inf), axis=0)
            same = ~known | (values[mine] == best)
            labels[number] = np.where(same.all(axis=0) & np.isfinite(best), best, np.nan)
            clash += not same.all()
    if clash:
        warn(f"{clash} galaxies have several rows of labels that disagree. Those answers count as "
             "unknown.")
    return labels


def _whole(name):
    return os.path.normpath(name)


def _base(name):
    return os.path.basename(name.replace("\\", "/"))


def _stem(name):
    base = _base(name)
    ending = next((end for end in sorted(IMAGE_ENDINGS, key=len, reverse=True)
                   if base.lower().endswith(end)), "")
    return base[:len(base) - len(ending)]


_PATHS = (_whole, _base, _stem)


def _form(name):
    return re.sub("[-_. ]", "", name.lower())


def _plain(name):
    """A name without what formats add: blanks around it, and ".0" after a whole number."""
    if name is None:
        return None
    name = name.strip()
    if name.lower() in _MISSING:
        return None
    return name[:-2] if re.fullmatch(r"[0-9]{1,15}\.0", name) else name


def _first(names):
    return repr(next((name for name in names if name is not None), None))
