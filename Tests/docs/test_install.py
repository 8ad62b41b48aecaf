"""`make install` puts everything where PREFIX says, and what is installed refers to what is installed."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from lab.daemon import program

CHECKOUT = Path(__file__).resolve().parents[2]
PREFIX = "/opt/linkwatch"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder in which PREFIX has been installed."""
    root = tmp_path_factory.mktemp("root")
    settings = [f"DESTDIR={root}", f"PREFIX={PREFIX}", f"BIN={Path(program('linkwatch')).parent}"]
    # COMPLETIONS keeps a run beside this one from meeting this one's files.
    settings.append(f"COMPLETIONS={tmp_path_factory.mktemp('completions')}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(
        ["make", "install", *settings], cwd=CHECKOUT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return root / PREFIX.lstrip("/")


def test_the_programs_run_from_there(installed):
    for path in ["bin/linkwatch", "sbin/linkwatchd"]:
        done = subprocess.run([installed / path, "--version"], capture_output=True, text=True)
        assert (done.returncode, done.stdout.split()[0]) == (0, Path(path).name)
    assert os.access(installed / "sbin/linkwatch-vrrp", os.X_OK)


def test_every_page_is_in_its_section(installed):
    pages = {path.name for path in (CHECKOUT / "man").glob("*.[1-8]")}
    assert {path.name for path in installed.glob("share/man/man?/*")} == pages
    for path in installed.glob("share/man/man?/*"):
        assert path.parent.name == f"man{path.suffix[1:]}"


def test_the_shells_find_their_completions(installed):
    for path in ["bash-completion/completions/linkwatch", "zsh/site-functions/_linkwatch",
                 "fish/vendor_completions.d/linkwatch.fish"]:
        assert "linkwatch" in (installed / "share" / path).read_text()


def test_units_start_what_is_installed(installed):
    for unit in installed.glob("lib/systemd/system/*.service"):
        for command in re.findall(r"^Exec\w+=[-+!@:]*(\S+)", unit.read_text(), re.MULTILINE):
            if Path(command).name in {"kill"}:
                continue
            assert command.startswith(PREFIX + "/"), unit
            assert os.access(installed / Path(command).relative_to(PREFIX), os.X_OK), unit


def test_the_example_is_good(installed):
    example = installed / "share/doc/linkwatch/examples/linkwatchd.toml"
    done = subprocess.run(
        [installed / "sbin/linkwatchd", "--check", "--config", example], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
