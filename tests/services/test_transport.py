"""How services are asked: repetition, limits for each host, time limits, and what errors mean."""
import bz2
import gzip
import http.client
import json
import os
import re
import socket
import ssl
import struct
import threading
import tomllib
import urllib.error
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from email.message import Message
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import astroquery.exceptions
import pytest
import pyvo.dal
import requests
import urllib3
from astropy.utils.data import download_file

from astromorph.flags import MorphFlag
from astromorph.services import conf, endpoints, hosts, limits
from astromorph.services import transport as transports
from astromorph.services.base import FetchError
from astromorph.services.endpoints import check_address, naming, pace
from astromorph.services.hosts import FAILURES, FIRST_WINDOW, LONGEST_REST, REST, Host
from astromorph.services.limits import LONGEST, STEADY, Exchange, answers_up_to, unpack
from astromorph.services.transport import StatusError, Transport, check_status, translate

BODY = b"all of it"


class Handler(BaseHTTPRequestHandler):
    """Answers with the next of the server's script, the last again and again."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        with server.lock:
            number = len(server.asked)
            server.asked.append((self.path, self.headers, self.client_address))
        server.script[min(number, len(server.script) - 1)](self)

    def answer(self, status=200, body=BODY, length=None, **headers):
        self.send_response(status)
        headers.setdefault("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/image"
        self.lock, self.asked, self.script = threading.Lock(), [], [Handler.answer]
        self.released = threading.Event()

    def handle_error(self, request, client_address):
        pass  # the client has left, as some of the tests want


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def waits(monkeypatch):
    """What was slept, in seconds, on a clock that only sleeping moves."""
    slept = []
    monkeypatch.setattr(Transport, "_sleep", lambda self, seconds: slept.append(seconds))
    monkeypatch.setattr(Host.__init__, "__kwdefaults__",
                        Host.__init__.__kwdefaults__ | {"clock": lambda: sum(slept)})
    return slept


def status(code, **headers):
    return lambda handler: handler.answer(code, b"no", **headers)


def truncated(handler):
    handler.answer(length=100)
    handler.close_connection = True


def truncated_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"64\r\nnot a hundred bytes")
    handler.close_connection = True


def damaged(handler):
    handler.answer(body=b"this is no gzip", Content_Encoding="gzip")


def reset(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    os.close(handler.connection.detach())


def hang_up(handler):
    handler.close_connection = True


def silent(handler):
    handler.server.released.wait()
    handler.close_connection = True


def stalled(handler):
    handler.answer(length=100)
    silent(handler)


def trickling(handler):
    handler.answer(length=10 ** 9, body=b"")
    while not handler.server.released.wait(0.01):
        handler.wfile.write(b".")


def failure(call, *args, **kwargs):
    with pytest.raises(FetchError) as caught:
        call(*args, **kwargs)
    return caught.value


# One request

def test_get(server):
    with Transport() as transport:
        response = transport.get(server.url, params={"ra": 1.5})
        assert response.content == BODY
        assert transport.get(server.url, check=lambda answer: answer.content[:3]) == b"all"
    path, headers, _ = server.asked[0]
    assert path == "/image?ra=1.5"
    assert headers["User-Agent"].startswith("astromorph/")


def test_connections_are_kept(server):
    server.script = [lambda handler: handler.answer(body=gzip.compress(BODY),
                                                    Content_Encoding="gzip"),
                     lambda handler: handler.answer(body=b"9\r\nall of it\r\n0\r\n\r\n", length="",
                                                    Transfer_Encoding="chunked"),
                     status(404), Handler.answer]
    with Transport() as transport:
        assert transport.get(server.url).content == BODY
        assert transport.get(server.url).content == BODY
        failure(transport.get, server.url)
        transport.get(server.url)
    assert len({client for _, _, client in server.asked}) == 1


def test_redirect(server):
    server.script = [lambda handler: handler.answer(302, Location="/elsewhere"), Handler.answer]
    with Transport() as transport:
        assert transport.get(server.url).content == BODY
    assert [path for path, _, _ in server.asked] == ["/image", "/elsewhere"]


@pytest.mark.parametrize("error", [*map(status, (408, 425, 429, 500, 502, 503)), truncated,
                                   truncated_chunks, damaged, reset, hang_up])
def test_what_may_succeed_is_repeated(server, waits, error):
    server.script = [error, error, Handler.answer]
    with Transport() as transport:
        assert transport.get(server.url).content == BODY
    assert len(server.asked) == 3
    assert len(waits) == 2
    assert 0 <= waits[0] <= 0.5
    assert 0 <= waits[1] <= 1


@pytest.mark.parametrize("error, flag, message", [
    (status(429), MorphFlag.SERVER_ERROR, r"429 \(Too Many Requests\)"),
    (status(500), MorphFlag.SERVER_ERROR, r"500 \(Internal Server Error\)"),
    (status(599), MorphFlag.SERVER_ERROR, r"status 599$"),
    (truncated, MorphFlag.UNREADABLE, "broke off"),
    (truncated_chunks, MorphFlag.UNREADABLE, "broke off"),
    (damaged, MorphFlag.UNREADABLE, "damaged"),
    (reset, MorphFlag.SERVER_ERROR, "no connection, or it was closed"),
    (hang_up, MorphFlag.SERVER_ERROR, "closed without an answer"),
])
def test_last_failure_is_told(server, waits, error, flag, message):
    server.script = [error]
    with Transport(retries=2) as transport, pytest.raises(FetchError, match=message) as caught:
        transport.get(server.url)
    assert caught.value.flag == flag
    assert f"127.0.0.1:{server.server_port}" in str(caught.value)
    assert len(server.asked) == 3


@pytest.mark.parametrize("error", [silent, stalled, trickling])
def test_time_limits(server, waits, error):
    server.script = [error]
    with Transport(timeout=0.05, retries=1) as transport:
        error = failure(transport.get, server.url)
    assert error.flag == MorphFlag.TIMED_OUT
    assert "no answer in time" in str(error)
    assert len(server.asked) == 2


@pytest.mark.parametrize("own", [None, 1000])
def test_clients_keep_to_the_time_limit(server, own):
    server.script = [silent]
    with Transport(timeout=0.05, retries=0) as transport:
        error = failure(transport.call, server.url,
                        lambda: transport.session.get(server.url, timeout=own))
        assert transport.timeout == 0.05
    assert error.flag == MorphFlag.TIMED_OUT


def test_refused_connection(waits):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with Transport(retries=1) as transport:
        error = failure(transport.get, url)
    assert error.flag == MorphFlag.SERVER_ERROR
    assert "refused" in str(error)
    assert len(waits) == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_a_wrong_request_is_not_repeated(server, waits, code):
    server.script = [lambda handler: handler.answer(code, b"ra is missing\nmore",
                                                    Content_Type="text/plain; charset=utf-8")]
    with Transport() as transport:
        error = failure(transport.get, server.url)
    assert isinstance(error, StatusError)
    assert (error.status, error.retry, error.response.content[:2]) == (code, False, b"ra")
    assert str(error).endswith(": ra is missing")
    assert len(server.asked) == 1


def test_error_page_is_explained_by_who_knows_it(server, waits):
    def outside(response):
        if b"outside" in response.content:
            raise FetchError("outside", MorphFlag.OUTSIDE_FOOTPRINT, final=True)

    server.script = [status(500), lambda handler: handler.answer(500, b"outside")]
    with Transport() as transport:
        error = failure(transport.get, server.url, on_error=outside)
    assert error.final
    assert len(server.asked) == 2


def test_check_decides_on_repetition(server, waits):
    def check(response):
        if len(server.asked) < 3:
            raise FetchError("not an image", MorphFlag.UNREADABLE, retry=True)
        return len(server.asked)

    with Transport() as transport:
        assert transport.get(server.url, check=check) == 3


def test_too_long_an_answer(server, monkeypatch):
    monkeypatch.setattr(limits, "LARGEST_BODY", 100)
    with Transport() as transport:
        error = failure(transport.get, server.url)
    assert "longer than 100 bytes" in str(error)
    assert len(server.asked) == 1


def test_whatever_an_answer_makes_fail_is_a_fetch_error(server, waits):
    with Transport() as transport:
        error = failure(transport.get, server.url, check=lambda response: 1 / 0)
    assert error.flag == MorphFlag.UNREADABLE
    assert "ZeroDivisionError" in str(error) and isinstance(error.__cause__, ZeroDivisionError)
    assert len(server.asked) == 1


# Waits that a service asks for

def test_retry_after_is_honored(server, waits):
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=40), usegmt=True)
    server.script = [status(429, Retry_After="7"), status(503, Retry_After=later), Handler.answer]
    with Transport() as transport:
        transport.get(server.url)
    assert waits[0] == 7
    assert 0 < waits[1] <= 40


def test_too_long_a_wait(server, waits):
    server.script = [status(503, Retry_After="3600")]
    with Transport() as transport:
        assert "asks to wait 3600 s" in str(failure(transport.get, server.url))
        assert " pause for " in str(failure(transport.get, server.url))
    assert len(server.asked) == 1
    assert waits == []


@pytest.mark.parametrize("header, seconds", [
    ("5", 5), ("0", 0), ("-3", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ("Wed, 21 Oct 2015 07:28:00 -0000", 0), ("soon", None), ("", None), ("1e400", None),
    ("Mon, 99 Xyz 0 0:0:0", None), (400 * "9", None), (5000 * "9", None), ("nan", None),
    ("\xb2", None), ("Fri, 31 Dec 9999 23:59:59 -9999", None), (None, None)])
def test_retry_after(header, seconds):
    response = requests.Response()
    response.status_code, response.url = 503, "https://example.org/a"
    if header is not None:
        response.headers["Retry-After"] = header
    assert failure(check_status, response).retry_after == seconds


@pytest.mark.parametrize("fast", [-7200, 7200])
def test_retry_after_counts_from_the_clock_of_the_server(fast):
    now = datetime.now(timezone.utc) + timedelta(seconds=fast)
    response = requests.Response()
    response.status_code, response.url = 503, "https://example.org/a"
    for name, time in {"Date": now, "Retry-After": now + timedelta(seconds=5)}.items():
        response.headers[name] = format_datetime(time, usegmt=True)
    assert failure(check_status, response).retry_after == 5
    response.headers["Date"] = "nonsense"
    assert failure(check_status, response).retry_after == pytest.approx(max(fast + 5, 0), abs=60)


def test_logins_of_netrc_are_not_sent(server, tmp_path, monkeypatch):
    path = tmp_path / "netrc"
    path.write_text("default login me password secret\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    server.script = [partial(Handler.answer, status=302, Location="/moved"), Handler.answer]
    with Transport() as transport:
        transport.get(server.url)
        with naming(server.url):
            transport.session.get(server.url, headers={"Authorization": "Bearer token"})
        transport.get(server.url.replace("//", "//user:word@"))
    told = [headers["Authorization"] for _, headers, _ in server.asked]
    assert told == [None, None, "Bearer token", "Basic dXNlcjp3b3Jk"]


def test_a_good_status_passes():
    response = requests.Response()
    response.status_code = 399
    check_status(response)


# Limits for each host

class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def host(clock):
    return Host("example.org", per_host=6, stopped=threading.Event(), clock=clock)


def attempt(host, error=None):
    with host.slot():
        if error is not None:
            raise error


def failing(host, times=1, retry_after=None):
    error = FetchError("it burns", MorphFlag.SERVER_ERROR, retry=True, retry_after=retry_after)
    for _ in range(times):
        assert failure(attempt, host, error) is error


def pushback(retry_after=None):
    return StatusError(429, "example.org", retry_after)


def test_window_grows_by_one_a_round(host):
    widths = []
    for _ in range(25):
        attempt(host)
        widths.append(host.window)
    assert widths == 3 * [4] + 5 * [5] + 17 * [6]


def test_window_is_halved_once_for_attempts_of_a_round(host):
    chunk = threading.Barrier(4)

    def pushed_back(_):
        with pytest.raises(StatusError), host.slot():
            chunk.wait()
            raise pushback()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(pushed_back, range(4)))
    assert host.window == 2
    for _ in range(3):
        failure(attempt, host, pushback())
    assert host.window == 1


def test_other_failures_leave_the_window(host):
    failing(host, 3)
    assert host.window == FIRST_WINDOW


def test_window_is_never_exceeded(server):
    # First all that come are held, until no more do; then they leave six by six.
    under_way, most = [0], [0]
    by_six = threading.Barrier(6)

    def count(handler):
        with server.lock:
            under_way[0] += 1
            most.append(max(most[-1], under_way[0]))
        server.released.wait()
        if len(most) > 31:
            by_six.wait(10)
        with server.lock:
            under_way[0] -= 1
        handler.answer()

    server.script = [count]
    with Transport(per_host=6) as transport, ThreadPoolExecutor(24) as pool:
        def run(n):
            return [pool.submit(transport.get, server.url) for _ in range(n)]

        first = run(30)
        while len(server.asked) < FIRST_WINDOW:
            threading.Event().wait(0.001)
        assert not server.released.wait(0.05)
        assert len(server.asked) == FIRST_WINDOW
        server.released.set()
        for result in [*first, *run(24)]:
            assert result.result().content == BODY
    assert most[-1] == 6


def test_a_busy_server_gets_everything_done(server):
    # It takes two at a time and refuses the others.
    turns = threading.Semaphore(2)

    def busy(handler):
        if not turns.acquire(blocking=False):
            return handler.answer(429, Retry_After="0")
        threading.Event().wait(0.001)
        turns.release()
        handler.answer()

    server.script = [busy]
    with Transport(retries=60) as transport, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: transport.get(server.url).content, range(60)))
    assert answers == 60 * [BODY]


def test_slots_are_free_while_backing_off(server, monkeypatch):
    # With one slot, a second request is answered while the first one backs off.
    backing_off, done = threading.Event(), threading.Event()

    def sleep(self, seconds):
        backing_off.set()
        assert done.wait(10)

    monkeypatch.setattr(Transport, "_sleep", sleep)
    server.script = [status(500), Handler.answer]
    with Transport(per_host=1) as transport, ThreadPoolExecutor(1) as pool:
        first = pool.submit(transport.get, server.url)
        assert backing_off.wait(10)
        assert transport.get(server.url).content == BODY
        done.set()
        assert first.result().content == BODY


def test_a_wait_holds_for_all_threads(host, clock):
    failure(attempt, host, pushback("20"))
    entered = threading.Event()

    def second():
        attempt(host)
        entered.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not entered.wait(0.05)
    clock.now = 20.0
    host.wake()
    assert entered.wait(10)
    thread.join()


def test_hosts_are_apart(server, waits):
    with Transport(retries=0) as transport:
        server.script = [status(500)]
        for _ in range(FAILURES):
            failure(transport.get, server.url)
        assert " pause for " in str(failure(transport.get, server.url))
        server.script = [Handler.answer]
        transport.get(server.url.replace("127.0.0.1", "localhost"))


def test_an_attempt_must_not_wait_for_itself(server):
    with Transport(per_host=1) as transport, pytest.raises(RuntimeError, match="another call"):
        transport.call(server.url, lambda: transport.get(server.url))


# Leaving a host alone

def test_circuit_opens_and_closes(host, clock):
    failing(host, FAILURES)
    error = failure(attempt, host)
    assert (error.flag, error.retry) == (MorphFlag.SERVER_ERROR, False)
    assert str(error) == ("it burns; requests to example.org pause for 30 s more (failed attempts "
                          "in a row: 10)")
    assert not error.unreachable
    clock.now = REST
    attempt(host)
    failing(host, FAILURES - 1)
    attempt(host)
    failing(host, FAILURES - 1)
    attempt(host)


def test_a_pause_tells_whether_the_host_can_be_reached(host):
    for _ in range(FAILURES):
        with pytest.raises(FetchError), host.slot():
            raise FetchError("no connection", MorphFlag.SERVER_ERROR, retry=True, unreachable=True)
    error = failure(attempt, host)
    assert error.unreachable and str(error).startswith("no connection; requests to example.org")


def test_rests_grow(host, clock):
    failing(host, FAILURES)
    for rest in (REST, 2 * REST, 4 * REST, 8 * REST, LONGEST_REST, LONGEST_REST):
        clock.now += rest - 1
        assert "for 1 s more" in str(failure(attempt, host))
        clock.now += 1
        failing(host)
    clock.now += LONGEST_REST
    attempt(host)
    failing(host, FAILURES)
    assert "for 30 s more" in str(failure(attempt, host))


def test_one_probe_at_a_time(host, clock):
    failing(host, FAILURES)
    clock.now = REST
    with ThreadPoolExecutor(1) as pool, host.slot():
        assert " pause for " in str(pool.submit(failure, attempt, host).result())
    attempt(host)


def test_a_bug_in_the_probe_lets_others_try(host, clock):
    failing(host, FAILURES)
    clock.now = REST
    with pytest.raises(ZeroDivisionError):
        attempt(host, ZeroDivisionError())
    attempt(host)


def test_answers_that_say_no_are_answers(host):
    no = FetchError("outside", MorphFlag.OUTSIDE_FOOTPRINT)
    for _ in range(2):
        failing(host, FAILURES - 1)
        assert failure(attempt, host, no) is no
    attempt(host)


def test_a_dead_server_is_not_hammered(server, waits):
    server.script = [status(500)]
    with Transport(per_host=1, retries=3) as transport, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: failure(transport.get, server.url), range(50)))
    assert len(server.asked) == FAILURES


# Stopping

def test_close_wakes_who_backs_off(server):
    with ThreadPoolExecutor(1) as pool:
        transport = Transport()
        server.script = [status(503, Retry_After="50")]
        result = pool.submit(failure, transport.get, server.url)
        while not server.asked:
            threading.Event().wait(0.001)
        transport.close()
        assert "stopped" in str(result.result(10))
    assert len(server.asked) == 1


def test_close_wakes_who_waits_for_a_turn(server):
    server.script = [silent]
    with ThreadPoolExecutor(20) as pool:
        transport = Transport(timeout=60)
        results = [pool.submit(failure, transport.get, server.url) for _ in range(20)]
        while len(server.asked) < FIRST_WINDOW:
            threading.Event().wait(0.001)
        transport.close()
        while sum(result.done() for result in results) < 20 - FIRST_WINDOW:
            threading.Event().wait(0.001)
        server.released.set()
        assert {str(result.result(10)) for result in results} == {"stopped before an answer came"}
    assert len(server.asked) == FIRST_WINDOW
    assert "stopped" in str(failure(transport.get, server.url))


def without_length(handler):
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
    silent(handler)


@pytest.mark.parametrize("fault", [silent, stalled, trickling, without_length])
def test_close_ends_what_is_under_way(server, fault):
    server.script = [fault]
    with ThreadPoolExecutor(1) as pool:
        transport = Transport(timeout=60)
        result = pool.submit(failure, transport.get, server.url)
        while not server.asked:
            threading.Event().wait(0.001)
        threading.Event().wait(0.1)
        transport.close()
        assert "stopped" in str(result.result(30))
    assert len(server.asked) == 1


@pytest.mark.parametrize("arguments, message", [
    ({"per_host": 0}, "per_host: expected a positive integer"),
    ({"timeout": 0}, "timeout: expected a positive number of seconds"),
    ({"timeout": float("nan")}, "timeout: expected"),
    ({"retries": -1}, "retries: expected a positive integer"),
    ({"retries": 1.5}, "retries: expected a positive integer"),
])
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Transport(**arguments)


@pytest.mark.parametrize("url", ["", "example.org/a", "file:///etc/passwd", "https:///a"])
def test_wrong_url(url):
    with Transport() as transport, pytest.raises(ValueError, match="url: expected the address"):
        transport.get(url)


def test_close_ends_what_waits_for_a_connection():
    """A listener whose queue is full answers nobody."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ThreadPoolExecutor(1) as pool, \
            ExitStack() as others:
        for _ in range(4):
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        transport = Transport(timeout=60, retries=0)
        result = pool.submit(failure, transport.get, f"http://127.0.0.1:{full.getsockname()[1]}/")
        threading.Event().wait(0.2)
        assert not result.done()
        transport.close()
        assert result.result(5).flag == MorphFlag.SERVER_ERROR  # before the connection times out


# One exchange

def test_an_exchange_has_one_deadline():
    clock = Clock()
    exchange = Exchange(10, clock)
    assert exchange.left() == 10
    clock.now = 4.0
    assert exchange.left() == 6
    exchange.came(10**6)  # headers
    assert exchange.left() == 6
    exchange.body = 4 * STEADY
    assert exchange.left() == 10  # as long as more come
    clock.now = 14.0
    with pytest.raises(TimeoutError, match="1000000 bytes came in 14 s"):
        exchange.left()
    clock.now = LONGEST * 10 - 1.0
    exchange.body = 10**7
    assert exchange.left() == 1
    clock.now += 1
    with pytest.raises(TimeoutError):
        exchange.left()


def test_redirects_are_of_the_same_exchange():
    with Exchange(1) as first, Exchange(2) as second:
        assert first is second
    with Exchange(2) as third:
        assert third is not first


def slowly(handler):
    handler.server.released.wait(0.06)
    handler.answer(302, Location=f"/{len(handler.server.asked)}")


def endless_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.released.wait(0.01):
        handler.wfile.write(b"X: y\r\n")


def endless_trailers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    while not handler.server.released.wait(0.01):
        handler.wfile.write(b"X: y\r\n")


def endless_nothing(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    while not handler.server.released.wait(0.001):
        handler.wfile.write(1000 * gzip.compress(b""))


@pytest.mark.parametrize("fault", [slowly, endless_headers, endless_trailers, endless_nothing])
def test_the_deadline_is_that_of_all_parts(server, fault):
    server.script = [fault]
    with Transport(timeout=0.1, retries=0) as transport:
        assert failure(transport.get, server.url).flag == MorphFlag.TIMED_OUT
    assert len(server.asked) <= 3


def test_limits_hold_through_a_proxy(server):
    server.script = [Handler.answer, trickling]
    with Transport(timeout=0.1, retries=0) as transport:
        transport.session.proxies["http"] = server.url
        assert transport.get("http://own.example.org/x").content == BODY
        assert failure(transport.get, "http://own.example.org/x").flag == MorphFlag.TIMED_OUT
    assert [path for path, _, _ in server.asked] == 2 * ["http://own.example.org/x"]


def test_answers_are_bounded_packed_and_unpacked(server):
    server.script = [lambda handler: handler.answer(body=gzip.compress(bytes(10**6)),
                                                    Content_Encoding="gzip")]
    with Transport() as transport:
        assert len(transport.get(server.url).content) == 10**6
        with answers_up_to(10**5):
            assert "longer than 100000" in str(failure(transport.get, server.url))
        server.script = [lambda handler: handler.answer(body=bytes(10**6))]
        with answers_up_to(10**5):
            assert "longer than 100000" in str(failure(transport.get, server.url))


def test_packed_answers():
    parts = [gzip.compress(b"one"), gzip.compress(b"two")]
    make = partial(zlib.decompressobj, 31)
    assert unpack(b"".join(parts), make) == b"onetwo"
    assert unpack(bz2.compress(b"one") + bz2.compress(b""), bz2.BZ2Decompressor) == b"one"
    for damaged in (parts[0][:-3], parts[0] + b"x", 100 * parts[0], b"", b"nonsense"):
        with pytest.raises(urllib3.exceptions.DecodeError):
            unpack(damaged, make)


def test_packing_that_nobody_asked_for(server, waits):
    server.script = [lambda handler: handler.answer(Content_Encoding="br")]
    with Transport(retries=0) as transport:
        assert "which was not requested" in str(failure(transport.get, server.url))
    assert server.asked[0][1]["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("charset", ["undefined", "idna", "rot13", "utf-7", "no such", ""])
def test_odd_charsets(server, charset):
    server.script = [lambda handler: handler.answer(
        400, "caf\u00e9".encode(), Content_Type=f"text/plain; charset={charset}")]
    with Transport() as transport:
        error = failure(transport.get, server.url)
    assert error.response.text == "caf\u00e9" and str(error).endswith(": caf\u00e9")


@pytest.mark.parametrize("table", [
    '<VOTABLE><STREAM href="{}"/></VOTABLE>', '<v:VOTABLE><v:STREAM x:href="{}"/></v:VOTABLE>',
    '<?xml version="1.0" encoding="utf-16"?><a><STREAM type="simple" href="{}"/>'])
def test_streams_are_not_followed(server, table):
    text = table.format(server.url)
    body = text.encode("utf-16" if "utf-16" in text else "ascii")
    server.script = [lambda handler: handler.answer(body=body, Content_Type="image/jpeg")]
    with Transport() as transport:
        assert "rows elsewhere" in str(failure(transport.get, server.url))
    assert len(server.asked) == 1


def test_cookies_are_not_kept(server):
    server.script = [lambda handler: handler.answer(Set_Cookie="a=1")]
    with Transport() as transport:
        transport.get(server.url)
        transport.get(server.url)
        assert not transport.session.cookies
    assert server.asked[1][1]["Cookie"] is None


# Who is asked, how often, and by whom

@pytest.mark.parametrize("url", [
    "", "/x/y.fits", "file:///etc/hostname", "ftp://127.0.0.1/x", "http://127.0.0.1:99999/x",
    "http://[::1", "http:///x", "http://169.254.169.254/", "http://127.0.0.1:22/",
    "http://sdss.org.example.org/", "http://data.sdss.org:8080/", "http://127.0.0.1.nip.io/",
    "http://datalab.noirlab.edu@example.org/", "http://www.legacysurvey.example.org/"])
def test_hosts_that_nobody_named(server, url):
    server.script = [lambda handler: handler.answer(302, Location=url)]
    with Transport() as transport:
        assert failure(transport.follow, url).flag == MorphFlag.UNREADABLE
        if url not in ("", "/x/y.fits", "http:///x"):  # these stay at the host
            assert not failure(transport.get, server.url).retry
            assert len(server.asked) == 1


@pytest.mark.parametrize("url", [
    "https://data.sdss.org/sas", "http://datalab.noirlab.edu/svc", "https://www.legacysurvey.org/",
    "https://alaskybis.cds.unistra.fr/x", "https://SkyServer.SDSS.org/dr17"])
def test_known_hosts(url):
    check_address(url)


def test_named_hosts(server):
    host = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(FetchError, match="an unknown host"):
        check_address(server.url)
    with naming("http://own.example.org:81/x"):
        check_address("http://own.example.org:81/y")
        check_address("https://own.example.org/")  # to be safe is no other place
        with pytest.raises(FetchError, match="http://own.example.org:80, an unknown host"):
            check_address("http://own.example.org/")
    with conf.set_temp("viewer_url", host):
        check_address(server.url)
        with Transport() as transport:
            assert transport.follow(server.url).content == BODY


def test_an_attempt_asks_no_other_host(server):
    with Transport() as transport:
        error = failure(transport.call, "http://own.example.org/",
                        lambda: transport.session.get(server.url))
    assert "an unknown host" in str(error) and not server.asked


def test_pauses_between_queries(monkeypatch):
    asked, stopped = [], threading.Event()
    monkeypatch.setattr(stopped, "wait", lambda seconds: asked.append(seconds))
    monkeypatch.setattr(endpoints, "_next", {})
    monkeypatch.setattr(endpoints.time, "monotonic", lambda: 100.0)
    for path in ("en/tools/search/X_Results.aspx", "SkyServerWS/SearchTools/SqlSearch",
                 "SkyServerWS/ImgCutout/getjpeg", "en/tools/search/x_sql.aspx?cmd=SELECT"):
        pace(f"https://skyserver.sdss.org/dr17/{path}", stopped)
    pace("http://127.0.0.1:80/dr17/en/tools/search/X_Results.aspx", stopped)
    assert asked == [0, 1, 2]
    monkeypatch.setattr(stopped, "wait", lambda seconds: True)
    with pytest.raises(FetchError, match="stopped"):
        pace("https://skyserver.sdss.org/dr17/en/tools/search/x", stopped)


def test_user_agent_has_a_contact(monkeypatch):
    page = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())[
        "project"]["urls"]["Homepage"]
    about = Message()
    about["Project-URL"] = f"Homepage, {page}"
    monkeypatch.setattr(transports.metadata, "metadata", lambda name: about)
    assert re.fullmatch(r"astromorph/\S+ \(\+https://\S+\)", transports.user_agent())
    monkeypatch.setattr(transports.metadata, "metadata", lambda name: Message())
    assert re.fullmatch(r"astromorph/\S+", transports.user_agent())


# What errors of clients mean

def wrapped(error):
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", error))


@pytest.mark.parametrize("error, flag, retry", [
    (requests.ConnectTimeout(), MorphFlag.TIMED_OUT, True),
    (requests.ReadTimeout(), MorphFlag.TIMED_OUT, True),
    (TimeoutError(), MorphFlag.TIMED_OUT, True),
    (urllib.error.URLError(TimeoutError("timed out")), MorphFlag.TIMED_OUT, True),
    (astroquery.exceptions.TimeoutError(), MorphFlag.TIMED_OUT, True),
    (pyvo.dal.DALServiceError(cause=requests.ReadTimeout()), MorphFlag.TIMED_OUT, True),
    (requests.exceptions.ChunkedEncodingError(), MorphFlag.UNREADABLE, True),
    (http.client.IncompleteRead(b""), MorphFlag.UNREADABLE, True),
    (urllib.error.ContentTooShortError("short", None), MorphFlag.UNREADABLE, True),
    (json.JSONDecodeError("not JSON", "<html>", 0), MorphFlag.UNREADABLE, True),
    (requests.JSONDecodeError("not JSON", "<html>", 0), MorphFlag.UNREADABLE, True),
    (astroquery.exceptions.TableParseError(), MorphFlag.UNREADABLE, True),
    (pyvo.dal.DALFormatError(ValueError("not a VOTable")), MorphFlag.UNREADABLE, True),
    (ConnectionResetError(), MorphFlag.SERVER_ERROR, True),
    (http.client.RemoteDisconnected(), MorphFlag.SERVER_ERROR, True),
    (http.client.BadStatusLine("x"), MorphFlag.SERVER_ERROR, True),
    (requests.exceptions.SSLError(), MorphFlag.SERVER_ERROR, True),
    (ssl.SSLError(), MorphFlag.SERVER_ERROR, True),
    (socket.gaierror(), MorphFlag.SERVER_ERROR, True),
    (wrapped(urllib3.exceptions.NewConnectionError(None, "x")), MorphFlag.SERVER_ERROR, True),
    (urllib.error.URLError("unknown"), MorphFlag.SERVER_ERROR, True),
    (astroquery.exceptions.RemoteServiceError("error page"), MorphFlag.SERVER_ERROR, True),
    (pyvo.dal.DALServiceError("down"), MorphFlag.SERVER_ERROR, True),
    (pyvo.dal.DALQueryError("bad query"), MorphFlag.SERVER_ERROR, False),
    (requests.TooManyRedirects(), MorphFlag.SERVER_ERROR, False),
])
def test_translate(error, flag, retry):
    known = translate(error, host="example.org")
    assert (known.flag, known.retry) == (flag, retry)
    assert str(known).startswith("example.org: ")


@pytest.mark.parametrize("error", [ValueError(), KeyError(), OSError(), AttributeError(),
                                   astroquery.exceptions.InvalidQueryError()])
def test_bugs_are_not_translated(error):
    assert translate(error) is None


def test_translated_statuses():
    headers = Message()
    headers["Retry-After"] = "9"
    error = translate(urllib.error.HTTPError("http://a/", 503, "busy", headers, None))
    assert (error.status, error.retry, error.retry_after) == (503, True, 9)
    response = requests.Response()
    response.status_code = 404
    error = translate(requests.HTTPError(response=response))
    assert (error.status, error.retry) == (404, False)


# Through clients of services

def test_clients_with_the_session(server, waits):
    # pyvo reads a stream of a raw response, by itself without a time limit.
    def search(transport):
        service = pyvo.dal.SIAService(server.url, session=transport.session)
        return transport.call(server.url, lambda: service.search(pos=(1, 2), size=1))

    table = (b'<VOTABLE version="1.1"><RESOURCE type="results"><INFO name="QUERY_STATUS" '
             b'value="OK"/><TABLE><FIELD name="a" datatype="int"/></TABLE></RESOURCE></VOTABLE>')
    with Transport(timeout=0.2, retries=5) as transport:
        server.script = [status(503), truncated, stalled, trickling,
                         lambda handler: handler.answer(body=table)]
        assert len(search(transport)) == 0
        assert len(server.asked) == 5
        server.script = [status(404)]
        assert failure(search, transport).status == 404


def test_astropy_download(server, waits):
    with Transport(timeout=0.2) as transport:
        server.script = [status(503), hang_up, truncated, stalled, Handler.answer]
        path = transport.call(server.url, lambda: download_file(
            server.url, cache=False, timeout=0.2, show_progress=False))
    with open(path, "rb") as file:
        assert file.read() == BODY
    assert len(server.asked) == 5


def test_limits_are_sensible():
    assert hosts.REST < hosts.LONGEST_REST
    assert FAILURES > 1 + 6  # one request that fails at every attempt does not open the circuit
