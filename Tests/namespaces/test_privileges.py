"""What linkwatchd is allowed to do, and what it does without.

    NAMESPACE m (monitored)                    NAMESPACE p (peer)
    linkwatchd, under setpriv or prlimit
    [e0] ------------ veth ------------------- [e0]
"""

import os
import resource
import socket
import subprocess
from pathlib import Path

import pytest

from lab.daemon import program
from lab.watch import Connection, VarlinkError

from .test_vrrp_privileges import UID, folder, unit, user  # noqa: F401 (fixtures)

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
WITH_NET_ADMIN = [*NOBODY, "--inh-caps=+net_admin", "--ambient-caps=+net_admin"]
CAP_NET_ADMIN, CAP_SYS_RESOURCE = 12, 24

# e0 is named, so that it is probed although it is no physical port.
NAMED = "[interface.e0]\n"


@pytest.fixture
def start(namespaces, daemon_in):
    """Starts a daemon over the topology above, and a subscriber."""
    namespaces.add("m", "p")
    namespaces.veth("m:e0", "p:e0")
    watches = []

    def started(*arguments: str, under: list[str] | None = None, config: str = NAMED):
        daemon = daemon_in("m", *arguments, config=config, under=under)
        daemon.log.await_item(lambda line: "watching" in line, what="the start")
        watches.append(daemon.watch())
        return daemon, watches[-1]

    yield started
    for watch in watches:
        watch.close()


def status(daemon, field: str) -> str:
    """A field of /proc/PID/status."""
    for line in Path(f"/proc/{daemon.pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return line.split(":", 1)[1].strip()
    raise KeyError(field)


def capabilities(daemon) -> dict[str, int]:
    return {name: int(status(daemon, name), 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")}


def assert_follows(namespaces, watch) -> None:
    """Carrier loss and return are seen, and the driver is asked."""
    assert watch.await_state("e0", rawState="up")["evidence"]["admin"]["state"] == "up"
    watch.await_true(lambda: watch.interface("e0")["evidence"]["driver"]["state"] == "up", what="the driver's word")
    for word, state in ("down", "down"), ("up", "up"):
        watch.mark()
        namespaces.ip("p", f"link set e0 {word}")
        watch.await_interface("e0", rawState=state)


def test_root_gives_up_all_but_one(namespaces, start):
    daemon, watch = start()
    only = 1 << CAP_NET_ADMIN
    assert capabilities(daemon) == {"CapPrm": only, "CapEff": only, "CapInh": 0, "CapAmb": 0}
    for thread in os.listdir(f"/proc/{daemon.pid}/task"):
        text = Path(f"/proc/{daemon.pid}/task/{thread}/status").read_text()
        assert f"CapEff:\t{only:016x}" in text and "NoNewPrivs:\t1" in text
    assert daemon.call("Statistics")["capabilities"] == ["CAP_NET_ADMIN"]
    assert_follows(namespaces, watch)


def test_root_becomes_its_own_user_with_the_capabilities_of_its_unit(namespaces, start, user, folder):
    """And reads the file again, and keeps to the group of its socket."""
    daemon, watch = start(under=[*user, *unit("linkwatchd.service")], config=NAMED + '[socket]\ngroup = "linkwatch"\n')
    assert status(daemon, "Uid").split() == status(daemon, "Gid").split() == [str(UID)] * 4
    assert capabilities(daemon) == {"CapPrm": 1 << CAP_NET_ADMIN, "CapEff": 1 << CAP_NET_ADMIN, "CapInh": 0, "CapAmb": 0}
    assert int(status(daemon, "CapBnd"), 16) == 1 << CAP_NET_ADMIN and status(daemon, "Groups") == ""
    assert daemon.socket.stat().st_gid == UID
    assert_follows(namespaces, watch)
    assert daemon.call("Reload") == {}
    assert daemon.stop() == 0
    daemon.start()


@pytest.mark.parametrize("line, text", [(1, 'user = "nobody-here"\n'), (2, '[socket]\ngroup = "nobody-here"\n')])
def test_a_user_who_does_not_exist_is_refused_by_file_and_line(tmp_path, line, text):
    file = tmp_path / "linkwatchd.toml"
    file.write_text(text)
    for more in (), ("--check",):
        argv = [program("linkwatchd"), "--config", file, "--socket", tmp_path / "sock", *more]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        assert done.returncode == 78 and f"{file}:{line}:" in done.stderr and "on this machine" in done.stderr


def test_net_admin_alone_is_enough(namespaces, start):
    daemon, watch = start(under=WITH_NET_ADMIN)
    assert status(daemon, "Uid").split()[0] == "65534"
    assert capabilities(daemon) == {"CapPrm": 1 << CAP_NET_ADMIN, "CapEff": 1 << CAP_NET_ADMIN, "CapInh": 0, "CapAmb": 0}
    assert not [line for line in daemon.log if "CAP_NET_ADMIN" in line]
    assert_follows(namespaces, watch)
    # The question for the registers gets as far as the driver, which has none.
    with pytest.raises(VarlinkError, match="the driver has no MII registers"):
        daemon.call("Registers", ifname="e0")


def test_without_privileges_it_works_without_mii_and_says_so_once(namespaces, start):
    daemon, watch = start(under=NOBODY)
    assert set(capabilities(daemon).values()) == {0}
    assert daemon.call("Statistics")["capabilities"] == []
    assert_follows(namespaces, watch)
    assert watch.interface("e0")["evidence"]["mii"]["state"] == "unsupported"
    with pytest.raises(VarlinkError, match="without CAP_NET_ADMIN"):
        daemon.call("Registers", ifname="e0")
    assert len([line for line in daemon.log if "CAP_NET_ADMIN" in line]) == 1


def test_the_daemons_own_user_may_reload(start):
    daemon, _ = start(under=NOBODY)
    os.seteuid(65534)
    try:
        own = Connection(daemon.socket)
    finally:
        os.seteuid(0)
    with own:
        assert own.call("Reload") == {}
    assert daemon.call("Statistics")["reloads"] == 1


def scheduling(daemon) -> list[tuple[int, int]]:
    """Policy and priority of each thread."""
    threads = [int(name) for name in os.listdir(f"/proc/{daemon.pid}/task")]
    return [(os.sched_getscheduler(t) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(t).sched_priority) for t in threads]


def is_refused(daemon) -> bool:
    return any("the process is not SCHED_RR: " in line for line in daemon.log)


def test_realtime_is_for_the_loop_and_the_probes(namespaces, start, say):
    """Where the machine permits it; where it does not, the log says so."""
    daemon, watch = start("--realtime", "7")
    is_permitted = subprocess.run(["chrt", "--rr", "7", "true"], stderr=subprocess.DEVNULL).returncode == 0
    say(f"SCHED_RR is {'permitted' if is_permitted else 'refused'} on this machine")
    assert len(scheduling(daemon)) >= 2
    assert set(scheduling(daemon)) == {(os.SCHED_RR, 7) if is_permitted else (os.SCHED_OTHER, 0)}
    assert is_refused(daemon) != is_permitted
    assert_follows(namespaces, watch)


def test_realtime_that_is_refused_is_said_and_done_without(namespaces, start):
    daemon, watch = start("--realtime", "7", under=["prlimit", "--rtprio=0:0", *WITH_NET_ADMIN])
    assert set(scheduling(daemon)) == {(os.SCHED_OTHER, 0)}
    assert is_refused(daemon)
    assert_follows(namespaces, watch)


def test_locked_memory(namespaces, start):
    """Where the limit cannot be lifted memory is not locked, and a warning says so; either way the daemon goes on."""
    daemon, watch = start("--lock-memory")
    may_lift = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY or (
        int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16) >> CAP_SYS_RESOURCE & 1
    )
    if may_lift:
        assert int(status(daemon, "VmLck").split()[0]) > 0
    else:
        assert [line for line in daemon.log if "memory is not locked: " in line]
    assert_follows(namespaces, watch)


def test_clients_cannot_take_all_descriptors(namespaces, start):
    """A hundred descriptors, two hundred clients: those that are let in do not take what the daemon needs itself."""
    daemon, watch = start(under=["prlimit", "--nofile=100:100"])
    assert [line for line in daemon.log if "RLIMIT_NOFILE allows 36 clients" in line]
    clients = []
    for _ in range(200):
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].connect(str(daemon.socket))
    # The last of them is refused: everyone before it has been dealt with.
    assert clients[-1].recv(1) == b""
    assert len(os.listdir(f"/proc/{daemon.pid}/fd")) < 90
    assert_follows(namespaces, watch)
    daemon.config.write_text("mii-interval = 1\n")
    daemon.signal(1)
    daemon.log.await_item(lambda line: f"{daemon.config}:1:" in line, what="the file being read")
    for client in clients:
        client.close()
