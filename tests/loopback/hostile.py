"""Answers that no service should give: 117 of them, for the storm that every row must outlast."""
import bz2
import gzip
import io
import re
import socket
import struct
import threading
import time
import zlib
from contextlib import suppress
from urllib.parse import unquote_plus

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

__all__ = ["ANSWERS", "HostileServer", "count"]

PAUSE = 0.02
_TEXT = 'datatype="char" arraysize="*"'


class HostileServer:
    """Gives the answers of one service on a free port of 127.0.0.1, by the right ascension asked.

    Parameters
    ----------
    answers : list of callable or bytes
        Number n answers who asks for n degrees; a callable takes the connection and the server.

    Attributes
    ----------
    url : str
    longest : float
        Seconds that the longest exchange took.
    """

    def __init__(self, answers):
        self.answers, self.longest, self.closed = answers, 0.0, threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.closed.set()
        self._listener.close()

    def _accept(self):
        with suppress(OSError):
            while not self.closed.is_set():
                threading.Thread(target=self._serve, args=self._listener.accept()[:1],
                                 daemon=True).start()

    def _serve(self, connection):
        begun = time.monotonic()
        with connection, suppress(OSError):
            connection.settimeout(60)
            answer = self.answers[self._row(connection) % len(self.answers)]
            if callable(answer):
                answer(connection, self)
            else:
                connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        self.longest = max(self.longest, time.monotonic() - begun)

    def _row(self, connection):
        request = b""
        while (found := re.search(r"(?:\bra=|\bpos=|obj_0 |CRVAL1\D+|/row)([\d.]+)", unquote_plus(
                request.decode("latin1")), re.I)) is None:
            more = connection.recv(65536)
            if not more:
                raise OSError("nobody asks")
            request += more
        return round(float(found[1]))


# How answers are made

def whole(body=b"no", status="200 OK", **headers):
    """An answer with the right length."""
    return head(status, **{"Content-Length": str(len(body))}, **headers) + body


def head(status="200 OK", **headers):
    lines = [f"HTTP/1.1 {status}", "Connection: close",
             *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("latin1") + b"\r\n\r\n"


def dripping(begin, drop, pause=PAUSE):
    """An answer that goes on for ever, a drop at a time."""
    def talk(connection, server):
        connection.sendall(begin)
        while not server.closed.wait(pause):
            connection.sendall(drop)
    return talk


def redirect(place):
    def talk(connection, server):
        connection.sendall(head("302 Found", Location=place.replace("{url}", server.url),
                                Content_Length="0"))
    return talk


def slow_redirect(connection, server):
    time.sleep(5 * PAUSE)
    connection.sendall(head("302 Found", Location=f"{server.url}/row{_http_row()}"))


def _http_row():
    return HTTP.index(slow_redirect)


def reset(connection, server):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def chunks(*parts):
    return head(Transfer_Encoding="chunked") + b"".join(parts)


# Answers of any service

HTTP = [
    b"", b"\r\n\r\n", b"nonsense\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 2OO OK\r\n\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 -1 X\r\n\r\n", b"HTTP/1.1 99999 X\r\n\r\n",
    b"HTTP/1.1 200 " + 2**17 * b"x", bytes(range(256)) * 40, reset,
    whole(status="304 Same"), whole(status="418 Tea"),
    head(**{f"X-{k}": "y" for k in range(300)}), head(X=2**17 * "y"),
    b"HTTP/1.1 200 OK\r\nno colon\r\n: empty\r\n\r\nno", head(X="a\0b\xff"),
    head(Content_Length="-5"), head(Content_Length="many"), head(Content_Length=30 * "9") + b"no",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nno",
    whole(Set_Cookie=60000 * "c" + "=1"), whole(Content_Type=60000 * ";x"),
    lambda connection, server: server.closed.wait(), dripping(b"", b"H"),
    dripping(b"HTTP/1.1 200 OK\r\n", b"X"), dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.0), dripping(head(), b"x"),
    dripping(head(Content_Length="1000000"), b"x"), dripping(head(), bytes(2**20), 0.0),
    dripping(chunks(), b"0"), dripping(chunks(b"1;"), b"x"), dripping(chunks(), b"1\r\nx\r\n"),
    dripping(chunks(b"0\r\n"), b"X: y\r\n"), dripping(chunks(b"0\r\n"), b"X: y\r\n", 0.0),
    chunks(b"-1\r\nx\r\n"), chunks(b"no number\r\n"), chunks(b"ffffffffffffffff\r\nx"),
    chunks(b"2\r\nnot two"), chunks(2**17 * b"0"),
    dripping(head(Content_Encoding="gzip"), gzip.compress(b""), 0.0),
    whole(gzip.compress(bytes(2**27), 9), Content_Encoding="gzip"),
    whole(gzip.compress(b"no")[:-9], Content_Encoding="gzip"),
    whole(100_000 * gzip.compress(b""), Content_Encoding="gzip"),
    whole(zlib.compress(b"no"), Content_Encoding="deflate"), whole(Content_Encoding="br"),
    whole(gzip.compress(gzip.compress(b"no")), Content_Encoding="gzip, gzip"),
    *(whole(b"\xff\xfe no", status, Content_Type=f"text/plain; charset={name}")
      for status in ("500 X", "400 X") for name in ("undefined", "idna", "utf-7", "rot13")),
    *(whole(status="503 Busy", Retry_After=value) for value in (
        6000 * "1", "-1", "inf", "nan", "1e999", "soon", "Fri, 31 Dec 9999 23:59:59 -9999",
        "Mon, 99 Xyz 0 0:0:0", "", "\xb2", "0x10")),
    *map(redirect, ("{url}/row0", "", "//", ":80", "http://[::1", "http://..../", "http://a b/",
                    "file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x", "http://\xff\xfe/",
                    "http://127.0.0.1:99999/x", "http://127.0.0.1:22/x", "http://169.254.169.254/x",
                    "http://localhost.example.org/x")),
    slow_redirect,
]


# Pictures and FITS images

def png(width, height):
    def part(kind, data):
        return struct.pack(">I4s", len(data), kind) + data + struct.pack(
            ">I", zlib.crc32(kind + data))
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + part(b"IHDR", size)
            + part(b"IDAT", zlib.compress(bytes(2**24), 9)) + part(b"IEND", b""))


PICTURES = [whole(), whole(b"<" * 10**6), whole(png(30000, 30000)), whole(png(212, 212)),
            whole(b"\xff\xd8\xff" + bytes(range(256)) * 100), whole(b"\x89PNG" + bytes(100))]


def image(compressed=False, **cards):
    """The frame that is asked, but for some cards of its header."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [106.5, 106.5]
    wcs.wcs.crval, wcs.wcs.cdelt = [0, 1], [-40 / 212 / 3600, 40 / 212 / 3600]
    header = wcs.to_header()
    header.update(BANDS="grz", BAND0="g", BAND1="r", BAND2="z")
    hdu = (fits.CompImageHDU(np.zeros((9000, 9000), np.int16), compression_type="GZIP_1",
                             tile_shape=(900, 9000)) if compressed else
           fits.PrimaryHDU(np.random.default_rng(1).random((3, 212, 212), np.float32), header))
    file = io.BytesIO()
    (fits.HDUList([fits.PrimaryHDU(), hdu]) if compressed else hdu).writeto(file)
    data = file.getvalue()
    end = data.index(b"END".ljust(80)) + 80
    written = {data[k:k + 8]: data[k:k + 80] for k in range(0, end - 80, 80)}
    written |= {f"{name:<8}".encode(): f"{name:<8}= {value:>20}".encode().ljust(80)
                for name, value in cards.items()}
    header = b"".join(written.values()) + b"END".ljust(80)
    return whole(header + -len(header) % 2880 * b" " + data[-(-end // 2880) * 2880:])


FITS = [
    image(compressed=True), *(image(**cards) for cards in (
        {"NAXIS": 999}, {"NAXIS1": -5}, {"NAXIS1": 10**9}, {"BITPIX": 7}, {"CTYPE1": "'X'"},
        {"CTYPE1": "'RA---TAB'"}, {"CRVAL1": "NaN"}, {"CDELT1": 0}, {"WCSAXES": 9},
        {"BANDS": 10**18}, {"BSCALE": "'x'"})),
    whole(b"SIMPLE  =                    T" + 200_000 * b" "),
    whole(b"SIMPLE  =                    T".ljust(80) + bytes(range(256)) * 90)]


# Lists of images, and of fields

def listed(*rows, table="", data=None, start='<?xml version="1.0"?>'):
    cells = "".join("<TR>" + "".join(f"<TD>{value}</TD>" for value in ("Stack", "image", *row))
                    + "</TR>" for row in rows)
    return whole((f'{start}<VOTABLE version="1.1"><RESOURCE type="results">'
                  f'<INFO name="QUERY_STATUS" value="OK"/><TABLE {table}>'
                  f'<FIELD name="proctype" {_TEXT}/><FIELD name="prodtype" {_TEXT}/>'
                  f'<FIELD name="obs_bandpass" {_TEXT}/><FIELD name="exptime" datatype="double"/>'
                  f'<FIELD name="access_url" {_TEXT} ucd="VOX:Image_AccessReference"/>'
                  f'<DATA>{data or f"<TABLEDATA>{cells}</TABLEDATA>"}</DATA></TABLE></RESOURCE>'
                  "</VOTABLE>").encode(), Content_Type="application/x-votable+xml")


def at(place, exposure=90.0):
    return listed(*((band, exposure, place) for band in "grz"))


_BOMB = ('<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {b} "{10 * f"&{a};"}">' for a, b in zip("abcdefghi", "bcdefghij")) + "]>")
SIA = [
    *map(at, ("", "/x/y.fits", "file:///etc/hostname", "http://127.0.0.1:99999/",
              "http://169.254.169.254/", "gopher://x/")), at("{url}/row6", "NaN"),
    listed(data='<BINARY><STREAM href="http://127.0.0.1:9/x"/></BINARY>'),
    listed(("g", "&j;", "x"), start=_BOMB), whole(5000 * b"<VOTABLE>")]
FRAMES = [
    whole(b"run,rerun,camcol,field\n../..,x,y,z\n"), whole(b"run,rerun,camcol,field\n1,301,2\n"),
    whole(b"run,rerun,camcol,field\n-1e300,301,2,9\n"), whole(bz2.compress(bytes(2**20)))]

ANSWERS = {"viewer": HTTP + PICTURES, "viewer-fits": FITS, "sia": SIA, "sdss-frames": FRAMES}
"""Name of a service to its answers (`dict`)."""


def count():
    """How many there are."""
    return sum(map(len, ANSWERS.values()))
