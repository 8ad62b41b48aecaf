"""Systems in the wire lab's guest, where a real driver and its registers know of the wire.

The programs and the C instruments are the host's own files; instants are the guest's CLOCK_MONOTONIC.
"""

import itertools

from lab.daemon import program
from lab.journal import Journal
from wirelab.vm import Program, Vm

from .. import yardsticks
from . import Word
from .linkwatch import subscriber_word
from .netlink import ip_word

_numbers = itertools.count()

CONFIG = """{polling}vrrp_instance only {{
    interface {ifname}
    virtual_router_id {vrid}
    priority 100
    advert_int 1
    virtual_ipaddress {{
        10.99.0.{host}/32
    }}
}}
"""


class GuestWatcher:
    """One way to notice a cut wire, in a guest: `start` gives the journal of its words."""

    name = ""

    def start(self, vm: Vm, ifname: str) -> "GuestRunning":
        raise NotImplementedError


class GuestRunning:
    """What runs, and what it says."""

    def __init__(self, words: Journal, programs: list[Program]):
        self.words, self.programs = words, programs

    def first_down(self, since_ns: int) -> int | None:
        """The instant of its first word since another that the link is down; None without one."""
        said = [word.t_ns for word in self.words if word is not None and not word.up and word.t_ns >= since_ns]
        return said[0] if said else None

    def stop(self) -> None:
        for running in self.programs:
            running.kill()


class GuestLinkwatch(GuestWatcher):
    """linkwatchd, and a bare subscriber in C."""

    def __init__(self, interval: str):
        self.interval, self.name = interval, f"linkwatchd, every {interval}"

    def start(self, vm: Vm, ifname: str) -> GuestRunning:
        path, words = f"/run/linkwatchd-{next(_numbers)}.sock", Journal()
        vm.warm(program("linkwatchd"), yardsticks.program("subscriber"))
        arguments = ["--config", "/dev/null", "--mii-interval", self.interval, "--probe-interval", self.interval]
        daemon = vm.spawn(program("linkwatchd"), "--socket", path, *arguments)
        wait = f"until [ -S {path} ]; do sleep 0.05; done; exec {yardsticks.program('subscriber')} {path} {ifname}"
        peer = vm.spawn("/bin/sh", "-c", wait, stdout=words, parse=subscriber_word)
        return GuestRunning(words, [peer, daemon])


class GuestIpMonitor(GuestWatcher):
    name = "ip monitor link"

    def start(self, vm: Vm, ifname: str) -> GuestRunning:
        words = Journal()
        argv = [yardsticks.program("stamp"), "ip", "-o", "monitor", "link"]
        return GuestRunning(words, [vm.spawn(*argv, stdout=words, parse=lambda line: ip_word(line, ifname))])


class GuestKeepalived(GuestWatcher):
    """keepalived with one instance on the interface: that it says FAULT. Told to, it polls MII, once a second."""

    def __init__(self, polling: bool):
        self.polling = polling
        self.name = "keepalived, MII polling" if polling else "keepalived, netlink"

    def start(self, vm: Vm, ifname: str) -> GuestRunning:
        number, words = next(_numbers), Journal()
        base = f"/run/keepalived-{number}"
        polling = f"linkbeat_interfaces {{\n {ifname} MII\n}}\n" if self.polling else ""
        config = CONFIG.format(ifname=ifname, vrid=50 + number, host=100 + number, polling=polling)
        vm.sh(f"cat >{base}.conf <<'END'\n{config}END")
        vm.warm("/usr/sbin/keepalived", yardsticks.program("stamp"))
        argv = [yardsticks.program("stamp"), "keepalived", "-n", "-l", "-P", "-f", f"{base}.conf"]
        running = vm.spawn(*argv, "-p", f"{base}.pid", "-r", f"{base}-vrrp.pid", stdout=words, parse=keepalived_word)
        return GuestRunning(words, [running])


def keepalived_word(line: str) -> Word | None:
    """`12345 Tue Nov 24 06:49:00 2026: (only) Entering FAULT STATE`."""
    seen_ns, _, text = line.partition(" ")
    if "Entering FAULT STATE" in text:
        return Word(int(seen_ns), False)
    return Word(int(seen_ns), True) if "Entering BACKUP STATE" in text else None
