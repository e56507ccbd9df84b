"""Whom the page answers, and what it gives out; without a browser but for pages from elsewhere."""
import http.client
import os
import socket
import stat
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from loopback.labeling import answers

import astromorph

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
websockets = pytest.importorskip("websockets.sync.client")

from websockets.exceptions import ConnectionClosed  # noqa: E402

from astromorph.labeling.page import PageServer  # noqa: E402

STATIC = Path(astromorph.__file__).parent / "labeling" / "static"
TOKEN = "a-token-of-this-test-0123456789"


@pytest.fixture
def server(talk):
    with PageServer(talk(), token=TOKEN) as server:
        yield server


def get(server, path=f"/?token={TOKEN}", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers={name.capitalize(): value
                                              for name, value in headers.items()})
    response = connection.getresponse()
    response.text = response.read().decode()
    connection.close()
    return response


def upgrade(server, **headers):
    """The status with which the server answers who wants to talk."""
    wanted = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
              "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    return get(server, f"/talk?token={TOKEN}", **wanted, **headers).status


@contextmanager
def talking(server, query=f"?token={TOKEN}", host=None):
    host = host or f"127.0.0.1:{server.port}"
    with websockets.connect(f"ws://{host}/talk{query}", origin=f"http://{host}", proxy=None,
                            sock=socket.create_connection(("127.0.0.1", server.port))) as talk:
        yield talk


def test_the_page_has_a_strict_policy_and_no_script_of_its_own(server):
    response = get(server)
    assert response.status == 200 and "<script type=" in response.text
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "http" not in response.text  # nothing from elsewhere
    assert "style=" not in response.text and "onclick" not in response.text


@pytest.mark.parametrize("name", ["page.js", "label.js", "label.css", "icon.svg"])
def test_static_files_are_given_out(server, name):
    response = get(server, f"/static/{name}")
    assert response.status == 200
    assert response.text == (STATIC / name).read_text(encoding="utf-8")
    kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    assert response.headers["Content-Type"].startswith(kinds[name.rpartition(".")[2]])


def test_all_static_files_are_known(server):
    assert {path.name for path in STATIC.iterdir()} == {
        "page.js", "label.js", "look.js", "common.js", "curves.js", "grid.js", "label.css",
        "look.css", "icon.svg",
        "page.html", "look.html"}


@pytest.mark.parametrize("path", [
    "/static/../page.py", "/static/..%2fpage.py", "/static/%2e%2e/page.py", "/../../etc/passwd",
    "/static/....//page.py", "/static//etc/passwd", "/static/page.html", "/static/label.js%00.css",
    "/static/", "/labels.journal", "/picture/0", "/docs", "/openapi.json", "//etc/passwd",
    "/static/..\\page.py", f"/static?token={TOKEN}", f"/etc/passwd?token={TOKEN}"])
def test_nothing_else_is_given_out(server, path):
    response = get(server, path)
    assert response.status == 404
    assert "import" not in response.text and "root:" not in response.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_there_is_nothing_to_send_to(server, method):
    assert get(server, method=method).status == 405


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", f"?token={TOKEN}x",
                                   f"?Token={TOKEN}", "?token=%00", "?token=%C3%A9%F0%9F%8C%8C"])
def test_the_page_needs_its_token(server, query):
    assert get(server, f"/{query}").status == 403
    with talking(server, query) as talk, pytest.raises(ConnectionClosed) as closed:
        talk.send('{"type": "ready"}')
        talk.recv(timeout=10)
    assert closed.value.rcvd.code == 4403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example",
                                  "localhost.evil.example", "127.0.0.2", "0.0.0.0", "127.0.0.1:x",
                                  "user@127.0.0.1", "127.0.0.1:1;script-src *", "[::2]"])
def test_other_hosts_are_refused(server, host):
    assert get(server, host=host).status == 403
    assert get(server, "/static/label.js", host=host).status == 403
    assert upgrade(server, host=host, origin=f"http://{host}") == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1",
                                    "http://127.0.0.1:1", "http://localhost", "file://"])
def test_other_origins_are_refused(server, origin):
    assert get(server, origin=origin).status == 403
    assert upgrade(server, origin=origin) == 403


def test_a_refused_talk_says_nothing_on_the_terminal(server, caplog):
    caplog.set_level("WARNING")
    assert upgrade(server, host="evil.example", origin="http://evil.example") == 403
    assert upgrade(server) == 403
    server.stop()  # all it had to say is said
    assert not caplog.records


def test_who_tells_no_origin_is_refused(server):
    assert upgrade(server) == 403
    assert upgrade(server, origin=f"http://127.0.0.1:{server.port}") == 101


def test_a_tunnel_may_have_another_port(server):
    assert get(server, host="localhost:9999").status == 200
    with talking(server, host="localhost:9999") as talk:
        talk.send('{"type": "ready"}')
        assert '"state"' in talk.recv(timeout=10)


@pytest.mark.parametrize("text", ["[]", "1", "no JSON", '{"a": NaN}', "[" * 8000,
                                   '{"a":' * 3000, ""])
def test_what_is_no_message_ends_the_talk(server, text):
    with talking(server) as talk, pytest.raises(ConnectionClosed) as closed:
        talk.send(text)
        talk.recv(timeout=10)
    assert closed.value.rcvd.code == 1003
    with talking(server) as talk:  # the next one is served
        talk.send('{"type": "ready"}')
        assert '"state"' in talk.recv(timeout=10)


@pytest.mark.parametrize("message", [
    "{}", '{"type": null}', '{"type": ["want"]}', '{"type": "want", "rows": [-1]}',
    '{"type": "want", "rows": ["../../etc/passwd"]}', '{"type": "want", "rows": 3}',
    '{"type": "want", "rows": [1e400]}', '{"type": "answer", "id": "a", "row": 1e99, "key": "S"}',
    '{"type": "undo", "id": {}}', '{"type": "want", "rows": [0], "rows": [99999]}'])
def test_what_makes_no_sense_is_an_error_to_the_page_alone(server, message):
    with talking(server) as talk:
        talk.send(message)
        assert '"error"' in talk.recv(timeout=10)
        talk.send('{"type": "ready"}')
        assert '"state"' in talk.recv(timeout=10)
    assert answers(server.conversation) == []


def test_long_messages_are_refused(server):
    with talking(server) as talk, pytest.raises(ConnectionClosed) as closed:
        talk.send('{"type": "ready", "x": "' + "x" * 20_000 + '"}')
        talk.recv(timeout=10)
    assert closed.value.rcvd.code == 1009


def test_it_listens_on_the_loopback_alone(server):
    addresses = {each[4][0] for each in socket.getaddrinfo(socket.gethostname(), None)}
    for address in {*addresses, "127.0.0.2"} - {"127.0.0.1"}:
        with pytest.raises(OSError):
            socket.create_connection((address, server.port), timeout=5).close()


class _Elsewhere(BaseHTTPRequestHandler):
    """A page of another server on this machine."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>elsewhere</title>")

    def log_message(self, *args):
        pass


def test_a_page_from_elsewhere_gets_nothing(tab, server):
    with HTTPServer(("127.0.0.1", 0), _Elsewhere) as elsewhere:
        thread = threading.Thread(target=elsewhere.serve_forever, daemon=True)
        thread.start()
        tab.goto(f"http://127.0.0.1:{elsewhere.server_port}/")
        said = tab.evaluate("""async (address) => {
            const socket = new WebSocket(address.replace("http", "ws").replace("?", "talk?"));
            const opened = await new Promise((done) => {
                socket.onopen = () => done("open"); socket.onerror = () => done("refused"); });
            const page = await fetch(address).then(() => "read", () => "refused");
            const blind = await fetch(address, { mode: "no-cors" }).then(() => "sent",
                () => "refused");
            const script = await import(address.replace(/\\?.*/, "static/label.js")).then(
                () => "run", () => "refused");
            return [opened, page, blind, script];
        }""", server.address)
        elsewhere.shutdown()
        thread.join()
    assert said == ["refused", "refused", "refused", "refused"]


def test_a_wrong_token_is_explained(page, talk, tmp_path):
    with PageServer(conversation := talk(), token=TOKEN) as server:
        page.open(server.address)
    with PageServer(conversation, port=server.port):  # its token is another one
        page.tab.wait_for_selector("text=no longer valid")


def test_port_and_token_are_kept_for_the_next_server_and_for_nobody_else(talk, tmp_path):
    keep = tmp_path / "address"
    with PageServer(conversation := talk(), keep=keep) as first:
        assert stat.S_IMODE(os.stat(keep).st_mode) == 0o600 or os.name == "nt"
        with PageServer(conversation, keep=keep) as beside:  # the port is taken
            assert beside.port != first.port
    keep.write_text(f"{first.port} {TOKEN}\n")
    with PageServer(conversation, keep=keep) as again:
        assert again.address.endswith(f":{first.port}/?token={TOKEN}")


@pytest.mark.parametrize("text", ["", "x", "80 short", f"99999999 {TOKEN}", f"8 {TOKEN} x",
                                  "\0" * 50, f"80 {TOKEN}<", "é"])
def test_a_damaged_file_of_the_address_is_made_anew(talk, tmp_path, text):
    keep = tmp_path / "address"
    keep.write_text(text, encoding="latin-1")
    keep.chmod(0o600)
    with PageServer(talk(), keep=keep) as server:
        assert keep.read_text() == f"{server.port} {server.address.partition('=')[2]}\n"
        assert len(server.address) > 50


@pytest.mark.skipif(os.name != "posix", reason="of the permissions of POSIX")
def test_a_token_that_others_may_know_is_not_used(talk, tmp_path):
    keep, elsewhere = tmp_path / "address", tmp_path / "elsewhere"
    keep.write_text(f"8 {TOKEN}\n")
    keep.chmod(0o644)
    with PageServer(conversation := talk(), keep=keep) as server:
        assert TOKEN not in server.address
    elsewhere.write_text(f"8 {TOKEN}\n")
    elsewhere.chmod(0o600)
    keep.unlink()
    keep.symlink_to(elsewhere)
    with PageServer(conversation, keep=keep) as server:
        assert TOKEN not in server.address and TOKEN in elsewhere.read_text()


def test_a_port_that_cannot_be_used_raises(server):
    with pytest.raises(OSError, match=f"port {server.port} cannot be used"):
        PageServer(server.conversation, port=server.port)
    for port in (-1, 65536, 80.5):
        with pytest.raises(ValueError, match="port: expected a whole number from 0 to 65535"):
            PageServer(server.conversation, port=port)


def test_bytes_end_the_talk_without_a_word_on_the_terminal(server, caplog):
    with talking(server) as talk:
        talk.send(b'{"type": "ready"}')
        with pytest.raises(ConnectionClosed):
            talk.recv(timeout=10)
    assert talk.close_code == 1003 and not caplog.records


@pytest.mark.parametrize("port", [-1, 65536, 8080.0, True, "8080"])
def test_wrong_ports(talk, port):
    with pytest.raises(ValueError, match="port: expected a whole number from 0 to 65535"):
        PageServer(talk(), port=port)
