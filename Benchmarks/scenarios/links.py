"""Who notices a lost carrier, and when."""

import itertools
import time
from contextlib import ExitStack

from lab.namespaces import Namespaces

from ..switches import Tap, delays_ms, watching
from ..systems import LinkWatcher
from ..systems.ifplugd import Ifplugd
from ..systems.linkwatch import Linkwatch
from ..systems.netlink import BareLoop, IpMonitor, Netplugd
from . import Run, scenario

PERIOD_MS = 1000


@scenario("carrier-tap", "Carrier loss on a tap until a subscriber knows")
def carrier_tap(run: Run) -> None:
    """A tap's carrier is switched off by TUNSETCARRIER, and on again, after 0.5 to 1.5 s each. From just before the
    system call until the first line that says so can be read: for linkwatchd by a subscriber of its socket. The
    kernel announces a loss at once if no other was announced within the last second, on any interface of the machine,
    and otherwise when that second is over: first one tap alone is switched, then five at the same time, each in a
    namespace with its own watchers. All watchers of a tap see the same losses. A probe makes newer kernels announce the
    loss to everyone on that tap: those without one gain from those with one."""
    netlink = [Linkwatch(None), IpMonitor(), BareLoop(), Netplugd()]
    _losses(run, {"alone": netlink})
    groups = {"five taps": netlink}
    groups |= {f"five taps, {every}": [Linkwatch(every), IpMonitor(), BareLoop()] for every in ("100ms", "10ms")}
    groups |= {f"five taps, ifplugd {poll_ms} ms": [Ifplugd(poll_ms)] for poll_ms in (1000, 100)}
    _losses(run, groups)


@scenario("carrier-veth", "Carrier loss on a veth until a subscriber knows")
def carrier_veth(run: Run) -> None:
    """The other end of a veth is set down, and up again, after 0.5 to 1.5 s each. The kernel takes a veth's loss for
    urgent and announces it at once, so here nothing but the watchers themselves is measured. The two ifplugd have a
    veth of their own each, at the same time; otherwise as above."""
    groups = {"veth": [Linkwatch(None), Linkwatch("100ms"), IpMonitor(), BareLoop(), Netplugd()]}
    groups |= {f"veth, ifplugd {poll_ms} ms": [Ifplugd(poll_ms)] for poll_ms in (1000, 100)}
    _losses(run, groups, veth=True)


def _losses(run: Run, groups: dict[str, list[LinkWatcher]], veth: bool = False) -> None:
    """Switches a tap for each group, or the other end of a veth, all at the same time."""
    for watcher in {watcher.name: watcher for group in groups.values() for watcher in group}.values():
        if (why := watcher.why_not()) is not None:
            run.note(f"{watcher.name} is missing: {why}")
    groups = {label: [watcher for watcher in group if not watcher.why_not()] for label, group in groups.items()}
    count, places = run.times(20, 5), [f"n{place}" for place in range(len(groups))]
    taps, everything = [], []
    with Namespaces("far", *places) as lab, ExitStack() as stack:
        for place, (label, watchers) in zip(places, groups.items()):
            # ifplugd keeps a file by the interface's name outside the namespace.
            ifname = f"t{next(_numbers)}"
            if veth:
                lab.veth(f"{place}:{ifname}", f"far:{ifname}")
            taps.append(Tap(lab, "far" if veth else place, ifname, count, PERIOD_MS, f"vary{len(taps)}"))
            stack.callback(taps[-1].close)
            everything.append((label, stack.enter_context(watching(lab, place, ifname, watchers))))
        time.sleep(1.5)
        for tap in taps:
            tap.start()
        switches = [tap.switches() for tap in taps]
    for (label, running), switched in zip(everything, switches):
        for watcher, watched in running.items():
            delays, missed = delays_ms(switched, watched.words, up=False)
            run.figure(watcher.name, f"loss to word ({label})", "ms", delays, missed)


_numbers = itertools.count()
