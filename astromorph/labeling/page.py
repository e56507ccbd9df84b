"""The server of a page in the browser, on the loopback of this machine.

It answers only requests with the token in the address, the loopback as host, and the page itself as
origin. It sends its own files and the pictures of the listed galaxies, and runs nothing.
"""
import asyncio
import hmac
import json
import logging
import os
import re
import secrets
import socket
import struct
import threading
import webbrowser
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.resources import files

from astromorph.arguments import check_whole
from astromorph.atomic import is_plain_file, read_plain_file, written_whole
from astromorph.distribution import missing
from astromorph.errors import warn

try:
    import uvicorn
    import websockets  # noqa: F401, which uvicorn takes for its WebSockets
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocketDisconnect
except ImportError as error:
    raise missing("The page in the browser", "Starlette, uvicorn and websockets",
                  "label") from error

__all__ = ["PageServer", "serve"]

STATIC = {"icon.svg": "image/svg+xml", **dict.fromkeys(("label.css", "look.css"), "text/css"),
          **dict.fromkeys(("common.js", "curves.js", "grid.js", "label.js", "look.js", "page.js"),
                          "text/javascript")}
"""Files that the server sends, and their types."""
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}", re.ASCII)
_LONGEST = 16384  # bytes of a message of the browser
_WRONG_TOKEN, _ELSEWHERE = 4403, 4409  # page.js knows these codes
_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
           "connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; "
           "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
_HEADERS = {"Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}
_log = logging.getLogger(__name__)


class PageServer:
    """The server of a page. As a context manager, it runs in a thread.

    Parameters
    ----------
    conversation : `~astromorph.labeling.conversation.Conversation`
        Who answers the browser.
    port : int, optional
        Port of the loopback. By default that of ``keep``, or a free one.
    token : str, optional
        Secret part of the address. By default that of ``keep``, or a random one.
    keep : path, optional
        File with port and token, so that an open page finds the next server. Only its owner can
        read it.

    Attributes
    ----------
    address : str
        What to open in the browser.
    port : int
    """

    def __init__(self, conversation, *, port=None, token=None, keep=None):
        if port is not None:
            check_whole(port, "port", 0, 65535)
        self.conversation = conversation
        kept_port, kept_token = _kept(keep)
        self._socket = _listen(port if port is not None else kept_port, port is None)
        self.port = self._socket.getsockname()[1]
        self._token = token or kept_token or secrets.token_urlsafe(24)
        if keep is not None:
            _keep(keep, self.port, self._token)
        self.address = f"http://127.0.0.1:{self.port}/?token={self._token}"
        # Answers are processed in order. Pictures need not wait for them.
        self._answering, self._drawing = ThreadPoolExecutor(1), ThreadPoolExecutor(4)
        self._visitor = self._loop = self._thread = None
        self._server = uvicorn.Server(uvicorn.Config(
            _Guard(self._application()), ws="websockets-sansio", ws_max_size=_LONGEST,
            log_config=None, access_log=False, lifespan="off", server_header=False,
            timeout_graceful_shutdown=2))
        self._forget = conversation.on_push(self._push)

    def __enter__(self):
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self.stop()

    def run(self):
        """Serve until `stop`, or in the main thread until Ctrl-C."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._forget()
            self._socket.close()
            self._answering.shutdown()
            self._drawing.shutdown(cancel_futures=True)

    def stop(self):
        """Stop the server. Answers that have arrived are still written."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()

    def _application(self):
        return Starlette(routes=[Route("/", self._page), Route("/static/{name}", _static),
                                 WebSocketRoute("/talk", self._talk)])

    def _is_known(self, connection):
        given = connection.query_params.get("token", "")
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _page(self, request):
        if not self._is_known(request):
            return PlainTextResponse("Open the address that astromorph prints, with its token.",
                                     403)
        return Response(_file(self.conversation.page), media_type="text/html")

    async def _talk(self, websocket):
        await websocket.accept()
        if not self._is_known(websocket):
            await websocket.close(_WRONG_TOKEN)
            return
        before, self._visitor = self._visitor, websocket
        self._loop = asyncio.get_running_loop()
        if before is not None:
            await _quietly(before.close(_ELSEWHERE))
        tasks = set()
        while (received := await websocket.receive())["type"] == "websocket.receive":
            task = asyncio.create_task(self._reply(websocket, received.get("text") or ""))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if self._visitor is websocket:
            self._visitor = None

    async def _reply(self, websocket, text):
        try:
            message = json.loads(text, parse_constant=_refuse_constant)
            if not isinstance(message, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError):
            await _quietly(websocket.close(1003))
            return
        pool = self._drawing if message.get("type") == "want" else self._answering
        try:
            replies = await asyncio.get_running_loop().run_in_executor(pool, self._ask, message)
        except RuntimeError:  # the server ends
            return
        for reply, data in replies:
            await _send(websocket, reply, data)

    def _ask(self, message):
        try:
            return self.conversation.receive(message)
        except Exception as error:  # the page continues and keeps its answers
            _log.exception("a message of the page")
            return [({"type": "error", "message": f"astromorph: {error}",
                      "refused": False, "id": message.get("id")}, None)]

    def _push(self, message, data=None):
        """Send a message that the page did not ask for, from any thread."""
        if self._visitor is not None:
            with suppress(RuntimeError):  # the server ended
                asyncio.run_coroutine_threadsafe(
                    _send(self._visitor, message, data), self._loop)


def serve(conversation, *, port=None, token=None, keep=None, browser=True):
    """Show the page until Ctrl-C.

    Parameters
    ----------
    conversation, port, token, keep
        See `PageServer`.
    browser : bool
        Open it in the user's browser.

    Raises
    ------
    OSError
        If the port is taken.
    """
    server = PageServer(conversation, port=port, token=token, keep=keep)
    print(f"Open {server.address}\nPress Ctrl-C to end; all answers are on the disk.",
          flush=True)
    if browser:
        threading.Timer(0.5, webbrowser.open, [server.address]).start()
    with suppress(KeyboardInterrupt):
        server.run()


class _Guard:
    """Refuses requests for other hosts and from other pages, and adds strict headers."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == b"host"]
        origins = [value for name, value in headers if name == b"origin"]
        if not _may_enter(scope["type"], hosts, origins):
            await _refuse(scope, receive, send)
            return

        async def strict(message):
            if message["type"] == "http.response.start":
                added = _HEADERS | {"Content-Security-Policy": _POLICY.format(host=hosts[0])}
                message["headers"] = [*message.get("headers", ()), *(
                    (name.encode(), value.encode()) for name, value in added.items())]
            await send(message)

        await self.application(scope, receive, strict)


async def _refuse(scope, receive, send):
    """Answer with status 403. A WebSocket that closes before it opens gives this status."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
    else:
        await PlainTextResponse("Not from here.", 403)(scope, receive, send)


def _may_enter(kind, hosts, origins):
    if len(hosts) != 1 or not _LOOPBACK.fullmatch(hosts[0]):
        return False
    return origins == [f"http://{hosts[0]}"] or (kind == "http" and not origins)


def _refuse_constant(name):
    raise ValueError(f"{name} is no JSON")


def _static(request):
    name = request.path_params["name"]
    if name not in STATIC:
        return PlainTextResponse("There is no such file.", 404)
    return Response(_file(name), media_type=STATIC[name])


def _file(name):
    return files("astromorph.labeling").joinpath("static", name).read_bytes()


async def _send(websocket, message, data):
    text = json.dumps(message, allow_nan=False)
    if data is None:
        await _quietly(websocket.send_text(text))
    else:
        head = text.encode()
        await _quietly(websocket.send_bytes(struct.pack(">I", len(head)) + head + data))


async def _quietly(sending):
    """Send to a browser that may have closed."""
    with suppress(WebSocketDisconnect, RuntimeError):
        await sending


def _listen(port, may_differ):
    """A socket on the loopback with this port, or with a free one if ``may_differ``."""
    listener = socket.socket()
    if os.name == "posix":  # on Windows this would let two servers have one port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port or 0))
        listener.listen(100)  # connections wait until the server has begun
    except OSError as error:
        listener.close()
        if not (port and may_differ):
            raise OSError(f"port {port} cannot be used ({error.strerror}); choose another port, or "
                          "none") from error
        return _listen(0, False)
    return listener


def _kept(path):
    """(port, token) from a file that only the user can read, else (None, None)."""
    if path is None or not is_plain_file(path, 1000) or not _is_private(path):
        return None, None
    try:
        port, token = read_plain_file(path, 1000).decode("ascii").split()
        if port.isdecimal() and 0 < int(port) < 65536 and _TOKEN.fullmatch(token):
            return int(port), token
    except (OSError, ValueError):
        pass
    return None, None


def _is_private(path):
    if os.name != "posix":
        return True
    status = os.lstat(path)
    return status.st_uid == os.getuid() and not status.st_mode & 0o077


def _keep(path, port, token):
    try:
        with written_whole(path, overwrite=True) as part:
            part.touch(mode=0o600)
            part.write_text(f"{port} {token}\n", encoding="ascii")
    except OSError as error:
        warn(f"{path} could not be written ({error}); an open page will not find the next server")
