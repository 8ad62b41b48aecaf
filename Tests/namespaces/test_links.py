"""What a subscriber of linkwatchd sees of the links of one namespace.

    NAMESPACE m (monitored)                    NAMESPACE p (peer)
    linkwatchd
    [e0] ------------ veth ------------------- [e0]
    [n0] ------------ veth, same index ------- [n0]     like a network card: the kernel delays the news of a loss
    [t0] tap, plugged and unplugged by its descriptor   like a network card as well

Ordering is awaited, not slept for: an interface that is changed after an action (`Lab.fence`) is announced after everything
that the kernel had announced before. It is not made and deleted: who falls behind is never told of what came and went.
"""

import itertools
import json
import resource
import select
import signal
import socket
import time

import pytest

from lab.daemon import program
from lab.namespaces import Namespaces
from lab.watch import Connection

FIELDS = ["ifname", "operstate", "mtu", "master", "address"]


class Lab:
    """The topology above, its daemon, and a subscriber."""

    def __init__(self, namespaces: Namespaces, daemon_in, *arguments: str, config: str | None = None):
        self.ns = namespaces
        self.ns.add("m", "p")
        self.ns.veth("m:e0", "p:e0")
        self.daemon = daemon_in("m", *arguments, config=config)
        self.watch = self.daemon.watch()
        self.ns.ip("m", "link add fence type bridge")
        self.fences = itertools.count(1000)

    def fence(self, timeout: float = 60) -> None:
        """Returns when the subscriber has been told of all that the kernel has announced so far."""
        mtu = next(self.fences)
        self.ns.ip("m", f"link set fence mtu {mtu}")
        self.watch.await_interface("fence", timeout, mtu=mtu)
        # It may stand in the middle of a fresh snapshot.
        self.watch.await_true(self.watch.is_whole, timeout, "a whole snapshot")

    def kernel(self) -> dict[int, dict]:
        """The kernel's own account of the monitored namespace, in the terms of the published interface."""
        links = json.loads(self.ns.run("m", "ip", "-j", "link"))
        indexes = {link["ifname"]: link["ifindex"] for link in links}
        return {link["ifindex"]: _published(link, indexes) for link in links}

    def assert_mirrored(self, seconds: float = 60) -> None:
        """The subscriber's mirror and a fresh dump both come to agree with the kernel.

        Not at once: the kernel is late itself, with operational states, so its own account may be changing.
        """
        deadline = time.monotonic() + seconds
        while True:
            kernel = self.kernel()
            told = _compared(self.watch.mirror())
            dumped = _compared({it["ifindex"]: it for it in self.daemon.call("Dump")["interfaces"]})
            if told == dumped == kernel:
                return
            if time.monotonic() > deadline:
                assert told == kernel
                assert dumped == kernel
            self.fence()


def _compared(mirror: dict[int, dict]) -> dict[int, dict]:
    return {index: {key: mirror[index].get(key) for key in FIELDS} for index in mirror}


def _is(event: dict, kind: str, ifname: str) -> bool:
    return event["kind"] == kind and event["interface"]["ifname"] == ifname


def _published(link: dict, indexes: dict[str, int]) -> dict:
    return {
        "ifname": link["ifname"],
        "operstate": link["operstate"].lower(),
        "mtu": link["mtu"],
        "master": indexes.get(link.get("master")),
        "address": link["address"],
    }


@pytest.fixture
def lab(namespaces, daemon_in):
    lab = Lab(namespaces, daemon_in)
    yield lab
    lab.watch.close()


# Carrier


def test_veth_loses_and_regains_its_carrier(lab):
    lab.watch.await_state("e0", rawState="up", state="up", reason=None)
    lab.watch.mark()
    lab.ns.ip("p", "link set e0 down")
    event = lab.watch.await_interface("e0", rawState="down", state="down")
    assert event["kind"] == "changed"
    assert event["interface"].get("reason") in ("carrier", "driver", "operstate")
    assert event["interface"]["evidence"]["admin"]["state"] == "up"
    lab.watch.mark()
    lab.ns.ip("p", "link set e0 up")
    event = lab.watch.await_interface("e0", rawState="up", state="up")
    assert event["interface"].get("reason") is None
    assert event["interface"]["evidence"]["carrier"]["state"] == "up"


def test_a_program_that_keeps_an_interface_down_is_named(lab):
    lab.ns.ip("m", "link add link e0 name mv type macvlan")
    lab.ns.ip("m", "link set mv up")
    lab.watch.await_state("mv", rawState="up", conditions=[])
    lab.watch.mark()
    lab.ns.ip("m", "link set mv protodown on protodown_reason 7 on")
    interface = lab.watch.await_interface("mv", protoDown=["7"])["interface"]
    assert (interface["rawState"], interface["reason"], interface["conditions"]) == ("down", "carrier", ["protodown"])
    assert interface["evidence"]["carrier"]["detail"] == "protodown (7)"
    kernel = json.loads(lab.ns.run("m", "ip", "-j", "link", "show", "mv"))[0]
    assert kernel["proto_down"] and kernel["proto_down_reason"] == interface["protoDown"]
    lab.watch.mark()
    lab.ns.ip("m", "link set mv protodown_reason 7 off")
    lab.ns.ip("m", "link set mv protodown off")
    lab.watch.await_interface("mv", rawState="up", conditions=[], protoDown=None)


def test_administratively_down_is_the_reason(lab):
    lab.watch.await_state("e0", rawState="up")
    lab.watch.mark()
    lab.ns.ip("m", "link set e0 down")
    event = lab.watch.await_interface("e0", rawState="down")
    assert event["interface"]["reason"] == "admin"
    lab.watch.mark()
    lab.ns.ip("m", "link set e0 up")
    lab.watch.await_interface("e0", rawState="up")


def test_tap_loses_and_regains_its_carrier(lab):
    tap = lab.ns.tap("m", "t0")
    lab.watch.await_state("t0", rawState="up")
    for up, state in [(False, "down"), (True, "up"), (False, "down")]:
        lab.watch.mark()
        tap.carrier(up)
        lab.watch.await_interface("t0", rawState=state)


def test_a_card_like_veth_loses_and_regains_its_carrier(lab):
    lab.ns.nic_like("m:n0", "p:n0")
    lab.watch.await_state("n0", rawState="up")
    for word, state in [("down", "down"), ("up", "up")]:
        lab.watch.mark()
        lab.ns.ip("p", f"link set n0 {word}")
        lab.watch.await_interface("n0", rawState=state)


@pytest.mark.parametrize("last", ["up", "down"])
def test_200_rapid_toggles_end_in_the_right_state(lab, last):
    tap = lab.ns.tap("m", "t0")
    lab.watch.await_state("e0", rawState="up")
    lab.watch.await_state("t0", rawState="up")
    words = ["down", "up"] * 100 if last == "up" else ["up", "down"] * 100
    lab.ns.ip("p", *(f"link set e0 {word}" for word in words))
    for word in words:
        tap.carrier(word == "up")
    lab.fence()
    lab.watch.await_state("e0", rawState=last, state=last)
    lab.watch.await_state("t0", rawState=last, state=last)
    lab.assert_mirrored()


# Names and places


def test_rename(lab):
    index = lab.ns.index("m", "e0")
    lab.watch.mark()
    lab.ns.ip("m", "link set e0 down", "link set e0 name outside", "link set outside up")
    event = lab.watch.await_item(lambda event: event["kind"] == "renamed", what="the renaming")
    assert (event["interface"]["ifindex"], event["interface"]["ifname"]) == (index, "outside")
    lab.watch.await_state("outside", rawState="up")
    assert not [event for event in lab.watch.recent() if event["kind"] in ("added", "removed")]
    lab.assert_mirrored()


def test_two_interfaces_swap_their_names(lab):
    lab.ns.veth("m:e1", "p:e1")
    lab.watch.await_state("e1", rawState="up")
    first, second = lab.ns.index("m", "e0"), lab.ns.index("m", "e1")
    lab.ns.ip("m", "link set e0 down", "link set e1 down")
    lab.ns.ip("m", "link set e0 name spare", "link set e1 name e0", "link set spare name e1")
    lab.ns.ip("m", "link set e0 up", "link set e1 up")
    lab.fence()
    mirror = lab.watch.mirror()
    assert (mirror[first]["ifname"], mirror[second]["ifname"]) == ("e1", "e0")
    lab.watch.await_state("e0", rawState="up")
    lab.watch.await_state("e1", rawState="up")
    lab.watch.mark()
    lab.ns.ip("p", "link set e1 down")
    event = lab.watch.await_interface("e0", rawState="down")
    assert event["interface"]["ifindex"] == second
    assert lab.watch.interface("e1")["rawState"] == "up"


def test_alternative_names(lab):
    lab.ns.ip("m", "link property add dev e0 altname uplink")
    lab.watch.await_interface("e0", altnames=["uplink"])
    with lab.daemon.watch(interfaces=["uplink"]) as watch:
        assert [event["interface"]["ifname"] for event in watch if event["kind"] == "snapshot"] == ["e0"]
    lab.ns.ip("m", "link property del dev e0 altname uplink")
    lab.watch.await_state("e0", altnames=[])


def test_delete_and_create_under_the_same_name(lab):
    index = lab.ns.index("m", "e0")
    lab.watch.mark()
    lab.ns.ip("m", "link delete e0")
    gone = lab.watch.await_kind("removed")
    assert gone["interface"]["ifindex"] == index
    lab.ns.veth("m:e0", "p:e0")
    added = lab.watch.await_kind("added")
    assert (added["interface"]["ifname"], added["interface"]["ifindex"]) == ("e0", lab.ns.index("m", "e0"))
    assert added["interface"]["ifindex"] != index
    lab.watch.await_state("e0", rawState="up")
    lab.assert_mirrored()


def test_moved_to_another_namespace_and_back(lab):
    lab.ns.ip("m", "link add v0 type veth peer name v1")
    lab.watch.await_interface("v0")
    lab.watch.mark()
    lab.ns.ip("m", f"link set v0 netns {lab.ns.full('p')}")
    lab.watch.await_item(lambda event: _is(event, "removed", "v0"), what="v0 to be removed")
    lab.watch.mark()
    lab.ns.ip("p", f"link set v0 netns {lab.ns.full('m')}")
    lab.watch.await_item(lambda event: _is(event, "added", "v0"), what="v0 to be added")
    lab.assert_mirrored()


def test_leaving_a_bridge_is_not_a_deletion(lab):
    """The kernel sends an RTM_DELLINK of family AF_BRIDGE for it, which takes nothing away."""
    lab.ns.bridge("m", "br0", "e0")
    lab.watch.await_state("e0", master=lab.ns.index("m", "br0"))
    lab.watch.mark()
    lab.ns.ip("m", "link set e0 nomaster")
    lab.watch.await_state("e0", master=None)
    lab.fence()
    assert not [event for event in lab.watch.recent() if _is(event, "removed", "e0")]
    assert lab.watch.interface("e0")["rawState"] == "up"
    lab.assert_mirrored()


# Many


def test_2000_interfaces_come_and_go(lab, say):
    """Those of group 7 are deleted, all at once; the others stay."""
    started = time.monotonic()
    pairs = [f"link add v{n} up group {7 if n % 10 else 0} type veth peer name w{n}" for n in range(1000)]
    lab.ns.ip("m", *pairs)
    lab.fence()
    created = time.monotonic()
    assert len(lab.watch.mirror()) >= 2000
    lab.assert_mirrored()
    checked = time.monotonic()
    lab.ns.ip("m", "link delete group 7")
    lab.fence()
    assert len(lab.watch.mirror()) < 300
    lab.assert_mirrored()
    say(f"2,000 interfaces: made in {created - started:.1f} s, most deleted in {time.monotonic() - checked:.1f} s")


def test_an_overrun_ends_in_a_resync_and_the_right_state(namespaces, daemon_in, say):
    """A daemon that is stopped cannot read its small buffer while links come, change and go."""
    lab = Lab(namespaces, daemon_in, config="receive-buffer = 4096\n")
    lab.ns.veth("m:e1", "p:e1")
    lab.watch.await_state("e1", rawState="up")
    before = lab.daemon.call("Statistics")
    lab.watch.mark()
    lab.daemon.signal(signal.SIGSTOP)
    lab.ns.ip("m", *(f"link add v{n} type veth peer name w{n}" for n in range(100)))
    lab.ns.ip("m", *(f"link delete v{n}" for n in range(50)), "link set e0 down", "link set e0 name renamed")
    lab.ns.ip("m", "link set renamed up", "link delete e1")
    lab.daemon.signal(signal.SIGCONT)
    resync = lab.watch.await_kind("resync")
    assert resync["generation"] > before["generation"]
    lab.assert_mirrored()
    lab.watch.await_state("renamed", rawState="up")
    assert lab.watch.interface("e1") is None
    after = lab.daemon.call("Statistics")
    assert after["netlinkOverruns"] > before["netlinkOverruns"]
    assert not after["inconsistent"]
    say(f"overruns: {after['netlinkOverruns']}, resyncs: {after['resyncs']}")
    lab.watch.close()


# Subscribers


class Readers:
    """Many subscribers in one thread, and what each was told of e0: its raw states and MTUs, repetitions left out."""

    def __init__(self, path, count: int):
        self.poll = select.epoll()
        self.connections = [Connection(path) for _ in range(count)]
        self.by_fd = {connection.socket.fileno(): connection for connection in self.connections}
        self.buffers = {fd: b"" for fd in self.by_fd}
        self.told: dict[int, list[tuple]] = {fd: [] for fd in self.by_fd}
        self.synced: set[int] = set()
        self.kinds: set[str] = set()
        self.known: dict[bytes, tuple] = {}
        for fd, connection in self.by_fd.items():
            self.poll.register(fd, select.EPOLLIN)
            connection.send("Watch", {}, more=True)

    def read_until(self, done, timeout: float = 60) -> None:
        """Takes what comes until `done` says so."""
        deadline = time.monotonic() + timeout
        while not done():
            for fd, _ in self.poll.poll(max(0.0, deadline - time.monotonic())):
                self._take(fd)
            if time.monotonic() > deadline:
                raise TimeoutError(f"subscribers were told {sorted({len(told) for told in self.told.values()})}")

    def await_told(self, count: int) -> None:
        """Reads until every one of them has been told that many things of e0 since it was synced."""
        self.read_until(lambda: all(len(told) >= count for told in self.told.values()))

    def _take(self, fd: int) -> None:
        data = self.by_fd[fd].socket.recv(1 << 20)
        assert data, "the daemon closed a subscriber that reads"
        *messages, self.buffers[fd] = (self.buffers[fd] + data).split(b"\0")
        for message in messages:
            kind, ifname, word = self._decoded(message)
            self.kinds.add(kind)
            if kind == "synced":
                self.synced.add(fd)
            elif fd in self.synced and ifname == "e0" and self.told[fd][-1:] != [word]:
                self.told[fd].append(word)

    def _decoded(self, message: bytes) -> tuple:
        """Kind, interface, and (raw state, MTU). All get the same bytes, so most were decoded before."""
        if message not in self.known:
            event = json.loads(message)["parameters"]["event"]
            interface = event.get("interface") or {}
            word = interface.get("rawState"), interface.get("mtu")
            self.known[message] = event["kind"], interface.get("ifname"), word
        return self.known[message]

    def close(self) -> None:
        self.poll.close()
        for connection in self.connections:
            connection.close()


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        pytest.skip(f"only {hard} descriptors are allowed, {count} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def test_1000_subscribers_of_which_100_never_read(namespaces, daemon_in, say):
    """Those who read get every change in order, and those who do not cost no more than their capped queue.

    The kernel keeps some 200 KB for each of the sleepers, so it takes some hundred events until their queues fill.
    """
    _allow_descriptors(4096)
    queue_kb = 64
    config = f'[socket]\nmax-clients = 1100\nmax-clients-per-uid = 1100\nqueue-limit = "{queue_kb}KiB"\n'
    lab = Lab(namespaces, daemon_in, config=config)
    lab.watch.await_state("e0", rawState="up")
    readers = Readers(lab.daemon.socket, 900)
    sleepers = [_sleeper(lab.daemon.socket) for _ in range(100)]
    readers.read_until(lambda: len(readers.synced) == 900)
    before_kb = lab.daemon.memory_kb()
    started = time.monotonic()
    expected = []
    for state in ["down", "up"] * 10:
        lab.ns.ip("p", f"link set e0 {state}")
        expected.append((state, 1500))
        readers.await_told(len(expected))
    for first in range(1000, 1400, 50):
        mtus = range(first, first + 50)
        lab.ns.ip("m", *(f"link set e0 mtu {mtu}" for mtu in mtus))
        expected.extend(("up", mtu) for mtu in mtus)
        readers.await_told(len(expected))
    seconds = time.monotonic() - started
    grown_kb = lab.daemon.memory_kb() - before_kb
    statistics = lab.daemon.call("Statistics")
    assert all(told == expected for told in readers.told.values())
    assert "overflow" not in readers.kinds
    assert statistics["subscribers"] >= 1000
    assert statistics["overflows"] >= 100
    assert grown_kb < 100 * queue_kb + 4096
    lab.assert_mirrored()
    for subscriber in [readers, *sleepers]:
        subscriber.close()
    _await_subscribers(lab, 1)
    say(f"900 readers of 1,000 subscribers: {len(expected)} changes in {seconds:.1f} s, memory grown by {grown_kb} KB")
    lab.watch.close()


def _await_subscribers(lab: Lab, count: int) -> None:
    """Waits until the daemon has this many subscribers left."""
    deadline = time.monotonic() + 30
    while (left := lab.daemon.call("Statistics")["subscribers"]) != count:
        assert time.monotonic() < deadline, f"{left} subscribers are left"
        lab.fence()


def _sleeper(path) -> Connection:
    """A subscriber that never reads; its own receive buffer is as small as the kernel allows."""
    connection = Connection(path)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    connection.send("Watch", {}, more=True)
    return connection


# Life and death


def test_killed_and_started_again_over_a_stale_socket(lab):
    lab.watch.await_state("e0", rawState="up")
    lab.daemon.kill()
    lab.watch.await_end()
    assert lab.daemon.socket.exists()
    lab.ns.ip("p", "link set e0 down")
    lab.daemon.start()
    with lab.daemon.watch() as watch:
        assert watch.interface("e0")["rawState"] == "down"
        watch.mark()
        lab.ns.ip("p", "link set e0 up")
        watch.await_interface("e0", rawState="up")


def test_a_second_daemon_does_not_take_a_live_socket(lab):
    second = lab.ns.popen("m", program("linkwatchd"), *lab.daemon.arguments)
    assert second.wait(30) != 0
    assert lab.daemon.process.poll() is None
    lab.watch.await_state("e0", rawState="up")
    lab.ns.ip("p", "link set e0 down")
    lab.watch.await_state("e0", rawState="down")
    lab.daemon.call("Dump")


def test_sigterm_ends_it_and_removes_the_socket(lab):
    assert lab.daemon.stop() == 0
    assert not lab.daemon.socket.exists()
    lab.watch.await_end()
