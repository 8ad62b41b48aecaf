"""linkwatch-vrrp as a user of its own: what it and its runner may do, and that everything works all the same.

The user exists for the tested process alone, in a mount namespace where /etc/passwd and /etc/group are files of the test.
"""

import os
import signal
import tempfile
from pathlib import Path

import pytest

from lab.pair import INSIDE, OUTSIDE, config
from lab.vrrp import VRRP, Director, Lans, until
from lab.watch import VarlinkError

from .test_vrrp_process import LONG_LEASE, bound, died

UID = 64321
KILL, SETGID, SETUID, NET_ADMIN, NET_RAW = 5, 6, 7, 12, 13


def mask(*capabilities: int) -> int:
    return sum(1 << number for number in capabilities)


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def capabilities(pid: int) -> dict[str, int]:
    return {name: int(status(pid)[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")}


@pytest.fixture
def folder():
    """One that every user can write to; pytest's own are root's alone."""
    with tempfile.TemporaryDirectory(prefix="linkwatch-users-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def user(folder):
    """A command line under which there is a user and a group `linkwatch`."""
    for name, line in (("passwd", f"linkwatch:x:{UID}:{UID}::/:/bin/false"), ("group", f"linkwatch:x:{UID}:")):
        (folder / name).write_text(f"{Path('/etc', name).read_text().rstrip()}\n{line}\n")
    return bound(*((folder / name, Path("/etc", name)) for name in ("passwd", "group")))


@pytest.fixture
def director(namespaces, user, folder):
    """r1 alone, master, with a check, notify programs, a virtual MAC address, and an address that takes no packets."""
    lans = Lans(namespaces, hosts=False)
    with Director(namespaces, "r1", text(folder), under=user) as made:
        made.lans = lans
        made.watch().await_state("master")
        until(lambda: lans.holds("r1", OUTSIDE) and lans.holds("r1", INSIDE), "the addresses")
        yield made


def text(folder: Path, **options) -> str:
    def told(name: str) -> str:
        return f'exec = ["/bin/sh", "-c", "id -un >> {folder}/{name}"]\n'

    more = (
        f'[check.own]\n{told("check-own")}'
        f'[check.other]\n{told("check-other")}user = "nobody"\n'
        f'[notify.own]\n{told("notify-own")}'
        f'[notify.number]\n{told("notify-number")}user = "{Path("/etc/passwd").stat().st_uid}"\n'
    )
    tracks = 'track = ["check:own", "check:other"]\n'
    return config("r1", 0, group=LONG_LEASE + tracks, inside="virtual-mac = true\naccept = false\n", more=more, **options)


def test_it_is_its_own_user_with_two_capabilities(director):
    its = status(director.pid)
    assert its["Uid"].split() == its["Gid"].split() == [str(UID)] * 4 and its["Groups"] == ""
    assert its["NoNewPrivs"] == "1"
    both = mask(NET_ADMIN, NET_RAW)
    assert capabilities(director.pid) == {"CapEff": both, "CapPrm": both, "CapInh": 0, "CapAmb": 0}
    for thread in os.listdir(f"/proc/{director.pid}/task"):
        assert f"CapEff:\t{both:016x}" in Path(f"/proc/{director.pid}/task/{thread}/status").read_text()


def test_the_runner_stays_root_with_what_it_needs(director):
    runner = director.runner
    assert status(runner)["Uid"].split() == ["0"] * 4 and status(runner)["Name"] == "lw-vrrp-runner"
    used = mask(SETUID, SETGID, KILL)
    assert capabilities(runner) == {"CapEff": used, "CapPrm": used | mask(NET_ADMIN, NET_RAW), "CapInh": 0, "CapAmb": 0}


def test_programs_run_as_their_users(director, folder):
    """Those without a user of their own as the process; none with a capability more than its user has."""
    wanted = {"check-own": "linkwatch", "check-other": "nobody", "notify-own": "linkwatch", "notify-number": "root"}
    for name, who in wanted.items():
        until(lambda: (folder / name).exists() and (folder / name).read_text(), f"{name} to be run")
        assert set((folder / name).read_text().split()) == {who}, name


def test_all_that_a_master_does_works(director, namespaces, folder):
    """Addresses, a macvlan with its switches, the filter, a reload by signal, and the end."""
    macvlan = f"vr4-20-{namespaces.index('r1', 'e1')}"
    assert f"{INSIDE}/" in namespaces.ip("r1", f"addr show {macvlan}")
    assert namespaces.run("r1", "cat", f"/proc/sys/net/ipv4/conf/{macvlan}/rp_filter").strip() == "0"
    until(lambda: INSIDE in namespaces.run("r1", "nft", "list", "ruleset"), "the filter")
    director.reconfigure(text(folder).replace(f'"{OUTSIDE}/24"', f'"{OUTSIDE}/24", "192.0.2.2"'))
    director.signal(signal.SIGHUP)
    until(lambda: director.lans.holds("r1", "192.0.2.2"), "the address of the new file")
    assert [line for line in director.log if "cannot" in line and "linkwatchd" not in line] == []
    assert director.stop() == 0
    assert not any(director.lans.holds("r1", address) for address in (OUTSIDE, INSIDE, "192.0.2.2"))
    assert macvlan not in namespaces.ip("r1", "link show")
    # What belongs to the user now is no obstacle to the next start, nor to cleaning up after a crash.
    director.start()
    director.watch().await_state("master")
    until(lambda: director.lans.holds("r1", INSIDE), "the addresses")
    director.kill()
    assert "removed 3 addresses and 1 macvlan" in died(director)


def test_a_file_that_its_user_cannot_read_is_not_reloaded_and_said(director, folder):
    """As in every daemon that gives up root: the file belongs to root and to the daemon's group."""
    watch = director.watch()
    director.reconfigure(text(folder).replace("priority = 200", "priority = 190"))
    director.config.chmod(0o600)
    with pytest.raises(VarlinkError) as refused:
        director.call(f"{VRRP}.Reload")
    assert f"{director.config}: cannot be read: Permission denied" in refused.value.parameters["message"]
    assert director.status()["priority"] == 200 and watch.transitions() == []
    os.chown(director.config, 0, UID)
    director.config.chmod(0o640)
    director.call(f"{VRRP}.Reload")
    assert director.status()["priority"] == 190
    # A start says so before it is too late.
    director.stop()
    assert [line for line in director.log if "cannot be read" in line] == []
    director.config.chmod(0o600)
    director.start()
    director.log.await_item(lambda line: f"{director.config} cannot be read any more" in line)
