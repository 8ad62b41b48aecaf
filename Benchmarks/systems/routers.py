"""Systems that move virtual addresses between two directors with two legs: linkwatch-vrrp, keepalived, FRR's vrrpd.

All get the same topology (`lab/vrrp.py` draws it), the same addresses, priorities (200 on r1, 100 on r2) and advert
interval, VRRP version 3. What a system has to make both legs move together is switched on: linkwatch's group,
keepalived's sync group; FRR has none.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from lab.daemon import Daemon
from lab.journal import Journal
from lab.namespaces import Namespaces
from lab.vrrp import Director, Lans, await_path, clear, until

from ..processes import family

LEGS = {"e0": (10, "192.0.2.1"), "e1": (20, "198.51.100.1")}
PRIORITIES = {"r1": 200, "r2": 100}


class Router:
    """One director of a system, running in the namespace of its name."""

    def __init__(self, lab: Namespaces, name: str, interval_ms: int, cables: int):
        self.lab, self.name, self.interval_ms, self.cables = lab, name, interval_ms, cables

    def start(self) -> None:
        raise NotImplementedError

    def pids(self) -> list[int]:
        """All its processes."""
        raise NotImplementedError

    def kill(self) -> None:
        """A crash of the process that speaks VRRP and of all that belong to it."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)

    def terminate(self) -> None:
        """The end in good order, as a service manager asks for it; it does not wait."""
        raise NotImplementedError

    def bury(self) -> None:
        """After either, what a reboot would clear away."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class System:
    """A kind of router: its name, and how to make one."""

    name, cables, router = "", 0, Router

    def why_not(self) -> str | None:
        return None

    def make(self, lab: Namespaces, name: str, interval_ms: int) -> Router:
        return self.router(lab, name, interval_ms, self.cables)


# linkwatch


class LinkwatchRouter(Router):
    """linkwatchd and linkwatch-vrrp."""

    director: Director | None = None
    monitor: Daemon | None = None

    def start(self) -> None:
        if self.monitor is None:
            probes = ["--mii-interval", "10ms", "--probe-interval", "10ms"]
            self.monitor = Daemon(self.lab, self.name, *probes)
        self.director = Director(self.lab, self.name, self.config(), monitor=self.monitor.socket)

    def config(self) -> str:
        ours, theirs = (1, 2) if self.name == "r1" else (2, 1)
        cables = range(self.cables)
        beats = "".join(
            f'[heartbeat.cross{number}]\ninterface = "hb{number}"\n'
            f"vrid = {ours}{number + 1}\npeer-vrid = {theirs}{number + 1}\n"
            for number in cables
        )
        instances = "".join(
            f'[instance.{leg}]\ninterface = "{leg}"\nvrid = {vrid}\naddresses = ["{address}/24"]\n'
            for leg, (vrid, address) in LEGS.items()
        )
        names = ", ".join(f'"cross{number}"' for number in cables)
        return (
            f'[group.lvs]\npriority = {PRIORITIES[self.name]}\ninstances = ["e0", "e1"]\nheartbeats = [{names}]\n'
            f'advert-interval = "{self.interval_ms}ms"\n{instances}{beats}'
        )

    def pids(self) -> list[int]:
        return family(self.director.pid)

    def terminate(self) -> None:
        self.director.process.terminate()

    def bury(self) -> None:
        self.director.process.wait(20)
        self.director.close()
        self.director = None
        for leg, (_, address) in LEGS.items():
            clear(self.lab, self.name, leg, [address])

    def close(self) -> None:
        for daemon in (self.director, self.monitor):
            if daemon is not None:
                daemon.close()


class Linkwatch(System):
    name, router = "linkwatch", LinkwatchRouter


class LinkwatchHeartbeats(Linkwatch):
    name, cables = "linkwatch, 2 cables", 2


# keepalived


class KeepalivedRouter(Router):
    """keepalived with a sync group over both legs."""

    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="keepalived-")
        folder = self.folder.name
        Path(folder, "conf").write_text(self.config())
        argv = ["keepalived", "-n", "-l", "-P", "-f", f"{folder}/conf", "-p", f"{folder}/pid", "-r", f"{folder}/vrrp.pid"]
        output = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.process = self.lab.popen(self.name, *argv, stdin=subprocess.DEVNULL, **output)
        self.log = Journal("keepalived's log")
        threading.Thread(target=_read, args=[self.process, self.log], daemon=True).start()
        self.log.await_item(lambda line: "Entering BACKUP STATE" in line, what="a running keepalived")

    def config(self) -> str:
        instances = "".join(
            f"vrrp_instance {leg} {{\n state BACKUP\n interface {leg}\n virtual_router_id {vrid}\n"
            f" priority {PRIORITIES[self.name]}\n advert_int {self.interval_ms / 1000:g}\n"
            f" virtual_ipaddress {{ {address}/24 }}\n}}\n"
            for leg, (vrid, address) in LEGS.items()
        )
        group = "vrrp_sync_group lvs {\n group { e0 e1 }\n}\n"
        return f"global_defs {{\n vrrp_version 3\n}}\n{group}{instances}"

    def pids(self) -> list[int]:
        return family(self.process.pid)

    def terminate(self) -> None:
        self.process.terminate()

    def bury(self) -> None:
        self.process.wait(20)
        self.folder.cleanup()
        for leg, (_, address) in LEGS.items():
            clear(self.lab, self.name, leg, [address])

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self.folder.cleanup()


class Keepalived(System):
    name, router = "keepalived", KeepalivedRouter

    def why_not(self) -> str | None:
        return None if shutil.which("keepalived") else "keepalived is not installed"


# FRR


class FRRRouter(Router):
    """FRR's zebra and vrrpd, each virtual router on the macvlan that vrrpd wants to find. The macvlans have the virtual
    addresses at all times, so the legs must not answer for them."""

    def start(self) -> None:
        settings = {"arp_ignore": 1, "arp_announce": 2, "rp_filter": 0, "ignore_routes_with_linkdown": 1}
        keys = [f"echo {value} > /proc/sys/net/ipv4/conf/all/{key}" for key, value in settings.items()]
        self.lab.run(self.name, "sh", "-c", "; ".join(keys))
        self.folder = tempfile.TemporaryDirectory(prefix="frr-")
        folder = Path(self.folder.name)
        commands, config = [], ""
        for leg, (vrid, address) in LEGS.items():
            if not self._has(f"vr{vrid}"):
                commands += [f"link add vr{vrid} link {leg} type macvlan mode bridge"]
                commands += [f"link set vr{vrid} addrgenmode none", f"link set vr{vrid} address 00:00:5e:00:01:{vrid:02x}"]
            commands += [f"link set vr{vrid} up", f"addr replace {address}/24 dev vr{vrid}"]
            config += (
                f"interface {leg}\n vrrp {vrid} version 3\n vrrp {vrid} priority {PRIORITIES[self.name]}\n"
                f" vrrp {vrid} advertisement-interval {self.interval_ms}\n vrrp {vrid} ip {address}\n"
            )
        self.lab.ip(self.name, *commands)
        (folder / "vrrpd.conf").write_text(config)
        (folder / "zebra.conf").write_text("")
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "frr", "frr")
        self.zebra = self._run("zebra")
        await_path(folder / "zserv")
        self.vrrpd = self._run("vrrpd")

    def pids(self) -> list[int]:
        return [self.zebra.pid, self.vrrpd.pid]

    def terminate(self) -> None:
        self.vrrpd.terminate()

    def bury(self) -> None:
        self.vrrpd.wait(20)
        self.zebra.terminate()
        self.zebra.wait(20)
        for vrid, address in LEGS.values():
            clear(self.lab, self.name, f"vr{vrid}", [address])
        self.folder.cleanup()

    def close(self) -> None:
        for process in (self.vrrpd, self.zebra):
            process.kill()
            process.wait()
        self.folder.cleanup()

    def _has(self, ifname: str) -> bool:
        return f" {ifname}@" in self.lab.ip(self.name, "-o link show")

    def _run(self, name: str) -> subprocess.Popen:
        folder = self.folder.name
        argv = [f"/usr/lib/frr/{name}", "-i", f"{folder}/{name}.pid", "-z", f"{folder}/zserv", "--vty_socket", folder]
        argv += ["-f", f"{folder}/{name}.conf", "-A", "127.0.0.1", "-P", "0"]
        return self.lab.popen(self.name, *argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class FRR(System):
    name, router = "FRR vrrpd", FRRRouter

    def why_not(self) -> str | None:
        return None if Path("/usr/lib/frr/vrrpd").exists() else "FRR is not installed"


SYSTEMS: list[System] = [Linkwatch(), LinkwatchHeartbeats(), Keepalived(), FRR()]


def lans(lab: Namespaces, system: System) -> Lans:
    """The two LANs, with the cables that the system wants, and both directors forwarding for clients and servers."""
    made = Lans(lab, cables=system.cables)
    for name in PRIORITIES:
        lab.run(name, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    lab.ip("ca", "route add default via 192.0.2.1")
    lab.ip("cb", "route add default via 198.51.100.1")
    return made


def holders(made: Lans) -> dict[str, set[str]]:
    """Which directors have which virtual address, as the kernel has it; FRR's macvlans have theirs at all times, and up."""
    return {address: {name for name in PRIORITIES if made.holds(name, address)} for _, address in LEGS.values()}


def _read(process: subprocess.Popen, log: Journal) -> None:
    for line in process.stdout:
        log.append(line.rstrip("\n"))
    log.end("keepalived ended")


__all__ = ["LEGS", "SYSTEMS", "Router", "System", "holders", "lans", "until"]
