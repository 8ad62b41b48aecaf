"""A director on an interface that the real systemd-networkd configures, and configures anew.

    NAMESPACE r1                               NAMESPACE sw
    systemd-networkd, linkwatch-vrrp
    [e0] ------------ veth ------------------- [e0]

networkd has a /run/systemd and a D-Bus of its own. Its /sys is read-only, as in a container, so it does not wait for udev.
"""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from lab.journal import until
from lab.vrrp import Director

NETWORKD = "/usr/lib/systemd/systemd-networkd"
OWN, NEXT, VIRTUAL = "192.0.2.2", "192.0.2.3", "192.0.2.1"

CONFIG = f"""
[instance.outside]
interface = "e0"
vrid = 10
addresses = ["{VIRTUAL}/24"]
"""

# A mount namespace with all that networkd keeps, and a /sys that says "container"; what it runs is the bus.
ALONE = """
mount -t tmpfs tmpfs /run/systemd && mkdir -p /run/dbus && mount -t tmpfs tmpfs /run/dbus || exit 1
mount --bind /sys /sys && mount -o remount,ro,bind /sys || exit 1
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network:systemd-network /run/systemd/netif
exec dbus-daemon --system --nofork --nopidfile
"""


class Networkd:
    """systemd-networkd in r1, with one file."""

    def __init__(self, namespaces, address: str, more: str):
        self.more = more
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.bus = namespaces.popen("r1", "unshare", "--mount", "sh", "-c", ALONE, **quiet)
        until(self.bus_is_there, "the bus")
        self.write(address)
        namespaces.popen("r1", *self.inside(NETWORKD), **quiet)

    def bus_is_there(self) -> bool:
        assert self.bus.poll() is None, "the bus ended"
        return Path(f"/proc/{self.bus.pid}/root/run/dbus/system_bus_socket").exists()

    def inside(self, *argv: str) -> list[str]:
        return ["nsenter", f"--mount=/proc/{self.bus.pid}/ns/mnt", f"--net=/proc/{self.bus.pid}/ns/net", *argv]

    def write(self, address: str) -> None:
        lines = ["[Match]", "Name=e0", "[Network]", f"Address={address}/24", "LinkLocalAddressing=no", "IPv6AcceptRA=no"]
        file = Path(f"/proc/{self.bus.pid}/root/run/systemd/network/10-e0.network")
        file.write_text("\n".join([*lines, self.more, ""]))

    def control(self, *arguments: str) -> bool:
        return subprocess.run(self.inside("networkctl", *arguments), capture_output=True, timeout=60).returncode == 0


def own_addresses(namespaces) -> set[str]:
    words = namespaces.ip("r1", "-4 -o addr show dev e0").split()
    return {words[index + 1].split("/")[0] for index, word in enumerate(words) if word == "inet"}


@pytest.fixture
def lan(namespaces):
    for program in (NETWORKD, "networkctl", "dbus-daemon"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    namespaces.add("r1", "sw")
    namespaces.veth("r1:e0", "sw:e0")
    return namespaces


@pytest.mark.parametrize("more", ["", "KeepConfiguration=yes"], ids=["by default", "KeepConfiguration=yes"])
def test_networkd_configures_the_interface_anew(lan, more, say):
    """The own address is away for a moment, or another one takes its place; the role stays, and so does the virtual address."""
    networkd = Networkd(lan, OWN, more)
    until(lambda: own_addresses(lan) == {OWN}, "the address that networkd gives")
    until(lambda: networkd.control("status", "e0"), "networkd on the bus")
    with Director(lan, "r1", CONFIG) as director, closing(director.watch()) as watch:
        watch.await_state("master")
        until(lambda: own_addresses(lan) == {OWN, VIRTUAL}, "the virtual address")
        for what, address in ("reconfigure", OWN), ("reload", NEXT), ("reload", OWN):
            watch.mark()
            networkd.write(address)
            assert networkd.control(*(["reconfigure", "e0"] if what == "reconfigure" else ["reload"]))
            until(lambda: own_addresses(lan) >= {address, VIRTUAL}, f"{address} and the virtual address")
            sent = director.status()["members"][0]["advertsSent"]
            until(lambda: director.status()["members"][0]["advertsSent"] >= sent + 2, "adverts to go on")
            assert watch.transitions() == []
            told = sorted({event["what"] for event in watch.recent() if event.get("what")})
            say(f"networkd {more or 'by default'}, {what} {address}: {', '.join(told) or 'nothing told'}")
            if more:
                assert not [one for one in told if one.startswith("address-contested")]
