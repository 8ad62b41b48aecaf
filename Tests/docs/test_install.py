"""`make install` puts everything where PREFIX says, and what is installed refers to what is installed."""

import os
import re
import shutil
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


@pytest.fixture(scope="module")
def units(installed, tmp_path_factory) -> dict[str, Path]:
    """The units by name, with the commands where they really are."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    folder = tmp_path_factory.mktemp("units")
    for unit in installed.glob("lib/systemd/system/*.service"):
        (folder / unit.name).write_text(unit.read_text().replace(PREFIX, str(installed)))
    return {path.name: path for path in folder.iterdir()}


def test_systemd_understands_the_units(units):
    argv = ["systemd-analyze", "verify", "--man=no", *map(str, units.values())]
    done = subprocess.run(argv, capture_output=True, text=True)
    # From systemd 254 on.
    new = ("RestartSteps", "RestartMaxDelaySec")
    lines = [line for line in done.stderr.splitlines() if not any(f"Unknown key '{key}'" in line for key in new)]
    assert [line for line in lines if "linkwatch" in line] == []


@pytest.mark.parametrize("name, most", [("linkwatchd.service", 2.0), ("linkwatch-vrrp.service", 3.0)])
def test_the_units_are_hardened(units, name: str, most: float):
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(units[name])]
    done = subprocess.run(argv, capture_output=True, text=True)
    level = float(re.search(rf"exposure level for {name}: ([\d.]+)", done.stdout).group(1))
    assert level <= most, done.stdout


def test_a_service_that_cannot_start_is_not_started_for_ever(installed):
    for unit in installed.glob("lib/systemd/system/linkwatch*.service"):
        text = unit.read_text()
        assert {"64", "78"} <= set(re.search(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE).group(1).split())
        assert "RestartSteps=" in text and "WatchdogSec=" in text
    vrrp = (installed / "lib/systemd/system/linkwatch-vrrp.service").read_text()
    assert "ConditionPathExists=/etc/linkwatch/vrrp.toml\n" in vrrp
    # Stopped before the network is: the reverse of the order in which units start.
    assert "network.target" in re.search(r"^After=(.*)$", vrrp, re.MULTILINE).group(1).split()


def test_a_reload_of_a_bad_file_fails(installed, tmp_path):
    """What the units run for it has an exit status that tells."""
    bad = tmp_path / "bad.toml"
    bad.write_text("nonsense = 1\n")
    unit = (installed / "lib/systemd/system/linkwatchd.service").read_text()
    first, second = re.findall(r"^ExecReload=(.*)$", unit, re.MULTILINE)
    check = first.replace(PREFIX, str(installed)).split()
    done = subprocess.run([*check, "--config", bad], capture_output=True, text=True)
    assert done.returncode == 78 and f"{bad}:1:" in done.stderr and second.startswith("kill -HUP")
    unit = (installed / "lib/systemd/system/linkwatch-vrrp.service").read_text()
    assert re.findall(r"^ExecReload=(.*)$", unit, re.MULTILINE) == [f"{PREFIX}/bin/linkwatch vrrp --reload"]


def test_the_user_is_made(installed):
    """By systemd-sysusers(8), which the package calls; not by an installation into a folder."""
    file = installed / "lib/sysusers.d/linkwatch.conf"
    assert [line.split()[:2] for line in file.read_text().splitlines() if line[0] != "#"] == [["u", "linkwatch"]]
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("systemd-sysusers is not installed")
    root = installed / "sysusers-root"
    (root / "etc").mkdir(parents=True)
    subprocess.run(["systemd-sysusers", f"--root={root}", file], check=True, capture_output=True)
    assert re.search(r"^linkwatch:", (root / "etc/passwd").read_text(), re.MULTILINE)


def test_the_example_is_good(installed):
    example = installed / "share/doc/linkwatch/examples/linkwatchd.toml"
    done = subprocess.run(
        [installed / "sbin/linkwatchd", "--check", "--config", example], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
