"""linkwatch-vrrp as a user of its own: what it and its runner may do, and that everything works all the same.

The user exists for the tested process alone, in a mount namespace where /etc/passwd and /etc/group are files of the test.
"""

import ctypes
import errno
import fcntl
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from lab.daemon import CHECKOUT, program
from lab.pair import INSIDE, OUTSIDE, config
from lab.vrrp import VRRP, Capture, Director, Lans, until
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


def known(folder: Path, **lines: str) -> list[str]:
    """A command line under which /etc/passwd and /etc/group have these lines for `linkwatch`, or none."""
    for name in ("passwd", "group"):
        others = [line for line in Path("/etc", name).read_text().splitlines(True) if not line.startswith("linkwatch:")]
        (folder / name).write_text("".join(others) + lines.get(name, ""))
    return bound(*((folder / name, Path("/etc", name)) for name in ("passwd", "group")))


@pytest.fixture
def user(folder):
    """A command line under which there is a user and a group `linkwatch`."""
    return known(folder, passwd=f"linkwatch:x:{UID}:{UID}::/:/bin/false\n", group=f"linkwatch:x:{UID}:\n")


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
    assert int(its["CapBnd"], 16) & ~both == 0
    for thread in os.listdir(f"/proc/{director.pid}/task"):
        assert f"CapEff:\t{both:016x}" in Path(f"/proc/{director.pid}/task/{thread}/status").read_text()


def test_the_runner_stays_root_with_what_it_needs(director):
    runner = director.runner
    assert status(runner)["Uid"].split() == ["0"] * 4 and status(runner)["Name"] == "lw-vrrp-runner"
    used = mask(SETUID, SETGID, KILL)
    assert capabilities(runner) == {"CapEff": used, "CapPrm": used | mask(NET_ADMIN, NET_RAW), "CapInh": 0, "CapAmb": 0}


def test_without_a_program_of_root_the_runner_can_have_no_more(namespaces, user):
    Lans(namespaces, hosts=False)
    with Director(namespaces, "r1", config("r1", 0), under=user) as director:
        until(
            lambda: int(status(director.runner)["CapBnd"], 16) == mask(SETUID, SETGID, KILL, NET_ADMIN, NET_RAW),
            "the runner to give up all others",
        )


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


@pytest.mark.parametrize("how", ["mine", "group", "others", "folder", "link", "root's"])
def test_a_program_of_root_that_the_processs_user_can_change_is_not_started(namespaces, user, folder, how):
    Lans(namespaces, hosts=False)
    place = Path(tempfile.mkdtemp(prefix="linkwatch-programs-"))
    try:
        place.chmod(0o755)
        told, done = place / "told", folder / "done"
        told.write_text(f"#!/bin/sh\necho ran >> {done}\n")
        told.chmod(0o755)
        path = told
        if how == "mine":
            os.chown(told, UID, 0)
        elif how == "group":
            os.chown(told, 0, UID)
            told.chmod(0o775)
        elif how == "others":
            told.chmod(0o757)
        elif how == "folder":
            os.chown(place, UID, 0)
        elif how == "link":
            path = folder / "link"
            path.symlink_to(told)
        more = f'[notify.told]\nexec = ["{path}"]\nuser = "root"\n'
        with Director(namespaces, "r1", config("r1", 0, more=more), under=user) as director:
            if how == "root's":
                until(done.exists, "the program to run")
            else:
                director.log.await_item(lambda line: "notify told was not started" in line and "others may write" in line)
                assert not done.exists()
    finally:
        shutil.rmtree(place)


# The file, and who may write to it.


@pytest.mark.parametrize("owner, mode, why", [(UID, 0o644, f"belongs to the user {UID}"), (0, 0o664, "others may write"),
                                              (0, 0o646, "others may write")])  # fmt: skip
def test_a_file_that_others_may_write_to_is_neither_reloaded_nor_started_with(director, folder, owner, mode, why):
    """The file says what root runs, so one that others can write to is refused. What was read before stays in force."""
    marker = folder / "marker"
    injected = f'[notify.injected]\nexec = ["/bin/touch", "{marker}"]\nuser = "root"\n'
    director.reconfigure(text(folder).replace("priority = 200", "priority = 190") + injected)
    os.chown(director.config, owner, UID)
    director.config.chmod(mode)
    with pytest.raises(VarlinkError) as refused:
        director.call(f"{VRRP}.Reload")
    assert f"{director.config}: " in refused.value.parameters["message"] and why in refused.value.parameters["message"]
    assert director.status()["priority"] == 200
    with Runner(director) as runner:
        assert runner.run(notify("injected")) == (3, errno.ENOKEY)
    director.stop()
    director.start(ready=False)
    assert director.process.wait(30) == 78
    director.log.await_item(lambda line: why in line, what="the reason")
    assert not marker.exists()


def refused(namespaces, user, folder: Path, file: str, *arguments: str) -> tuple[int, str]:
    """How a start with a file ended, and what it said."""
    (folder / "vrrp.toml").write_text(file)
    argv = arguments or ("--config", str(folder / "vrrp.toml"), "--socket", str(folder / "vrrp.sock"))
    argv = namespaces.argv("r1", *user, program("linkwatch-vrrp"), *argv)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


INSTANCE = '[instance.one]\ninterface = "e0"\nvrid = 10\naddresses = ["192.0.2.1/24"]\n'


@pytest.mark.parametrize("section", [
    '[process]\nuser = "nobody-here"\n', '[process]\nuser = "64999"\n', '[socket]\ngroup = "nobody-here"\n',
    '[notify.x]\nuser = "nobody-here"\nexec = ["/bin/true"]\n', '[check.x]\nuser = "nobody-here"\nexec = ["/bin/true"]\n',
    '[group.g]\ninstances = ["one"]\n[group.g.fence]\nuser = "nobody-here"\nexec = ["/bin/true"]\n',
])  # fmt: skip
def test_a_user_who_does_not_exist_is_refused_by_file_and_line(namespaces, user, folder, section):
    namespaces.add("r1")
    line = INSTANCE.count("\n") + 1 + next(n for n, key in enumerate(section.splitlines()) if "here" in key or "64999" in key)
    for arguments in (), ("--check", str(folder / "vrrp.toml")):
        code, said = refused(namespaces, user, folder, INSTANCE + section, *arguments)
        assert code == 78 and f"{folder}/vrrp.toml:{line}:" in said and "on this machine" in said, said


def test_without_the_default_user_it_says_so_and_how_to_make_one(namespaces, folder):
    Lans(namespaces, hosts=False)
    with Director(namespaces, "r1", config("r1", 0), under=known(folder)) as director:
        director.log.await_item(lambda line: "there is no user 'linkwatch'" in line and "useradd" in line)
        both = mask(NET_ADMIN, NET_RAW)
        until(lambda: capabilities(director.pid)["CapPrm"] == both, "all other capabilities to be given up")


# The state folder and the record of holdings.


def state(folder: Path) -> tuple[Path, str]:
    made = folder / "state"
    made.mkdir()
    return made, f'[process]\nstate-directory = "{made}"\n{INSTANCE}'


@pytest.mark.parametrize("how", ["owner", "mode", "symlink", "hard link", "record symlink", "record mode", "fifo"])
def test_a_state_folder_that_others_could_change_is_refused(namespaces, user, folder, how):
    namespaces.add("r1")
    made, file = state(folder)
    victim = folder / "victim"
    victim.write_text("precious\n")
    victim.chmod(0o600)
    record = made / "vrrp-holdings"
    if how == "owner":
        os.chown(made, UID, UID)
    elif how == "mode":
        made.chmod(0o777)
    elif how == "symlink":
        made.rename(folder / "elsewhere")
        made.symlink_to(folder / "elsewhere")
    elif how == "hard link":
        record.hardlink_to(victim)
    elif how == "record symlink":
        record.symlink_to(victim)
    elif how == "record mode":
        record.write_text("")
        record.chmod(0o666)
    elif how == "fifo":
        os.mkfifo(record)
    code, said = refused(namespaces, user, folder, file)
    assert code == 69 and f"state-directory {made}: " in said and "expected" in said, said
    assert victim.read_text() == "precious\n"


def test_the_record_is_roots_and_the_process_cannot_write_it(director):
    record = Path(director.state.name, "vrrp-holdings")
    found = record.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600)
    assert f"e0 {OUTSIDE}\n" in record.read_text()
    ours = [fd for fd in os.listdir(f"/proc/{director.pid}/fd") if os.readlink(f"/proc/{director.pid}/fd/{fd}") == str(record)]
    for fd in ours:
        flags = re.search(r"flags:\s+(\d+)", Path(f"/proc/{director.pid}/fdinfo/{fd}").read_text()).group(1)
        assert int(flags, 8) & os.O_ACCMODE == os.O_RDONLY


def test_a_record_of_its_user_prevents_no_start(namespaces, user, folder):
    """As an earlier version left it; whoever had it open could lock it."""
    Lans(namespaces, hosts=False)
    with Director(namespaces, "r1", config("r1", 0), under=user) as director:
        record = Path(director.state.name, "vrrp-holdings")
        director.stop()
        os.chown(record, UID, UID)
        with record.open("r+") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            director.start()
            assert record.stat().st_uid == 0
    # Its lines are not believed.
    assert not any("waiting" in line for line in director.log)


# Somebody who has taken over the protocol process: what they can have of its runner.


def number(value: int) -> bytes:
    return struct.pack("=Q", value)


def word(value: str) -> bytes:
    return number(len(value.encode())) + value.encode()


def check(name: str) -> bytes:
    return number(0) + word(name)


def notify(name: str, group: str = "lvs", to: str = "master", reason: str = "take") -> bytes:
    event = to if to in ("master", "backup", "fault") else "stop"
    about = b"".join(map(word, (name, group, "", event)))
    return number(1) + about + number(100) + number(1) + b"".join(map(word, ("backup", to, reason)))


class Runner:
    """The process's own end of the runner's socket, while the process is stopped."""

    def __init__(self, director: Director):
        self.director = director
        # The socket has a high number, so that the runner learns early that its process has died.
        number = next(int(fd) for fd in os.listdir(f"/proc/{director.pid}/fd") if int(fd) >= 1000)
        pidfd = os.pidfd_open(director.pid)
        fd = ctypes.CDLL(None, use_errno=True).syscall(438, pidfd, number, 0)  # pidfd_getfd
        os.close(pidfd)
        assert fd >= 0, os.strerror(ctypes.get_errno())
        self.socket = socket.socket(fileno=fd)
        self.last = 1 << 20

    def __enter__(self) -> "Runner":
        self.director.signal(signal.SIGSTOP)
        until(lambda: status(self.director.pid)["State"].startswith("T"), "the process to stop")
        self.socket.settimeout(30)
        return self

    def __exit__(self, *_) -> None:
        self.director.signal(signal.SIGCONT)
        self.socket.close()

    def say(self, message: bytes) -> None:
        self.socket.send(message)

    def run(self, name: bytes) -> tuple[int, int]:
        """Kind of ending and its number: (0, status) is an exit, (3, errno) a program that was not started."""
        self.last += 1
        self.say(number(0) + number(self.last) + number(0) + name)
        while True:
            kind, which, value = struct.unpack_from("=QQQ", self.socket.recv(4096).ljust(24, b"\0"))
            if which == self.last:
                return kind, value


def descriptors(pid: int) -> set[str]:
    return set(os.listdir(f"/proc/{pid}/fd"))


def test_who_has_taken_over_the_process_runs_nothing_but_the_files_programs(director, folder):
    marker = folder / "marker"
    until(lambda: all((folder / name).exists() for name in ("notify-own", "notify-number")), "the notifications")
    with Runner(director) as runner:
        touch = ["/bin/sh", "-c", f"touch {marker}"]
        # A path, arguments, a user and an environment, as requests had them once, and in the place of names.
        runner.say(number(1 << 21) + number(0) + number(10**9) + word("root") + number(3) + b"".join(map(word, touch)) + number(0))
        for name in ("/bin/sh", f"own; touch {marker}", f"../{marker}", "", "own\0", "nobody"):
            assert runner.run(check(name)) == (3, errno.ENOKEY), name
            assert runner.run(notify(name)) == (3, errno.ENOKEY), name
            assert runner.run(number(2) + word(name)) == (3, errno.ENOKEY), name
        assert runner.run(notify("own", group="other")) == (3, errno.ENOKEY)
        # Words that there are not, which would be variables of their own: such a message is dropped.
        (folder / "check-own").unlink()
        for to, reason in ("master\nLD_PRELOAD=/x", "take"), ("master", "LD_PRELOAD=/x"), ("MASTER", "take"):
            runner.say(number(0) + number(1 << 22) + number(0) + notify("own", to=to, reason=reason))
        before = (folder / "notify-own").read_text()
        # Handled after all of these, and as the file says.
        assert runner.run(check("own")) == (0, 0)
        assert (folder / "check-own").read_text().split() == ["linkwatch"]
        assert (folder / "notify-own").read_text() == before and not marker.exists()


def test_nothing_that_the_process_sends_hurts_the_runner(director, say):
    def size() -> int:
        return int(status(director.runner)["VmRSS"].split()[0])

    with Runner(director) as runner:
        assert runner.run(check("own")) == (0, 0)
        own, memory = descriptors(director.runner), size()
        for length in (0, 1, 7, 1024, 1025, 65536, 200000):
            try:
                runner.say(b"\xff" * length)
            except OSError as error:
                assert error.errno == errno.EMSGSIZE
        with open("/etc/passwd") as file:
            for _ in range(50):
                socket.send_fds(runner.socket, [number(0) + b"x"], [file.fileno()] * 20)
        # Answers that nobody takes: the runner reads no further than it can answer.
        sent = 0
        runner.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            while sent < 10**6:
                runner.say(number(0) + number(sent + 1) + number(0) + check("none"))
                sent += 1
        runner.socket.settimeout(30)
        for _ in range(sent):
            runner.socket.recv(4096)
        assert runner.run(check("own")) == (0, 0)
        assert descriptors(director.runner) - own == set()
        say(f"{sent} requests without taking an answer; the runner grew by {size() - memory} KiB")
        assert size() - memory < 2048
    # And the process goes on.
    until(lambda: director.status()["state"] == "master", "the master")


def test_the_runner_resigns_for_the_files_instances_alone(director, namespaces):
    wire = Capture(namespaces, "r1", "e0", "ip proto 112")
    try:
        wire.await_advert("192.0.2.11", 200)
        with Runner(director) as runner:
            for kind, name in ("instance", "x"), ("instance", "inside; e0"), ("heartbeat", "outside"), ("heartbeat", "cross0"):
                runner.say(number(3) + word(kind) + word(name) + word("192.0.2.66") + word("192.0.2.66"))
            assert runner.run(check("own")) == (0, 0)
        director.kill()
        assert "removed 2 addresses" in died(director)
        wire.await_advert("192.0.2.11", 0)
        assert {vrid for line in wire for vrid in re.findall(r"vrid (\d+)", line)} == {"10"}
        assert not any("192.0.2.66" in line for line in wire)
    finally:
        wire.close()


# As the units have it.


def unit(name: str) -> list[str]:
    """A command line with the bounding set of a unit, and, if it says so, without new privileges."""
    lines = (CHECKOUT / "dist" / name).read_text().splitlines()
    sets = [line.split("=", 1)[1] for line in lines if line.startswith("CapabilityBoundingSet=")]
    names = ",".join(f"+{word.removeprefix('CAP_').lower()}" for line in sets for word in line.split())
    return ["setpriv", f"--bounding-set=-all,{names}", *(["--no-new-privs"] if "NoNewPrivileges=yes" in lines else [])]


def test_with_the_capabilities_of_its_unit_it_does_all_of_it(namespaces, user, folder):
    """Root without CAP_DAC_OVERRIDE, CAP_KILL and CAP_CHOWN."""
    lans = Lans(namespaces, hosts=False)
    hanging = (
        f'[check.hanging]\nexec = ["/bin/sh", "-c", "echo $$ > {folder}/hanging; exec sleep 1000"]\nuser = "nobody"\n'
        'interval = "1min"\ntimeout = "300ms"\n[socket]\ngroup = "linkwatch"\nmode = "0660"\n'
    )
    with Director(namespaces, "r1", text(folder) + hanging, under=[*user, *unit("linkwatch-vrrp.service")]) as director:
        for _ in range(2):
            director.watch().await_state("master")
            until(lambda: lans.holds("r1", OUTSIDE) and lans.holds("r1", INSIDE), "the addresses")
            assert status(director.pid)["Uid"].split() == [str(UID)] * 4
            until(lambda: INSIDE in namespaces.run("r1", "nft", "list", "ruleset"), "the filter")
            director.call(f"{VRRP}.Reload")
            found = director.socket.stat()
            assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (UID, 0o660)
            until(lambda: (folder / "hanging").exists() and (folder / "hanging").read_text(), "the check to hang")
            hanging = int((folder / "hanging").read_text())
            until(lambda: not Path(f"/proc/{hanging}").exists(), "the check to be killed")
            (folder / "hanging").unlink()
            assert (folder / "check-other").read_text().split()[0] == "nobody"
            assert [line for line in director.log if "cannot" in line and "linkwatchd" not in line] == []
            director.kill()
            assert "removed 2 addresses and 1 macvlan" in died(director)
            director.start()
        director.watch().await_state("master")
        assert director.stop() == 0


def test_under_a_service_manager_it_ends_with_its_runner(namespaces, folder):
    """Only a new process has a new runner. It resigns first."""
    lans = Lans(namespaces, hosts=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        under = ["env", f"NOTIFY_SOCKET={folder}/notify"]
        with Director(namespaces, "r1", config("r1", 0, group=LONG_LEASE), under=under) as director:
            director.watch().await_state("master")
            until(lambda: lans.holds("r1", OUTSIDE), "the addresses")
            wire = Capture(namespaces, "r1", "e0", "ip proto 112")
            try:
                os.kill(director.runner, signal.SIGKILL)
                assert director.process.wait(30) == 70
                wire.await_advert("192.0.2.11", 0)
            finally:
                wire.close()
            assert not lans.holds("r1", OUTSIDE)
