"""The differences between the two sides, and which of them the report of the import names."""

import ipaddress
import re
from dataclasses import dataclass

from .kernel import Kernel
from .sides import Stage

# What a line of the report has to say for a difference to be named, by what is different.
NAMES = {
    "version": r"version",
    "priority": r"priorit|weight|init_file|BFD|user keepalived_script",
    "interval_ms": r"interval|advert_int",
    "source": r"source|src",
    "destination": r"mcast|multicast|unicast",
    "mac": r"vmac|macvlan|MAC",
    "to_mac": r"mcast|multicast|unicast|MAC",
    "ttl": r"\bttl|TTL|hop",
    "tos": r"tos|DSCP",
    "addresses": r"first IPv6|link-local|excluded|advert",
    "auth": r"auth|AH|PASS",
    "checksum": r"checksum|one version",
    "trailer": r"auth",
    "name": r"macvlan|vmac",
    "vrf": r"vrf|macvlan",
    "mode": r"macvlan|vmac",
    "rule": r"rule",
    "advert": r"unicast_peer",
    "state": r"user keepalived_script|BFD|init_fail|first result",
    "macvlan": r"macvlan|vmac",
}
ADVERT_FIELDS = (
    "version", "priority", "interval_ms", "source", "destination", "mac", "to_mac", "ttl", "tos", "addresses", "auth",
    "checksum", "trailer",
)  # fmt: skip


@dataclass
class Difference:
    stage: str
    # What is different, in the words of `NAMES`.
    kind: str
    where: str
    keepalived: object
    linkwatch: object
    # Whose it is, if it is an instance's.
    instance: str | None = None
    # The line of the report that says so.
    named: str | None = None

    def __str__(self) -> str:
        return f"{self.stage}: {self.where}: {self.kind}: keepalived {self.keepalived}, linkwatch {self.linkwatch}"


def differences(stage: str, keepalived: Stage, linkwatch: Stage, report: list[str], owners: dict) -> list[Difference]:
    """`owners` has the instance of each address, and of each interface and VRID."""
    found = [
        *_states(stage, keepalived.states, linkwatch.states),
        *_adverts(stage, keepalived.adverts, linkwatch.adverts, owners),
        *_kernel(stage, keepalived.kernel, linkwatch.kernel, owners),
    ]
    named: dict[str, str] = {}
    for difference in found:
        difference.named = _name(difference, report) or named.get(difference.instance)
        if difference.kind == "state" and difference.named:
            # Whoever is in another state sends and holds something else.
            named[difference.instance] = difference.named
    return found


def _states(stage: str, mine: dict, theirs: dict):
    for name in sorted(set(mine) & set(theirs)):
        if mine[name] != theirs[name]:
            yield Difference(stage, "state", name, mine[name], theirs[name], name)


def _adverts(stage: str, mine: dict, theirs: dict, owners: dict):
    for key in sorted(set(mine) | set(theirs)):
        where = f"VRID {key[1]} on {key[0]} IPv{key[2]}"
        if key not in mine or key not in theirs:
            one, other = ("sends" if key in side else None for side in (mine, theirs))
            yield Difference(stage, "advert", where, one, other, owners.get(key[:2]))
            continue
        for name in ADVERT_FIELDS:
            one, other = getattr(mine[key], name), getattr(theirs[key], name)
            if name == "ttl" and key[2] == 6 and other == 255 and not mine[key].is_multicast:
                # keepalived leaves the hop limit of IPv6 to the kernel when it sends to peers.
                continue
            if one != other:
                yield Difference(stage, name, where, one, other, owners.get(key[:2]))


def _kernel(stage: str, mine: Kernel, theirs: Kernel, owners: dict):
    for kind, ours, others in (
        ("address", mine.addresses, theirs.addresses),
        ("macvlan", mine.macvlans, theirs.macvlans),
        ("route", _without_own(mine.routes), _networks(theirs.routes)),
        ("rule", mine.rules, theirs.rules),
    ):
        for key in sorted(set(ours) | set(others), key=str):
            where = f"{kind} {' '.join(map(str, key)) if isinstance(key, tuple) else key}"
            owner = owners.get(key[1]) if kind == "address" else None
            if key not in ours or key not in others:
                if not (kind == "route" and key in ours and _is_covered(ours[key], theirs)):
                    yield Difference(stage, kind, where, ours.get(key), others.get(key), owner)
                continue
            for name in sorted(set(ours[key]) | set(others[key])):
                one, other = ours[key].get(name), others[key].get(name)
                if one != other:
                    yield Difference(stage, name, where, one, other, owner)


# The metric of linkwatch-vrrp's routes to networks of addresses, as docs/migrating-from-keepalived.md says.
NETWORK_METRIC = 2147418112


def _networks(routes: dict) -> dict:
    """As if the kernel had made the routes to networks of addresses, as it does with keepalived."""
    return {
        (*key[:3], 0, *key[4:]) if key[3] == NETWORK_METRIC else key: {
            name: value for name, value in route.items() if name != "metric" or value != NETWORK_METRIC
        }
        for key, route in routes.items()
    }


def _without_own(routes: dict) -> dict:
    """Without what comes with the link-local address that the kernel gives a macvlan, which is not compared either."""
    return {
        key: route
        for key, route in routes.items()
        if not (route["dst"] == "fe80::/64" and route.get("metric") == 256 and str(key[4]).startswith("macvlan "))
    }


def _is_covered(route: dict, theirs: Kernel) -> bool:
    """A network of an address needs no route where its interface, or the one beneath the macvlan, has one to it already."""
    if route.get("scope") or "gateway" in route or "/" not in route["dst"]:
        return False
    network = ipaddress.ip_network(route["dst"])
    devices = {route.get("dev"), str(route.get("dev")).rpartition(" on ")[2]}
    others = [
        ipaddress.ip_network(other["dst"])
        for other in theirs.base_routes
        if other.get("dev") in devices and "/" in other["dst"] and "gateway" not in other
    ]
    return any(other.version == network.version and network.subnet_of(other) for other in others)


def _name(difference: Difference, report: list[str]) -> str | None:
    """An address by itself; what else by a line with a word of `NAMES`."""
    pattern = NAMES.get(difference.kind)
    if difference.where.startswith("address "):
        pattern = rf"static_ipaddress|(?<![\w.:]){re.escape(difference.where.split()[-1])}(?![\w.:]\w)"
    elif difference.kind == "addresses":
        odd = set(difference.keepalived) ^ set(difference.linkwatch) | {
            address for address in difference.keepalived if difference.keepalived.count(address) > 1
        }
        pattern = "|".join(rf"(?<![\w.:]){re.escape(address)}(?![\w.:]\w)" for address in odd) or None
    elif difference.where.startswith("route "):
        # By its destination.
        pattern = rf"static_routes|(?<![\w.:]){re.escape(difference.where.split()[2])}(?![\w.:])"
    elif difference.where.startswith("rule "):
        pattern = NAMES["rule"]
    if pattern is None:
        return None
    found = next((line for line in report if re.search(pattern, line)), None)
    if found is None and difference.kind == "route":
        # The network of an address that is named.
        network = difference.where.split()[2]
        found = next((line for line in report if _has_address_in(network, line)), None)
    return found


def _has_address_in(network: str, line: str) -> bool:
    if "/" not in network:
        return False
    for word in re.findall(r"[0-9a-fA-F.:]+(?=/\d)", line):
        try:
            if ipaddress.ip_address(word) in ipaddress.ip_network(network):
                return True
        except ValueError:
            continue
    return False

