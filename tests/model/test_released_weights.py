"""A released weights file never changes: each is as in every tag that has it, or is gone."""
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEIGHTS = "astromorph/model/*.safetensors"


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True,
                          check=True).stdout.splitlines()


def changed(folder):
    """Weights files that differ from those of a tag, as (tag, name)."""
    now = {path.name: git(folder, "hash-object", str(path))[0] for path in folder.glob(WEIGHTS)}
    then = [(tag, *line.split()[2:]) for tag in git(folder, "tag", "--list", "v*")
            for line in git(folder, "ls-tree", tag, "astromorph/model/")]
    return [(tag, Path(name).name) for tag, blob, name in then
            if name.endswith(".safetensors") and now.get(Path(name).name, blob) != blob]


def test_no_released_file_has_changed():
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    assert changed(ROOT) == [], "give better weights a new name, docs/policies.rst"


def test_a_changed_file_is_found(tmp_path):
    model = tmp_path / "astromorph" / "model"
    model.mkdir(parents=True)
    for name in ("a.safetensors", "b.safetensors", "files.py"):
        (model / name).write_text(name)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "one")
    git(tmp_path, "tag", "v0.1.0")
    (model / "files.py").write_text("code may change")
    (model / "b.safetensors").unlink()
    (model / "c.safetensors").write_text("new")
    assert changed(tmp_path) == []
    (model / "a.safetensors").write_text("better")
    assert changed(tmp_path) == [("v0.1.0", "a.safetensors")]
