"""The pages for people name paths, commands, tests and figures' commands that exist: each is followed here.

A path is anything in backquotes, or in a line of commands, that begins with a folder of this repository. Of a line of
commands `make TARGET`, `Tests/run-all STAGE`, `swift test --filter NAME` and `pytest FILE -k NAME` are followed as well.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md")] + sorted(
    page for page in (CHECKOUT / "docs").glob("*.md") if page.name != "benchmarks.md"
)
# What a build leaves, and what the text says does not exist yet.
MADE = (".build", ".venv", "bench-results")
FOLDERS = "|".join(path.name for path in sorted(CHECKOUT.iterdir()) if path.is_dir() and not path.name.startswith("."))
PATH = re.compile(rf"(?<![\w./-])((?:{FOLDERS})/[\w./*+-]*[\w*+-]/?|(?:{FOLDERS})/|\w[\w-]*\.(?:md|swift))(?![\w/])")
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def commands(page: Path) -> list[str]:
    """The lines of its blocks that begin with a program, continued ones joined, without their comments."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    lines = [line[4:] for line in re.findall(r"^    .*$", text, re.M)]
    lines += re.findall(r"`((?:sudo )?(?:make|Tests/run-all|swift test|pytest|\.venv/bin/pytest) [^`]*)`", text)
    return [re.split(r"\s{2,}|\s#\s", line.strip())[0] for line in lines if line.strip()]


def words(command: str) -> list[str]:
    """Without `sudo` and the variables before the program."""
    try:
        found = shlex.split(command)
    except ValueError:
        return []
    while found and (found[0] == "sudo" or re.fullmatch(r"[A-Z_]+=.*", found[0])):
        found = found[1:]
    return found


def named_paths(page: Path) -> set[str]:
    text = page.read_text()
    quoted = re.findall(r"`([^`]+)`", text) + re.findall(r"\]\(([^)#]+)\)", text) + commands(page)
    return {path for part in quoted for path in PATH.findall(part)}


def exists(page: Path, path: str) -> bool:
    places = [CHECKOUT, page.parent]
    if "/" not in path:
        # A file is named alone where the text has said in which folder it is.
        return any(place.joinpath(path).exists() for place in places) or any((CHECKOUT / "Sources").rglob(path)) or any(
            (CHECKOUT / "Tests").rglob(path)
        )
    return any(any(place.glob(path)) if "*" in path else place.joinpath(path).exists() for place in places)


@pages
def test_every_path_exists(page):
    missing = {path for path in named_paths(page) if not path.startswith(MADE) and not exists(page, path)}
    assert not missing


def test_paths_are_found():
    """The pattern sees what it should, so that the test above can fail."""
    hacking = named_paths(CHECKOUT / "docs/hacking.md")
    assert {"Tests/run-all", "docs/modules.md"} <= hacking
    assert not exists(CHECKOUT / "docs/hacking.md", "Tests/no-such-file.py")


def targets() -> set[str]:
    makefile = (CHECKOUT / "Makefile").read_text()
    return {name for line in re.findall(r"^([a-z][a-z -]*):(?!=)", makefile, re.M) for name in line.split()}


@pages
def test_every_make_target_exists(page):
    used = {word for command in commands(page) for word in words(command)[1:2] if words(command)[0] == "make"}
    used |= set(re.findall(r"`make ([a-z][a-z-]*)", page.read_text()))
    assert used <= targets()


@pages
def test_every_stage_exists(page):
    stages = set(re.findall(r"^(\w+)\(\) ", (CHECKOUT / "Tests/run-all").read_text(), re.M))
    used = {word for command in commands(page) if words(command)[:1] == ["Tests/run-all"] for word in words(command)[1:]}
    assert used <= stages


@pages
def test_every_swift_filter_finds_a_test(page):
    sources = "\n".join(path.read_text() for path in (CHECKOUT / "Tests").glob("*Tests/**/*.swift"))
    modules = {path.name for path in (CHECKOUT / "Tests").glob("*Tests")}
    for command in commands(page):
        found = words(command)
        if found[:2] != ["swift", "test"] or "--filter" not in found:
            continue
        name = found[found.index("--filter") + 1]
        assert name.split(".")[0] in modules or re.search(rf"\b(struct|func|class) `?{re.escape(name)}\b", sources), name


@pages
def test_every_pytest_command_finds_a_test(page):
    for command in commands(page):
        found = words(command)
        if found[:1] not in (["pytest"], [".venv/bin/pytest"]):
            continue
        listed = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "-c", "Tests/pytest.ini", *found[1:]],
            cwd=CHECKOUT, capture_output=True, text=True,
        )  # fmt: skip
        assert listed.returncode == 0, f"{command}: {listed.stdout[-300:]}"
