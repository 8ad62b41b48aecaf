"""A pair that runs keepalived is replaced while it serves a client, one router at a time, and then taken back.

    [ca:e0] the client ---- br a ---- [r1:e0] priority 150
                                 +--- [r2:e0] priority 100       (br b and e1 the same, for a sync group)

As docs/migrating-from-keepalived.md has it: the backup first, then the master; back in the same order. Each router's file is
imported on it. The client asks all the time; how long it waits, and how long an address has two holders, is compared with
keepalived's own handovers at the beginning of the same run.

The variants run side by side, as most of the time they wait for adverts.
"""

import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from lab.daemon import program
from lab.journal import until
from lab.namespaces import Namespaces, why_not
from lab.packets import checksum
from lab.pair import Holdings
from lab.vrrp import Director, Keepalived, Lans

ASK_SECONDS = 0.01


@dataclass
class Variant:
    """What both routers' files have: the words of an instance for each interface, and its addresses."""

    name: str
    words: str
    # (interface, the words of virtual_ipaddress, the address that the client asks for)
    instances: list[tuple[str, str, str]] = field(default_factory=lambda: [("e0", "192.0.2.100/24", "192.0.2.100")])
    unicast: bool = False

    def text(self, name: str) -> str:
        """keepalived's file of a router."""
        priority, own, other = (150, "11", "12") if name == "r1" else (100, "12", "11")
        parts = ["global_defs {\n  enable_script_security\n}\n"]
        for number, (interface, addresses, _) in enumerate(self.instances):
            peers = f"  unicast_src_ip 192.0.2.{own}\n  unicast_peer {{\n    192.0.2.{other}\n  }}\n" if self.unicast else ""
            parts.append(
                f"vrrp_instance {interface} {{\n  state BACKUP\n  interface {interface}\n  virtual_router_id {20 + number}\n"
                f"  priority {priority}\n{self.words}{peers}  virtual_ipaddress {{\n    {addresses}\n  }}\n}}\n"
            )
        if len(self.instances) > 1:
            parts.append("vrrp_sync_group both {\n  group {\n    e0\n    e1\n  }\n}\n")
        return "".join(parts)


FAST = "  version 3\n  advert_int 0.2\n"
SIX = "2001:db8:a::100"
VARIANTS = [
    Variant("v2-pass", "  advert_int 1\n  authentication {\n    auth_type PASS\n    auth_pass s3cret\n  }\n"),
    Variant("v3", FAST),
    Variant("v3-unicast", FAST, unicast=True),
    Variant("sync-group", FAST, [("e0", "192.0.2.100/24", "192.0.2.100"), ("e1", "198.51.100.100/24", "198.51.100.100")]),
    Variant("ipv6-global-first", FAST, [("e0", f"{SIX}/64\n    2001:db8:a::101/64", SIX)]),
]


class Client:
    """Pings an address all the time."""

    def __init__(self, namespaces: Namespaces, address: str):
        self._address, self._is_six = address, ":" in address
        self._socket = namespaces.inside("ca", self._open)
        self._socket.settimeout(0.1)
        self._is_closed = False
        self._last: float | None = None
        self._longest, self._answers = 0.0, 0
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._ask, self._hear)]
        for thread in self._threads:
            thread.start()

    def _open(self) -> socket.socket:
        family, protocol = (
            (socket.AF_INET6, socket.IPPROTO_ICMPV6) if self._is_six else (socket.AF_INET, socket.IPPROTO_ICMP)
        )
        pinger = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        pinger.connect((self._address, 0))
        return pinger

    def _ask(self) -> None:
        number = 0
        while not self._is_closed:
            number = (number + 1) & 0xFFFF
            packet = struct.pack("!BBHHH", 128 if self._is_six else 8, 0, 0, 7, number)
            if not self._is_six:
                packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
            try:
                self._socket.send(packet)
            except OSError:
                pass
            time.sleep(ASK_SECONDS)

    def _hear(self) -> None:
        while not self._is_closed:
            try:
                data = self._socket.recv(2048)
            except OSError:
                continue
            if data[0 if self._is_six else 20] != (129 if self._is_six else 0):
                continue
            now = time.monotonic()
            if self._last is not None:
                self._longest = max(self._longest, now - self._last)
            self._last = now
            self._answers += 1

    def hear(self, answers: int) -> None:
        """Waits for so many answers."""
        wanted = self._answers + answers
        until(lambda: self._answers >= wanted, f"{answers} answers", 60)

    def wait(self) -> float:
        """The longest time between two answers since the last call; returns once there is an answer again."""
        self.hear(1)
        longest, self._longest = self._longest, 0.0
        return longest

    def close(self) -> None:
        self._is_closed = True
        for thread in self._threads:
            thread.join()
        self._socket.close()


class Router:
    """What runs on a router: keepalived, or linkwatch-vrrp with the import of its file."""

    def __init__(self, namespaces: Namespaces, name: str, variant: Variant):
        self.namespaces, self.name, self.variant = namespaces, name, variant
        self.running: Keepalived | Director | None = None

    def keepalived(self) -> None:
        self.stop()
        self.running = Keepalived(self.namespaces, self.name, "e0", 20, 0, [], text=self.variant.text(self.name))

    def linkwatch(self) -> None:
        self.stop()
        self.running = Director(self.namespaces, self.name, self._imported())

    def _imported(self) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(self.variant.text(self.name))
            file.flush()
            command = [program("linkwatch"), "import", file.name]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{self.variant.name}: {done.stderr}"
        return done.stdout

    def stop(self) -> None:
        """In good order."""
        if self.running:
            self.running.stop()
            self.running.close()
            self.running = None


@dataclass
class Step:
    name: str
    # The client's longest wait, and the longest time that an address had two holders, in seconds.
    wait: float
    together: float

    @property
    def is_own(self) -> bool:
        """Whether keepalived alone took part."""
        return self.name.count("keepalived") == 2


def replaced(variant: Variant) -> list[Step]:
    """The whole story; each step ends when the router that shall serve holds all addresses and the client has an answer."""
    with Namespaces() as namespaces:
        Lans(namespaces, legs=tuple(sorted({interface for interface, *_ in variant.instances})))
        asked = [address for *_, address in variant.instances]
        holdings = Holdings(namespaces, tuple(asked))
        routers = {name: Router(namespaces, name, variant) for name in ("r1", "r2")}
        first, second = routers.values()
        steps: list[Step] = []
        client = None

        def step(name: str, *actions, holder: str) -> None:
            for action in actions:
                action()
            holdings.await_by(holder, 60)
            # Some more, in which a second holder would appear.
            client.hear(50)
            assert holdings.by(holder), f"{variant.name}, {name}: {holdings.held}"
            steps.append(Step(name, client.wait(), holdings.longest_together()))
            holdings.together.clear()

        try:
            second.keepalived()
            first.keepalived()
            holdings.await_by("r1", 60)
            holdings.together.clear()
            client = Client(namespaces, asked[0])
            client.wait()
            step("keepalived hands over to keepalived", first.stop, holder="r2")
            step("keepalived takes back from keepalived", first.keepalived, holder="r1")
            step("the backup is replaced", second.linkwatch, holder="r1")
            step("keepalived hands over to linkwatch", first.stop, holder="r2")
            step("linkwatch takes back from linkwatch", first.linkwatch, holder="r1")
            step("back: the backup", second.keepalived, holder="r1")
            step("linkwatch hands over to keepalived", first.stop, holder="r2")
            step("keepalived takes back from keepalived again", first.keepalived, holder="r1")
            # The master replaced at once, without a handover of its own: linkwatch takes from keepalived.
            step("keepalived hands over once more", first.stop, holder="r2")
            step("linkwatch takes back from keepalived", first.linkwatch, holder="r1")
            step("linkwatch hands over to keepalived again", first.stop, holder="r2")
        finally:
            if client:
                client.close()
            for router in routers.values():
                router.stop()
            holdings.close()
    return steps


@pytest.fixture(scope="module")
def stories():
    """By the variant's name, its steps, or the exception that ended them."""
    if reason := why_not() or (None if shutil.which("keepalived") else "keepalived is not installed"):
        pytest.skip(reason)

    def tell(variant: Variant):
        try:
            return replaced(variant)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(VARIANTS)) as pool:
        return dict(zip((variant.name for variant in VARIANTS), pool.map(tell, VARIANTS)))


@pytest.mark.parametrize("name", [variant.name for variant in VARIANTS])
def test_a_pair_is_replaced_while_it_serves(stories, say, name):
    steps = stories[name]
    if isinstance(steps, Exception):
        raise steps
    own = [step for step in steps if step.is_own]
    longest = max(step.wait for step in own)
    told = [step for steps in stories.values() if not isinstance(steps, Exception) for step in steps]
    together = max(step.together for step in told if step.is_own)
    mine = max(step.together for step in own)
    say(f"{name}: keepalived's own: the client waits {longest:.2f} s, two holders for {mine * 1000:.1f} ms")
    for step in steps:
        if not step.is_own:
            ratio = step.wait / longest
            say(f"  {step.name}: {step.wait:.2f} s ({ratio:.2f} times), two holders for {step.together * 1000:.1f} ms")
    for step in steps:
        assert step.wait <= 1.5 * longest + 5 * ASK_SECONDS, step
        # Two that do not hear each other would hold for at least an interval, which is 200 ms.
        assert step.together <= 2 * together + 5 * ASK_SECONDS, step
