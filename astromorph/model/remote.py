"""Download weights: once, checked before they are opened, and kept.

This is how pooch does it. `~astromorph.services.transport.Transport` downloads, because it limits
time, size and redirects, which pooch does not.
"""
import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from astropy.config import get_cache_dir_path

from astromorph.arguments import as_path
from astromorph.atomic import check_writable, read_plain_file, write_file
from astromorph.errors import FetchError, wrong
from astromorph.flags import MorphFlag
from astromorph.services.endpoints import anywhere, is_loopback
from astromorph.services.limits import LARGEST_BODY
from astromorph.services.transport import Transport

__all__ = ["USUAL_FILE", "WeightsAddress", "fetch_weights", "is_address", "weights_folder"]

USUAL_FILE = "astromorph.safetensors"
"""The file of a repository that is taken where the address names none (str)."""
_HUB = "https://huggingface.co"
_FILE = re.compile(r"(\w[\w. -]*/)*\w[\w. -]*\.safetensors", re.ASCII)
_ON_HUB = re.compile(rf"hf://(?P<owner>\w[\w.-]*)/(?P<name>\w[\w.-]*)(/(?P<file>{_FILE.pattern}))?"
                     r"(@(?P<revision>\w[\w./-]*))?", re.ASCII)
_WEB = re.compile(r"(?P<scheme>https?)://(?P<host>[\w.-]+|\[[\da-f:.]+\])(:(?P<port>\d{1,5}))?"
                  r"([/?]\S*)?", re.IGNORECASE)
_COMMIT, _SHA256 = (re.compile(rf"[0-9a-f]{{{digits}}}") for digits in (40, 64))
_EXPECTED = "https://HOST/FILE.safetensors, or hf://USER/NAME@COMMIT"
_OTHERWISE = "download it by other means and read it from its path (MorphologyClassifier.read)"
_SECONDS = 120.0  # up to four times as many, while the file comes


def is_address(weights):
    """Tell whether weights are named by an address.

    Parameters
    ----------
    weights : object
        Text that contains ``://`` is an address.

    Returns
    -------
    bool
    """
    return isinstance(weights, str) and "://" in weights


def weights_folder():
    """Tell where downloaded weights are kept.

    Returns
    -------
    `~pathlib.Path`
        ``weights`` in the folder that the environment variable ``ASTROMORPH_CACHE`` names, else in
        Astropy's cache directory for astromorph.

    Examples
    --------
    >>> from astromorph.model.remote import weights_folder
    >>> weights_folder().name
    'weights'
    """
    chosen = os.environ.get("ASTROMORPH_CACHE")
    folder = as_path(chosen, "ASTROMORPH_CACHE") if chosen else get_cache_dir_path("astromorph")
    return folder / "weights"


@dataclass(frozen=True)
class WeightsAddress:
    """Address of weights, and what pins their content; checked when made.

    Parameters
    ----------
    text : str
        ``https://HOST/FILE``, ``hf://USER/NAME@REVISION`` or
        ``hf://USER/NAME/FILE.safetensors@REVISION``.
    sha256 : str, optional
        Checksum of the file, 64 hexadecimal digits. It is required unless the revision is a
        commit.

    Raises
    ------
    ValueError
        If the address is of another form, or if nothing pins the content.

    Examples
    --------
    >>> from astromorph.model.remote import WeightsAddress
    >>> address = WeightsAddress.of("https://example.org/mine.safetensors#sha256=" + 64 * "0")
    >>> address.text
    'https://example.org/mine.safetensors'
    >>> WeightsAddress("hf://someone/galaxies@" + 40 * "a").on_hub["name"]
    'galaxies'
    """

    text: str
    sha256: str | None = None

    def __post_init__(self):
        if self.sha256 is not None and not _SHA256.fullmatch(str(self.sha256)):
            raise wrong("sha256", "64 digits 0-9 and a-f", repr(self.sha256))
        if self.on_hub:
            self._check_revision()
            _check_secure(_hub(), "HF_ENDPOINT", "https://HOST")
            return
        _check_secure(self.text, "weights", _EXPECTED)
        if self.sha256 is None:
            raise wrong("sha256", "the checksum of the file, 64 digits 0-9 and a-f", "none",
                        f"Add it to the address, {self.shown}#sha256=...; the people who published "
                        "the file can tell it ('sha256sum FILE'). The page of a repository on the "
                        "Hugging Face Hub is no file: write hf://USER/NAME@COMMIT.")

    def _check_revision(self):
        revision = self.on_hub["revision"]
        if revision is None or not (self.sha256 or _COMMIT.fullmatch(revision)):
            raise wrong("weights", "hf://USER/NAME@COMMIT with a whole commit of 40 digits 0-9 and "
                        "a-f, which pins the file", repr(self.text), "The page of the repository "
                        "lists its commits. Of a branch or tag, add the checksum of the file: "
                        "#sha256=... at the end.")

    @classmethod
    def of(cls, address, sha256=None):
        """Make one from an address that may end with a checksum.

        Parameters
        ----------
        address : str
            May end with ``#sha256=`` and the checksum.
        sha256 : str, optional
            The checksum, if the address does not end with it.

        Returns
        -------
        WeightsAddress

        Raises
        ------
        ValueError
            If the address is of another form, or if there are two checksums.
        """
        if not is_address(address):
            raise wrong("weights", _EXPECTED, f"{address!r:.200}")
        text, _, end = address.partition("#")
        kind, _, found = end.partition("=")
        if end and kind != "sha256":
            raise wrong("weights", "nothing or #sha256=... after the address", repr(address))
        given = [each.strip().lower() if isinstance(each, str) else each
                 for each in (found or None, sha256) if each is not None]
        if len(set(given)) > 1:
            raise wrong("sha256", "the checksum at the end of the address", repr(sha256),
                        "Give one of them only.")
        return cls(text, given[0] if given else None)

    @property
    def on_hub(self):
        """Parts of an address of the Hugging Face Hub, None for another address (dict)."""
        parts = _ON_HUB.fullmatch(self.text)
        if parts is None and self.text.lower().startswith("hf:"):
            raise wrong("weights", "hf://USER/NAME@COMMIT or hf://USER/NAME/FILE.safetensors"
                        "@COMMIT", repr(self.text))
        return parts and parts.groupdict()

    @property
    def shown(self):
        """The address as messages have it: what follows a ``?`` may be a secret (str)."""
        return self.text.partition("?")[0]

    @property
    def key(self):
        """Begin of the name of the stored file: 16 hexadecimal digits (str)."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def fetch_weights(address, sha256=None):
    """Download a weights file, unless it was downloaded before.

    Parameters
    ----------
    address : str
        See `WeightsAddress`; it may end with ``#sha256=`` and the checksum.
    sha256 : str, optional
        The checksum.

    Returns
    -------
    `~pathlib.Path`
        The file in `weights_folder`, with the right checksum.

    Raises
    ------
    ValueError
        If the address is invalid, or if the file has another checksum.
    `~astromorph.errors.FetchError`
        If the file cannot be downloaded.
    OSError
        If the file cannot be stored.

    Examples
    --------
    >>> from astromorph.model.remote import fetch_weights
    >>> path = fetch_weights("hf://USER/NAME@COMMIT")  # doctest: +SKIP
    """
    wanted = WeightsAddress.of(address, sha256)
    kept = _kept(wanted)
    if kept is not None:
        return kept
    folder = _writable_folder(wanted.key)
    data = _download(wanted)
    path = folder / f"{wanted.key}.{hashlib.sha256(data).hexdigest()}.safetensors"
    write_file(path, data, durable=True)
    return path


def _writable_folder(name):
    """The folder of weights, before anything is downloaded."""
    folder = weights_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_writable(folder / name)
    except OSError as error:
        raise OSError(f"downloaded weights cannot be kept in {folder} ({error}). Name another "
                      "folder with the environment variable ASTROMORPH_CACHE.") from error
    return folder


def _kept(wanted):
    """File of an earlier download, or None; a damaged file is replaced later."""
    pattern = f"*.{wanted.sha256}" if wanted.sha256 else f"{wanted.key}.*"
    for path in sorted(weights_folder().glob(f"{pattern}.safetensors")):
        with suppress(OSError):  # other processes replace it, or it is not readable
            data = read_plain_file(path, LARGEST_BODY)
            if path.name.split(".")[-2] == hashlib.sha256(data).hexdigest():
                return path
    return None


def _download(wanted):
    """Bytes of a file with the right checksum."""
    try:
        with Transport(timeout=_SECONDS, retries=2) as transport, anywhere():
            url = _on_hub(wanted, transport) if wanted.on_hub else wanted.text
            response = transport.get(url)
    except FetchError as error:
        raise FetchError(f"{wanted.shown}: {error}. {_advice(error)}", error.flag,
                         unreachable=error.unreachable) from error
    expected = wanted.sha256 or _told_by_hub(response, wanted)
    found = hashlib.sha256(response.content).hexdigest()
    if found != expected:
        page = response.content[:100].lstrip().lower().startswith((b"<!doctype", b"<html"))
        raise wrong("sha256", expected, f"{found}, of {len(response.content)} bytes from "
                    f"{wanted.shown}{', which are a web page' if page else ''}",
                    "Is it the address of the file itself, which takes no login? Nothing was kept."
                    if page else "The file is another one, or was damaged on the way. Nothing was "
                    "kept.")
    return response.content


def _on_hub(wanted, transport):
    """Address of a file on the Hub; the Hub is asked for the file's name if it is missing."""
    parts = wanted.on_hub
    repository, revision = f"{parts['owner']}/{parts['name']}", quote(parts["revision"], safe="")
    file = parts["file"]
    if file is None:
        listed = transport.get(f"{_hub()}/api/models/{repository}/revision/{revision}",
                               check=_names)
        file = _choose(listed, wanted.text)
    return f"{_hub()}/{repository}/resolve/{revision}/{quote(file)}"


def _names(response):
    """Names of the files of a repository; those that are no names raise."""
    return [os.fspath(each["rfilename"]) for each in response.json()["siblings"]]


def _choose(names, address):
    """Usual weights file of a repository, or its only one."""
    there = [name for name in names if _FILE.fullmatch(name)]
    if USUAL_FILE not in there and len(there) != 1:
        raise wrong("weights", f"a repository with {USUAL_FILE} or with one .safetensors file",
                    f"{address} with {', '.join(there) or 'none'}",
                    "Name the file: hf://USER/NAME/FILE.safetensors@COMMIT.")
    return USUAL_FILE if USUAL_FILE in there else there[0]


def _told_by_hub(response, wanted):
    """Checksum of a file on the Hub, from the answer that redirects to the file."""
    told = [each.headers["X-Linked-Etag"] for each in (*response.history, response)
            if "X-Linked-Etag" in each.headers]
    found = told[0].strip().strip('"').lower() if told else ""
    if not _SHA256.fullmatch(found):
        raise FetchError(f"{wanted.text}: the answer does not say the checksum of the file. Add "
                         "it to the address: #sha256=... at the end.", MorphFlag.UNREADABLE)
    return found


def _hub():
    return (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")


def _check_secure(address, argument, expected):
    parts = _WEB.fullmatch(address)
    if parts is None or int(parts["port"] or 0) > 65535:
        hidden = re.sub("//[^/]*@", "//...@", address)  # a user and a password
        raise wrong(argument, expected, repr(hidden))
    if parts["scheme"].lower() == "http" and not is_loopback(parts["host"]):
        raise wrong(argument, "an address that begins with https://", repr(address))


def _advice(error):
    status = getattr(error, "status", None)
    if status in (401, 403, 404):
        return ("Is the address right, and may everybody read the file? If it needs a login, "
                f"{_OTHERWISE}.")
    again = "Try again later" if error.retry else "Check the address"
    return f"There is no copy of an earlier download. {again}, or {_OTHERWISE}."
