"""Decode JPEG and PNG files, and notice all damage that can be noticed."""
import io
import struct
import zlib

import numpy as np
import simplejpeg
from PIL import Image

from astromorph.errors import CutoutError
from astromorph.flags import MorphFlag
from astromorph.images.fits_planes import MAX_PIXELS

__all__ = ["decode_picture", "picture_pixels"]

# "Restart after 65535 blocks", which is more than the picture has. It makes libjpeg-turbo use the
# decoder that reports every wrong code; its fast decoder reads wrong codes as zeros.
_RESTARTS = b"\xff\xdd\x00\x04\xff\xff"
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # type of color: samples per pixel
_ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2)]  # start and step in x and y of the passes of an interlaced PNG


def decode_picture(data, enough=None):
    """Decode a JPEG or PNG. Truncated files raise, whatever Pillow's global setting.

    Parameters
    ----------
    data : bytes
        The whole file.
    enough : int, optional
        Side in pixels that is enough. A JPEG is decoded at a half, a quarter or an eighth of its
        size if that leaves enough pixels. The result is close to averaging the pixels.

    Returns
    -------
    `~numpy.ndarray`, shape (y, x) or (y, x, 3)
        The stored values, row 0 at the top.

    Raises
    ------
    CutoutError, OSError
        If the picture is truncated, too large or damaged.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from PIL import Image
    >>> from astromorph.images import decode_picture
    >>> file = io.BytesIO()
    >>> Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(file, "png")
    >>> decode_picture(file.getvalue()).shape
    (40, 60, 3)
    """
    if data[:1] != b"\xff":
        _check_png(data)
        return _decoded(data)
    if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        raise CutoutError("the picture is truncated; get it again", MorphFlag.UNREADABLE)
    try:  # every complaint of the decoder means damage
        *sides, colors, _ = simplejpeg.decode_jpeg_header(data)
        _check_sides(*sides)
        if sides[0] * sides[1] > 512 * len(data):  # a block of 8 x 8 pixels needs at least one bit
            raise CutoutError("the picture is truncated; get it again", MorphFlag.UNREADABLE)
        if sides[0] * sides[1] <= 64 * 65535 and _RESTARTS[:2] not in data:
            data = data[:2] + _RESTARTS + data[2:]
        if colors != "YCbCr":  # simplejpeg finds damage, and Pillow converts the colors
            simplejpeg.decode_jpeg(data, "GRAY" if colors == "Gray" else "CMYK"
                                   if colors in ("CMYK", "YCCK") else "RGB")
            return _decoded(data)
        step = max((step for step in (1, 2, 4, 8) if enough and min(sides) >= step * enough
                    and not any(side % step for side in sides)), default=1)
        return simplejpeg.decode_jpeg(data, min_height=sides[0] // step, min_width=sides[1] // step,
                                      min_factor=1)
    except ValueError as error:
        if "subsampling" in str(error):  # only decoders that do not report damage can read it
            raise CutoutError("the picture is damaged, or its colors are stored in an unusual way "
                              "(subsampling); get it again, or save it as PNG",
                              MorphFlag.UNREADABLE) from None
        raise CutoutError(f"the picture is damaged; get it again ({error!s:.100})",
                          MorphFlag.UNREADABLE) from None


def _decoded(data):
    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as picture:
        return picture_pixels(picture)


def picture_pixels(picture):
    """Return the pixels of a picture of any mode, as gray or color, flattened on black.

    Parameters
    ----------
    picture : `PIL.Image.Image`

    Returns
    -------
    `~numpy.ndarray`, shape (y, x) or (y, x, 3)
        The stored values, row 0 at the top.

    Raises
    ------
    CutoutError, OSError
        If the picture is truncated, too large or damaged.

    Examples
    --------
    >>> from PIL import Image
    >>> from astromorph.images.pictures import picture_pixels
    >>> picture_pixels(Image.new("RGBA", (60, 40))).shape
    (40, 60, 3)
    """
    _check_sides(picture.height, picture.width)
    if picture.mode[0] in "IF":  # Pillow would clip these numbers at 255
        return np.asarray(picture)
    if picture.has_transparency_data:
        gray = picture.mode in ("L", "LA")
        picture = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, picture).convert("L" if gray else "RGB")
    elif picture.mode[0] not in "L1":
        picture = picture.convert("RGB")
    return np.asarray(picture)


def _check_sides(height, width):
    if height * width > MAX_PIXELS:
        raise CutoutError(f"the picture has {width} x {height} pixels, more than {MAX_PIXELS}; cut "
                          "out the galaxy first", MorphFlag.BAD_SHAPE)


def _check_png(data):
    """Check the size, the checksums of all chunks, which Pillow skips, and the stream of pixels."""
    place, kind, head, pixels = 8, b"", b"", []
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        body = data[place + 8:place + 8 + length]
        found = data[place + 8 + length:place + 12 + length]
        if kind == b"IHDR" and not head:
            head = struct.unpack(">IIBBBBB", body)
            _check_sides(head[1], head[0])
        if found != struct.pack(">I", zlib.crc32(kind + body)):
            raise CutoutError("the picture is truncated or damaged; get it again",
                              MorphFlag.UNREADABLE)
        if kind == b"IDAT":
            pixels.append(body)
        place += 12 + length
    _check_stream(b"".join(pixels), _png_size(*head))


def _check_stream(packed, expected):
    """Check that a stream inflates to exactly the expected size, without inflating more."""
    stream, found = zlib.decompressobj(), 0
    while packed and found <= expected and (part := stream.decompress(packed, 2**20)):
        packed, found = stream.unconsumed_tail, found + len(part)
    if found != expected or not stream.eof:
        raise CutoutError("the picture is truncated or of another size than it says; get it again",
                          MorphFlag.UNREADABLE)


def _png_size(width, height, depth, color, compression, filtering, interlaced):
    """Size of the pixels in bytes: each row has a filter byte and its bits in whole bytes."""
    bits = depth * _PNG_SAMPLES[color]
    parts = [(-(-(width - x) // dx), -(-(height - y) // dy))
             for x, y, dx, dy in (_ADAM7 if interlaced else [(0, 0, 1, 1)])
             if width > x and height > y]
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in parts)
