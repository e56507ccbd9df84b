"""Images for `fuzz.py`: of every format, damaged, with decoders that complain of the damage."""
import bz2
import gzip
import io
import pickle
import shutil
import struct
import subprocess
import tempfile
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData
from fuzz_arrays import hostile_image
from PIL import Image

from astromorph.datasets import load_sample
from astromorph.flags import MorphFlag
from astromorph.images import CutoutError, load_frame, read_cutout

SIZE, FRAME_R90 = 32, 4.24
OPTIONS = ({}, {}, {"cutout_r90": 8.0}, {"r90": "measure"}, {"r90": 6.0, "pixel_scale": 0.4})
IN_MEMORY = 0.15  # of the inputs
INTERLACED = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2))
DJPEG = shutil.which("djpeg")
KEYS = ("BITPIX NAXIS NAXIS1 NAXIS2 NAXIS3 BZERO BSCALE BLANK BUNIT FILTER BAND BANDS BAND0 "
        "EXTNAME MAGZERO FLUXMAG0 BSOFTEN BOFFSET EXPTIME CTYPE1 CTYPE2 CD1_1 CDELT1 CUNIT1 "
        "CRVAL1 PCOUNT GCOUNT GROUPS EXTEND INHERIT ZBITPIX ZNAXIS ZNAXIS1 ZTILE1 ZTILE2 "
        "ZCMPTYPE ZQUANTIZ ZVAL1 ZSCALE ZZERO ZBLANK TFORM1 TTYPE1 TFIELDS THEAP XTENSION "
        "SIMPLE IMAGETYP EXTTYPE OBJECT SOFTBIAS WCSAXES INSTRUME SURVEY").split()
VALUES = ("-1 0 1 2 3 7 8 16 -32 -64 65535 99999999 2147483648 9999999999999 1E400 -1E30 1.5 NaN T "
          "F '' 'abc' 'r' 'g' 'WHT' 'RICE_1' 'GZIP_1' 'nmgy' 'Jy/beam' 'RA---TAN' '1PB' "
          "(1,2)").split()


# What Astropy says of missing padding, of which the file is complete, and of all cards alike.
FINE = ("File may have been truncated", "Unexpected extra padding", "non-ASCII characters",
        "null bytes", "only applicable to integer", "ZTENSION", "overflow encountered")
COMPANIONS = ("WHT", "DQ", "MASK", "UNCERT")  # of the files made here: nobody unpacks them
FREE = ("OBJECT", "INSTRUME", "SURVEY", "EXTEND", "WCSAXES")  # cards that nobody reads


@dataclass
class Damaged:
    """An image, its format, what it was, and how it is to be framed."""

    format: str
    source: object
    whole: object = None
    options: int = 0
    as_file: bool = False

    def write(self, path):
        if isinstance(self.source, bytes):
            path.write_bytes(self.source)
        else:
            path.with_suffix(".txt").write_text(repr(self.source))
            path.with_suffix(".pickle").write_bytes(pickle.dumps(self.source))


class Images:
    """Input n of a seed, and its outcome."""

    megabytes = 0

    def __init__(self, seed, data=None):
        warnings.simplefilter("ignore")
        self.seed, self.originals, self.frames = seed, originals(seed, data), {}
        self.folder = tempfile.TemporaryDirectory()
        for number, (form, _) in enumerate(self.originals):
            if self.frame(number, 0) is None and data is None:
                raise RuntimeError(f"the whole {form} is not read")

    def make(self, n):
        if n < len(BOMBS):
            return Damaged("bomb", BOMBS[n]())
        rng = np.random.default_rng([self.seed, 1, n])
        options = int(rng.integers(len(OPTIONS)))
        if rng.random() < IN_MEMORY:
            form, source = hostile_image(rng)
            return Damaged(form, source, None, options)
        whole = int(rng.integers(len(self.originals)))
        form, data = self.originals[whole]
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            data = damage(rng, form, data)
        return Damaged(form, data, whole, options, rng.random() < 0.1)

    def frame(self, whole, options):
        """The frame of the undamaged image, None if it has none."""
        if (whole, options) not in self.frames:
            try:
                frame = load_frame(self.originals[whole][1], SIZE, frame_r90=FRAME_R90,
                                   **OPTIONS[options])[0]
            except CutoutError:
                frame = None
            self.frames[whole, options] = frame
        return self.frames[whole, options]

    def judge(self, each):
        source = each.source
        if each.as_file:
            source = Path(self.folder.name, "image")
            source.write_bytes(each.source)
        try:
            pixels, flag = load_frame(source, SIZE, frame_r90=FRAME_R90, **OPTIONS[each.options])
        except CutoutError as error:
            memory = "no memory" in str(error)
            odd = not error.flag & MorphFlag.UNCLASSIFIED or memory
            return error.flag.name, 1, f"CutoutError {error}" if odd else None
        except Exception as error:
            return "exception", 1, f"{type(error).__name__}: {error!s:.300}"
        if flag & MorphFlag.UNCLASSIFIED:
            return "odd flag", 1, f"a frame with {flag!r}"
        if pixels.shape != (SIZE, SIZE, 3) or not ((pixels >= 0) & (pixels <= 1.001)).all():
            return "odd pixels", 1, f"pixels {pixels.shape} from {pixels.min()} to {pixels.max()}"
        if each.whole is None:
            return "flagged" if flag else "flag 0", 1, None
        return self.compare(each, pixels, flag)

    def compare(self, each, pixels, flag):
        whole = self.frame(each.whole, each.options)
        if whole is not None and np.array_equal(whole, pixels):
            return "as before", 1, None
        if (complaint := complaint_of(each.format, each.source)) is not None:
            return "complaint", 1, f"a frame with {flag!r}, of an image: {complaint}"
        return "moved, flagged" if flag else "moved", 1, None


def originals(seed, data=None):
    """(format, bytes) of undamaged images."""
    rng = np.random.default_rng([seed, 0])
    sample = rng.permutation(load_sample()["file"])[:4]
    made = []
    for number, file in enumerate(map(str, sample)):
        colors = (read_cutout(file).pixels[:96, :100] * 255).round().astype(np.uint8)
        made += pictures(colors) + fits_files(fits.getdata(file)[:, 20:110, 20:116], number)
    return made + real_files(data, rng)


def real_files(data, rng):
    if data is None:
        return []
    found = []
    for pattern, count in (("*/*.jpg", 40), ("*/*.fit*", 40)):
        files = sorted(file for file in Path(data).glob(pattern) if file.stat().st_size < 4e5)
        found += [files[n] for n in rng.permutation(len(files))[:count]]
    return [("real " + ("jpeg" if file.suffix == ".jpg" else "fits"), file.read_bytes())
            for file in found]


def pictures(colors):
    """JPEG and PNG files of an image of 8 bits."""
    image, gray = Image.fromarray(colors), Image.fromarray(colors).convert("L")
    clear = np.dstack([colors, np.indices(colors.shape[:2]).sum(axis=0).astype(np.uint8)])
    deep = colors.astype(np.uint16) * 257
    jpegs = {"4:2:0": (image, {}), "4:2:2": (image, {"subsampling": 1}),
             "4:4:4": (image, {"subsampling": 0, "quality": 95}), "gray": (gray, {}),
             "progressive": (image, {"progressive": True}), "CMYK": (image.convert("CMYK"), {}),
             "restarts": (image, {"restart_marker_blocks": 4})}
    pngs = {"RGB": image, "gray": gray, "palette": image.convert("P"), "gray 16": deep[..., 0],
            "RGBA": Image.fromarray(clear), "LA": Image.fromarray(clear).convert("LA")}
    made = [(f"jpeg {name}", saved(one, "JPEG", **options))
            for name, (one, options) in jpegs.items()]
    made += [(f"png {name}", saved(one, "PNG")) for name, one in pngs.items()]
    return made + [("png RGB 16", png(deep)), ("png interlaced", png(colors, interlaced=True)),
                   ("png interlaced", png(deep[..., :1], interlaced=True))]


def saved(image, kind, **options):
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def png(pixels, interlaced=False):
    """A PNG of kinds that Pillow does not write: interlaced, and colors of 16 bits."""
    big = pixels.astype(pixels.dtype.newbyteorder(">"))
    parts = [big[y::dy, x::dx] for x, y, dx, dy in (INTERLACED if interlaced else ((0, 0, 1, 1),))]
    stream = b"".join(b"\0" + row.tobytes() for part in parts for row in part)
    color = {1: 0, 2: 4, 3: 2, 4: 6}[pixels.shape[2]]
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8 * pixels.itemsize, color, 0,
                       0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk, (b"IHDR", b"IDAT", b"IEND"),
                                              (head, zlib.compress(stream), b"")))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def fits_files(planes, number):
    """FITS files of g, r, i in nanomaggies."""
    cards = fits.Header([("BUNIT", "nanomaggy"), ("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"),
                         ("CDELT1", -1.1e-4), ("CDELT2", 1.1e-4), ("CRPIX1", 48.5),
                         ("CRPIX2", 45.5), ("CRVAL1", 150.0), ("CRVAL2", 2.0)])
    red = planes[1]
    cube = fits.PrimaryHDU(planes, fits.Header([("BANDS", "gri"), *cards.cards]))
    single = fits.PrimaryHDU(red, fits.Header([("FILTER", "r"), *cards.cards]))
    bands = [fits.ImageHDU(plane, cards, name=band) for band, plane in zip("gri", planes)]
    weights = [fits.ImageHDU(np.ones_like(red), name="WHT"),
               fits.ImageHDU((red > 1).astype("i4"), name="DQ")]
    counts = (red * 1000 + 3000).clip(0).astype(np.uint16)
    integer = fits.PrimaryHDU(counts, fits.Header([("FILTER", "r")]))
    integer.header["BLANK"] = -32768
    signed = fits.PrimaryHDU(counts.astype("i2"))
    signed.header["BLANK"], signed.header["BUNIT"] = -999, "adu"
    ccd = CCDData(red, unit="nmgy", mask=red > 9).to_hdu()
    packed = fits.CompImageHDU(red, cards, name="SCI", compression_type=(
        "RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1")[number % 4])
    files = {"fits cube": [cube], "fits HDU per band": [fits.PrimaryHDU(), *bands],
             "fits single": [single], "fits unsigned": [integer], "fits BLANK": [signed],
             "fits companions": [fits.PrimaryHDU(), fits.ImageHDU(red, cards, name="SCI"),
                                 *weights],
             "fits CCDData": list(ccd), "fits.fz": [fits.PrimaryHDU(), packed]}
    made = [(name, fits_bytes(hdus)) for name, hdus in files.items()]
    made += [("fits.fz", fits_bytes([fits.PrimaryHDU(), fits.CompImageHDU(
        counts.astype("i4"), name="SCI", compression_type="RICE_1")]))]
    return made + [("fits.gz", gzip.compress(fits_bytes([cube]), 1)),
                   ("fits.bz2", bz2.compress(fits_bytes([single])))]


def fits_bytes(hdus):
    file = io.BytesIO()
    fits.HDUList(hdus).writeto(file)
    return file.getvalue()


def empty_png(depth, color):
    """A small file of very many black pixels."""
    row = bytes(1 + SIDE * depth // 8 * {0: 1, 2: 3, 6: 4}[color])
    head = struct.pack(">IIBBBBB", SIDE, SIDE, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk, (b"IHDR", b"IDAT", b"IEND"), (
        head, zlib.compress(row * SIDE), b"")))


def empty_jpeg(**options):
    return saved(Image.new("RGB", (SIDE, SIDE)), "JPEG", **options)


def empty_fits(kind, **options):
    return fits_bytes([fits.PrimaryHDU(), kind(np.zeros((SIDE, SIDE), "f4"), **options)])


SIDE = 5000
BOMBS = (lambda: empty_png(8, 0), lambda: empty_png(8, 2), lambda: empty_png(16, 6), empty_jpeg,
         lambda: empty_jpeg(progressive=True), lambda: gzip.compress(empty_fits(fits.ImageHDU), 1),
         lambda: bz2.compress(empty_fits(fits.ImageHDU), 1), lambda: empty_fits(fits.CompImageHDU),
         lambda: empty_fits(fits.CompImageHDU, tile_shape=(SIDE, SIDE)))


def damage(rng, form, data):
    """One mutation of a file."""
    ways = [flipped, flipped, cut, inserted, swapped, zeroed, removed, overwritten]
    if form.startswith("jpeg") or form == "real jpeg":
        ways += [jpeg_size]
    if form.startswith("png"):
        ways += [png_head, png_with_checksums]
    if form.startswith("fits") or form == "real fits":
        ways += [card, card, card, new_card]
    if form in ("fits.gz", "fits.bz2") and rng.random() < 0.5:
        return repacked(rng, form, data)
    return bytes(ways[rng.integers(len(ways))](rng, bytearray(data)) if data else data)


def repacked(rng, form, data):
    """The damage is in the FITS file that is compressed."""
    package = gzip if form == "fits.gz" else bz2
    try:
        inner = package.decompress(data)
    except (OSError, EOFError, ValueError, zlib.error):
        return data
    return package.compress(damage(rng, "fits", inner), 1)


def place(rng, data):
    """Any byte, of the header as often as of the rest."""
    return int(rng.integers(min(len(data), 700) if rng.random() < 0.4 else len(data)))


def flipped(rng, data):
    for _ in range(rng.choice([1, 1, 1, 2, 8, 40])):
        data[place(rng, data)] ^= 1 << int(rng.integers(8))
    return data


def cut(rng, data):
    return data[:place(rng, data)] + (b"\xff\xd9" if rng.random() < 0.3 else b"")


def inserted(rng, data):
    at = place(rng, data)
    return data[:at] + rng.bytes(rng.integers(1, 200)) + data[at:]


def removed(rng, data):
    at = place(rng, data)
    return data[:at] + data[at + int(rng.integers(1, 400)):]


def swapped(rng, data):
    one, other, size = place(rng, data), place(rng, data), int(rng.integers(1, 600))
    part = data[one:one + size]
    data[one:one + size] = data[other:other + size]
    return data[:other] + part + data[other + len(part):]


def zeroed(rng, data):
    at, size = place(rng, data), int(rng.integers(1, 3000))
    return data[:at] + bytes(min(size, len(data) - at)) + data[at + size:]


def overwritten(rng, data):
    at = place(rng, data)
    part = rng.bytes(min(int(rng.integers(1, 100)), len(data) - at))
    return data[:at] + part + data[at + len(part):]


def jpeg_size(rng, data):
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    if at >= 0 and at + 9 < len(data):
        side = 5 + 2 * int(rng.integers(2))
        data[at + side:at + side + 2] = struct.pack(">H", rng.choice([1, 8, 90, 120, 9000, 65535]))
    return data


def png_head(rng, data):
    """Another size, depth, color or interlacing, with the checksum it should have."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        return data
    at = int(rng.choice([16, 20, 24, 25, 28]))
    if at < 24:
        data[at:at + 4] = struct.pack(">I", rng.choice([1, 16, 90, 120, 11000, 2**31]))
    else:
        data[at] = rng.choice([0, 1, 2, 3, 4, 6, 8, 16])
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return data


def png_with_checksums(rng, data):
    """Other pixels, or fewer, packed as they should be."""
    at = data.find(b"IDAT")
    if at < 0 or at + 4 > len(data):
        return data
    size = struct.unpack(">I", data[at - 4:at])[0]
    try:
        stream = bytearray(zlib.decompress(data[at + 4:at + 4 + size]))
    except zlib.error:
        return data
    other = (flipped, cut, inserted, removed)[rng.integers(4)](rng, stream) if stream else stream
    return data[:at - 4] + chunk(b"IDAT", zlib.compress(other)) + data[at + 8 + size:]


def card(rng, data):
    """A card of a header with another value or another key."""
    cards = [at for at in range(0, len(data) - 79, 80) if data[at + 8:at + 10] == b"= "]
    if not cards:
        return data
    at = cards[rng.integers(len(cards))]
    if rng.random() < 0.3:
        data[at:at + 8] = rng.choice(KEYS).ljust(8).encode()
    else:
        data[at + 10:at + 80] = rng.choice(VALUES).rjust(20).ljust(70).encode()
    return data


def new_card(rng, data):
    """A card more, in place of one or of a blank one."""
    blank = [at for at in range(0, len(data) - 79, 80) if not data[at:at + 80].strip()]
    ends = [at for at in range(0, len(data) - 159, 80) if data[at:at + 80].rstrip() == b"END"]
    text = f"{rng.choice(KEYS):8s}= {rng.choice(VALUES):>20s}".ljust(80).encode()
    if ends and blank:
        at = ends[rng.integers(len(ends))]
        data[at:at + 160] = text + b"END".ljust(80)
    return data


def complaint_of(form, data):
    """What a strict decoder says against a file; None if nothing."""
    if "jpeg" in form:
        return of_jpeg(data)
    return of_png(data) if form.startswith("png") else of_fits(data)


def of_jpeg(data):
    if DJPEG is None:
        import simplejpeg

        try:
            simplejpeg.decode_jpeg(data, {"Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}.get(
                simplejpeg.decode_jpeg_header(data)[2], "RGB"))
        except ValueError as error:
            return str(error)
        return None
    done = subprocess.run([DJPEG, "-strict", "-maxmemory", "500000"], input=data,
                          capture_output=True, timeout=30)
    return done.stderr.decode(errors="replace").strip() or None if done.returncode else None


def of_png(data):
    """Pillow's verification, which looks at checksums, then the length of the stream."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.verify()
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            bits = {"L": 8, "LA": 16, "P": 8, "RGB": 24, "RGBA": 32, "I;16": 16}.get(picture.mode)
            depth, color, interlaced = data[24], data[25], data[28]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    at, stream = 8, b""
    while data[at + 4:at + 8] != b"IEND":
        size = struct.unpack(">I", data[at:at + 4])[0]
        stream += data[at + 8:at + 8 + size] if data[at + 4:at + 8] == b"IDAT" else b""
        at += 12 + size
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    width, height = struct.unpack(">II", data[16:24])
    expected = sum(-(-(height - y) // dy) * (1 + -(-(-(-(width - x) // dx) * bits) // 8))
                   for x, y, dx, dy in (INTERLACED if interlaced else ((0, 0, 1, 1),))
                   if width > x and height > y)
    found = len(zlib.decompress(stream))
    return None if found == expected else f"{found} bytes of pixels in place of {expected}"


def of_fits(data):
    """Astropy's errors, and what it warns of the data; lengths and cards, looked at again."""
    try:
        if data[:2] in (b"\x1f\x8b", b"BZ"):
            data = (gzip if data[:1] == b"\x1f" else bz2).decompress(data)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with fits.open(io.BytesIO(data)) as hdus:
                images = [hdu for hdu in hdus if hdu.is_image and hdu.name not in COMPANIONS
                          and hdu.data is not None]
                cards = images[0].header
                [cards[key] for key in KEYS if key in cards and key[0] not in "TZ"
                 and key not in FREE]
                fine = FINE + ("BLANK",) * (cards["BITPIX"] < 0 or "BLANK" not in cards)
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.200}"
    bad = [str(one.message) for one in said if not any(word in str(one.message) for word in fine)]
    bad = [one for one in bad if "keyword is invalid" not in one
           or (key := one.splitlines()[-1][:8].strip()) in KEYS and key not in FREE]
    return "; ".join(bad)[:300] or lengths(data)


def lengths(data):
    """Whether a FITS file is as long as its headers say, and these are text where it matters."""
    at = 0
    while at == 0 or data[at:at + 8] == b"XTENSION":
        header, cards = data[at:], {}
        for number in range(0, len(header), 80):
            line = header[number:number + 80].decode("latin-1")
            key = line[:8].strip()
            if line.rstrip() == "END":
                break
            read = line.split("/")[0] if key in KEYS and key not in FREE else line[:8]
            if not read.isascii() or "\0" in line:
                return f"no text in card {line!r}"
            cards.setdefault(key, line[10:].split("/")[0].strip())
        else:
            return "a header without END"
        sides = [int(cards[f"NAXIS{n}"]) for n in range(1, int(cards["NAXIS"]) + 1)]
        size = abs(int(cards["BITPIX"])) // 8 * int(cards.get("GCOUNT", 1)) * (
            int(cards.get("PCOUNT", 0)) + int(np.prod(sides, dtype=object))) if sides else 0
        at += -(-(number + 80) // 2880) * 2880
        if at + size > len(data):
            return f"{len(data)} bytes in place of {at + size}"
        end, at = at + size, at - (-size // 2880) * 2880
        if data[at:at + 8] != b"XTENSION" and len(data) != at and data[end:].strip(b"\0"):
            return "something after the last HDU"
    return None
