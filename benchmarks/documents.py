"""What the scripts write into the documentation: tables in ``tables``, pictures in ``_static``.

``_static/pictures.json`` holds the weights that pictures, and tables behind them, were made with.
A test fails when the bundled weights are others: then they have to be made again.
"""
import json
import re

from astromorph.model import TrainedModel

NOTES = "pictures.json"
ENUMERATOR = re.compile(r"(?=(\w{1,4}[.)]|\(\w{1,4}\)|[-*+])\s)")
"""Where a cell begins as a list does, such as "(a) direct"."""


def list_table(title, header, rows, widths=None):
    """Lines of an RST list table; no cell is taken for a list."""
    lines = [f".. list-table:: {title}", "   :header-rows: 1"]
    lines += [f"   :widths: {widths}", ""] if widths else [""]
    for row in [header, *rows]:
        cells = [escaped(str(cell)) for cell in row]
        lines += [f"   {'*' if k == 0 else ' '} - {cell}".rstrip() for k, cell in enumerate(cells)]
    return [*lines, ""]


def escaped(cell):
    """A cell that reStructuredText does not take for a list."""
    return "\\" + cell if ENUMERATOR.match(cell) else cell


def write_table(out, name, lines, weights=None):
    """Write lines, or a text, as ``tables/NAME.rst``, and note the weights if there are any."""
    (out / "tables").mkdir(parents=True, exist_ok=True)
    text = lines if isinstance(lines, str) else "\n".join(lines)
    (out / "tables" / f"{name}.rst").write_text(text)
    if weights is not None:
        note_weights(out, f"{name}.rst", weights)


def write_picture(out, name, figure, weights=(), tables=()):
    """Save a figure in ``_static``, and note its weights, or those of the tables that it shows."""
    (out / "_static").mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "_static" / name, dpi=110)
    note_weights(out, name, weights, tables)


def note_weights(out, name, weights=(), tables=()):
    """Note what was made with bundled weights, (survey, network), as they are, or from tables."""
    noted = read_notes(out)
    made_with = {"-".join(key): digest(*key) for key in weights}
    for table in tables:
        made_with |= noted[f"{table}.rst"]
    noted[name] = made_with
    (out / "_static").mkdir(parents=True, exist_ok=True)
    (out / "_static" / NOTES).write_text(json.dumps(noted, indent=2, sort_keys=True) + "\n")


def read_notes(out):
    """File -> weights, ``survey-network`` -> digest."""
    path = out / "_static" / NOTES
    return json.loads(path.read_text()) if path.exists() else {}


def digest(survey, network):
    """Digest of all that a probability of bundled weights depends on."""
    known = TrainedModel.bundled(survey, network).card.decisive
    return f"{known['weights']}-{known['calibration']}"


def read_list_table(out, name):
    """Rows of the first table of ``tables/NAME.rst``: column -> cell, as text."""
    text = (out / "tables" / f"{name}.rst").read_text()
    rows = [[cell.strip() for cell in re.split(r"\n +-", row)]
            for row in re.split(r"\n   \* -", "\n" + text.split("\n\n", 2)[1].rstrip())[1:]]
    header = [name or f"column {k + 1}" for k, name in enumerate(rows[0])]
    return [dict(zip(header, row)) for row in rows[1:]]
