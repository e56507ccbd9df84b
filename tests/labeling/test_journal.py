"""The journal: what was acknowledged is there, once; what was torn is not."""
import json
import os
import signal
import subprocess
import sys
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astromorph.errors import AstromorphWarning
from astromorph.labeling.journal import Journal, read_journal

KILLS = int(os.environ.get("ASTROMORPH_KILLS", 4))


def _entry(id, /, **more):
    return {"kind": "answer", "id": id, **more}


def test_entries_come_back_with_number_and_time(tmp_path):
    with Journal(tmp_path / "j") as journal:
        written = [journal.append(_entry("a", row=1)), journal.append({"kind": "taught"})]
    assert [entry["n"] for entry in written] == [1, 2]
    assert all(entry["time"].endswith("Z") and len(entry["time"]) == 24 for entry in written)
    assert read_journal(tmp_path / "j") == written


def test_a_known_id_is_not_written_again(tmp_path):
    with Journal(tmp_path / "j") as journal:
        first = journal.append(_entry("a", row=1))
        assert journal.append(_entry("a", row=2)) is first
    with Journal(tmp_path / "j") as journal:
        assert journal.append(_entry("a", row=3)) == first
    assert read_journal(tmp_path / "j") == [first]


@settings(max_examples=60)
@given(texts=st.lists(st.text(), min_size=1, max_size=6), cut=st.integers(0, 400))
def test_a_torn_last_line_is_dropped_and_written_over(tmp_path_factory, texts, cut):
    path = tmp_path_factory.mktemp("torn") / "j"
    with Journal(path) as journal:
        whole = [journal.append(_entry(f"{n}", name=text)) for n, text in enumerate(texts)]
    content = path.read_bytes()
    path.write_bytes(content[:len(content) - cut] if cut < len(content) else b"")
    kept = content[:max(len(content) - cut, 0)].count(b"\n") + (cut == 1)  # a whole line counts
    torn = cut != 1 and len(path.read_bytes()) and not path.read_bytes().endswith(b"\n")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert read_journal(path) == whole[:kept]
    assert [each.category for each in said] == [AstromorphWarning] * bool(torn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Journal(path) as journal:
            again = [journal.append(_entry(f"{n}", name=text)) for n, text in enumerate(texts)]
    assert [entry["name"] for entry in again] == texts
    assert again[:kept] == whole[:kept]
    assert read_journal(path) == again


def test_an_editor_may_leave_out_the_last_newline(tmp_path):
    with Journal(tmp_path / "j") as journal:
        written = [journal.append(_entry("a")), journal.append(_entry("b"))]
    content = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(content[:-1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_journal(tmp_path / "j") == written
        Journal(tmp_path / "j").close()
        assert (tmp_path / "j").read_bytes() == content
        (tmp_path / "j").write_bytes(content[:-1])
        with Journal(tmp_path / "j") as journal:
            written.append(journal.append(_entry("c")))
        assert read_journal(tmp_path / "j") == written


def test_a_line_that_was_copied_raises_with_its_number(tmp_path):
    with Journal(tmp_path / "j") as journal:
        journal.append(_entry("a"))
    line = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(line + line.replace(b'"n": 1', b'"n": 2'))
    with pytest.raises(ValueError, match="each id once in .*line 2 with that of another, 'a'"):
        read_journal(tmp_path / "j")


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"nonsense", b"\x00\x00", b'{"n": 2}',
                                  b'{"n": 2, "kind": "answer", "id": 5}', b"[" * 100_000,
                                  b'{"n": 7, "kind": "answer"}', b'{"n": 2, "kind": 5}', b"\xff"])
def test_another_damaged_line_raises_with_its_number(tmp_path, line):
    with Journal(tmp_path / "j") as journal:
        journal.append(_entry("a"))
    content = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(content + line + b"\n" + content)
    with pytest.raises(ValueError, match="line 2"):
        read_journal(tmp_path / "j")
    with pytest.raises(ValueError, match="line 2"):
        Journal(tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == content + line + b"\n" + content


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_only_a_file_is_opened(tmp_path, make):
    make(tmp_path / "j")
    for read in (Journal, read_journal, Journal):
        with pytest.raises(ValueError, match="journal: expected the name of a file"):
            read(tmp_path / "j")


def test_one_process_at_a_time(tmp_path):
    with Journal(tmp_path / "j"):
        with pytest.raises(OSError, match="in use by another process"):
            Journal(tmp_path / "j")
    Journal(tmp_path / "j").close()


def test_what_cannot_be_written_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    with Journal(tmp_path / "j") as journal:
        journal.append(_entry("a"))
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, line: write(file, line[:10]))
        with pytest.raises(OSError, match="disk full"):
            journal.append(_entry("b"))
        monkeypatch.undo()
        assert journal.append(_entry("b"))["n"] == 2
    assert [entry["id"] for entry in read_journal(tmp_path / "j")] == ["a", "b"]


def test_lines_are_plain_text_whatever_the_names(tmp_path):
    name = "<b>\x1b[31m\n\udcff'\u2028"
    with Journal(tmp_path / "j") as journal:
        journal.append(_entry("a", name=name))
    content = (tmp_path / "j").read_bytes()
    assert content.isascii() and content.count(b"\n") == 1 and b"\x1b" not in content
    assert read_journal(tmp_path / "j")[0]["name"] == name


_WRITER = """
import json, sys
from astromorph.labeling.journal import Journal
journal = Journal(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:  # as a page sends them: again until they are acknowledged
    print(journal.append(json.loads(line))["id"], flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_no_kill_loses_or_doubles_an_answer(tmp_path):
    acknowledged, unsure = [], []
    for kill in range(KILLS):
        fresh = [_entry(f"{kill}-{n}", row=n) for n in range(300)]
        lines = [json.dumps(entry) + "\n" for entry in unsure + fresh]
        with subprocess.Popen([sys.executable, "-W", "ignore", "-c", _WRITER, tmp_path / "j"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            process.stdin.write("".join(lines[:500]))  # less than a pipe holds
            process.stdin.flush()
            said = [process.stdout.readline().strip() for _ in range(3 + 17 * kill % 90)]
            process.kill()
            said += process.stdout.read().split()
        acknowledged += said[1:]
        unsure = [entry for entry in unsure + fresh if entry["id"] not in said][-200:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ids = [entry["id"] for entry in read_journal(tmp_path / "j")]
    assert len(acknowledged) > 3 * KILLS
    assert len(set(ids)) == len(ids)
    assert set(acknowledged) <= set(ids)
