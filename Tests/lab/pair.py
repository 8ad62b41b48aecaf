"""Two of ours with a heartbeat pool, linkwatchd in each, and a record of who held which virtual address when.

The picture is in `vrrp.py`. r1 has priority 200, r2 has 100; the group is `lvs`, its instances `outside` on e0 and
`inside` on e1, its heartbeats `cross0` on hb0 and so on. Nothing here waits for seconds to pass: what takes time is
counted in the adverts of the master (`Pair.quiet`), and durations are only printed.
"""

import ipaddress
import os
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

from .daemon import Daemon
from .journal import Journal
from .namespaces import Namespaces
from .vrrp import VRRP, Director, GroupWatch, Lans, until

OUTSIDE, INSIDE = "192.0.2.1", "198.51.100.1"
VIRTUAL = (OUTSIDE, INSIDE)
DIRECTORS = ("r1", "r2")
PRIORITIES = {"r1": 200, "r2": 100}

RTM_NEWADDR, RTM_DELADDR = 20, 21
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
IFA_ADDRESS, IFA_LOCAL = 1, 2


@dataclass
class Change:
    """An address came or went; seconds of the host's monotonic clock."""

    seconds: float
    director: str
    address: str
    is_held: bool


class Holdings(Journal):
    """Who holds which virtual address, told by the kernels of both directors to one thread.

    Two sockets have no common order. So both are read until neither has more, and only then is it looked at: an address
    that a director still has, it had when the other one got it. `together` lists nothing that was not so, and everything
    that lasted longer than one such reading.
    """

    def __init__(self, namespaces: Namespaces, virtual: tuple[str, ...] = VIRTUAL):
        super().__init__("the address tables")
        self.held = {address: set() for address in virtual}
        self.together: list[tuple[str, float]] = []
        self._began: dict[str, float] = {}
        self._sockets = {name: namespaces.inside(name, self._open) for name in DIRECTORS}
        self._stop, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @staticmethod
    def _open() -> socket.socket:
        listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        listener.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        listener.setblocking(False)
        return listener

    def close(self) -> None:
        os.write(self._wake, b".")
        self._thread.join()
        for thing in self._sockets.values():
            thing.close()
        os.close(self._wake)
        os.close(self._stop)

    def _read(self) -> None:
        poll = select.poll()
        for fd in (self._stop, *(listener.fileno() for listener in self._sockets.values())):
            poll.register(fd, select.POLLIN)
        while True:
            if any(fd == self._stop for fd, _ in poll.poll()):
                return self.end("closed")
            self._take(self._news())

    def _news(self) -> dict[str, dict[str, bool]]:
        """Reads what both kernels report, until neither has more: everything that happened before is included."""
        news = {name: {} for name in DIRECTORS}
        while any([self._drain(name, news[name]) for name in DIRECTORS]):
            pass
        return news

    def _drain(self, name: str, news: dict[str, bool]) -> bool:
        """Reads what a kernel has said: by address, whether it is there now. Returns whether there was anything."""
        is_any = False
        while True:
            try:
                data = self._sockets[name].recv(65536)
            except BlockingIOError:
                return is_any
            is_any, offset = True, 0
            while offset + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, offset)
                if kind in (RTM_NEWADDR, RTM_DELADDR):
                    address = self._address(data[offset + 16 : offset + length])
                    if address in self.held:
                        news[address] = kind == RTM_NEWADDR
                offset += (length + 3) & ~3

    @staticmethod
    def _address(message: bytes) -> str:
        """The local address in an `ifaddrmsg` with its attributes."""
        found, offset = {}, 8
        while offset + 4 <= len(message):
            length, kind = struct.unpack_from("=HH", message, offset)
            if length < 4:
                break
            found[kind] = message[offset + 4 : offset + length]
            offset += (length + 3) & ~3
        raw = found.get(IFA_LOCAL, found.get(IFA_ADDRESS, b""))
        return str(ipaddress.ip_address(raw)) if raw else ""

    def _take(self, news: dict[str, dict[str, bool]]) -> None:
        now = time.monotonic()
        changes = []
        # Who lost an address loses it first: with both in one reading nobody can say that they had it together.
        for is_held in (False, True):
            for name in DIRECTORS:
                for address, state in news[name].items():
                    if state is is_held and (name in self.held[address]) is not state:
                        (self.held[address].add if state else self.held[address].remove)(name)
                        changes.append(Change(now, name, address, state))
        for address in self.held:
            if len(self.held[address]) > 1:
                self._began.setdefault(address, now)
            elif (began := self._began.pop(address, None)) is not None:
                self.together.append((address, now - began))
        for change in changes:
            self.append(change)

    def by(self, name: str) -> bool:
        """Whether this director alone has all of them."""
        return all(holders == {name} for holders in self.held.values())

    def await_by(self, name: str, timeout: float = 30) -> None:
        self.await_true(lambda: self.by(name), timeout, f"{name} alone to hold")

    def never_together(self) -> bool:
        return not self.together and not self._began

    def longest_together(self) -> float:
        """The longest time, in seconds, that both had an address; infinite if they still have."""
        return float("inf") if self._began else max((seconds for _, seconds in self.together), default=0)

    def gap(self) -> float:
        """Seconds since the mark from the first address that was given up to the last one that was taken."""
        given = [change.seconds for change in self.recent() if not change.is_held]
        taken = [change.seconds for change in self.recent() if change.is_held]
        return max(taken) - min(given)

    def taken(self) -> float:
        """When the last address since the mark was taken."""
        return max(change.seconds for change in self.recent() if change.is_held)


def config(
    name: str, cables: int = 1, over: tuple = (), interval: str | None = "100ms", group: str = "", inside: str = "",
    cable: str = "", more: str = "",
) -> str:  # fmt: skip
    """A director's file. Heartbeats run over the cables, and over the legs named in `over`. Without an interval it is the
    default, one second."""
    ours, theirs = (1, 2) if name == "r1" else (2, 1)
    interfaces = [*(f"hb{number}" for number in range(cables)), *over]
    names = ", ".join(f'"cross{number}"' for number in range(len(interfaces)))
    beats = "".join(
        f'[heartbeat.cross{number}]\ninterface = "{interface}"\nvrid = {ours}{number + 1}\n'
        f"peer-vrid = {theirs}{number + 1}\n{cable}\n"
        for number, interface in enumerate(interfaces)
    )
    timing = f'advert-interval = "{interval}"' if interval else ""
    return f"""
[group.lvs]
priority = {PRIORITIES[name]}
instances = ["outside", "inside"]
heartbeats = [{names}]
{timing}
{group}
[instance.outside]
interface = "e0"
vrid = 10
addresses = ["{OUTSIDE}/24"]
[instance.inside]
interface = "e1"
vrid = 20
addresses = ["{INSIDE}/24"]
{inside}
{beats}
{more}
"""


class Pair:
    """Both directors, r1 master and r2 backup, a watch on each, and the addresses since before they started.

    `options` are those of `config` for both; `r1` and `r2` add to them or replace them for one.
    """

    def __init__(self, namespaces: Namespaces, r1: dict | None = None, r2: dict | None = None, **options):
        self.namespaces = namespaces
        self.options = {"r1": {**options, **(r1 or {})}, "r2": {**options, **(r2 or {})}}
        self.lans = Lans(namespaces, cables=options.get("cables", 1))
        for number in range(options.get("cables", 1)):
            for name in DIRECTORS:
                namespaces.ip(name, f"addr add 10.0.{number}.{name[1]}/30 dev hb{number}")
        self.holdings = Holdings(namespaces)
        self._running: list = [self.holdings]
        self.monitors: dict[str, Daemon] = {}
        self.directors: dict[str, Director] = {}
        self.watches: dict[str, GroupWatch] = {}

    def start(self) -> "Pair":
        """Starts everything; returns when r1 serves and r2 stands by with a fresh peer."""
        for name in DIRECTORS:
            monitor = self.monitors[name] = Daemon(self.namespaces, name)
            self._running.append(monitor)
            text = config(name, **self.options[name])
            director = self.directors[name] = Director(self.namespaces, name, text, monitor=monitor.socket)
            self._running.append(director)
            self.watches[name] = director.watch()
        self.settle()
        for name in DIRECTORS if self.options["r1"].get("cables", 1) else ():
            until(lambda: self.is_known(name), f"{name} to be known as proven")
        self.mark()
        return self

    def is_known(self, name: str) -> bool:
        """Whether the other director hears this one over a cable, and that its legs are proven."""
        other = self.directors[self.other(name)].status().get("peer")
        return bool(other) and other["fresh"] and len(other["proven"]) == 2 and other["hearsHeartbeat"]

    @staticmethod
    def other(name: str) -> str:
        return "r2" if name == "r1" else "r1"

    @property
    def r1(self) -> Director:
        return self.directors["r1"]

    @property
    def r2(self) -> Director:
        return self.directors["r2"]

    @property
    def w1(self) -> GroupWatch:
        return self.watches["r1"]

    @property
    def w2(self) -> GroupWatch:
        return self.watches["r2"]

    def settle(self, master: str = "r1") -> None:
        """Waits until one serves and holds and the other does neither; what happens from here on is new."""
        self.watches[master].await_state("master")
        self.watches[self.other(master)].await_state("backup")
        self.holdings.await_by(master)
        self.mark()

    def mark(self) -> None:
        for journal in (*self.watches.values(), self.holdings):
            journal.mark()

    def reconfigure(self, **options) -> None:
        """Other options for both, by `Reload`."""
        for name in DIRECTORS:
            self.options[name] = {**self.options[name], **options}
            self.directors[name].reconfigure(config(name, **self.options[name]))
            self.directors[name].call(f"{VRRP}.Reload")

    def quiet(self, adverts: int = 12, master: str = "r1") -> None:
        """Lets the master send so many adverts."""
        sent = self.sent(master)
        until(lambda: self.sent(master) >= sent + adverts, f"{adverts} adverts of {master}", 60)

    def sent(self, name: str) -> int:
        return self.directors[name].status()["members"][0]["advertsSent"]

    def moved_nothing(self) -> bool:
        """No transition and no address since the mark."""
        return not (self.w1.transitions() or self.w2.transitions() or self.holdings.recent())

    def watch_again(self, name: str) -> GroupWatch:
        """After a restart of its director."""
        self.watches[name] = self.directors[name].watch()
        return self.watches[name]

    def close(self) -> None:
        for thing in reversed(self._running):
            thing.close()


class Claims(Journal):
    """Who claims an address by ARP, as a host on the LAN hears it: (address, MAC address)."""

    def __init__(self, namespaces: Namespaces, name: str = "ca", device: str = "e0"):
        super().__init__(f"ARP on {name}")
        self._socket = namespaces.inside(name, lambda: self._open(device))
        self._is_closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @staticmethod
    def _open(device: str) -> socket.socket:
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.htons(0x0806))
        listener.bind((device, 0x0806))
        # Nothing else wakes a packet socket at the end.
        listener.settimeout(0.1)
        return listener

    def _read(self) -> None:
        while not self._is_closed:
            try:
                packet = self._socket.recv(256)
            except TimeoutError:
                continue
            mac, address = packet[8:14], packet[14:18]
            # A probe of an address claims nothing: its sender is 0.0.0.0.
            if len(address) == 4 and any(address):
                self.append((socket.inet_ntoa(address), mac.hex(":")))
        self.end("closed")

    def close(self) -> None:
        self._is_closed = True
        self._thread.join()
        self._socket.close()


def drop(namespaces: Namespaces, name: str, *devices: str) -> None:
    """Takes adverts off the wire before any socket of the director sees them: on ingress, as a switch between would."""
    rules = [
        f'add chain netdev wire {device} {{ type filter hook ingress device "{device}" priority 0; }}; '
        f"add rule netdev wire {device} meta l4proto 112 drop"
        for device in devices
    ]
    namespaces.run(name, "nft", "; ".join(["add table netdev wire", *rules]))


def undrop(namespaces: Namespaces, name: str) -> None:
    namespaces.run(name, "nft", "delete table netdev wire")
