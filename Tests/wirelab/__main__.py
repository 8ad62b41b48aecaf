"""Pull a cable and see who says so first: `make lab-cut`, or by hand

    PYTHONPATH=Tests python3 -m wirelab [--model e1000] [--mii-interval 10ms] [--once]

Boots a guest with one network card and linkwatchd, and asks for commands: `cut`, `plug`, `dump`, `sh COMMAND`, `quit`.
With `--once`, or where there is no terminal, it cuts and plugs once and ends. Times are milliseconds after the instant
at which the card's own register changed, or for a card without registers that the driver knew.
"""

import argparse
import sys

from lab.daemon import program

from . import kernel
from .guest import GuestDaemon
from .truth import Truth
from .vm import DRIVERS, Failed, Nic, Vm

KERNEL_SECONDS_MAX = 6
HELP = "cut: unplug the wire; plug: plug it in; dump: all links; sh COMMAND: run it in the guest; quit"


class Story:
    """One action on the cable, told as a timeline."""

    def __init__(self, truth: Truth, guest: GuestDaemon):
        self.truth, self.guest = truth, guest
        newest = truth.newest("wire", "mii")
        self.witness = "mii" if newest is not None and newest.error is None else "glink"

    def act(self, up: bool) -> None:
        """Cuts or plugs, waits for all who will notice, and prints who said what when."""
        self.guest.events.mark()
        (self.truth.restore if up else self.truth.cut)("wire")
        try:
            start = self.truth.await_word("wire", self.witness, up, 10).t_ns
        except TimeoutError:
            print("  this card's registers do not follow the wire" if self.witness == "mii" else "  nobody noticed")
            return
        self._wait_for_the_kernel(up)
        lines = [(word.t_ns, _kernel(word)) for word in self.truth.words("wire")]
        lines += [(event["monotonicUsec"] * 1000, _published(event)) for event in self.guest.events.recent()]
        for t_ns, text in sorted(line for line in lines if line[1]):
            print(f"  {(t_ns - start) / 1e6:+9.1f} ms  {text}")

    def _wait_for_the_kernel(self, up: bool) -> None:
        state = "up" if up else "down"
        for wait in (
            lambda: self.truth.await_word("wire", "running", up, KERNEL_SECONDS_MAX),
            lambda: self.guest.events.await_interface("wire", KERNEL_SECONDS_MAX, rawState=state),
        ):
            try:
                wait()
            except TimeoutError:
                pass


def _kernel(word) -> str:
    state = "up" if word.up else "down"
    names = {"mii": "wire        register says", "glink": "driver      ETHTOOL_GLINK says"}
    names |= {"running": "kernel      netlink says IFF_RUNNING is"}
    return f"{names[word.source]} {state}" if word.source in names else ""


def _published(event: dict) -> str:
    interface = event.get("interface")
    if not interface or interface["ifname"] != "wire":
        return ""
    reason = f", reason {interface['reason']}" if interface.get("reason") else ""
    reason += "; the PHY and the kernel disagree" if interface["disagreement"] else ""
    return f"linkwatchd  {event['kind']}: raw {interface['rawState']}, settled {interface['state']}{reason}"


def _obey(line: str, story: Story) -> bool:
    """Does what a line asks for; False ends."""
    vm = story.truth.vm
    match line.split(maxsplit=1):
        case ["cut"] | ["plug"]:
            story.act(line.strip() == "plug")
        case ["dump"]:
            print(vm.run(program("linkwatch"), "--socket", story.guest.socket, "--dump", check=False))
        case ["sh", command]:
            print(vm.sh(f"{command} 2>&1", check=False))
        case ["quit"]:
            return False
        case []:
            pass
        case _:
            print(HELP)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="wirelab", description="pull a cable and see who says so first")
    parser.add_argument("--model", choices=DRIVERS, default="e1000", help="the network card (e1000)")
    parser.add_argument("--mii-interval", default="10ms", help="how often linkwatchd asks (10ms)")
    parser.add_argument("--once", action="store_true", help="cut and plug once, then end")
    options = parser.parse_args()
    try:
        with Vm([Nic("wire", options.model)]) as vm:
            print(f"a guest with one {options.model} and Linux {vm.kernel.version}, booted in {vm.boot_seconds:.1f} s")
            vm.run("ip", "link", "set", "wire", "up")
            truth = Truth(vm, "wire")
            truth.await_state("wire", "running", True)
            intervals = ["--mii-interval", options.mii_interval, "--probe-interval", options.mii_interval]
            with GuestDaemon(vm, *intervals) as guest:
                guest.events.await_state("wire", rawState="up")
                _converse(Story(truth, guest), options.once or not sys.stdin.isatty())
    except (kernel.Unavailable, Failed) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _converse(story: Story, once: bool) -> None:
    if once:
        for line in ("dump", "cut", "dump", "plug"):
            print(line)
            _obey(line, story)
        return
    print(HELP)
    try:
        while _obey(input("wirelab> "), story):
            pass
    except (EOFError, KeyboardInterrupt):
        print()


if __name__ == "__main__":
    sys.exit(main())
