"""Network namespaces for one test, with what connects them.

    NAMESPACE a               NAMESPACE b            NAMESPACE c
    [e0]------ veth --------- [e0]                   [t0] tap; its other end is a descriptor held here,
    [e1]------ veth --------- [e1]                        and TUNSETCARRIER plugs and unplugs it

A pair made by `veth` has different indexes at its ends, and the kernel announces its carrier at once. A pair made by
`nic_like` has the same index at both, and a tap is like that too: the kernel then takes the interface for a real one and
delays the news of a lost carrier by up to a second (`net/core/link_watch.c`).

All names carry a prefix of this process and a random number. Needs root.
"""

import array
import ctypes
import fcntl
import itertools
import os
import secrets
import struct
import subprocess
import threading

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
TUNSETCARRIER = 0x400454E2
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000

_libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str | None:
    """Why namespaces cannot be made here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    done = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    return None if done.returncode == 0 else f"no network namespaces here: {done.stderr.strip()}"


class Tap:
    """A tap interface: up as long as its descriptor is held, its carrier switched by an ioctl."""

    def __init__(self, fd: int):
        self.fd = fd

    def carrier(self, up: bool) -> None:
        """Plugs or unplugs it; the interface must be administratively up for the kernel to follow."""
        fcntl.ioctl(self.fd, TUNSETCARRIER, array.array("i", [int(up)]))

    def close(self) -> None:
        os.close(self.fd)


class Namespaces:
    """Makes namespaces and undoes them; a context manager. Namespaces are named by short names such as "r1"."""

    def __init__(self, *names: str):
        self.prefix = f"lw{os.getpid()}x{secrets.token_hex(4)}"
        self._indexes = itertools.count(10000)
        self._names: list[str] = []
        self._taps: list[Tap] = []
        self._processes: list[subprocess.Popen] = []
        try:
            self.add(*names)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Namespaces":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Kills what `popen` started and deletes everything; does not raise."""
        for process in self._processes:
            process.kill()
            process.wait()
        for tap in self._taps:
            tap.close()
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", self.full(name)], capture_output=True)
        self._processes, self._taps, self._names = [], [], []

    def add(self, *names: str) -> None:
        """Makes namespaces, each with its loopback interface up."""
        for name in names:
            _checked("ip", "netns", "add", self.full(name))
            self._names.append(name)
            self.ip(name, "link set lo up")

    def full(self, name: str) -> str:
        """The name that `ip netns` knows a namespace by."""
        return f"{self.prefix}-{name}"

    def argv(self, name: str, *argv) -> list[str]:
        """A command line that runs `argv` inside."""
        return ["ip", "netns", "exec", self.full(name), *map(str, argv)]

    def run(self, name: str, *argv, timeout: float = 60) -> str:
        """Runs a program inside to its end and returns its output; a status other than 0 raises."""
        return _checked(*self.argv(name, *argv), timeout=timeout)

    def popen(self, name: str, *argv, **options) -> subprocess.Popen:
        """Starts a program inside, which is killed at the end at the latest. `ip netns exec` becomes the program, so the
        pid is the program's own."""
        process = subprocess.Popen(self.argv(name, *argv), **options)
        self._processes.append(process)
        return process

    def ip(self, name: str, *commands: str) -> str:
        """Runs `ip` commands inside, such as "link set e0 up"; all of them in one process."""
        if len(commands) == 1:
            return _checked("ip", "-n", self.full(name), *commands[0].split())
        return _checked("ip", "-n", self.full(name), "-batch", "-", input="\n".join(commands) + "\n", timeout=300)

    def veth(self, one: str, other: str) -> None:
        """Connects "r1:e0" to "r2:e0" and sets both ends up. Their indexes differ: left to itself the kernel would count
        in each namespace alone, and two first interfaces would be `nic_like`. (It takes both indexes or none.)"""
        self._pair(one, other, next(self._indexes), next(self._indexes))

    def nic_like(self, one: str, other: str, index: int = 1000) -> None:
        """As `veth` between two namespaces, with the same index at both ends, which must be free in both."""
        self._pair(one, other, index, index)

    def _pair(self, one: str, other: str, one_index: int, other_index: int) -> None:
        (a, a_name), (b, b_name) = one.split(":"), other.split(":")
        command = f"ip link add {a_name} netns {self.full(a)} index {one_index} type veth peer name {b_name}"
        _checked(*f"{command} netns {self.full(b)} index {other_index}".split())
        self.ip(a, f"link set {a_name} up")
        self.ip(b, f"link set {b_name} up")

    def bridge(self, name: str, bridge: str, *ports: str) -> None:
        """A bridge inside, up, with the ports that are named."""
        commands = [f"link add {bridge} type bridge", f"link set {bridge} up"]
        self.ip(name, *commands, *(f"link set {port} master {bridge}" for port in ports))

    def tap(self, name: str, ifname: str) -> Tap:
        """A tap interface inside, set up, with its carrier on."""
        tap = Tap(self.inside(name, lambda: _open_tap(ifname)))
        self._taps.append(tap)
        self.ip(name, f"link set {ifname} up")
        return tap

    def index(self, name: str, ifname: str) -> int:
        """An interface's index."""
        return int(self.run(name, "cat", f"/sys/class/net/{ifname}/ifindex"))

    def inside(self, name: str, action):
        """Calls `action` in a thread of its own that has moved inside; sockets it opens stay inside."""
        outcome: list = []

        def moved():
            try:
                fd = os.open(f"/run/netns/{self.full(name)}", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if _libc.setns(fd, CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(fd)
                outcome.extend([action(), None])
            except BaseException as error:
                outcome.extend([None, error])

        thread = threading.Thread(target=moved)
        thread.start()
        thread.join()
        result, error = outcome
        if error is not None:
            raise error
        return result


def _open_tap(ifname: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", ifname.encode(), IFF_TAP | IFF_NO_PI))
    except OSError:
        os.close(fd)
        raise
    return fd


def _checked(*argv: str, timeout: float = 60, **options) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
