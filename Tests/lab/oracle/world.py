"""A namespace with what a configuration wants, a root of its own on top of this machine's, and the far ends of its wires.

    NAMESPACE "near": the router                NAMESPACE "far": the made-up peer
    [eth0] 02:00:00:00:00:01 --- veth --------- [p0] 02:00:00:00:01:00, no addresses
    [eth1] 02:00:00:00:00:02 --- veth --------- [p1] 02:00:00:00:01:01

The root is an overlay in a mount namespace, so that programs can be put to where the file wants them, and in a pid
namespace nothing that the file runs can find a process of this machine's. All worlds of one configuration are equal, to
the MAC addresses.
"""

import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from ..journal import Journal, until
from ..namespaces import Namespaces
from .needs import Needs

CONFIG = "/etc/keepalived/keepalived.conf"

# PID 1 of the world: it mounts, runs one program, and stays until what that has left behind has ended.
INIT = r"""
set -e
cd "$1"; run="$2"; shift 2
mount -t tmpfs none mount
mkdir mount/upper mount/work
mount -t overlay none -o "lowerdir=/,upperdir=$PWD/mount/upper,workdir=$PWD/mount/work" root
mount -t proc proc root/proc
mount --rbind /sys root/sys
mount --rbind /dev root/dev
mount --bind "$run" root/run
[ -z "$ORACLE_MOUNTED" ] || mount --bind "$ORACLE_MOUNTED" root/mnt
cp -a --remove-destination seed/. root/
cat users >> root/etc/passwd
cat groups >> root/etc/group
mkdir -p root/run/netns
for name in $(cat namespaces); do
    touch "root/run/netns/$name"
    mount --bind /proc/self/ns/net "root/run/netns/$name"
done
set +e
chroot root "$@" &
wait $!
status=$?
tries=0
while set -- root/proc/[0-9]* && [ $# -gt 1 ] && [ $tries -lt 60 ]; do
    tries=$((tries + 1)); sleep 0.05
done
exit $status
"""


class World:
    """One router's surroundings. Close it: then everything is gone."""

    def __init__(self, needs: Needs, text: str, mounted: Path | None = None):
        """`mounted` is a folder that is at /mnt of the root."""
        self.needs = needs
        self.mounted = mounted
        self.folder = Path(tempfile.mkdtemp(prefix="oracle-"))
        self.run_folder = self.folder / "run"
        self.namespaces = Namespaces()
        try:
            self._seed(text)
            self.namespaces.add("near", "far")
            self._plumb()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.namespaces.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _seed(self, text: str) -> None:
        """The files that are copied into the root, and its users."""
        seed = self.folder / "seed"
        for folder in ("seed", "run", "mount", "root"):
            (self.folder / folder).mkdir()
        self.run_folder.chmod(0o755)
        self.write(CONFIG, text)
        for program in self.needs.programs:
            # What a link in the root leads to would be replaced by a folder: /bin is /usr/bin.
            path = Path(program if program.startswith("/") else shutil.which(program) or f"/usr/bin/{program}")
            target = seed / os.path.realpath(path.parent).lstrip("/") / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("#!/bin/sh\nexit 0\n")
            target.chmod(0o755)
        # Each user has a group of its own name.
        users = self._unknown(self.needs.users, "/etc/passwd")
        lines = [f"{user}:x:{9000 + n}:{9000 + n}::/:/bin/sh\n" for n, user in enumerate(users)]
        (self.folder / "users").write_text("".join(lines))
        groups = users + self._unknown(self.needs.groups - set(users), "/etc/group")
        (self.folder / "groups").write_text("".join(f"{group}:x:{9000 + n}:\n" for n, group in enumerate(groups)))
        (self.folder / "namespaces").write_text(" ".join(self.needs.namespaces))
        (self.folder / "init").write_text(INIT)

    @staticmethod
    def _unknown(names: set[str], file: str) -> list[str]:
        known = {line.split(":")[0] for line in Path(file).read_text().splitlines()}
        return [name for name in sorted(names) if name not in known and not name.isdigit()]

    def write(self, path: str, text: str) -> None:
        """Puts a file into the root of what is started next."""
        target = self.folder / "seed" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def _plumb(self) -> None:
        far = self.namespaces.full("far")
        for name in ("near", "far"):
            self.namespaces.run(
                name, "sh", "-c",
                "for key in default all; do echo 0 > /proc/sys/net/ipv6/conf/$key/accept_dad;"
                f" echo {int(name == 'far')} > /proc/sys/net/ipv6/conf/$key/disable_ipv6; done",
            )  # fmt: skip
        self.ports = {}
        links, addresses = [], []
        for number, (name, list_) in enumerate(self.needs.interfaces.items()):
            self.ports[f"p{number}"] = name
            # With its MAC address from the start, as the link-local address is made of it.
            self.namespaces.ip(
                "near",
                f"link add {name} index {100 + number} address 02:00:00:00:00:{number + 1:02x} type veth"
                f" peer name p{number} netns {far} index {5000 + number} address {self.far_mac(number)}",
            )
            links.append(f"link set {name} up")
            addresses += [
                f"addr add {address} dev {name}" + (" nodad" if ":" in address else "") for address in list_
            ]
            self.namespaces.ip("far", f"link set p{number} up")
        self.namespaces.ip("near", *links, *addresses)
        for interface, address in sorted(self.needs.neighbours):
            self._neighbour(interface, address)

    @staticmethod
    def far_mac(number: int) -> str:
        return f"02:00:00:00:01:{number:02x}"

    def _neighbour(self, interface: str, address: str) -> None:
        """Lets the router send to a host that is only made up."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return
        networks = [ipaddress.ip_interface(text).network for text in self.needs.interfaces.get(interface, [])]
        commands = []
        if not ip.is_link_local and not any(ip in network for network in networks if network.version == ip.version):
            commands.append(f"route add {ip}/{ip.max_prefixlen} dev {interface}")
        number = list(self.needs.interfaces).index(interface)
        commands.append(f"neigh replace {ip} lladdr {self.far_mac(number)} dev {interface} nud permanent")
        self.namespaces.ip("near", *commands)

    def _argv(self, argv) -> list[str]:
        return [
            # Whatever happens to the test, nothing stays behind.
            "env", f"ORACLE_MOUNTED={self.mounted or ''}", "setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh",
            str(self.folder / "init"), str(self.folder), str(self.run_folder), *map(str, argv),
        ]  # fmt: skip

    def run(self, *argv, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """A program to its end, in a root of its own."""
        return subprocess.run(
            self.namespaces.argv("near", *self._argv(argv)), capture_output=True, text=True, timeout=timeout
        )

    def start(self, name: str, *argv) -> "Process":
        return Process(self, name, self._argv(argv))


class Process:
    """A daemon in a world; `log` is a journal of its lines."""

    def __init__(self, world: World, name: str, argv: list[str]):
        self.log = Journal(f"{name}'s log")
        self.process = world.namespaces.popen(
            "near", *argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.log.append(line.rstrip("\n"))
        self.log.end("it ended")

    @property
    def pid(self) -> int | None:
        """The daemon's own pid: the child of the child of unshare."""
        pid = self.process.pid
        for _ in range(2):
            try:
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                return None
            if not children:
                return None
            pid = int(children[0])
        return pid

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def stop(self, seconds: float = 20) -> int | None:
        """SIGTERM; its status, or None if it had to be killed."""
        if self.process.poll() is None and (pid := self.pid):
            os.kill(pid, signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
