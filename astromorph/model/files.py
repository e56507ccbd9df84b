"""Weights files: arrays and their card in one safetensors file. The bundled files are here."""
import hashlib
import json
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from astromorph.arguments import check_suffix
from astromorph.atomic import written_whole
from astromorph.errors import wrong
from astromorph.model.card import FORMAT
from astromorph.surveys import BUNDLED, SURVEYS, Survey

__all__ = ["DEFAULT", "WEIGHTS", "bundled", "digest", "find_bundled", "read_weights", "reading",
           "write_weights"]

DEFAULT = "pinwheel"
"""The default network of bundled weights."""
WEIGHTS = "weights.safetensors"
"""Name of the weights in a folder that the page for labeling writes."""
# Surveys of the same camera and the same color mapping share weights.
_SHARED = {"des": "legacy", "legacy-dr9": "legacy", "legacy-dr10": "legacy"}
_OTHER_WEIGHTS = ("MorphologyClassifier.read reads a file of yours; hf://USER/NAME@COMMIT and "
                  "https:// are addresses of weights.")


def digest(arrays, keys):
    """Compute the checksum of weights and of their questions, whatever form they are stored in.

    Parameters
    ----------
    arrays : dict of str to `~numpy.ndarray`
        The weights.
    keys : sequence of str
        Keys of the questions, in the order of the network's outputs.

    Returns
    -------
    str
        SHA-256 over the keys, and over names, shapes and values (as float32) of the arrays.
    """
    digest = hashlib.sha256(json.dumps(list(keys)).encode())
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
        ``*.safetensors``.
    card : dict
        Result of `~astromorph.model.card.Card.to_json`.
    arrays : dict of str to `~numpy.ndarray`
        The weights.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    ValueError
        If the name does not end in ``.safetensors``.
    """
    check_suffix(path, ".safetensors")
    stored = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with written_whole(path, overwrite=overwrite) as part:
        part.write_bytes(save(stored, metadata={"card": json.dumps(card | {"format": FORMAT})}))


def read_weights(path):
    """Read a weights file.

    Parameters
    ----------
    path : path
        ``*.safetensors``, or a folder with `WEIGHTS` in it.

    Returns
    -------
    card : dict
        For `~astromorph.model.card.Card.from_json`.
    arrays : dict of str to `~numpy.ndarray`

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a weights file, was written by another version, or cannot be read.
    """
    path = Path(path)
    path = path / WEIGHTS if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no weights file {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            card = json.loads((file.metadata() or {}).get("card", "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError,
            RecursionError) as error:  # AttributeError: types of numbers that NumPy lacks
        raise wrong("path", "a .safetensors file that astromorph wrote",
                    f"{path}, which cannot be read ({error})") from error
    if not isinstance(card, dict):
        raise wrong("path", "a .safetensors file that astromorph wrote",
                    f"{path}, which has no card")
    if card.get("format") != FORMAT:
        raise wrong("path", f"a weights file of format {FORMAT}",
                    f"{path}, of format {card.get('format')!r}",
                    "Install the version of astromorph that wrote it.")
    return card, arrays


@contextmanager
def reading(path):
    """Have errors about a card say which file it is in.

    Parameters
    ----------
    path : path
        The weights file, or its address.
    """
    try:
        yield
    except ValueError as error:
        raise wrong("path", "a weights file that astromorph wrote",
                    f"{path}, which is not one ({error})") from error


def bundled():
    """Return the bundled weights files.

    Returns
    -------
    dict
        (survey, network) -> path. Surveys of one camera share a file.
    """
    paths = sorted(Path(str(resources.files("astromorph.model"))).glob("*.safetensors"))
    files = {tuple(path.stem.split("-", 1)): path for path in paths}
    return files | {(survey, network): path for survey, shared in _SHARED.items()
                    for (own, network), path in files.items() if own == shared}


def find_bundled(survey="sdss", network=None):
    """Find the bundled weights file for a survey, or the most similar one.

    Parameters
    ----------
    survey, network
        See `~astromorph.classifier.MorphologyClassifier.from_pretrained`.

    Returns
    -------
    survey : `~astromorph.surveys.Survey`
        The record of the survey.
    path : `~pathlib.Path`
    owner : `~astromorph.surveys.Survey` or None
        The survey of the weights, if it is another one.

    Raises
    ------
    ValueError
        If there are no such weights; the message lists those that exist.
    """
    files = bundled()
    record = survey if isinstance(survey, Survey) else SURVEYS.get(str(survey).strip().lower())
    wanted = (record.name if record else str(survey).lower(), str(network or DEFAULT).lower())
    if record and wanted in files and _looks_alike(record, BUNDLED.get(record.name)):
        return record, files[wanted], None
    others = [SURVEYS[name] for name, kind in files if kind == wanted[1] and name not in _SHARED]
    if not record or not others:
        surveys, networks = (", ".join(map(repr, sorted(set(each))))
                             for each in zip(*files, strict=True))
        raise wrong("weights, network", f"one of the bundled weights, survey {surveys}, with "
                    f"network {networks}", wanted, None if record else _OTHER_WEIGHTS)
    owner = _nearest(record, others)
    return record, files[owner.name, wanted[1]], owner


def _looks_alike(survey, other):
    """Whether images of two records look alike; equal names do not prove it."""
    return other is None or all(getattr(survey, name) == getattr(other, name) for name in (
        "rgb", "scales", "offset", "softening", "pixel_scale"))


def _nearest(survey, others):
    """A survey of the same camera, else the one with the most similar pixels per seeing."""
    def distance(other):
        sampling = [(each.pixel_scale / each.psf_fwhm).to_value("") for each in (survey, other)]
        return other.camera != survey.camera, abs(np.log(sampling[0] / sampling[1]))

    return min(others, key=distance)
