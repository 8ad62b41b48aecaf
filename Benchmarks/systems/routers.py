"""Systems that move virtual addresses between two directors with two legs: linkwatch-vrrp, keepalived, FRR's vrrpd.

All get the same topology (`lab/vrrp.py` draws it), the same addresses, priorities and advert interval, VRRP version 3.
What a system has to make both legs move together is switched on: linkwatch's group, keepalived's sync group; FRR has
none.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from lab.daemon import Daemon, program
from lab.namespaces import Namespaces
from lab.vrrp import VRRP, Director, Lans, await_path, clear

from ..processes import family

LEGS = {"e0": (10, "192.0.2.1"), "e1": (20, "198.51.100.1")}


@dataclass(frozen=True)
class Instance:
    """A virtual router."""

    name: str
    interface: str
    vrid: int
    address: str


@dataclass(frozen=True)
class Plan:
    """What a router is to do: its instances, as one group or each for itself; the priorities of r1 and r2; how often
    linkwatchd asks the drivers."""

    interval_ms: int
    instances: tuple[Instance, ...]
    is_group: bool = True
    priorities: tuple[int, int] = (200, 100)
    probe_interval: str = "10ms"

    def priority(self, name: str) -> int:
        return self.priorities[0 if name == "r1" else 1]


def legs_plan(interval_ms: int) -> Plan:
    """One group over both legs."""
    return Plan(interval_ms, tuple(Instance(leg, leg, vrid, f"{ip}/24") for leg, (vrid, ip) in LEGS.items()))


def many_plan(count: int, interval_ms: int, priorities: tuple[int, int] = (200, 100)) -> Plan:
    """So many virtual routers on the first leg, none of them in a group, with an address each."""
    numbers = range(1, count + 1)
    instances = tuple(Instance(f"i{number}", "e0", number, f"10.0.{number}.1/32") for number in numbers)
    return Plan(interval_ms, instances, False, priorities, "100ms")


class Router:
    """One director of a system, running in the namespace of its name."""

    def __init__(self, lab: Namespaces, name: str, plan: Plan, cables: int):
        self.lab, self.name, self.plan, self.cables = lab, name, plan, cables

    def prepare(self) -> None:
        """Starts what has nothing to do with how fast it starts itself."""

    def start(self) -> None:
        raise NotImplementedError

    def pids(self) -> list[int]:
        """All its processes."""
        raise NotImplementedError

    def speaker(self) -> int:
        """The process that speaks VRRP."""
        return self.pids()[0]

    def kill(self) -> None:
        """A crash of all its processes."""
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

    def reload(self, plan: Plan) -> None:
        """Has it read another configuration; it does not wait."""
        raise NotImplementedError

    def clean_up(self) -> None:
        """After a crash, what its service manager runs at once; nothing unless the system comes with such a thing."""

    def handover(self) -> bool:
        """Has it resign as planned; False if it knows no such thing."""
        return False

    def clear(self) -> None:
        """Removes its virtual addresses, should it have left some."""
        for instance in self.plan.instances:
            clear(self.lab, self.name, instance.interface, [instance.address])


class System:
    """A kind of router: its name, and how to make one."""

    name, cables, router = "", 0, Router

    def why_not(self) -> str | None:
        return None

    def make(self, lab: Namespaces, name: str, plan: Plan) -> Router:
        return self.router(lab, name, plan, self.cables)


# linkwatch


class LinkwatchRouter(Router):
    """linkwatchd and linkwatch-vrrp."""

    director: Director | None = None
    monitor: Daemon | None = None

    def prepare(self) -> None:
        if self.monitor is None:
            probes = ["--mii-interval", self.plan.probe_interval, "--probe-interval", self.plan.probe_interval]
            self.monitor = Daemon(self.lab, self.name, *probes)

    def start(self) -> None:
        self.prepare()
        self.director = Director(self.lab, self.name, self.config(), monitor=self.monitor.socket)

    def config(self) -> str:
        ours, theirs = (1, 2) if self.name == "r1" else (2, 1)
        cables = range(self.cables)
        beats = "".join(
            f'[heartbeat.cross{number}]\ninterface = "hb{number}"\n'
            f"vrid = {ours}{number + 1}\npeer-vrid = {theirs}{number + 1}\n"
            for number in cables
        )
        names = ", ".join(f'"cross{number}"' for number in cables)
        common = f'priority = {self.plan.priority(self.name)}\nadvert-interval = "{self.plan.interval_ms}ms"\n'
        members = ", ".join(f'"{instance.name}"' for instance in self.plan.instances)
        group = f"[group.lvs]\n{common}instances = [{members}]\nheartbeats = [{names}]\n"
        instances = "".join(
            f'[instance.{one.name}]\ninterface = "{one.interface}"\nvrid = {one.vrid}\n'
            f'addresses = ["{one.address}"]\n{"" if self.plan.is_group else common}'
            for one in self.plan.instances
        )
        return (group if self.plan.is_group else "") + instances + beats

    def reload(self, plan: Plan) -> None:
        self.plan = plan
        self.director.reconfigure(self.config())
        self.director.signal(signal.SIGHUP)

    def clean_up(self) -> None:
        """As the unit's ExecStopPost."""
        self.lab.run(self.name, program("linkwatch-vrrp"), "--release", "--config", self.director.config)

    def handover(self) -> bool:
        self.director.call(f"{VRRP}.Handover", group="lvs")
        return True

    def pids(self) -> list[int]:
        return family(self.director.pid)

    def terminate(self) -> None:
        self.director.process.terminate()

    def bury(self) -> None:
        self.director.process.wait(20)
        self.director.close()
        self.director = None
        self.clear()

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
    """keepalived with a sync group over both legs. Nobody here has real-time scheduling. Its log goes to a file, so
    that it never waits for a reader."""

    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="keepalived-")
        folder = self.folder.name
        Path(folder, "conf").write_text(self.config())
        argv = ["keepalived", "-n", "-l", "-P", "-f", f"{folder}/conf"]
        argv += ["-p", f"{folder}/pid", "-r", f"{folder}/vrrp.pid"]
        log = Path(folder, "log")
        with open(log, "w") as output:
            self.process = self.lab.popen(self.name, *argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        deadline, entering = time.monotonic() + 30, f"Entering {self.state} STATE"
        while entering not in log.read_text():
            if time.monotonic() > deadline:
                raise TimeoutError(f"keepalived does not start: {log.read_text()[-500:]}")
            time.sleep(0.005)

    def config(self) -> str:
        instances = "".join(
            f"vrrp_instance {one.name} {{\n state {self.state}\n"
            f" interface {one.interface}\n virtual_router_id {one.vrid}\n"
            f" priority {self.plan.priority(self.name)}\n advert_int {self.plan.interval_ms / 1000:g}\n"
            f" virtual_ipaddress {{ {one.address} }}\n}}\n"
            for one in self.plan.instances
        )
        members = " ".join(one.name for one in self.plan.instances)
        group = f"vrrp_sync_group lvs {{\n group {{ {members} }}\n}}\n" if self.plan.is_group else ""
        return f"global_defs {{\n vrrp_version 3\n}}\n{group}{instances}"

    @property
    def state(self) -> str:
        return "MASTER" if self.plan.priority(self.name) == 255 else "BACKUP"

    def reload(self, plan: Plan) -> None:
        self.plan = plan
        Path(self.folder.name, "conf").write_text(self.config())
        self.process.send_signal(signal.SIGHUP)

    def pids(self) -> list[int]:
        return family(self.process.pid)

    def terminate(self) -> None:
        self.process.terminate()

    def speaker(self) -> int:
        return self.pids()[-1]

    def bury(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.folder.cleanup()
        self.clear()

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
            self.process.wait()
        self.folder.cleanup()


class Keepalived(System):
    name, router = "keepalived", KeepalivedRouter

    def why_not(self) -> str | None:
        return None if shutil.which("keepalived") else "keepalived is not installed"


# FRR


class FRRRouter(Router):
    """FRR's zebra and vrrpd, each virtual router on the macvlan that vrrpd wants to find. The macvlans have the virtual
    addresses at all times, so the legs must not answer for them."""

    zebra: subprocess.Popen | None = None

    def prepare(self) -> None:
        settings = {"arp_ignore": 1, "arp_announce": 2, "rp_filter": 0, "ignore_routes_with_linkdown": 1}
        keys = [f"echo {value} > /proc/sys/net/ipv4/conf/all/{key}" for key, value in settings.items()]
        self.lab.run(self.name, "sh", "-c", "; ".join(keys))
        self.folder = tempfile.TemporaryDirectory(prefix="frr-")
        folder = Path(self.folder.name)
        commands, config = [], ""
        present = self.lab.ip(self.name, "-o link show")
        legs: dict[str, list[Instance]] = {}
        for one in self.plan.instances:
            legs.setdefault(one.interface, []).append(one)
            commands += self._macvlan(one, f" vr{one.vrid}@" in present)
        for leg, members in legs.items():
            config += f"interface {leg}\n" + "".join(self._lines(one) for one in members)
        self.lab.ip(self.name, *commands)
        (folder / "vrrpd.conf").write_text(config)
        (folder / "zebra.conf").write_text("")
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "frr", "frr")
        self.zebra = self._run("zebra")
        await_path(folder / "zserv")

    def start(self) -> None:
        if self.zebra is None:
            self.prepare()
        self.vrrpd = self._run("vrrpd")

    def pids(self) -> list[int]:
        return [self.zebra.pid, self.vrrpd.pid]

    def speaker(self) -> int:
        return self.vrrpd.pid

    def terminate(self) -> None:
        self.vrrpd.terminate()

    def bury(self) -> None:
        self.vrrpd.wait(20)
        self.zebra.terminate()
        self.zebra.wait(20)
        self.zebra = None
        self.clear()
        self.folder.cleanup()

    def clear(self) -> None:
        for one in self.plan.instances:
            clear(self.lab, self.name, f"vr{one.vrid}", [one.address])

    def close(self) -> None:
        for process in (self.vrrpd, self.zebra):
            if process is None:
                continue
            process.kill()
            process.wait()
        self.folder.cleanup()

    @staticmethod
    def _macvlan(one: Instance, is_there: bool) -> list[str]:
        name, mac = f"vr{one.vrid}", f"00:00:5e:00:01:{one.vrid:02x}"
        made = [f"link add {name} link {one.interface} type macvlan mode bridge"]
        made += [f"link set {name} addrgenmode none", f"link set {name} address {mac}"]
        return [*([] if is_there else made), f"link set {name} up", f"addr replace {one.address} dev {name}"]

    def _lines(self, one: Instance) -> str:
        start = f" vrrp {one.vrid}"
        return (
            f"{start} version 3\n{start} priority {self.plan.priority(self.name)}\n"
            f"{start} advertisement-interval {self.plan.interval_ms}\n{start} ip {one.address.split('/')[0]}\n"
        )

    def _run(self, name: str) -> subprocess.Popen:
        folder = self.folder.name
        argv = [f"{os.environ.get('FRR_BIN', '/usr/lib/frr')}/{name}", "-i", f"{folder}/{name}.pid"]
        argv += ["-z", f"{folder}/zserv", "--vty_socket", folder]
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
    for name in ("r1", "r2"):
        lab.run(name, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    lab.ip("ca", "route add default via 192.0.2.1")
    lab.ip("cb", "route add default via 198.51.100.1")
    return made
