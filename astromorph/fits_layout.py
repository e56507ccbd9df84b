"""Check the layout of a FITS file from its headers, before other code trusts them."""
import bz2
import gzip
import io
import math
import os
import re

__all__ = ["PACKED", "layout_fault", "promised_size"]

PACKED = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open}
"""First two bytes of a compressed file to the function that opens it (dict)."""

_BLOCK, _CARD, _MAX_HEADER = 2880, 80, 2**21
_SIZES = re.compile("Z?BITPIX|Z?NAXIS[0-9]*|ZTILE[0-9]+|PCOUNT|GCOUNT|TFIELDS")
_DEPTHS = (8, 16, 32, 64, -32, -64)
# Cards that change the meaning of pixels or columns must be plain text.
_MEANING = re.compile(
    "BSCALE|BZERO|BLANK|BUNIT|BAND(S|[0-9]+)?|FILTER|EXTNAME|EXTTYPE|IMAGETYP|MAGZERO|FLUXMAG0|"
    "BSOFTEN|BOFFSET|SOFTBIAS|EXPTIME|INHERIT|C(TYPE|DELT|UNIT|RVAL|ROTA)[12]|(CD|PC)[12]_[12]|"
    "T(FORM|NULL|SCAL|ZERO)[0-9]+|Z[A-Z]+[0-9]*")


def layout_fault(file):
    """Find what is wrong with the layout of a FITS file.

    Every header must have an END card, card names in plain text, and possible sizes. Its data
    must be followed by another header or by the end of the file. The last padding may be missing
    or too long.

    Parameters
    ----------
    file : binary file
        Not compressed. The function leaves it at its start.

    Returns
    -------
    str or None
        What is wrong; None if the layout is sound.
    """
    size, at = file.seek(0, os.SEEK_END), 0
    try:
        while at < size:
            file.seek(at)
            at = _next_header(file, at, size)
    except ValueError as fault:
        return str(fault)
    finally:
        file.seek(0)
    return None


def promised_size(data):
    """Compute the size of the first HDU of a FITS file from its header.

    Parameters
    ----------
    data : bytes
        The start of the file, with the whole header.

    Returns
    -------
    int
        Size in bytes, without the padding at the end.

    Raises
    ------
    ValueError
        If the header is damaged.
    """
    cards = _header(io.BytesIO(data))
    if cards is None:
        raise ValueError("it is truncated or damaged: a header has no END")
    return _padded(_CARD * (len(cards) + 1)) + _data_size(_sizes(cards))


def _next_header(file, at, size):
    """Position of the next HDU, or of the end of the file."""
    cards = _header(file)
    if cards is None:
        raise ValueError("it is truncated or damaged: a header has no END")
    start = at + _padded(_CARD * (len(cards) + 1))
    end = start + _data_size(_sizes(cards))
    if end > size:
        raise ValueError(f"it is truncated: it has {size} bytes, its headers promise {end}")
    after = start + _padded(end - start)
    file.seek(after)
    if after == size or file.read(8) == b"XTENSION":
        return after
    file.seek(end)
    if any(block.strip(b"\0 \r\n") for block in iter(lambda: file.read(2**20), b"")):
        raise ValueError(f"it is damaged: its headers promise fewer bytes than its {size}")
    return size


def _header(file):
    """The cards before END; None if there is no END."""
    cards = []
    while len(cards) * _CARD < _MAX_HEADER and (block := file.read(_BLOCK)):
        for place in range(0, len(block), _CARD):
            card = block[place:place + _CARD]
            if card.rstrip() == b"END":
                return cards
            cards.append(card)
    return None


def _sizes(cards):
    """Values of the cards that set the size of the data; the names of all cards are checked."""
    sizes = {}
    for card in cards:
        name = card[:8].decode("latin-1").rstrip()
        means = _MEANING.fullmatch(name) is not None
        text = card.decode("latin-1") if means else name
        if not (text.isascii() and text.isprintable()) or b"\0" in card or (
                means and card[8:10] != b"= "):
            raise ValueError(f"it is damaged: a card {name!r} is not plain text")
        if _SIZES.fullmatch(name):
            value = re.fullmatch(rb"= *([-+]?[0-9]+) *(/.*)?", card[8:], re.DOTALL)
            if value is None or sizes.setdefault(name, int(value[1])) != int(value[1]):
                raise ValueError(f"it is damaged: a card {name} is not a number, or stands twice")
        elif name in ("SIMPLE", "GROUPS"):
            value = re.match(rb"= *([TF]) *(/|$)", card[8:])
            if value is None:
                raise ValueError(f"it is damaged: a card {name} is neither T nor F")
            sizes[name] = value[1] == b"T"
    return sizes


def _data_size(sizes):
    """Size of the data in bytes, without padding."""
    sides = [sizes.get(f"NAXIS{n}", -1) for n in range(1, min(sizes.get("NAXIS", -1), 999) + 1)]
    extra, groups = sizes.get("PCOUNT", 0), sizes.get("GCOUNT", 1)
    signed = ("BITPIX", "ZBITPIX")
    if (sizes.get("BITPIX") not in _DEPTHS or "NAXIS" not in sizes or min([0, *sides]) < 0
            or any(value < 0 for key, value in sizes.items() if key not in signed)
            or max(sizes.get(key, 0) for key in ("NAXIS", "ZNAXIS", "TFIELDS")) > 999):
        raise ValueError("it is damaged: BITPIX, NAXIS or another size is impossible")
    if sizes.get("GROUPS") and sides and not sides[0]:
        sides = sides[1:]
    return abs(sizes["BITPIX"]) // 8 * groups * (extra + math.prod(sides)) if sides else 0


def _padded(size):
    return -(-size // _BLOCK) * _BLOCK
