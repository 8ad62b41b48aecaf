"""Who notices a lost carrier, and when."""

import itertools
import time

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
    and otherwise when that second is over; so all but the first group run while another tap, in another namespace,
    loses its carrier every 0.5 to 1.5 s too. Each group is one run, in which all see the same losses. A probe makes
    newer kernels announce the loss to everyone: those without one gain from those with one."""
    netlink = [Linkwatch(None), IpMonitor(), BareLoop(), Netplugd()]
    _losses(run, "quiet", netlink, quiet=True)
    _losses(run, "another tap flaps", netlink)
    _losses(run, "another tap flaps, 100 ms", [Linkwatch("100ms"), IpMonitor(), BareLoop()])
    _losses(run, "another tap flaps, 10 ms", [Linkwatch("10ms"), IpMonitor(), BareLoop()])
    _losses(run, "another tap flaps, alone", [Ifplugd(1000)])
    _losses(run, "another tap flaps, alone", [Ifplugd(100)])


def _losses(run: Run, label: str, watchers: list[LinkWatcher], quiet: bool = False) -> None:
    for watcher in [watcher for watcher in watchers if (why := watcher.why_not())]:
        run.note(f"{watcher.name} is missing: {why}")
        watchers = [other for other in watchers if other is not watcher]
    count, ifname = run.times(20, 5), f"t{next(_numbers)}"
    with Namespaces("a", "b") as lab:
        tap = Tap(lab, "a", ifname, count, PERIOD_MS, "vary")
        other = Tap(lab, "b", "noise", 2 * count, PERIOD_MS, "vary2")
        with watching(lab, "a", ifname, watchers) as running:
            time.sleep(1.5)
            if not quiet:
                other.start()
            switches = tap.switch()
        tap.close()
    for watcher in watchers:
        delays, missed = delays_ms(switches, running[watcher].words, up=False)
        run.figure(watcher.name, f"loss to word ({label})", "ms", delays, missed)


# ifplugd keeps a file by the interface's name outside the namespace.
_numbers = itertools.count()
