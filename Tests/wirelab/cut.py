"""`make lab-cut`: one cable, pulled and plugged in, told in words with the instants of everyone who noticed.

    guest: wire (e1000) --- hub 0        linkwatchd, polling every 10 ms; cutwatch, a 1 ms poller, as the ground truth

On a terminal Enter pulls the cable; elsewhere it is pulled once. All instants are the guest's CLOCK_MONOTONIC.
"""

import sys

from .guest import GuestDaemon
from .truth import Truth
from .vm import Nic, Vm

NAMES = {
    "mii": "the PHY's status register, as cutwatch saw it, which reads it every 1 ms",
    "glink": "the driver (ETHTOOL_GLINK)",
    "running": "the kernel by netlink (IFF_RUNNING)",
}


def pause(text: str) -> None:
    """Waits for Enter where there is somebody to press it."""
    if sys.stdin.isatty():
        input(f"\n-- Enter {text} ")
    else:
        print(f"\n-- {text}")


def tell(truth: Truth, guest: GuestDaemon, up: bool) -> None:
    """Tells who noticed when: linkwatchd, the PHY, the driver and the kernel, in their order."""
    state = "up" if up else "down"
    wire = truth.await_word("wire", "mii", up)
    verdict = guest.events.await_interface("wire", rawState=state)
    truth.await_word("wire", "running", up)
    told = [(word.t_ns, NAMES[word.source]) for word in truth.words("wire") if word.up == up and word.source in NAMES]
    reason = verdict["interface"].get("reason")
    why = f": {state}, because {reason} says so" if reason else f": {state}, by all of its evidence"
    told.append((verdict["monotonicUsec"] * 1000, f"linkwatchd publishes its verdict{why}"))
    for t_ns, what in sorted(told):
        print(f"  {(t_ns - wire.t_ns) / 1e6:+9.1f} ms  {what}")


def main() -> None:
    print("booting a machine with an emulated e1000 ...", flush=True)
    with Vm([Nic("wire", "e1000")]) as vm:
        vm.run("ip", "link", "set", "wire", "up")
        truth = Truth(vm, "wire")
        truth.await_state("wire", "running", True)
        with GuestDaemon(vm, "--mii-interval", "10ms", "--probe-interval", "10ms") as guest:
            guest.events.await_state("wire", rawState="up")
            print("linkwatchd says: wire is up")
            pause("pulls the cable")
            guest.events.mark()
            truth.cut("wire")
            tell(truth, guest, up=False)
            pause("plugs it in again")
            guest.events.mark()
            truth.restore("wire")
            tell(truth, guest, up=True)


if __name__ == "__main__":
    main()
