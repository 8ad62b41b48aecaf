"""The two directors of 2002 with everything around them, in one guest.

                                LVS1, namespace r1
                          +-- [l10 .11]     [l11 .11] --+
    NAMESPACE ca          |    [hb11]  [hb12]           |          NAMESPACES s1, s2
    [ca0 .100] -- LAN A --+       |       |             +-- LAN B -- [s10 .101]
    client       192.0.2.0|    cable 1  cable 2         |     `----- [s20 .102] servers
                          |       |       |             | 198.51.100.0
                          |    [hb21]  [hb22]           |
                          +-- [l20 .12]     [l21 .12] --+
                                LVS2, namespace r2

Legs and cables are e1000, whose PHY follows the wire; each LAN and each cable is a hub. The virtual addresses are .1 on both
LANs. Both directors have the same IPVS table (NAT, round robin); the servers' way back is the virtual address on LAN B, so
half a failover is an outage. The client transfers over TCP through the virtual service, without a pause.

Three observers run in the guest, all on its one clock: `holdings` knows which address is in which director's kernel, in the
order of the changes; `client` how long the client waited; `truth` when the registers of the PHYs of the legs fell. None of
them asks the daemons. The guest counts time by its own instructions: what a busy host delays is not delayed there.
"""

import json
from dataclasses import dataclass

from lab.journal import Journal

from . import kernel
from .truth import Truth
from .vm import Nic, Vm

# The drawing and what it means.
PICTURE = "\n\n".join(__doc__.split("\n\n")[1:3])
DIRECTORS = ("r1", "r2")
LEGS = {"r1": ("l10", "l11"), "r2": ("l20", "l21")}
CABLES = (("hb11", "hb21"), ("hb12", "hb22"))
OUTSIDE, INSIDE = "192.0.2.1", "198.51.100.1"
ADDRESSES = (OUTSIDE, INSIDE)
# The host's seconds; the guest's may be fewer or more.
SECONDS_MAX = 240

GUEST = {"modules": ["ip_vs", "ip_vs_rr"], "memory_mb": 1024, "own_time": True}
PORT, TRANSFER_BYTES = 8080, 1400

_PLACES = {"l10": "r1", "l11": "r1", "l20": "r2", "l21": "r2", "ca0": "ca", "s10": "s1", "s20": "s2"}
_PLACES |= {end: director for cable in CABLES for end, director in zip(cable, DIRECTORS)}
_HUBS = {"l10": 0, "l20": 0, "ca0": 0, "l11": 1, "l21": 1, "s10": 1, "s20": 1, "hb11": 2, "hb21": 2, "hb12": 3, "hb22": 3}
_HOSTS = {"l10": "192.0.2.11/24", "l20": "192.0.2.12/24", "ca0": "192.0.2.100/24"}
_HOSTS |= {"l11": "198.51.100.11/24", "l21": "198.51.100.12/24", "s10": "198.51.100.101/24", "s20": "198.51.100.102/24"}


@dataclass(frozen=True)
class Holding:
    """An address came to a director's kernel, or went."""

    t_ns: int = 0
    namespace: str = ""
    address: str = ""
    held: bool = False
    ready: bool = False


@dataclass(frozen=True)
class Twice:
    """An address was in both directors' kernels: from when, and until when, None for what goes on."""

    address: str
    from_ns: int
    until_ns: int | None


class Holdings(Journal):
    """holdwatch over both directors."""

    def __init__(self, vm: Vm):
        super().__init__("holdings")
        argv = [kernel.compiled("holdwatch"), *DIRECTORS]
        self.program = vm.spawn(*argv, stdout=self, parse=lambda line: Holding(**json.loads(line)))
        self.await_item(lambda holding: holding.ready)

    def held(self) -> dict[str, set[str]]:
        """Which virtual addresses each director has."""
        holders: dict[str, set[str]] = {director: set() for director in DIRECTORS}
        for change in list(self):
            if change.address in ADDRESSES:
                (holders[change.namespace].add if change.held else holders[change.namespace].discard)(change.address)
        return holders

    def holder(self) -> str | None:
        """The director that alone has both addresses; None in all other cases."""
        return _alone(self.held())

    def await_holder(self, director: str, timeout: float = SECONDS_MAX) -> None:
        """Waits until this director has both addresses and the other has none."""
        try:
            self.await_true(lambda: self.holder() == director, timeout)
        except TimeoutError:
            raise TimeoutError(f"{timeout} s passed until {director} held both addresses: {self.held()}")

    def changes(self) -> list[Holding]:
        """The virtual addresses that really came or went since the mark; a refreshed lease is not among them."""
        held = {(change.namespace, change.address): change.held for change in self[: self.marked]}
        found = []
        for change in self.recent():
            key = (change.namespace, change.address)
            if change.address in ADDRESSES and held.get(key, False) != change.held:
                held[key] = change.held
                found.append(change)
        return found

    def twice(self) -> list[Twice]:
        """Each time since the mark that an address was in both directors' kernels at once."""
        holders: dict[str, set[str]] = {address: set() for address in ADDRESSES}
        found, since = [], {}
        for place, change in enumerate(list(self)):
            if change.address not in holders:
                continue
            names = holders[change.address]
            (names.add if change.held else names.discard)(change.namespace)
            if len(names) > 1:
                since.setdefault(change.address, change.t_ns)
            elif (from_ns := since.pop(change.address, None)) is not None and place >= self.marked:
                found.append(Twice(change.address, from_ns, change.t_ns))
        return found + [Twice(address, from_ns, None) for address, from_ns in since.items()]


def _alone(holders: dict[str, set[str]]) -> str | None:
    for director in DIRECTORS:
        others = [name for name in DIRECTORS if name != director]
        if holders[director] == set(ADDRESSES) and not any(holders[name] for name in others):
            return director
    return None


@dataclass(frozen=True)
class Report:
    """What the client saw in a fifth of a second: see transfers.c."""

    t_ns: int
    done: int
    failed: int
    gap_ns: int
    until_ns: int
    waiting: bool


class Client(Journal):
    """The client's transfers."""

    def __init__(self, vm: Vm):
        super().__init__("the client's reports")
        argv = [kernel.compiled("transfers"), "fetch", OUTSIDE, PORT, TRANSFER_BYTES]
        self.program = vm.spawn(*_elsewhere("ca"), *argv, stdout=self, parse=lambda line: Report(**json.loads(line)))

    def await_service(self, timeout: float = SECONDS_MAX) -> None:
        """Waits until the client is served without failures for a second from now."""
        first = len(self)

        def well(report: Report) -> bool:
            return report.done > 0 and report.failed == 0

        self.await_true(lambda: len(self) >= first + 5 and all(map(well, self[-5:])), timeout, "a second of service")

    def longest_wait(self) -> tuple[int, int]:
        """The longest time between two transfers that ended well, in the reports since the mark: from when until when, in
        nanoseconds."""
        longest = max(self.recent(), key=lambda report: report.gap_ns)
        return longest.until_ns - longest.gap_ns, longest.until_ns


class Pair:
    """The picture, and its observers. `truth` polls the `watched` legs' PHYs every `poll_us`; reading one is slow."""

    def __init__(self, vm: Vm, watched: tuple[str, ...] = (*LEGS["r1"], *LEGS["r2"]), poll_us: int = 4000):
        self.vm = vm
        vm.sh(_script(), timeout=SECONDS_MAX)
        self.holdings = Holdings(vm)
        self.truths: dict[str, Truth] = {}
        for name in DIRECTORS:
            legs = [leg for leg in LEGS[name] if leg in watched]
            if legs:
                self.truths[name] = Truth(vm, *legs, namespace=name, interval_us=poll_us, realtime=True)
            for leg in legs:
                self.truths[name].await_state(leg, "running", True, SECONDS_MAX)
        for name in ("s1", "s2"):
            self._serve(name)
        self.client = Client(vm)

    def _serve(self, name: str) -> None:
        argv = [kernel.compiled("transfers"), "serve", "0.0.0.0", PORT, TRANSFER_BYTES]
        self.vm.spawn(*_elsewhere(name), *argv).stdout.await_item(lambda line: line == "ready")

    def truth(self, card: str) -> Truth:
        """The registers of the director that has this leg."""
        return self.truths[_PLACES[card]]

    def mark(self) -> None:
        """What was seen before is history."""
        for journal in (self.holdings, self.client, *self.truths.values()):
            journal.mark()

    def cut(self, *cards: str) -> None:
        for card in cards:
            self.vm.set_link(card, False)

    def restore(self, *cards: str) -> None:
        for card in cards:
            self.vm.set_link(card, True)

    def wire_ns(self, leg: str, up: bool) -> int:
        """When the PHY of a leg, since the mark, first said so of its wire."""
        return self.truth(leg).await_word(leg, "mii", up, SECONDS_MAX).t_ns


def _elsewhere(namespace: str) -> list[str]:
    """Client and servers would have processors of their own: here the directors, and the kernel's work for them, go first."""
    return ["nice", "-n", "19", "ip", "netns", "exec", namespace]


def nics() -> list[Nic]:
    """The cards. QEMU carries a packet from one e1000 to the next within one instruction; a virtio card would wait for the
    host, while the guest's own time goes on."""
    return [Nic(name, "e1000", _HUBS[name]) for name in _PLACES]


def boot() -> Vm:
    """A guest with these cards."""
    return Vm(nics(), **GUEST)


def _script() -> str:
    lines = [f"ip netns add {name}; ip -n {name} link set lo up" for name in ("r1", "r2", "ca", "s1", "s2")]
    lines += [f"ip netns set {name} {number}" for number, name in enumerate(DIRECTORS, 1)]
    for card, place in _PLACES.items():
        lines.append(f"ip link set {card} netns {place}")
        if card in _HOSTS:
            lines.append(f"ip -n {place} address add {_HOSTS[card]} dev {card}")
        lines.append(f"ip -n {place} link set {card} up")
    lines += [f"ip -n {name} route add default via {INSIDE}" for name in ("s1", "s2")]
    for name in DIRECTORS:
        inside = f"ip netns exec {name}"
        lines.append(f"{inside} sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'")
        lines.append(f"{inside} ipvsadm -A -t {OUTSIDE}:{PORT} -s rr")
        for server in ("198.51.100.101", "198.51.100.102"):
            lines.append(f"{inside} ipvsadm -a -t {OUTSIDE}:{PORT} -r {server}:{PORT} -m")
    return "\n".join(lines)
