"""Check tile-compressed FITS images before Astropy unpacks them, because it trusts them."""
from itertools import product

import numpy as np
from astropy.io import fits

from astromorph.errors import CutoutError
from astromorph.flags import MorphFlag

__all__ = ["check_packed"]

_COLUMN = {"RICE_1": "B", "RICE_ONE": "B", "HCOMPRESS_1": "B", "PLIO_1": "I", "GZIP_1": "B",
           "GZIP_2": "B", "NOCOMPRESS": "B"}  # method of compression: type of its column
_AT_ONCE = 2**22


def check_packed(file):
    """Check the compressed images of a FITS file.

    If a damaged file states wrong sizes, Astropy's decompression reads and writes outside its
    memory, which ends the process.

    Parameters
    ----------
    file : binary file
        A FITS file with a sound layout.

    Raises
    ------
    CutoutError
        If a card or a tile is invalid, or the bytes do not match the checksum in the header.
    """
    file.seek(0)
    for hdu in fits.open(file, memmap=False, disable_image_compression=True):
        if isinstance(hdu, fits.BinTableHDU) and hdu.header.get("ZIMAGE"):
            fault = _card_fault(hdu.header) or _sum_fault(hdu, file) or _tile_fault(hdu)
            if fault:
                raise CutoutError(f"the compressed image is damaged: {fault}; get it again",
                                  MorphFlag.UNREADABLE)


def _card_fault(header):
    method = str(header.get("ZCMPTYPE"))
    if method not in _COLUMN:
        return f"no compression is called {method!r:.20}"
    forms = {header[f"TTYPE{n}"]: str(header[f"TFORM{n}"])
             for n in range(1, header["TFIELDS"] + 1)}
    form = forms.get("COMPRESSED_DATA", "").split("(")[0].lstrip("01")
    if form[:1] not in ("P", "Q") or form[1:] != _COLUMN[method]:
        return f"{method} with a column of type {form!r:.20}"
    options = {header[f"ZNAME{n}"]: header.get(f"ZVAL{n}")
               for n in range(1, 10) if f"ZNAME{n}" in header}
    for name, allowed in (("BYTEPIX", (1, 2, 4)), ("BLOCKSIZE", (16, 32))):
        if method.startswith("RICE") and options.get(name, allowed[-1]) not in allowed:
            return f"{name} is {options[name]!r:.20}"
    return None


def _sum_fault(hdu, file):
    """Compare the bytes with DATASUM, which fpack always writes."""
    try:
        expected = int(hdu.header["DATASUM"])
    except (KeyError, ValueError, TypeError):
        return None
    where = hdu.fileinfo()
    file.seek(where["datLoc"])
    left, found = where["datSpan"], 0
    while left > 0 and (data := file.read(min(left, _AT_ONCE))):
        left -= len(data)
        found += int(np.frombuffer(data + bytes(-len(data) % 4), ">u4").sum(dtype=np.uint64))
    while found >> 32:
        found = (found & 0xFFFFFFFF) + (found >> 32)
    return None if found == expected else "its bytes do not add up to DATASUM"


def _tile_fault(hdu):
    """Compare the sizes stated at the start of each tile with the header and the tile."""
    header = hdu.header
    method = header["ZCMPTYPE"]
    if method not in ("HCOMPRESS_1", "PLIO_1"):
        return None
    shapes = _tile_shapes(header)
    tiles = hdu.data["COMPRESSED_DATA"]
    if len(tiles) != len(shapes):
        return "it has another number of tiles"
    sound = _is_line_list if method == "PLIO_1" else _is_hcompress
    if all(sound(tile, shape) for tile, shape in zip(tiles, shapes) if len(tile)):
        return None
    return "a tile has another size than the header says"


def _tile_shapes(header):
    """Sides of the tiles in their order, without sides of one pixel."""
    sides = []
    for n in range(header["ZNAXIS"], 0, -1):
        whole = header[f"ZNAXIS{n}"]
        tile = max(header.get(f"ZTILE{n}", 1 if n > 1 else whole), 1)
        sides.append([min(tile, whole - start) for start in range(0, whole, tile)])
    return [[side for side in shape if side > 1] for shape in product(*sides)]


def _is_hcompress(tile, shape):
    start = tile[:14].tobytes()
    found = np.frombuffer(start[2:10].ljust(8, b"\0"), ">i4").tolist()
    return start[:2] == b"\xdd\x99" and min(found) > 0 and (
        sorted(side for side in found if side > 1) == sorted(shape))


def _is_line_list(tile, shape):
    words = tile[:5].astype(int).tolist()
    if len(words) < 5 and (len(words) < 3 or words[2] <= 0):
        return False
    length = words[2] if words[2] > 0 else (words[4] << 15) + words[3]
    return 0 <= words[1] and 0 <= length <= len(tile)
