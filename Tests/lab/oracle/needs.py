"""What a configuration wants of the machine: interfaces, addresses, neighbours, programs, users.

Most of it is in the imported file. What the import leaves out, keepalived's file is searched for by words.
"""

import ipaddress
import os
import re
import tomllib
from dataclasses import dataclass, field


@dataclass
class Needs:
    # The addresses of each interface, in the order in which they are needed.
    interfaces: dict[str, list[str]] = field(default_factory=dict)
    # (interface, address) of hosts that have to be on the link.
    neighbours: set[tuple[str, str]] = field(default_factory=set)
    programs: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)


def needs(text: str, toml: str) -> Needs:
    """`text` is keepalived's file, `toml` what the import made of it."""
    config = tomllib.loads(toml)
    result = Needs()
    instances = list(config.get("instance", {}).values())
    for instance in instances:
        _of_instance(result, instance)
    for owner in (*instances, *config.get("group", {}).values()):
        for element in owner.get("track", []):
            name = element.get("link") if isinstance(element, dict) else element.partition("link:")[2]
            if name:
                result.interfaces.setdefault(name, [])
    # The daemons make these themselves.
    macvlans = set(re.findall(r"use_vmac\s+(\S+)", text)) | {"lo"}
    macvlans |= {instance["virtual-mac-name"] for instance in instances if "virtual-mac-name" in instance}
    for name in re.findall(r"\bdev\s+\"?([A-Za-z0-9_][\w.:-]{0,14})(?![\w.:${}-])", re.sub(r"[#!].*", "", text)):
        if not name.startswith("vrrp."):
            result.interfaces.setdefault(name, [])
    for name in macvlans & set(result.interfaces):
        del result.interfaces[name]
    result.neighbours = {(name, host) for name, host in result.neighbours if name not in macvlans}
    _addresses(result, instances)
    for program in (*config.get("check", {}).values(), *config.get("notify", {}).values()):
        result.programs |= _programs(program.get("exec", []))
        if isinstance(program.get("user"), str):
            user, _, group = program["user"].partition(":")
            result.users.add(user)
            result.groups |= {group} if group else set()
    plain = re.sub(r"[#!].*", "", text)
    for words in re.findall(r"^\s*(?:script|notify\w*)\s+(.*)", plain, re.M):
        result.programs |= _programs(re.sub(r"[\"']", "", words).split())
    name = r"[ \t]+([A-Za-z_][\w-]*)"
    for user, group in re.findall(rf"^\s*(?:script_user|user){name}(?:{name})?", plain, re.M):
        result.users.add(user)
        result.groups |= {group} if group else set()
    result.namespaces = set(re.findall(r"^\s*(?:@\S+\s+)?net_namespace(?:_ipvs)?\s+(\S+)", plain, re.M))
    return result


def _hosts(instance: dict):
    """The instance's addresses: (interface, address with its prefix length)."""
    for address in instance.get("addresses", []):
        table = address if isinstance(address, dict) else {"address": address}
        yield table.get("interface", instance["interface"]), ipaddress.ip_interface(table["address"])


def _of_instance(result: Needs, instance: dict) -> None:
    name = instance["interface"]
    for interface in (name, *(interface for interface, _ in _hosts(instance))):
        result.interfaces.setdefault(interface, [])
    for route in instance.get("routes", []):
        if "interface" in route:
            result.interfaces.setdefault(route["interface"], [])
        if "via" in route:
            result.neighbours.add((route.get("interface", name), route["via"]))
    for peer in instance.get("unicast-peers", []):
        result.neighbours.add((name, peer["address"] if isinstance(peer, dict) else peer))


def _addresses(result: Needs, instances: list[dict]) -> None:
    """An address in the network of each instance, as a router has one; its `source`, if it names one."""
    virtual = {address.ip for instance in instances for _, address in _hosts(instance)}
    for instance in instances:
        name = instance["interface"]
        hosts = [address for _, address in _hosts(instance)]
        source = ipaddress.ip_address(instance["source"]) if "source" in instance else None
        if source and not (source.is_link_local and source.version == 6):
            near = [host.network.prefixlen for host in hosts if source in host.network and _has_room(host.network)]
            length = near[0] if near else 24 if source.version == 4 else 64
            if source not in virtual and name in result.interfaces:
                _add(result, name, ipaddress.ip_interface(f"{source}/{length}"))
        for interface, host in _hosts(instance):
            if not host.ip.is_link_local and interface in result.interfaces:
                _add_near(result, interface, host, virtual)
        if not hosts and not source:
            _add_near(result, name, ipaddress.ip_interface("10.250.0.1/24"), virtual)


def _has_room(network) -> bool:
    return network.prefixlen <= network.max_prefixlen - 2


def _add_near(result: Needs, interface: str, host, virtual: set) -> None:
    """An address in the network of this one, unless the interface has one in it or of its family."""
    if any(ipaddress.ip_interface(text).version == host.version for text in result.interfaces[interface]):
        return
    network = host.network
    if not _has_room(network):
        network = ipaddress.ip_network(f"{host.ip}/{24 if host.version == 4 else 64}", strict=False)
    # From the end of the network, or of its first 250 addresses.
    last = min(network.num_addresses - 2, 250)
    taken = virtual | {ipaddress.ip_interface(text).ip for texts in result.interfaces.values() for text in texts}
    own = next((network[n] for n in range(last, 0, -1) if network[n] not in taken), None)
    if own:
        _add(result, interface, ipaddress.ip_interface(f"{own}/{network.prefixlen}"))


def _add(result: Needs, interface: str, address) -> None:
    if all(ipaddress.ip_interface(text).ip != address.ip for texts in result.interfaces.values() for text in texts):
        result.interfaces[interface].append(str(address))


# Shells run what they are given; linkwatch-vrrp itself runs nft; the last two are to do what they do.
KEPT = {f"{folder}{name}" for folder in ("", "/bin/", "/usr/bin/") for name in ("sh", "bash", "dash", "env", "nft", "true", "false")}


def _programs(argv: list[str]) -> set[str]:
    """What has to be there and succeed: the program, and paths among its arguments."""
    words = argv[1:] if argv and argv[0] == "/usr/bin/env" else argv
    found = {word for word in words if re.fullmatch(r"(/[\w.+@-]+)+", word) and not os.path.exists(word)}
    if words and re.fullmatch(r"(/[\w.+@-]+)+|[A-Za-z][\w.-]*", words[0]):
        found.add(words[0])
    return found - KEPT
