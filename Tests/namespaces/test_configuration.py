"""linkwatchd's configuration while it runs: a good file is taken, a bad one is refused and nothing changes.

    NAMESPACE m (monitored)                    NAMESPACE p (peer)
    linkwatchd <--- SIGHUP, Reload
    [e0] ------------ veth ------------------- [e0]
    [e1] ------------ veth ------------------- [e1]
"""

import os
import signal
import socket
import stat
import subprocess

import pytest

from lab.daemon import program
from lab.watch import VarlinkError


class Lab:
    """The topology above, its daemon, a subscriber, and ways to reload."""

    def __init__(self, namespaces, daemon_in):
        self.ns = namespaces
        self.ns.add("m", "p")
        for name in "e0", "e1":
            self.ns.veth(f"m:{name}", f"p:{name}")
        self.daemon = daemon_in("m", config="")
        self.watch = self.daemon.watch()
        for name in "e0", "e1":
            self.watch.await_state(name, rawState="up")

    def reload(self, text: str) -> None:
        """Writes the file, and returns when the daemon has taken it."""
        self.daemon.config.write_text(text)
        self.watch.mark()
        self.daemon.call("Reload")

    def source(self, ifname: str, source: str) -> dict:
        """What the newest event says of one source's evidence."""
        return self.watch.interface(ifname)["evidence"][source]


@pytest.fixture
def lab(namespaces, daemon_in):
    lab = Lab(namespaces, daemon_in)
    yield lab
    lab.watch.close()


def test_sighup_takes_a_good_file(lab):
    lab.daemon.config.write_text('[interface.e0]\ndown-delay = "1h"\n')
    lab.daemon.signal(signal.SIGHUP)
    lab.daemon.log.await_item(lambda line: "read again" in line, what="the reload")
    lab.ns.ip("p", "link set e0 down")
    lab.watch.await_state("e0", rawState="down", state="up")
    statistics = lab.daemon.call("Statistics")
    assert (statistics["reloads"], statistics.get("reloadError")) == (1, None)


PROGRAMS = {
    "linkwatchd": ["linkwatchd", "--check", "--config"],
    "linkwatchd, to run": ["linkwatchd", "--config"],
    "linkwatch-vrrp": ["linkwatch-vrrp", "--check"],
    "linkwatch-vrrp, to run": ["linkwatch-vrrp", "--config"],
}


@pytest.mark.parametrize("argv", PROGRAMS.values(), ids=PROGRAMS)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, argv):
    """A FIFO without a writer, a directory, a socket, a device, a file without an end."""
    fifo, long, listener = tmp_path / "fifo", tmp_path / "long", tmp_path / "socket"
    os.mkfifo(fifo)
    with open(long, "wb") as file:
        file.truncate(1 << 40)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(listener))
        for path, what in (
            (fifo, "is a FIFO"), (tmp_path, "is a directory"), (listener, "is a socket"), ("/dev/zero", "is a device"),
            ("/dev/tty", "a device"), (long, "too long"),
        ):  # fmt: skip
            name, *options = argv
            done = subprocess.run([program(name), *options, str(path)], capture_output=True, text=True, timeout=30)
            assert done.returncode == 78 and f"{path}: " in done.stderr and what in done.stderr, done


@pytest.mark.parametrize("name, option, text", [
    ("linkwatchd", ["--check", "--config"], "[interface.e0]\n"),
    ("linkwatch-vrrp", ["--check"], '[instance.one]\ninterface = "e0"\nvrid = 10\naddresses = ["192.0.2.1/24"]\n'),
])  # fmt: skip
def test_what_is_generated_can_be_checked(name, option, text):
    """A pipe that is there already is read to its end; a reload could not read it again, so only --check takes it."""
    for words in f"{' '.join(option)} <(cat)", f"{' '.join(option)} /dev/stdin":
        command = ["bash", "-c", f"{program(name)} {words}"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and ": good" in done.stdout, done
        done = subprocess.run(command, input="x" * (1 << 21), capture_output=True, text=True, timeout=30)
        assert done.returncode == 78 and "too long" in done.stderr, done
    done = subprocess.run([program("linkwatchd"), "--config", "/dev/stdin"], input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 78 and "is a FIFO" in done.stderr, done


@pytest.mark.parametrize("how", ["SIGHUP", "Reload"])
def test_a_bad_file_is_refused_and_the_old_one_stays(lab, how):
    lab.reload('[interface.e0]\ndown-delay = "1h"\n')
    lab.daemon.config.write_text('mii-interval = "1s"\n\n[interface.e0]\ndown-dela = "0s"\n')
    mistake = f"{lab.daemon.config}:4:1: "
    if how == "SIGHUP":
        lab.daemon.signal(signal.SIGHUP)
    else:
        with pytest.raises(VarlinkError) as raised:
            lab.daemon.call("Reload")
        assert raised.value.name == "io.linkwatch.Monitor.ReloadFailed"
        assert raised.value.parameters["message"].startswith(mistake)
    line = lab.daemon.log.await_item(lambda line: mistake in line, what="the complaint")
    assert "down-delay" in line, "it says what would be right"
    statistics = lab.daemon.call("Statistics")
    assert statistics["reloads"] == 1
    assert statistics["reloadError"].startswith(mistake)
    assert statistics["mii"]["intervalUsec"] == 100_000
    lab.ns.ip("p", "link set e0 down")
    lab.watch.await_state("e0", rawState="down", state="up")
    lab.reload("")
    lab.watch.await_state("e0", rawState="down", state="down")
    assert lab.daemon.call("Statistics").get("reloadError") is None


def test_intervals(lab):
    lab.reload('mii-interval = "1s"\nprobe-interval = "7ms"\n')
    statistics = lab.daemon.call("Statistics")
    assert (statistics["mii"]["intervalUsec"], statistics["driver"]["intervalUsec"]) == (1_000_000, 7_000)


def test_what_is_ignored_goes_and_comes_back(lab):
    lab.reload('[interface."e1*"]\nignore = true\n')
    gone = lab.watch.await_kind("removed")
    assert (gone["interface"]["ifname"], gone["cause"]) == ("e1", "config")
    lab.ns.ip("p", "link set e1 down")
    lab.reload("")
    back = lab.watch.await_kind("added")
    assert (back["interface"]["ifname"], back["cause"]) == ("e1", "config")
    lab.watch.await_state("e1", rawState="down")


def test_probes_follow_the_file(lab):
    assert lab.source("e0", "driver")["state"] == "unsupported"
    lab.reload("[interface.e0]\nprobe = true\n")
    lab.watch.await_true(lambda: lab.source("e0", "driver")["state"] == "up", what="the driver's word")
    lab.reload("[interface.e0]\nprobe = false\n")
    lab.watch.await_true(lambda: lab.source("e0", "driver")["state"] == "unsupported", what="its end")
    assert lab.watch.interface("e0")["rawState"] == "up"


def test_reloads_in_a_storm_of_links(lab):
    """Whatever falls between two readings of the file, in the end all that is not ignored is there."""
    ignoring = '[interface."v*"]\nignore = true\n'
    for turn in range(20):
        lab.daemon.config.write_text(ignoring if turn % 2 == 0 else "")
        lab.daemon.signal(signal.SIGHUP)
        lab.ns.ip("m", *(f"link add v{turn}-{n} type veth peer name w{turn}-{n}" for n in range(10)))
    lab.ns.ip("m", "link add end type bridge")
    lab.watch.await_true(lambda: lab.watch.interface("end") is not None, what="the last one")
    lab.daemon.call("Reload")
    kernel = set(lab.ns.run("m", "ls", "/sys/class/net").split())
    assert {interface["ifname"] for interface in lab.daemon.call("Dump")["interfaces"]} == kernel
    lab.watch.await_true(
        lambda: {interface["ifname"] for interface in lab.watch.mirror().values()} == kernel, what="all of them"
    )


def test_mode_and_group_of_the_socket(namespaces, daemon_in):
    namespaces.add("m")
    daemon = daemon_in("m", config='[socket]\nmode = "0640"\ngroup = "65534"\n')
    status = daemon.socket.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o640, 65534)


def test_what_needs_a_new_start_is_said(lab):
    lab.reload('history = 7\n[socket]\nmode = "0600"\n[routes]\ntrack = ["10.0.0.0/8"]\n')
    for name in "socket", "routes", "history":
        lab.daemon.log.await_item(lambda line: f"change to {name} takes effect" in line, what=f"a word on {name}")
