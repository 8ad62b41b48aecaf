"""What the kernel forgets by itself when an interface is reconfigured: afterwards adverts are heard again, and the addresses
are there again, whatever was done and on whichever director.

The picture is in lab/vrrp.py, without LAN B. The bridge of LAN A snoops, as switches do: IPv6 multicast that no port has asked
for goes to no port. r1 serves and r2 stands by, with an instance of each family on the one interface; each is a group of its
own, since one of them may be without an address for a while.
"""

import pytest

from lab.vrrp import Director, Lans, reach, until

FAMILIES = {4: "192.0.2.1", 6: "2001:db8:a::1"}
VRRP6 = "ff020000000000000000000000000012"


def file(priority: int, more: str) -> str:
    return "".join(
        f'[instance.v{family}]\ninterface = "e0"\nvrid = 1{family}\npriority = {priority}\nadvert-interval = "50ms"\n'
        f'address-lease = "600s"\naddresses = [{addresses}]\n{more}'
        for family, addresses in ((4, '"192.0.2.1/24"'), (6, '"fe80::1", "2001:db8:a::1/64"'))
    )


class Lan:
    """The two directors, and what is done to one of them."""

    def __init__(self, namespaces, more: str):
        self.namespaces = namespaces
        self.lans = Lans(namespaces, legs=("e0",))
        # Queries at once, and answers to them: only then does the bridge believe that it knows who listens.
        namespaces.ip(
            "sw",
            "link set bra type bridge mcast_query_response_interval 10 mcast_startup_query_interval 10 "
            "mcast_query_interval 100 mcast_querier 1",
        )
        self.directors = {
            name: Director(namespaces, name, file(priority, more)) for name, priority in (("r1", 200), ("r2", 100))
        }
        self.settle()

    def close(self) -> None:
        for director in self.directors.values():
            director.close()

    def ip(self, name: str, *commands: str) -> None:
        self.namespaces.ip(name, *commands)

    def own(self, name: str) -> tuple[str, str]:
        """What its network manager puts there again when the kernel has dropped it."""
        host = {"r1": 11, "r2": 12}[name]
        return f"addr replace 192.0.2.{host}/24 dev e0", f"addr replace 2001:db8:a::{host}/64 dev e0 nodad"

    def sysctl(self, name: str, switch: str, value: int) -> None:
        self.namespaces.run(name, "sh", "-c", f"echo {value} > /proc/sys/net/{switch}")

    def member(self, name: str, family: int) -> dict:
        group = self.directors[name].status(f"v{family}")
        return {**group["members"][0], "state": group["state"]}

    def settle(self) -> None:
        """r1 serves with all its addresses, and r2 keeps hearing it."""
        for family, address in FAMILIES.items():
            until(lambda: self.member("r1", family)["state"] == "master", f"r1 to be master of IPv{family}")
            until(lambda: self.lans.holds("r1", address, family), f"{address} on r1")
        until(lambda: self.lans.holds("r1", "fe80::1", 6), "fe80::1 on r1")
        # Whoever does not hear the better one serves as well, for ever.
        heard = {family: self.member("r2", family)["advertsReceived"] for family in FAMILIES}
        for family, address in FAMILIES.items():
            until(lambda: self.is_standing_by(family, heard[family] + 6), f"r2 to hear r1's IPv{family}")
            assert not self.lans.holds("r2", address, family)
        for name in ("r1", "r2"):
            assert VRRP6 in self.namespaces.run(name, "grep", " e0 ", "/proc/net/igmp6"), name
        for address in FAMILIES.values():
            reach(self.namespaces, "ca", address)

    def is_standing_by(self, family: int, heard: int) -> bool:
        member = self.member("r2", family)
        return member["state"] == "backup" and member["advertsReceived"] >= heard


def mtu(lan: Lan, name: str) -> None:
    lan.ip(name, "link set e0 mtu 1000")
    lan.ip(name, "link set e0 mtu 1500", *lan.own(name))


def slow_mtu(lan: Lan, name: str) -> None:
    """Long enough for the director to have seen it."""
    lan.ip(name, "link set e0 mtu 1000")
    until(lambda: lan.member(name, 6)["state"] == "fault", "the director to notice")
    lan.ip(name, "link set e0 mtu 1500", *lan.own(name))


def mtu_unseen(lan: Lan, name: str) -> None:
    """The director is stopped meanwhile."""
    lan.directors[name].signal(19)
    mtu(lan, name)
    lan.directors[name].signal(18)


def no_ipv6(lan: Lan, name: str) -> None:
    lan.sysctl(name, "ipv6/conf/e0/disable_ipv6", 1)
    until(lambda: lan.member(name, 6)["state"] == "fault", "the director to notice")
    lan.sysctl(name, "ipv6/conf/e0/disable_ipv6", 0)
    lan.ip(name, *lan.own(name))


def no_ipv6_anywhere(lan: Lan, name: str) -> None:
    lan.sysctl(name, "ipv6/conf/all/disable_ipv6", 1)
    until(lambda: lan.member(name, 6)["state"] == "fault", "the director to notice")
    lan.sysctl(name, "ipv6/conf/all/disable_ipv6", 0)
    lan.ip(name, *lan.own(name))


def down_and_up(lan: Lan, name: str) -> None:
    lan.ip(name, "link set e0 down")
    until(lambda: lan.member(name, 4)["state"] == "fault", "the director to notice")
    lan.ip(name, "link set e0 up", *lan.own(name))


def down_and_up_at_once(lan: Lan, name: str) -> None:
    lan.ip(name, "link set e0 down", "link set e0 up", *lan.own(name))


def flush(lan: Lan, name: str) -> None:
    """Virtual addresses and all, as a network manager that starts may do."""
    lan.ip(name, "addr flush dev e0")
    lan.ip(name, "link set e0 down", "link set e0 up", *lan.own(name))


def multicast(lan: Lan, name: str) -> None:
    lan.ip(name, "link set e0 multicast off", "link set e0 multicast on")


def receive_modes(lan: Lan, name: str) -> None:
    for mode in ("promisc", "allmulticast"):
        lan.ip(name, f"link set e0 {mode} on", f"link set e0 {mode} off")


def arp(lan: Lan, name: str) -> None:
    lan.ip(name, "link set e0 arp off", "link set e0 arp on", *lan.own(name))


def port(lan: Lan, name: str) -> None:
    """Into a bridge and out of it again."""
    lan.ip(name, "link add br9 type bridge", "link set e0 master br9", "link set e0 nomaster", "link del br9")
    lan.ip(name, *lan.own(name))


def another_namespace(lan: Lan, name: str) -> None:
    lan.ip(name, f"link set e0 netns {lan.namespaces.full('ca')} name away")
    lan.ip("ca", f"link set away netns {lan.namespaces.full(name)} name e0")
    lan.sysctl(name, "ipv6/conf/e0/accept_dad", 0)
    lan.ip(name, "link set e0 up", *lan.own(name))


def token(lan: Lan, name: str) -> None:
    """The link-local address comes by another way."""
    lan.ip(name, "link set e0 addrgenmode none", "link set e0 addrgenmode eui64", *lan.own(name))


def vrf(lan: Lan, name: str) -> None:
    lan.ip(name, "link add red type vrf table 10", "link set red up", "link set e0 master red", *lan.own(name))
    lan.ip(name, "link set e0 nomaster", "link del red", *lan.own(name))


def has_vrf(namespaces) -> bool:
    try:
        namespaces.ip("r1", "link add red type vrf table 10", "link del red")
        return True
    except RuntimeError:
        return False


RECONFIGURATIONS = [
    mtu, slow_mtu, mtu_unseen, no_ipv6, no_ipv6_anywhere, down_and_up, down_and_up_at_once, flush, multicast,
    receive_modes, arp, port, another_namespace, token, vrf,
]  # fmt: skip


@pytest.mark.parametrize("name", ["r1", "r2"])
@pytest.mark.parametrize("more", ["", "virtual-mac = true\n"], ids=["own MAC", "virtual MAC"])
def test_whatever_is_reconfigured_it_works_again(namespaces, say, name, more):
    lan = Lan(namespaces, more)
    try:
        for reconfigure in RECONFIGURATIONS:
            if reconfigure is vrf and not has_vrf(namespaces):
                say("the kernel has no vrf: not tried")
                continue
            # A macvlan and a bridge want the same hook of the interface.
            if reconfigure is port and more:
                continue
            try:
                reconfigure(lan, name)
                lan.settle()
            except Exception as error:
                raise AssertionError(f"after {reconfigure.__name__} on {name}") from error
    finally:
        lan.close()
