"""The HTTP server: counts, goes wrong where told, and lets the services answer."""
import email
import email.policy
import json
import selectors
import socket
import struct
import sys
import threading
import traceback
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from loopback.faults import Faults
from loopback.messages import Request, Response, text
from loopback.services import endpoint, respond, target
from loopback.sky import Sky
from loopback.stats import Stats

__all__ = ["LoopbackServer"]

_PAGE = ("<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1>"
         "<p>Please try again later.</p></body></html>")


class LoopbackServer:
    """The services on a free port of 127.0.0.1, until the context ends.

    Parameters
    ----------
    sky : Sky, optional
    faults : Faults, optional
    port : int, optional

    Attributes
    ----------
    url : str
    stats : Stats
    """

    def __init__(self, sky=None, *, faults=None, port=0):
        self.sky, self.faults = sky or Sky(), faults or Faults()
        self.stats = Stats()
        self.closing = threading.Event()
        self._http = _HTTPServer(("127.0.0.1", port), _Handler)
        self._http.loopback = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._http.hang_up()
        self._thread.join()


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, *args):
        super().__init__(*args)
        self._open, self._lock = set(), threading.Lock()

    def process_request(self, request, client_address):
        self.loopback.stats.connect()
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """Note what is not just a client that hung up."""
        if not isinstance(sys.exception(), OSError):
            self.loopback.stats.fail(traceback.format_exc())

    def hang_up(self):
        """End the connections that are kept alive."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for the headers and a small body

    def do_GET(self):
        self.loopback = self.server.loopback
        request = self._read()
        if request.path.startswith("/_"):
            self._send(self._control(request))
            return
        stats, path, what = self.loopback.stats, endpoint(request.path), target(request)
        attempt = stats.begin(path, what)
        fault = self.loopback.faults.draw(request.path, what, attempt)
        try:
            response = self._response(request, fault)
        finally:
            stats.end()
        if response is None:
            self._hang_up(reset=fault == "reset")
        else:
            self._send(response, fault)

    do_POST = do_GET

    def log_message(self, *args):
        """Say nothing."""

    def _read(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        form, upload = _form(self.headers.get("Content-Type", ""), body)
        pairs = [*parse_qsl(url.query, keep_blank_values=True), *form]
        query = {name.lower(): value for name, value in reversed(pairs)}
        return Request(url.path, url.query, query, upload, self.loopback.url,
                       authorization=self.headers.get("Authorization", ""))

    def _response(self, request, fault):
        """What to send; None if nothing is sent."""
        faults = self.loopback.faults
        if faults.latency:
            self.loopback.closing.wait(faults.latency)
        if fault:
            self.loopback.stats.fault(fault)
        if fault == "stall":
            self._stall()
        if fault in ("stall", "reset"):
            return None
        return _instead(fault, faults) or self._served(request, fault)

    def _served(self, request, fault):
        try:
            return respond(replace(request, fault=fault), self.loopback.sky, self.loopback.faults)
        except Exception:
            self.loopback.stats.fail(traceback.format_exc())
            return text(traceback.format_exc(), 500)

    def _send(self, response, fault=None):
        body = response.body
        self.send_response(response.status, response.reason)
        self.send_header("Content-Type",
                         "text/plain" if fault == "type" else response.content_type)
        for name, value in response.headers.items():
            self.send_header(name, value)
        chunked = fault == "cut-chunked" or response.chunked and fault is None
        if fault in ("cut", "stall-body", "cut-length", "cut-chunked"):
            body = body[:len(body) // 2]
            self.close_connection = True
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif fault != "cut":
            self.send_header("Content-Length", str(len(response.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.loopback.stats.sent(len(body))
        self._write(body, chunked, last=fault != "cut-chunked")
        if fault == "stall-body":
            self._stall()

    def _write(self, body, chunked, last):
        if not chunked:
            self.wfile.write(body)
        else:
            for start in range(0, len(body), 65536):
                part = body[start:start + 65536]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            if last:
                self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _stall(self):
        """Wait until the client has had enough."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            selector.select(self.loopback.faults.stall)

    def _hang_up(self, reset):
        """Close, if asked without the politeness of TCP: the client sees a reset."""
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            socket.close(self.connection.detach())

    def _control(self, request):
        """``/_stats``, ``/_reset`` and ``/_faults?latency=0.1&429=0.05``."""
        stats = self.loopback.stats
        if request.path == "/_reset":
            stats.reset()
        elif request.path == "/_faults":
            _set_faults(self.loopback.faults, request.query)
        elif request.path != "/_stats":
            return text("Not Found", 404)
        return Response(json.dumps(stats.as_dict()).encode(), "application/json")


def _set_faults(faults, settings):
    """Set faults from text: ``latency``, ``stall``, ``seed``, ``only``, else a kind's rate."""
    named = {"latency": float, "stall": float, "seed": int, "only": str, "retry_after": str}
    faults.set(rates={name: float(value) for name, value in settings.items()
                      if name not in named})
    faults.set(**{name: named[name](value) for name, value in settings.items() if name in named})


def _instead(fault, faults):
    """The answer in place of the service's."""
    headers = {} if faults.retry_after is None else {"Retry-After": faults.retry_after}
    if fault == "503":
        page = _PAGE.format("No server is available to handle this request.")
        return replace(text(page, 503, "text/html"), headers=headers)
    if fault == "429":
        return Response(b"Too Many Requests", "text/plain", 429, headers)
    if fault == "500":
        return text("Internal Server Error", 500)
    if fault == "502":
        return text(_PAGE.format("502 Bad Gateway"), 502, "text/html")
    if fault == "html":
        return text(_PAGE.format("Down for maintenance"), 200, "text/html")
    if fault == "json":
        body = '{"title": "Service unavailable", "description": "overloaded"}'
        return text(body, 200, "application/json")
    return None


def _form(content_type, body):
    """Fields of a form, and the text of an uploaded file."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        return parse_qsl(body.decode(), keep_blank_values=True), ""
    if not content_type.startswith("multipart/form-data"):
        return [], ""
    message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n"
                                       + body, policy=email.policy.HTTP)
    fields, upload = [], ""
    for part in message.iter_parts():
        content = part.get_payload(decode=True).decode()
        if part.get_filename():
            upload = content
        else:
            fields.append((part.get_param("name", header="Content-Disposition"), content))
    return fields, upload
