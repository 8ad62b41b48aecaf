"""What an operator does to a running pair, seen from the wire, from the address tables, and by a client behind it.

The picture is in lab/vrrp.py, the record of who holds what in lab/pair.py. Reloads are done as an operator does them: the
backup's file first, then the master's. Nothing is lost by the protocol's own measure: no advert is missing, which is a gap
of two intervals; none says 0; and no address goes that both files have.
"""

import signal
import socket
import threading
import time

import pytest

from lab.daemon import program
from lab.pair import INSIDE, OUTSIDE, config
from lab.vrrp import VRRP, Capture, until
from lab.watch import VarlinkError

INTERVAL_SECONDS = 1


# Reloads.


class Wire:
    """The master's adverts on both LANs from now on."""

    def __init__(self, namespaces):
        self.captures = {10: Capture(namespaces, "sw", "p-r1"), 20: Capture(namespaces, "sw", "q-r1")}

    def adverts(self, vrid: int) -> list[str]:
        sources = "192.0.2.11 > ", "198.51.100.11 > "
        return [line for line in self.captures[vrid] if f"vrid {vrid}," in line and any(s in line for s in sources)]

    def assert_whole(self) -> None:
        for vrid in self.captures:
            adverts = self.adverts(vrid)
            assert not [line for line in adverts if "prio 0," in line]
            times = [float(line.split()[0]) for line in adverts]
            gaps = [later - earlier for earlier, later in zip(times, times[1:])]
            assert len(gaps) > 3 and max(gaps) < 2 * INTERVAL_SECONDS, (vrid, sorted(gaps)[-3:])

    def close(self) -> None:
        for capture in self.captures.values():
            capture.close()


def steps(name: str, check: list[str]) -> dict[str, str]:
    """A director's files, one after another; each adds something to the one before it."""
    priority = {"r1": 200, "r2": 100}[name]
    text, files = config(name, cables=1, interval=None), {}

    def step(what: str, *pairs: tuple[str, str], more: str = "") -> None:
        nonlocal text
        for old, new in pairs:
            assert text.count(old) == 1
            text = text.replace(old, new)
        text += more
        files[what] = text

    command = ", ".join(f'"{word}"' for word in check)
    step("an address", (f'"{OUTSIDE}/24"', f'"{OUTSIDE}/24", "192.0.2.2/24"'))
    step(
        "a check",
        ("[instance.outside]", 'track = ["check:upstream"]\n[instance.outside]'),
        more=f'[check.upstream]\nexec = [{command}]\ninterval = "500ms"\n',
    )
    step(
        "a leg",
        ('"outside", "inside"', '"outside", "inside", "third"'),
        more='[instance.third]\ninterface = "hb1"\nvrid = 30\naddresses = ["10.0.9.1"]\n',
    )
    step("another priority", (f"priority = {priority}", f"priority = {priority - 10}"))
    step(
        "an instance of its own",
        more='[instance.alone]\ninterface = "hb1"\nvrid = 40\naddresses = ["10.0.9.2"]\nadvert-interval = "1s"\n'
        f"priority = {priority}\n",
    )
    return files


def test_reloads_lose_nothing(pair, namespaces, tmp_path):
    pair = pair(cables=2, r1={"cables": 1}, r2={"cables": 1}, interval=None)
    wire, flag = Wire(namespaces), tmp_path / "asked"
    # What says that a step has arrived, in the kernel, on the wire or in the folder of the check.
    arrived = {
        "an address": lambda: pair.lans.holds("r1", "192.0.2.2"),
        "a check": flag.exists,
        "a leg": lambda: pair.lans.holds("r1", "10.0.9.1"),
        "another priority": lambda: any("prio 190," in line for line in wire.adverts(10)),
        "an instance of its own": lambda: pair.lans.holds("r1", "10.0.9.2"),
    }
    files = {name: steps(name, ["/usr/bin/touch", str(flag)]) for name in ("r1", "r2")}
    try:
        for step in files["r1"]:
            for name in ("r2", "r1"):
                pair.directors[name].reconfigure(files[name][step])
                pair.directors[name].call(f"{VRRP}.Reload")
            until(arrived[step], f"{step} to be there")
            sent = pair.r1.status("lvs")["members"][0]["advertsSent"]
            until(lambda: pair.r1.status("lvs")["members"][0]["advertsSent"] >= sent + 2, "two adverts")
            moved = [move for watch in pair.watches.values() for move in watch.transitions() if move["group"] == "lvs"]
            assert moved == [], (step, moved)
            assert pair.holdings.recent() == [], step
        wire.assert_whole()
        # What was added counts: the check fails now, and the whole group goes, the new leg with it.
        pair.r1.reconfigure(list(steps("r1", ["/bin/false"]).values())[-1])
        pair.r1.call(f"{VRRP}.Reload")
        pair.w1.await_transition("fault", group="lvs")
        pair.w2.await_transition("master", group="lvs")
        until(lambda: pair.lans.holds("r2", "10.0.9.1") and not pair.lans.holds("r1", "10.0.9.1"), "the new leg to move")
    finally:
        wire.close()


def test_a_bad_file_changes_nothing_and_says_why(pair, namespaces):
    pair = pair(interval=None)
    wire = Wire(namespaces)
    good = config("r1", interval=None)
    bad = {
        "vrid = 300": good.replace("vrid = 20", "vrid = 300"),
        "prioritty": good.replace("priority", "prioritty"),
        "not valid TOML": good + "[[[",
        "there is no instance": "",
    }
    try:
        for what, text in bad.items():
            pair.r1.reconfigure(text)
            with pytest.raises(VarlinkError) as refused:
                pair.r1.call(f"{VRRP}.Reload")
            assert what in refused.value.parameters["message"] and f"{pair.r1.config}:" in refused.value.parameters["message"]
            pair.r1.log.mark()
            pair.r1.signal(signal.SIGHUP)
            pair.r1.log.await_item(lambda line: what in line, what="the same in the log")
            pair.quiet(1)
        pair.r1.config.unlink()
        with pytest.raises(VarlinkError, match="No such file"):
            pair.r1.call(f"{VRRP}.Reload")
        pair.quiet(2)
        assert pair.moved_nothing()
        wire.assert_whole()
        assert pair.r1.status()["priority"] == 200
    finally:
        wire.close()


# A planned handover, and who is served meanwhile.


class Client:
    """A host on LAN A that talks to one on LAN B through whoever has the virtual addresses: a datagram every millisecond, and
    a TCP connection over which one message at a time goes to and fro."""

    def __init__(self, namespaces):
        for name in ("r1", "r2"):
            namespaces.run(name, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        namespaces.ip("ca", f"route add 198.51.100.0/24 via {OUTSIDE}")
        namespaces.ip("cb", f"route add 192.0.2.0/24 via {INSIDE}")
        self.sent, self.stalled, self.answered = 0, 0.0, set()
        self.failed: Exception | None = None
        self.is_over = False
        listener = namespaces.inside("cb", lambda: socket.create_server(("198.51.100.22", 7000)))
        echo = namespaces.inside("cb", lambda: self._udp("198.51.100.22"))
        self.asker = namespaces.inside("ca", lambda: self._udp("192.0.2.21"))
        self.asker.connect(("198.51.100.22", 7000))
        self.stream = namespaces.inside("ca", lambda: socket.create_connection(("198.51.100.22", 7000), 10))
        self.sockets = [listener, echo, self.asker, self.stream]
        works = (self._ask, self._hear, self._talk, lambda: self._echo(echo), lambda: self._answer(listener))
        self.threads = [threading.Thread(target=self._guarded, args=[work]) for work in works]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _udp(address: str) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, 7000))
        made.settimeout(0.1)
        return made

    def _guarded(self, work) -> None:
        try:
            work()
        except Exception as problem:
            self.failed = self.failed or problem

    def _ask(self) -> None:
        while not self.is_over:
            self.sent += 1
            try:
                self.asker.send(self.sent.to_bytes(8))
            except OSError:
                pass  # The neighbour is being asked for: lost, like any other.
            time.sleep(0.001)

    def _hear(self) -> None:
        while not self.is_over:
            try:
                self.answered.add(int.from_bytes(self.asker.recv(8)))
            except OSError:
                pass

    def _echo(self, echo) -> None:
        while not self.is_over:
            try:
                echo.sendto(*echo.recvfrom(8))
            except OSError:
                pass

    def _talk(self) -> None:
        number = 0
        while not self.is_over:
            number += 1
            began = time.monotonic()
            self.stream.sendall(number.to_bytes(8))
            assert int.from_bytes(self.stream.recv(8, socket.MSG_WAITALL)) == number
            self.stalled = max(self.stalled, time.monotonic() - began)
            time.sleep(0.001)
        self.stream.shutdown(socket.SHUT_WR)

    def _answer(self, listener) -> None:
        peer, _ = listener.accept()
        with peer:
            while data := peer.recv(4096):
                peer.sendall(data)

    def await_answer(self) -> None:
        """Until something that is sent from now on has come back."""
        since = self.sent
        until(lambda: max(self.answered, default=0) > since, "the client to be served")

    def lost(self) -> int:
        """Of what was sent until now, what has not come back; something later has."""
        last = self.sent
        self.await_answer()
        return len(set(range(1, last + 1)) - self.answered)

    def close(self) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.join(15)
        for one in self.sockets:
            one.close()


@pytest.mark.parametrize("cables", [0, 2])
def test_a_client_is_served_through_a_planned_handover(pair, namespaces, say, cables):
    pair = pair(cables=cables)
    client = Client(namespaces)
    try:
        client.await_answer()
        before, told = client.lost(), []
        for master, how in (("r2", "command"), ("r1", "call")):
            other = pair.directors[pair.other(master)]
            client.stalled = 0.0
            if how == "command":
                namespaces.run("r1", program("linkwatch"), "vrrp", "--vrrp-socket", other.socket, "--handover", "lvs")
            else:
                other.call(f"{VRRP}.Handover", group="lvs")
            pair.holdings.await_by(master)
            client.await_answer()
            now = client.lost()
            told.append(
                f"to {master} {now - before} datagrams of 1000 a second lost, TCP waited {client.stalled * 1000:.0f} ms, "
                f"addresses {pair.holdings.gap() * 1000:.1f} ms nowhere"
            )
            before = now
            assert pair.holdings.never_together(), pair.holdings.together
            pair.settle(master)
    finally:
        client.close()
    assert client.failed is None, "the connection broke"
    say(f"planned handover, {cables} cables: {'; '.join(told)}")
