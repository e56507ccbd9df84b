"""Weights files: arrays and their card in one safetensors file; the bundled ones live here."""
import hashlib
import json
from importlib import resources
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from astromorph.atomic import written_whole

__all__ = ["DEFAULT", "FORMAT", "bundled", "digest", "find_bundled", "read_weights",
           "write_weights"]

FORMAT = 1
DEFAULT = "pinwheel"
"""The network whose bundled weights are meant where none is named."""
# Surveys of the same camera and the same color mapping share weights.
_SHARED = {"des": "legacy"}
_REQUIRED = ("format", "network", "survey", "questions", "size", "frame_r90", "calibration",
             "sha256")


def digest(arrays):
    """Return the SHA-256 over names, shapes and values as float32, however they are stored."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], "<f4")
        digest.update(f"{name} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_weights(path, card, arrays, *, overwrite=False):
    """Write a weights file.

    Parameters
    ----------
    path : path
        By convention ``*.safetensors``.
    card : dict
        What the weights are and how they came about; must serialize to JSON.
    arrays : dict of str to `~numpy.ndarray`
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    dict
        The card as written, with ``format`` and ``sha256`` set.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is not set.
    """
    card = {**card, "format": FORMAT, "sha256": digest(arrays)}
    with written_whole(path, overwrite=overwrite) as part:
        part.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()},
                              metadata={"card": json.dumps(card)}))
    return card


def read_weights(path):
    """Read a weights file and check it.

    Parameters
    ----------
    path : path

    Returns
    -------
    card : dict
    arrays : dict of str to `~numpy.ndarray`

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a weights file, was written by a newer version, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no weights file {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            card = json.loads((file.metadata() or {}).get("card", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ValueError(f"path: {path} is not a readable weights file ({error}). "
                         "Expected a .safetensors file written by astromorph.") from error
    _check(path, card, arrays)
    return card, arrays


def _check(path, card, arrays):
    if missing := [key for key in _REQUIRED if key not in card]:
        raise ValueError(f"path: the card of {path} lacks {missing}. "
                         "Expected a .safetensors file written by astromorph.")
    if card["format"] > FORMAT:
        raise ValueError(f"path: {path} has format {card['format']}; this version of astromorph "
                         f"reads up to {FORMAT}. Install a newer one.")
    if card["sha256"] != digest(arrays):
        raise ValueError(f"path: the weights in {path} do not match their checksum; the file is "
                         "damaged or was edited. Get it again.")


def bundled():
    """Return the bundled weights files.

    Returns
    -------
    dict
        (survey, network) -> path; surveys of one camera share a file.
    """
    paths = sorted(Path(str(resources.files(__name__))).glob("*.safetensors"))
    files = {tuple(path.stem.split("-", 1)): path for path in paths}
    return files | {(survey, network): path for survey, shared in _SHARED.items()
                    for (own, network), path in files.items() if own == shared}


def find_bundled(survey="sdss", network=None):
    """Find a bundled weights file.

    Parameters
    ----------
    survey, network : str
        See `~astromorph.classifier.MorphologyClassifier.from_pretrained`.

    Returns
    -------
    survey : str
        As `bundled` has it.
    path : `~pathlib.Path`

    Raises
    ------
    ValueError
        If there are no such weights; the message lists those that there are.
    """
    files = bundled()
    wanted = (str(survey).lower(), str(network or DEFAULT).lower())
    if wanted not in files:
        there = ", ".join(f"{s!r} with network={n!r}" for s, n in files)
        raise ValueError(f"survey, network: there are no bundled weights {wanted}. "
                         f"Expected one of: {there}.")
    return wanted[0], files[wanted]
