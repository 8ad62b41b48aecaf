"""What a router put into the kernel: the difference of two readings, in words that do not depend on who put it there."""

import ipaddress
import json
from dataclasses import dataclass, field

# What `ip -j` prints of a route that has it by default, or that only says who added it.
ROUTE_DEFAULTS = {"protocol", "flags", "pref", "nhid", "expires"}
RULE_DEFAULTS = {"protocol"}
ADDRESS_FLAGS = ("home", "mngtmpaddr", "autojoin")


@dataclass
class Kernel:
    """A reading. Each item is a key, and the attributes that are compared."""

    addresses: dict = field(default_factory=dict)
    routes: dict = field(default_factory=dict)
    rules: dict = field(default_factory=dict)
    macvlans: dict = field(default_factory=dict)
    # Routes that were there before.
    base_routes: list = field(default_factory=list)

    def without(self, base: "Kernel") -> "Kernel":
        """What has come since `base`."""
        news = [
            {key: value for key, value in mine.items() if key not in before}
            for mine, before in zip(self._all(), base._all())
        ]
        return Kernel(*news, list(base.routes.values()))

    def _all(self):
        return self.addresses, self.routes, self.rules, self.macvlans


def read(world) -> Kernel:
    def ip(*words: str) -> list[dict]:
        text = world.namespaces.ip("near", " ".join(("-j", "-d", *words)))
        return json.loads(text or "[]")

    result, names = Kernel(), {}
    for link in ip("link", "show"):
        if link.get("linkinfo", {}).get("info_kind") in ("macvlan", "ipvlan"):
            # By what it is, as its name is a matter of taste; the name is compared as an attribute.
            name = f"macvlan {link['address']} on {link.get('link')}"
            names[link["ifname"]] = name
            data = link["linkinfo"].get("info_data", {})
            result.macvlans[name] = {
                "name": link["ifname"], "mode": data.get("mode"), "vrf": link.get("master"),
            }  # fmt: skip
    for link in ip("addr", "show"):
        device = names.get(link.get("ifname"), link.get("ifname"))
        for info in link.get("addr_info", []):
            if info["local"].startswith("fe80:") and info.get("scope") == "link" and info.get("protocol") == "kernel_ll":
                continue
            label = info.get("label", link["ifname"])
            peer = info.get("address")
            result.addresses[device, info["local"]] = {
                "label": label if label != link["ifname"] else None,
                "scope": info["scope"],
                "broadcast": info.get("broadcast"),
                "peer": peer if peer != info["local"] else None,
                "prefix length": info["prefixlen"],
                **{flag: True for flag in ADDRESS_FLAGS if info.get(flag)},
            }
    for family in ("-4", "-6"):
        for route in ip(family, "route", "show", "table", "all"):
            if route.get("table") == "local" or route.get("type") in ("anycast", "multicast"):
                continue
            attributes = {
                name: names.get(value, value) if name == "dev" else value
                for name, value in route.items()
                if name not in ROUTE_DEFAULTS
            }
            attributes["onlink"] = "onlink" in route.get("flags", [])
            key = (family, route["dst"], route.get("table", "main"), route.get("metric", 0), attributes.get("dev"))
            result.routes[*key, route.get("gateway")] = attributes
        for rule in ip(family, "rule", "show"):
            attributes = {name: value for name, value in rule.items() if name not in RULE_DEFAULTS}
            for end in ("src", "dst"):
                if f"{end}len" in rule:
                    # The kernel keeps the bits of the host, and does not look at them.
                    network = ipaddress.ip_network(f"{rule[end]}/{rule[f'{end}len']}", strict=False)
                    attributes[end] = str(network.network_address)
            result.rules[family, json.dumps(attributes, sort_keys=True)] = attributes
    return result


def networks(kernel: Kernel, virtual: set[str]) -> Kernel:
    """The same with one form for an address of a network: keepalived has the address with its prefix length, and linkwatch
    the address alone and a route of its network. Both become the address alone and the route. A route to an IPv6 address
    alone is the kernel's, and goes by itself some time after the address."""
    addresses = {
        key: {name: value for name, value in attributes.items() if name != "prefix length"}
        for key, attributes in kernel.addresses.items()
        # keepalived gives its macvlan the parent's link-local address, so that adverts can be sent from it.
        if key[1] in virtual or not (key[0].startswith("macvlan") and key[1].startswith("fe80:"))
    }
    routes = {}
    for key, attributes in kernel.routes.items():
        if attributes["dst"] in virtual and "gateway" not in attributes:
            continue
        if attributes.get("scope") == "link" and "gateway" not in attributes:
            source = attributes.get("prefsrc")
            if source is None or (attributes.get("dev"), source) in kernel.addresses:
                attributes = {name: value for name, value in attributes.items() if name not in ("prefsrc", "scope")}
        routes[key] = attributes
    return Kernel(addresses, routes, kernel.rules, kernel.macvlans)

