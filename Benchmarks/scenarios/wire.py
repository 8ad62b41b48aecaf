"""A wire is cut: who knows, and when. The wire lab's guest has drivers with real registers that follow the wire."""

import random
import time

from wirelab.truth import Truth
from wirelab.vm import Nic, Vm

from .. import yardsticks
from ..systems.guest import GuestIpMonitor, GuestKeepalived, GuestLinkwatch, GuestRunning, GuestWatcher
from . import Run, costs, scenario

KERNEL_SECONDS_MAX = 4
BACK_SECONDS_MAX = 15
SETTLE_SECONDS = 1
WITNESS_LATE_NS_MAX = 300_000_000


@scenario("wire-e1000", "Wire cut to verdict, e1000", lab="wire")
def wire_e1000(run: Run) -> None:
    """The wire of an emulated e1000 is unplugged by QEMU, at instants that keep no step with anyone's clock. From the
    instant at which the card's own status register was first seen to show it (a program of its own reads it every
    millisecond) until the first line that says so can be read: for linkwatchd by a subscriber of its socket, for
    keepalived its log's word of FAULT. All watch the same cuts. `IFF_RUNNING` is the kernel's own word, as netlink
    delivers it."""
    _cuts(run, "e1000", run.times(20, 2))


@scenario("wire-e1000e", "Wire cut to verdict, e1000e", lab="wire")
def wire_e1000e(run: Run) -> None:
    """As above with an e1000e, whose driver does not notice in this emulation: only the registers show the cut."""
    _cuts(run, "e1000e", run.times(10, 2))


@scenario("wire-rtl8139", "Wire cut to verdict, rtl8139", lab="wire")
def wire_rtl8139(run: Run) -> None:
    """As above with an rtl8139, whose driver (8139cp) is told by an interrupt."""
    _cuts(run, "rtl8139", run.times(10, 2))


@scenario("wire-poll-cost", "One poll of real registers, beside the bare ioctl", lab="wire")
def wire_poll_cost(run: Run) -> None:
    """The row about one poll again, in the guest, on an e1000: SIOCGMIIREG reads its PHY. The guest's processor is
    emulated, so only the ratio says anything."""
    with Vm([Nic("wire", "e1000")]) as vm:
        _up(vm)
        outputs = [vm.run(yardsticks.poll_cost(), "wire", timeout=300) for _ in range(run.times(3, 1))]
        costs.tell_poll_costs(run, "\n".join(outputs))


def _up(vm: Vm) -> Truth:
    vm.sh("ip link set wire up; ip address add 10.99.0.1/24 dev wire")
    truth = Truth(vm, "wire")
    truth.await_state("wire", "running", True)
    return truth


def _cuts(run: Run, model: str, count: int) -> None:
    watchers: list[GuestWatcher] = [GuestLinkwatch("100ms"), GuestLinkwatch("10ms"), GuestIpMonitor()]
    watchers += [GuestKeepalived(False), GuestKeepalived(True)]
    kernel: list[float | None] = []
    delays: dict[str, list[float | None]] = {watcher.name: [] for watcher in watchers}
    phases = random.Random(2002)
    with Vm([Nic("wire", model)]) as vm:
        run.note(f"guest: Linux {vm.kernel.version}, one {model}")
        truth = _up(vm)
        running = {watcher.name: watcher.start(vm, "wire") for watcher in watchers}
        time.sleep(8)
        for _ in range(count):
            time.sleep(phases.random())
            _cut(truth, running, kernel, delays)
    _tell(run, "IFF_RUNNING falls", kernel)
    for name, values in delays.items():
        _tell(run, name, values)


def _cut(truth: Truth, running: dict[str, GuestRunning], kernel: list, delays: dict[str, list]) -> None:
    """One cut, and the wire back in place with everyone knowing it. A watcher may see the register before the
    witness."""
    truth.cut("wire")
    cut_ns = truth.await_word("wire", "mii", False).t_ns
    try:
        fell_ns = truth.await_word("wire", "running", False, KERNEL_SECONDS_MAX).t_ns
        time.sleep(SETTLE_SECONDS)
    except TimeoutError:
        fell_ns = None
    said = {name: system.first_down(cut_ns - WITNESS_LATE_NS_MAX) for name, system in running.items()}
    first_ns = min([cut_ns, *(t_ns for t_ns in said.values() if t_ns is not None)])
    for values, t_ns in [(kernel, fell_ns), *((delays[name], t_ns) for name, t_ns in said.items())]:
        values.append(None if t_ns is None else (t_ns - first_ns) / 1e6)
    truth.restore("wire")
    truth.await_word("wire", "mii", True, BACK_SECONDS_MAX)
    truth.await_state("wire", "running", True, BACK_SECONDS_MAX)
    time.sleep(1.5)


def _tell(run: Run, name: str, values: list[float | None]) -> None:
    seen = [value for value in values if value is not None]
    run.figure(name, "register to word", "ms", seen, len(values) - len(seen))
