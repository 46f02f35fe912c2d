"""The tree of the project: what stands where, and how long files are."""

import re
from pathlib import Path

import pytest

import skcolora

PACKAGE = Path(skcolora.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def test_folders_alone_stand_at_the_top():
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert files == {"__init__.py", "py.typed"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_short(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    of_estimator = path.parent.name == "_estimators"
    assert len(lines) <= (550 if of_estimator else 350)


def test_the_map_names_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"^\|.*\?.*\| .*?`([\w/]+\.?\w*)`?/?", text, flags=re.MULTILINE)
    assert len(named) == 15
    for name in named:
        assert (PACKAGE / name.rstrip("/")).exists(), name


def test_tests_mirror_the_package():
    folders = {path.name.lstrip("_") for path in PACKAGE.iterdir() if path.is_dir()}
    tested = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    # All of the package computes on a device.
    assert tested - {"__pycache__", "device"} <= folders
    assert folders - {"__pycache__", "utils"} <= tested
