"""Two directors between two LANs, and those that take their places: linkwatch-vrrp, keepalived, FRR's vrrpd.

    LAN A 192.0.2.0/24, 2001:db8:a::/64                  LAN B 198.51.100.0/24, 2001:db8:b::/64

    [ca:e0]--- p-ca -+                                                +- q-cb ---[cb:e0]
                     |                                                |
      br a in sw ----+- p-r1 ---[e0 r1 e1]--- q-r1 ------------------ +---- br b in sw
                     |             |  |
                     |            hb0 hb1   (direct cables)
                     |             |  |
                     +- p-r2 ---[e0 r2 e1]--- q-r2 ------------------ +

A *carrier* cut takes the switch's end of a wire down, so that the director's end loses its carrier. A *silent* cut takes
the switch's port out of its bridge: the carrier stays and nothing passes.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from .daemon import Daemon
from .journal import Journal, until
from .namespaces import Namespaces
from .watch import Connection

VRRP = "io.linkwatch.VRRP"
LANS = {"e0": ("a", "p", "192.0.2", "2001:db8:a:"), "e1": ("b", "q", "198.51.100", "2001:db8:b:")}
HOSTS = {"r1": 11, "r2": 12, "ca": 21, "cb": 22}


class Lans:
    """The picture above, in namespaces of its own; which legs exist is a matter of `legs`."""

    def __init__(self, namespaces: Namespaces, legs=("e0", "e1"), cables: int = 0, hosts: bool = True):
        self.namespaces = namespaces
        namespaces.add("sw", "r1", "r2", *(["ca", "cb"] if hosts else []))
        # A switch is no host: nobody answers at its end of a wire.
        namespaces.run(
            "sw", "sh", "-c",
            "for key in default all; do echo 1 > /proc/sys/net/ipv6/conf/$key/disable_ipv6; done",
        )  # fmt: skip
        for director in ("r1", "r2"):
            self._router(director)
        for leg in legs:
            bridge, port, *_ = LANS[leg]
            namespaces.bridge("sw", f"br{bridge}")
            for name in ("r1", "r2"):
                self.plug(name, leg, f"{port}-{name}", f"br{bridge}")
        if hosts:
            for name, leg in (("ca", "e0"), ("cb", "e1")):
                if leg in legs:
                    bridge, port, *_ = LANS[leg]
                    self.plug(name, leg, f"{port}-{name}", f"br{bridge}", inside="e0")
        for number in range(cables):
            namespaces.veth(f"r1:hb{number}", f"r2:hb{number}")

    def _router(self, name: str) -> None:
        """Link-local addresses are there at once: a test has no use for duplicate address detection."""
        self.namespaces.run(
            name, "sh", "-c",
            "for key in default all; do echo 0 > /proc/sys/net/ipv6/conf/$key/accept_dad;"
            " echo 0 > /proc/sys/net/ipv6/conf/$key/dad_transmits; done",
        )  # fmt: skip

    def plug(self, name: str, leg: str, port: str, bridge: str, inside: str | None = None) -> None:
        inside = inside or leg
        self.namespaces.veth(f"{name}:{inside}", f"sw:{port}")
        self.namespaces.ip("sw", f"link set {port} master {bridge}")
        _, _, v4, v6 = LANS[leg]
        host = HOSTS[name]
        self.namespaces.ip(
            name, f"addr add {v4}.{host}/24 dev {inside}", f"addr add {v6}:{host}/64 dev {inside} nodad"
        )

    def port(self, director: str, leg: str) -> str:
        return f"{LANS[leg][1]}-{director}"

    def cut(self, director: str, leg: str) -> None:
        """Takes the carrier away."""
        self.namespaces.ip("sw", f"link set {self.port(director, leg)} down")

    def mend(self, director: str, leg: str) -> None:
        self.namespaces.ip("sw", f"link set {self.port(director, leg)} up")

    def silence(self, director: str, leg: str) -> None:
        """Lets nothing pass, and keeps the carrier."""
        self.namespaces.ip("sw", f"link set {self.port(director, leg)} nomaster")

    def unsilence(self, director: str, leg: str) -> None:
        self.namespaces.ip("sw", f"link set {self.port(director, leg)} master br{LANS[leg][0]}")

    def holds(self, director: str, address: str, family: int = 4) -> bool:
        """Whether the kernel of a director has the address."""
        return re.search(rf"\b{re.escape(address)}/", self.namespaces.ip(director, f"-{family} -o addr show")) is not None


class GroupWatch(Journal):
    """linkwatch-vrrp's events; the snapshot has been received when it is made."""

    def __init__(self, path):
        super().__init__("vrrp watch")
        self.connection = Connection(path, timeout=None)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self.await_item(lambda event: event["kind"] == "synced", what="synced")
        self.mark()

    def close(self) -> None:
        self.connection.close()
        self._thread.join()

    def _read(self) -> None:
        try:
            for answer in self.connection.stream(f"{VRRP}.Watch"):
                self.append(answer["event"])
            self.end("the last answer came")
        except Exception as error:
            self.end(repr(error))

    def group(self, name: str | None = None) -> dict | None:
        """The newest record of a group."""
        for event in reversed(self):
            group = event.get("group")
            if group and name in (None, group["name"]):
                return group
        return None

    def await_state(self, state: str, timeout: float = 30, group: str | None = None) -> dict:
        """Waits until the group is, or gets, in this state; returns the group."""
        self.await_true(
            lambda: (self.group(group) or {}).get("state") == state, timeout, f"state {state} of {group or 'the group'}"
        )
        return self.group(group)

    def await_transition(self, to: str, timeout: float = 30, group: str | None = None, reason: str | None = None) -> dict:
        """The first transition since the mark to a state."""
        event = self.await_item(
            lambda event: event["kind"] == "transition"
            and event["transition"]["state"] == to
            and group in (None, event["transition"]["group"])
            and reason in (None, event["transition"]["reason"]),
            timeout,
            f"a transition to {to}" + (f" by {reason}" if reason else ""),
        )
        return event["transition"]

    def await_present(self, what: str) -> None:
        """Waits until the newest record of the group, before the mark or after, names this cause or condition."""

        def holds() -> bool:
            group = self.group() or {"causes": [], "conditions": []}
            return any(found.startswith(what) for found in (*group["causes"], *group["conditions"]))

        self.await_true(holds, what=what)

    def await_what(self, what: str, present: bool = True, timeout: float = 30) -> dict:
        """The first event since the mark by which a cause or condition came or went."""
        return self.await_item(
            lambda event: (event.get("what") or "").startswith(what)
            and event["kind"] in ("cause", "condition")
            and event["present"] is present,
            timeout,
            f"{what} {'coming' if present else 'going'}",
        )

    def transitions(self) -> list[dict]:
        """The transitions since the mark."""
        return [event["transition"] for event in self.recent() if event["kind"] == "transition"]


class Director(Daemon):
    """linkwatch-vrrp in a namespace, with a folder for its state."""

    def __init__(
        self, namespaces: Namespaces, namespace: str, config: str, monitor=None, arguments: tuple = (), **options
    ):
        self.state = tempfile.TemporaryDirectory(prefix="linkwatch-state-")
        monitor = str(monitor or Path(self.state.name) / "nobody.sock")
        super().__init__(
            namespaces, namespace, "--monitor", monitor, *arguments, name="linkwatch-vrrp", config=self.whole(config),
            **options,
        )  # fmt: skip

    def whole(self, config: str) -> str:
        return f'[process]\nstate-directory = "{self.state.name}"\n{config}'

    def watch(self) -> GroupWatch:
        return GroupWatch(self.socket)

    @property
    def runner(self) -> int:
        """The pid of its runner, which is its only child."""
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text())

    def crash(self) -> None:
        """SIGKILL to it and to its runner, so that nobody is left to clean up."""
        self.signal(signal.SIGSTOP)
        os.kill(self.runner, signal.SIGKILL)
        self.kill()

    def status(self, group: str | None = None) -> dict:
        """The group's record, or the only one's."""
        parameters = {"group": group} if group else {}
        return self.call(f"{VRRP}.Status", **parameters)["groups"][0]

    def reconfigure(self, config: str) -> None:
        """Writes another file; `Reload` or SIGHUP applies it."""
        self.config.write_text(self.whole(config))

    def close(self) -> None:
        super().close()
        self.state.cleanup()


class Capture(Journal):
    """What tcpdump sees on an interface: one item a packet, `-vvv`, joined to one line."""

    def __init__(self, namespaces: Namespaces, namespace: str, interface: str, expression: str = "proto 112"):
        super().__init__(f"tcpdump on {interface}")
        self.process = namespaces.popen(
            namespace, "tcpdump", "-lnnvvvtt", "--immediate-mode", "-i", interface, expression,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        for line in self.process.stderr:
            if "listening on" in line:
                break
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def _read(self) -> None:
        packet = ""
        for line in self.process.stdout:
            line = line.rstrip("\n")
            # The IPv4 packet's second line holds what matters and ends it; others are one line.
            packet = f"{packet} {line.strip()}" if line.startswith((" ", "\t")) else line
            if line.startswith((" ", "\t")) or " ARP, " in line or ") " in line and not line.endswith(")"):
                self.append(packet)
        self.end("tcpdump ended")

    def await_advert(self, source: str, priority: int | None = None, timeout: float = 30) -> str:
        """The next advert of a sender since the mark."""

        def fits(packet):
            return f"{source} > " in packet and (priority is None or f"prio {priority}," in packet)

        return self.await_item(fits, timeout, f"an advert of {source}" + ("" if priority is None else f" at {priority}"))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()

    def adverts(self, source: str) -> list[str]:
        return [packet for packet in self if f"{source} > " in packet]


class Keepalived:
    """Debian's keepalived in a namespace, with one instance or a whole file as `text`. `log` is its journal."""

    def __init__(
        self, namespaces: Namespaces, namespace: str, interface: str, vrid: int, priority: int, addresses: list[str],
        interval: float = 0.1, version: int = 3, unicast: tuple[str, str] | None = None, extra: str = "",
        globals: str = "", text: str | None = None,
    ):  # fmt: skip
        self.namespaces, self.namespace, self.interface, self.addresses = namespaces, namespace, interface, addresses
        self.folder = tempfile.TemporaryDirectory(prefix="keepalived-")
        peers = f"unicast_src_ip {unicast[0]}\n unicast_peer {{ {unicast[1]} }}" if unicast else ""
        Path(self.folder.name, "conf").write_text(
            text
            or f"""global_defs {{ vrrp_version {version}
 vrrp_garp_master_delay 0
 {globals} }}
vrrp_instance one {{
 state BACKUP
 interface {interface}
 virtual_router_id {vrid}
 priority {priority}
 advert_int {interval:g}
 {peers}
 {extra}
 virtual_ipaddress {{
  {f'{chr(10)}  '.join(addresses)}
 }}
}}
"""
        )
        self.start()

    def start(self) -> None:
        self.log = Journal("keepalived's log")
        folder = self.folder.name
        for pid in Path(folder).glob("*pid"):
            pid.unlink()
        self.process = self.namespaces.popen(
            self.namespace, "keepalived", "-n", "-l", "-P", "-D", "-f", f"{folder}/conf", "-p", f"{folder}/pid",
            "-r", f"{folder}/vrrp.pid", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, args=[self.process, self.log], daemon=True).start()
        self.await_state("BACKUP")

    def await_state(self, state: str, timeout: float = 30) -> None:
        self.log.await_item(lambda line: f"Entering {state} STATE" in line, timeout, f"keepalived as {state}")

    def kill(self) -> None:
        """SIGKILL to both of its processes, as a crash would be."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def clear(self) -> None:
        """Removes the addresses that a kill left behind, as a reboot would."""
        clear(self.namespaces, self.namespace, self.interface, self.addresses)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self.folder.cleanup()

    @staticmethod
    def _read(process, log) -> None:
        for line in process.stdout:
            log.append(line.rstrip("\n"))
        log.end("keepalived ended")


class FRR:
    """FRR's zebra and vrrpd in a namespace, with the macvlan that vrrpd wants to find."""

    def __init__(
        self, namespaces: Namespaces, namespace: str, interface: str, vrid: int, priority: int, addresses: list[str],
        interval: float = 0.1, family: int = 4,
    ):  # fmt: skip
        self.namespaces, self.namespace = namespaces, namespace
        self.folder = tempfile.TemporaryDirectory(prefix="frr-")
        self.processes: list[subprocess.Popen] = []
        self.macvlan, self.addresses, self.family = f"vr{vrid}", addresses, family
        mac = f"00:00:5e:00:{1 if family == 4 else 2:02x}:{vrid:02x}"
        commands = [
            f"link add vr{vrid} link {interface} type macvlan mode bridge",
            f"link set vr{vrid} addrgenmode {'none' if family == 4 else 'random'}",
            f"link set vr{vrid} address {mac}",
        ]
        namespaces.ip(namespace, *commands)
        word = "ip" if family == 4 else "ipv6"
        lines = "".join(f" vrrp {vrid} {word} {address.split('/')[0]}\n" for address in addresses)
        Path(self.folder.name, "vrrpd.conf").write_text(
            f"interface {interface}\n vrrp {vrid} version 3\n vrrp {vrid} priority {priority}\n"
            f" vrrp {vrid} advertisement-interval {int(interval * 1000)}\n{lines}"
        )
        Path(self.folder.name, "zebra.conf").write_text("")
        # Both become the user that the package made for them.
        for path in (Path(self.folder.name), *Path(self.folder.name).iterdir()):
            shutil.chown(path, "frr", "frr")
        self.start()

    def start(self) -> None:
        folder = self.folder.name
        Path(folder, "zserv").unlink(missing_ok=True)
        flag = " nodad" if self.family == 6 else ""
        addresses = [f"addr replace {address} dev {self.macvlan}{flag}" for address in self.addresses]
        self.namespaces.ip(self.namespace, f"link set {self.macvlan} up", *addresses)
        for name in ("zebra", "vrrpd"):
            self.processes.append(
                self.namespaces.popen(
                    self.namespace, f"/usr/lib/frr/{name}", "-i", f"{folder}/{name}.pid",
                    "-z", f"{folder}/zserv", "--vty_socket", folder, "-f", f"{folder}/{name}.conf", "-A", "127.0.0.1",
                    "-P", "0", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
            )
            if name == "zebra":
                await_path(Path(folder, "zserv"))

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes = []

    def clear(self) -> None:
        """Removes the addresses that a kill left behind, as a reboot would."""
        clear(self.namespaces, self.namespace, self.macvlan, self.addresses)

    def stop(self) -> None:
        """vrrpd alone in good order, so that it resigns; zebra after it. It leaves the macvlan's addresses behind."""
        for process in reversed(self.processes):
            process.terminate()
            process.wait(20)
        self.processes = []
        self.clear()

    def close(self) -> None:
        self.kill()
        self.folder.cleanup()


def reach(namespaces: Namespaces, namespace: str, address: str, seconds: float = 4) -> None:
    """Raises unless the address's owner answers: its kernel says that nobody listens on the port. Asks again, as the word of
    where the address is now may be on its way; but no longer than a kernel without it would believe in the former place."""

    def ask():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        deadline = time.monotonic() + seconds
        with socket.socket(family, socket.SOCK_DGRAM) as asker:
            asker.settimeout(min(seconds, 0.5))
            asker.connect((address, 9))
            while True:
                try:
                    asker.send(b"?")
                    asker.recv(1)
                except ConnectionRefusedError:
                    return
                except OSError:
                    if time.monotonic() >= deadline:
                        raise

    namespaces.inside(namespace, ask)


def clear(namespaces: Namespaces, namespace: str, interface: str, addresses: list[str]) -> None:
    """Removes addresses, whatever prefix length they were given."""
    namespaces.ip(namespace, *(f"addr flush dev {interface} to {address.split('/')[0]}" for address in addresses))


def await_path(path: Path) -> None:
    """A socket file that another program makes."""
    until(path.exists, f"{path} to appear")
