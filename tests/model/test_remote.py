"""Weights elsewhere: downloaded once, checked before they are opened, kept; all on loopback."""
import hashlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from astromorph import FetchError, MorphologyClassifier
from astromorph.cli import main
from astromorph.model import remote
from astromorph.model.files import bundled
from astromorph.model.remote import WeightsAddress, fetch_weights, is_address, weights_folder
from astromorph.services.endpoints import anywhere, check_address, naming

FILE = bundled()["legacy", "pinwheel"]
DATA = FILE.read_bytes()
SHA256 = hashlib.sha256(DATA).hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOGIN = b"<!DOCTYPE html><html><title>Sign in</title></html>"


class Server:
    """A server on a free port that answers as `pages` says, and lists what it was asked."""

    def __init__(self):
        self.pages, self.asked = {}, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                status, headers, body = server.pages.get(self.path, (404, {}, b"not here"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server():
    with Server() as server:
        yield server


@pytest.fixture
def hub(server, monkeypatch):
    """A hub with one repository; its files are on another server, as those of large files are."""
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
    with Server() as store:
        store.pages["/blob"] = 200, {}, DATA
        for revision in (COMMIT, "main"):
            server.pages[f"/api/models/o/n/revision/{revision}"] = 200, {}, json.dumps({
                "siblings": [{"rfilename": name} for name in ("README.md", "des.safetensors")],
            }).encode()
            server.pages[f"/o/n/resolve/{revision}/des.safetensors"] = 302, {
                "Location": f"{store.url}/blob", "X-Linked-Etag": f'"{SHA256}"'}, b""
        server.store = store
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASTROMORPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("astromorph.services.transport.BACK_OFF", lambda state: 0)
    return tmp_path / "cache" / "weights"


def test_downloaded_once_then_without_a_network(cache):
    with Server() as server:
        server.pages["/x.safetensors"] = 200, {}, DATA
        address = f"{server.url}/x.safetensors"
        first = MorphologyClassifier.from_pretrained(address, sha256=SHA256.upper())
        again = MorphologyClassifier.from_pretrained(f"{address}#sha256={SHA256}")
        assert server.asked == ["/x.safetensors"]
    offline = MorphologyClassifier.from_pretrained(address, sha256=SHA256)
    other = MorphologyClassifier.from_pretrained(f"https://other.example/y#sha256={SHA256}")
    assert first.model.identity == MorphologyClassifier.read(FILE).model.identity
    assert {again.model.identity, offline.model.identity, other.model.identity} == {
        first.model.identity}
    assert weights_folder() == cache
    assert [path.read_bytes() == DATA for path in cache.iterdir()] == [True]


def test_a_commit_of_the_hub_pins_the_file(hub, cache):
    clf = MorphologyClassifier.from_pretrained(f"hf://o/n@{COMMIT}")
    assert clf.survey.name == "legacy"
    assert hub.asked == [f"/api/models/o/n/revision/{COMMIT}",
                         f"/o/n/resolve/{COMMIT}/des.safetensors"]
    MorphologyClassifier.from_pretrained(f"hf://o/n@{COMMIT}")
    assert len(hub.asked) == 2 and hub.store.asked == ["/blob"]
    assert len(list(cache.iterdir())) == 1


def test_a_file_of_the_hub_by_its_name(hub):
    assert fetch_weights(f"hf://o/n/des.safetensors@{COMMIT}").read_bytes() == DATA
    assert hub.asked == [f"/o/n/resolve/{COMMIT}/des.safetensors"]


def test_a_branch_needs_a_checksum(hub):
    with pytest.raises(ValueError, match="whole commit of 40 digits.*hf://o/n@main.*#sha256="):
        fetch_weights("hf://o/n@main")
    with pytest.raises(ValueError, match="whole commit of 40 digits"):
        fetch_weights("hf://o/n@" + COMMIT[:12])
    with pytest.raises(ValueError, match="whole commit of 40 digits"):
        fetch_weights(f"hf://o/n#sha256={SHA256}")  # no revision at all
    assert not hub.asked
    assert fetch_weights(f"hf://o/n@main#sha256={SHA256}").read_bytes() == DATA


@pytest.mark.parametrize("names, found", [
    (["a.safetensors"], "a.safetensors"), (["astromorph.safetensors", "b.safetensors"],
                                           "astromorph.safetensors")])
def test_which_file_of_a_repository(names, found):
    assert remote._choose(["README.md", *names], "hf://o/n") == found


@pytest.mark.parametrize("names", [["README.md"], ["a.safetensors", "b.safetensors"]])
def test_no_file_or_several(names):
    with pytest.raises(ValueError, match="Name the file: hf://USER/NAME/FILE.safetensors"):
        remote._choose(names, "hf://o/n")


def test_the_hub_must_tell_the_checksum(hub):
    status, headers, _ = hub.pages[f"/o/n/resolve/{COMMIT}/des.safetensors"]
    headers.pop("X-Linked-Etag")
    with pytest.raises(FetchError, match="does not say the checksum.*#sha256="):
        fetch_weights(f"hf://o/n@{COMMIT}")


def test_what_the_store_sends_is_checked(hub, cache):
    hub.store.pages["/blob"] = 200, {}, DATA[:-1] + b"x"
    with pytest.raises(ValueError, match=f"sha256: expected {SHA256}.*Nothing was kept"):
        fetch_weights(f"hf://o/n@{COMMIT}")
    assert list(cache.glob("*")) == []


@pytest.mark.parametrize("address, message", [
    ("http://host.example/x", "begins with https://"),
    ("ftp://host.example/x", "https://HOST/FILE"),
    ("https:///x", "https://HOST/FILE"),
    ("https://[::1/x", "https://HOST/FILE"),
    ("https://host:99999/x", "https://HOST/FILE"),
    ("https://host:port/x", "https://HOST/FILE"),
    (" https://host.example/x", "https://HOST/FILE"),
    ("https://a host.example/x", "https://HOST/FILE"),
    ("https://host.example\n/x", "https://HOST/FILE"),
    ("https://me:word@host.example/x", r"Received 'https://\.\.\.@host"),
    ("hf://only@" + COMMIT, "hf://USER/NAME@COMMIT"),
    ("hf://o/n/../m/x.safetensors@" + COMMIT, "hf://USER/NAME@COMMIT"),
    ("hf://o/n/weights.bin@" + COMMIT, "hf://USER/NAME@COMMIT"),
    ("https://host.example/x", "sha256: expected the checksum.*sha256sum FILE"),
    ("https://host.example/x#md5=00", "nothing or #sha256="),
    ("https://host.example/x#sha256=00", "64 digits"),
    (f"https://host.example/x#sha256={SHA256[:-1]}g", "64 digits"),
])
def test_addresses_that_are_refused(address, message):
    with pytest.raises(ValueError, match=message):
        MorphologyClassifier.from_pretrained(address)


@pytest.mark.parametrize("options, message", [
    ({"sha256": "0" * 64}, "Give one of them only"),
    ({"network": "ds18"}, "network: expected none"),
])
def test_arguments_that_contradict(options, message):
    with pytest.raises(ValueError, match=message):
        MorphologyClassifier.from_pretrained(f"https://host.example/x#sha256={SHA256}", **options)
    with pytest.raises(ValueError, match="sha256: expected an address that it belongs to"):
        MorphologyClassifier.from_pretrained("sdss", sha256=SHA256)


@pytest.mark.parametrize("endpoint", ["mirror.example", "https://[::1", "file:///mirror"])
def test_a_hub_that_is_no_address(monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(ValueError, match="HF_ENDPOINT: expected https://HOST. Received"):
        fetch_weights(f"hf://o/n@{COMMIT}")


@pytest.mark.parametrize("answer", [
    b"<html>", b"[]", b'{"siblings": null}', b'{"siblings": [{}]}', b'{"siblings": "abc"}',
    b'{"siblings": [{"rfilename": 5}]}'])
def test_a_hub_that_answers_nonsense(hub, answer):
    hub.pages[f"/api/models/o/n/revision/{COMMIT}"] = 200, {}, answer
    with pytest.raises(FetchError, match=f"hf://o/n@{COMMIT}"):
        fetch_weights(f"hf://o/n@{COMMIT}")


def test_a_hub_names_files_of_the_repository_only(hub):
    hub.pages[f"/api/models/o/n/revision/{COMMIT}"] = 200, {}, json.dumps({"siblings": [
        {"rfilename": "../../../m/resolve/x/des.safetensors"}]}).encode()
    with pytest.raises(ValueError, match="with none"):
        fetch_weights(f"hf://o/n@{COMMIT}")
    assert len(hub.asked) == 1


def test_what_follows_a_question_mark_stays_secret(server):
    server.pages["/x?token=word"] = 200, {}, LOGIN
    for path in ("x", "y"):
        with pytest.raises((ValueError, FetchError)) as caught:
            fetch_weights(f"{server.url}/{path}?token=word#sha256={SHA256}")
        assert f"{server.url}/{path}" in str(caught.value) and "word" not in str(caught.value)
    checksum = hashlib.sha256(LOGIN).hexdigest()
    with pytest.raises(ValueError, match="a weights file that astromorph wrote") as caught:
        MorphologyClassifier.from_pretrained(f"{server.url}/x?token=word", sha256=checksum)
    assert "word" not in str(caught.value)


def test_a_folder_that_cannot_be_written(server, cache):
    server.pages["/x"] = 200, {}, DATA
    cache.parent.mkdir()
    cache.touch()
    with pytest.raises(OSError, match="cannot be kept in .*ASTROMORPH_CACHE"):
        fetch_weights(f"{server.url}/x#sha256={SHA256}")
    assert not server.asked


def test_many_at_once_while_copies_are_damaged(server):
    server.pages["/x"] = 200, {}, DATA
    failures = []

    def load():
        try:
            for _ in range(4):
                fetch_weights(f"{server.url}/x#sha256={SHA256}").write_bytes(b"damaged")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_advice_fits_the_failure(server):
    server.pages["/x"] = 302, {"Location": "file:///x"}, b""
    with pytest.raises(FetchError, match="Check the address, or download it by other means"):
        fetch_weights(f"{server.url}/x#sha256={SHA256}")
    server.pages["/x"] = 500, {}, b""
    with pytest.raises(FetchError, match="Try again later, or download it by other means"):
        fetch_weights(f"{server.url}/x#sha256={SHA256}")


def test_a_hub_must_be_secure(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example")
    with pytest.raises(ValueError, match="HF_ENDPOINT: expected an address that begins with https"):
        fetch_weights(f"hf://o/n@{COMMIT}")


@pytest.mark.parametrize("name, is_one", [
    ("hf://o/n@main", True), ("https://a/b", True), ("sdss", False), ("C:/x.safetensors", False),
    (None, False)])
def test_is_address(name, is_one):
    assert is_address(name) is is_one


def test_another_file_than_expected(server, cache):
    server.pages["/x"] = 200, {}, b"something else"
    with pytest.raises(ValueError, match=f"expected {SHA256}.*of 14 bytes.*Nothing was kept"):
        fetch_weights(f"{server.url}/x#sha256={SHA256}")
    assert list(cache.glob("*")) == []


def test_a_login_page(server):
    server.pages["/x"] = 200, {"Content-Type": "text/html"}, LOGIN
    with pytest.raises(ValueError, match="are a web page.*takes no login"):
        fetch_weights(f"{server.url}/x#sha256={SHA256}")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_file_that_is_not_for_everybody(server, status):
    server.pages["/x"] = status, {}, b""
    with pytest.raises(FetchError, match=f"HTTP status {status}.*may everybody read the file"):
        fetch_weights(f"{server.url}/x#sha256={SHA256}")


def test_a_repository_that_is_not_there(hub):
    with pytest.raises(FetchError, match=f"hf://o/other@{COMMIT}: .*status 404.*address right"):
        fetch_weights(f"hf://o/other@{COMMIT}")


def test_no_network(server, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(FetchError, match="no connection.*no copy of an earlier download"):
        fetch_weights(f"http://127.0.0.1:{port}/x#sha256={SHA256}")


def test_a_transfer_that_breaks_off(server, cache):
    server.pages["/x"] = 200, {"Content-Length": str(len(DATA))}, DATA[:1000]
    with pytest.raises(FetchError, match="broke off"):
        fetch_weights(f"{server.url}/x#sha256={SHA256}")
    assert len(server.asked) == 3  # it was tried again
    server.pages["/x"] = 200, {}, DATA[:1000]  # nobody says how much should come
    with pytest.raises(ValueError, match="of 1000 bytes"):
        fetch_weights(f"{server.url}/x#sha256={SHA256}")
    assert list(cache.glob("*")) == []


def test_the_right_file_that_is_none_of_ours(server):
    server.pages["/x"] = 200, {}, LOGIN
    checksum = hashlib.sha256(LOGIN).hexdigest()
    with pytest.raises(ValueError, match="a weights file that astromorph wrote.*cannot be read"):
        MorphologyClassifier.from_pretrained(f"{server.url}/x", sha256=checksum)


def test_a_damaged_copy_is_downloaded_anew(server):
    server.pages["/x"] = 200, {}, DATA
    address = f"{server.url}/x#sha256={SHA256}"
    path = fetch_weights(address)
    path.write_bytes(DATA[:-1])
    assert fetch_weights(address) == path and path.read_bytes() == DATA
    assert len(server.asked) == 2


def test_redirects_to_other_hosts_are_followed_over_https_only(server):
    server.pages["/x"] = 302, {"Location": "http://other.example/x"}, b""
    with pytest.raises(FetchError, match="http://other.example:80, an unknown host"):
        fetch_weights(f"{server.url}/x#sha256={SHA256}")
    with naming("https://host.example/x"):
        for refused in ("https://other.example/x", "http://127.0.0.1/x"):
            with pytest.raises(FetchError, match="an unknown host"):
                check_address(refused)
        with anywhere():
            check_address("https://other.example/x")
            for refused in ("http://127.0.0.1/x", "http://host.example/x", "file:///x"):
                with pytest.raises(FetchError):
                    check_address(refused)


def test_a_checksum_is_checked_before_anything_is_asked(server):
    with pytest.raises(ValueError, match="sha256: expected 64 digits"):
        WeightsAddress(f"{server.url}/x", 64 * "G")
    assert not server.asked


def test_command_line(server, capsys, tmp_path):
    server.pages["/x"] = server.pages["/x?token=word"] = 200, {}, DATA
    address = f"{server.url}/x#sha256={SHA256}"
    assert main(["info", address]) == main(["info", address.replace("#", "?token=word#")]) == 0
    said = capsys.readouterr().out
    assert f"{server.url}/x" in said and "word" not in said
    image = next(Path(remote.__file__).parents[1].glob("datasets/sample/*.fits"))
    output = tmp_path / "t.fits"
    assert main(["classify", str(image), "--weights", address, "-o", str(output), "-q"]) == 0
    assert output.is_file() and server.asked == ["/x"]
    with pytest.raises(SystemExit):
        main(["classify", str(image), "--weights", f"{server.url}/x", "-o", f"{output}.fits"])
    assert f"Add it to the address, {server.url}/x#sha256=" in capsys.readouterr().err
    server.pages.clear()
    assert main(["info", f"{server.url}/x#sha256={'0' * 64}"]) == 1
    assert "HTTP status 404" in capsys.readouterr().err
