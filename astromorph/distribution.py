"""The distribution that brings this package, its extras, and the other one of the same folder.

The package is ``astromorph``. On the package index that name belongs to another project, whose
files go into the same folder. Importing this module fails where both are installed. The module
imports little, because ``import astromorph`` imports it.
"""
import os
from contextlib import suppress

__all__ = ["NAME", "install_command", "missing"]

NAME = "astromorph-galaxies"
"""Name of the distribution."""


def install_command(extra):
    """Tell how to install an extra.

    Parameters
    ----------
    extra : str
        Its name in ``pyproject.toml``.

    Returns
    -------
    str

    Examples
    --------
    >>> from astromorph.distribution import install_command
    >>> install_command("report")
    'pip install "astromorph-galaxies[report]"'
    """
    return f'pip install "{NAME}[{extra}]"'


def missing(what, needs, extra):
    """Make the error that says which extra brings what is not installed: ``raise missing(...)``.

    Parameters
    ----------
    what : str
        What cannot be done.
    needs : str
        The packages that it needs.
    extra : str
        The extra that brings them.

    Returns
    -------
    ImportError

    Examples
    --------
    >>> from astromorph.distribution import missing
    >>> raise missing("The HTML report", "Jinja2", "report")
    Traceback (most recent call last):
    ...
    ImportError: The HTML report needs Jinja2. Install it: pip install "astromorph-galaxies[report]"
    """
    return ImportError(f"{what} needs {needs}. Install it: {install_command(extra)}")


def _check_alone(folder):
    """Raise if the other project's distribution was installed into the same folder."""
    names = []
    with suppress(OSError):  # in a zip file, nobody else writes
        names = os.listdir(folder)
    others = [name for name in names if name.startswith("astromorph-")
              and name[len("astromorph-"):][:1].isdigit()  # a version
              and name.endswith((".dist-info", ".egg-info"))]
    if others:
        raise ImportError(
            f"Two distributions share the folder astromorph in {folder}: {NAME}, and astromorph "
            f"({others[0]}), which is another project or an old build of this one. Each has "
            "overwritten files of the other. Remove both, then install the one that you want: "
            f"pip uninstall astromorph {NAME} && pip install {NAME}")


_check_alone(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
