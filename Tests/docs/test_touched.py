"""linkwatch-vrrp(8) and linkwatchd(8) name every switch, table, capability and file that the programs touch, and no other.

What is touched is read from the sources: a switch, a table or a file that is added there without a word in the manual fails
here, and so does a word in the manual that no source bears out.
"""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = CHECKOUT / "Sources"
# The rooms that each daemon is made of, as far as they open files or hold capabilities.
ROOMS = {
    "linkwatch-vrrp": ["VRRPClient", "LinuxSystem", "Configuration/VRRPConfiguration.swift"],
    "linkwatchd": ["linkwatchd", "LinuxSystem", "Links", "CIoctl", "Configuration/MonitorConfiguration.swift"],
}


def source(*rooms: str) -> str:
    """The text of these rooms or files, without comments."""
    files = []
    for room in rooms:
        path = SOURCES / room
        files += sorted(path.rglob("*.*")) if path.is_dir() else [path]
    text = "".join(file.read_text() for file in files if file.suffix in (".swift", ".c", ".h"))
    return re.sub(r"^\s*(///?|/?\*).*$", "", text, flags=re.MULTILINE)


def page(name: str) -> str:
    """Without its examples."""
    return re.sub(r"^\.Bd -literal.*?^\.Ed$", "", (CHECKOUT / "man" / f"{name}.8").read_text(), flags=re.M | re.S)


def section(name: str, title: str) -> str:
    return re.search(rf"^\.Sh {title}$(.*?)(?=^\.Sh )", page(name), re.MULTILINE | re.DOTALL).group(1)


def entries(text: str) -> set[str]:
    """The paths that have an entry of their own."""
    return set(re.findall(r"^\.It Pa (\S+)$", text, re.MULTILINE))


def switches() -> set[str]:
    """`ipv4/arp_ignore`: as the sources name them, with the family."""
    code = source("VRRPClient")
    found = {(f"ipv{6 if 'isIPv6: true' in rest else 4}", name)
             for name, rest in re.findall(r'SwitchNeed\(\s*name: "(\w+)"([^)]*)', code)}  # fmt: skip
    # Of both families, by a variable.
    found |= {("ipv6", name) for name in re.findall(r'SwitchNeed\(name: "(\w+)", isIPv6: isIPv6', code)}
    found |= set(re.findall(r'"net/(ipv[46])/conf/[^"]*/(\w+)"', code))
    assert len(found) > 5, "the sources are no longer read"
    return {"/".join(pair) for pair in found}


def test_every_switch_of_the_kernel():
    named = {path for path in entries(section("linkwatch-vrrp", "KERNEL STATE")) if path.startswith("net/")}
    assert {re.sub(r"net/(ipv[46])/conf/[A-Z]+/", r"\1/", path) for path in named} == switches()
    # Nobody writes to them in another way.
    assert re.findall(r'"[^"]*proc/sys[^"]*"', source(*(room.name for room in SOURCES.iterdir()))) == [
        '"/proc/sys/\\(name)"'
    ]


def test_nothing_is_written_to_all_or_default():
    code = source("VRRPClient")
    assert not re.search(r'Sysctl\.set\([^)]*"all"', code) and not re.search(r'Sysctl\.set\([^)]*"default"', code)
    assert re.search(r"Nothing is ever written to\n\.Pa net/ipv4/conf/all", page("linkwatch-vrrp"))


def test_every_table_of_nftables():
    tables = set(re.findall(r'"(inet \w+|ip6? \w+|netdev \w+)"', source("VRRPClient")))
    text = section("linkwatch-vrrp", "KERNEL STATE").split(".It nftables")[1]
    assert tables and set(re.findall(r"^\.Li (inet \w+|ip6? \w+|netdev \w+) ?,?$", text, re.MULTILINE)) == tables


def test_every_interface_that_is_made():
    made = re.search(r'"(vr)\\\(family == \.ipv4 \? 4 : 6\)-\\\(vrid\)-\\\(parent\)"', source("VRRPClient"))
    assert made, "macvlans have other names now"
    for family in (4, 6):
        assert f".Li vr{family}- Ns Ar vrid Ns Li - Ns Ar ifindex" in section("linkwatch-vrrp", "KERNEL STATE")


@pytest.mark.parametrize("name", list(ROOMS))
def test_every_file(name: str):
    """Literal paths; what the configuration names is the configuration's business."""
    literals = set(re.findall(r'"(/(?:etc|run|proc|sys|usr|var|dev)/[^"\\%]*)', source(*ROOMS[name])))
    literals |= {f"/run/linkwatch/{file}" for file in re.findall(r'"/?(vrrp-[\w-]+)"', source(*ROOMS[name]))}
    assert literals
    text = section(name, "FILES")
    named = entries(text) | set(re.findall(r"^\.Pa (/\S+)", text, re.MULTILINE))
    for path in literals:
        # A folder is named by what is in it, and what is in a folder by that.
        clean = path.rstrip("/")
        assert any(f"{entry}/".startswith(f"{clean}/") or clean.startswith(f"{entry}/") for entry in named), path
    for entry in named:
        assert any(path.startswith(entry) for path in literals), entry


@pytest.mark.parametrize("name", list(ROOMS))
def test_every_capability(name: str):
    """Those that a program keeps or asks for, by the names of LinuxSystem."""
    words = dict(re.findall(r"static let (\w+) = Capabilities\(rawValue: 1 << UInt64\((CAP_\w+)\)\)",
                            source("LinuxSystem")))  # fmt: skip
    room = {"linkwatch-vrrp": "VRRPClient", "linkwatchd": "linkwatchd"}[name]
    used = {words[word] for word in re.findall(r"\.(\w+)", source(room)) if word in words}
    assert used, "the sources are no longer read"
    named = set(re.findall(r"CAP_[A-Z_]+", page(name)))
    assert used <= named, f"{used - named} is not in the manual"
    unit = (CHECKOUT / "dist" / f"{name}.service").read_text()
    bounding = set(re.findall(r"CAP_[A-Z_]+", "".join(re.findall(r"^CapabilityBoundingSet=.*$", unit, re.MULTILINE))))
    assert named <= used | bounding | {"CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_IPC_LOCK"}, named - used - bounding
