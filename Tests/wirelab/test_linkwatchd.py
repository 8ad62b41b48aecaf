"""linkwatchd on real registers: cables are pulled, and what it publishes is compared with the ground truth.

    one guest for each card whose PHY follows the wire      wire (e1000 | e1000e | rtl8139) --- hub 0

    one guest for a bond and a VLAN on it,                  bond.5 --- bond --- b0 (e1000) --- hub 0
    which the test machines' own kernel lacks                               +-- b1 (e1000) --- hub 1

    one guest for all other cards                           i82559c, tulip, pcnet, virtio, vmxnet3, and an e1000 as
                                                            the clock, each on a hub of its own

All instants are the guest's CLOCK_MONOTONIC: cutwatch's words, and each event's own `monotonicUsec`.
"""

import pytest

from lab.daemon import program
from wirelab.guest import GuestDaemon
from wirelab.truth import Truth
from wirelab.vm import Nic

FAST = ["--mii-interval", "10ms", "--probe-interval", "10ms"]
CUTS = 3

# Which evidence may come first. The sweep asks the PHY and the driver in turn, so a cut falls between any two; e1000e's
# driver and netlink never notice; 8139cp's interrupt tells netlink at once.
FIRST_REASONS = {
    "e1000": {"mii", "driver"},
    "e1000e": {"mii"},
    "rtl8139": {"mii", "driver", "carrier", "operstate"},
}

# Of these the registers never drop the link bit, or there are none.
OTHERS = ["i82559c", "tulip", "pcnet", "virtio-net-pci", "vmxnet3"]
NEVER_DROPPING = ["i82559c", "tulip"]
WITHOUT_MII = ["pcnet", "virtio-net-pci", "vmxnet3"]


def _up(vm, *names: str) -> Truth:
    for name in names:
        vm.run("ip", "link", "set", name, "up")
    truth = Truth(vm, *names)
    for name in names:
        truth.await_state(name, "running", True)
    return truth


def _evidence(event: dict, source: str) -> str:
    evidence = (event.get("interface") or {}).get("evidence", {})
    return evidence.get(source, {}).get("state", "unsupported")


def _since(origin_ns: int, usec: int) -> str:
    return f"{usec / 1e3 - origin_ns / 1e6:+.1f} ms"


def _told(events, ifname: str, state: str, origin_ns: int) -> str:
    """When each source's evidence was first published with this state, beside the instant of the cut."""
    recent = [event for event in events.recent() if (event.get("interface") or {}).get("ifname") == ifname]
    parts = []
    for source in ["mii", "driver", "carrier", "operstate"]:
        found = [event["monotonicUsec"] for event in recent if _evidence(event, source) == state]
        parts.append(f"{source} {_since(origin_ns, found[0]) if found else 'never'}")
    return ", ".join(parts)


@pytest.mark.parametrize("model", FIRST_REASONS)
def test_cut_and_restore(boot, say, model):
    """The wire goes: the PHY's evidence says so, and the verdict is published before the kernel itself reports the loss."""
    vm = boot([Nic("wire", model)])
    truth = _up(vm, "wire")
    with GuestDaemon(vm, *FAST) as guest:
        events = guest.events
        events.await_state("wire", rawState="up", state="up")
        assert events.interface("wire")["driver"]
        # rtl8139 does not set the partner's acknowledgement, and the partner offers everything all the same.
        known = events.await_state("wire", duplex="full", duplexMismatchSuspected=False)
        assert known["speed"] == (100 if model == "rtl8139" else 1000)
        if model == "e1000":
            truth.await_watchdog("wire")
            events.await_state("wire", rawState="up")
        for _ in range(CUTS):
            events.mark()
            truth.cut("wire")
            cut = truth.await_word("wire", "mii", False)
            down = events.await_interface("wire", rawState="down")
            assert down["interface"].get("reason") in FIRST_REASONS[model]
            for source in ["mii"] if model == "e1000e" else ["mii", "driver"]:
                events.await_item(lambda event: _evidence(event, source) == "down", what=f"evidence of {source}")
            if model == "e1000e":
                assert events.interface("wire")["disagreement"]
            else:
                running = truth.await_word("wire", "running", False)
                events.await_interface("wire", disagreement=False, rawState="down")
            if model == "e1000":
                assert down["monotonicUsec"] * 1000 < running.t_ns
            say(
                f"  {model} cut: published {_since(cut.t_ns, down['monotonicUsec'])}, reason "
                f"{down['interface'].get('reason')}; evidence: {_told(events, 'wire', 'down', cut.t_ns)}"
            )
            events.mark()
            truth.restore("wire")
            back = truth.await_word("wire", "mii", True)
            up = events.await_interface("wire", rawState="up", state="up")
            assert up["interface"].get("reason") is None
            truth.await_state("wire", "running", True)
            say(f"  {model} restored: published {_since(back.t_ns, up['monotonicUsec'])} after the PHY")
        transitions = guest.call("History", ifname="wire")["transitions"]
        raw = [(entry["state"], "reason" not in entry) for entry in transitions if entry["scope"] == "raw"]
        assert raw[-2 * CUTS :] == [("down", False), ("up", True)] * CUTS
        assert guest.stop() == 0


def test_the_phy_is_the_reason_when_it_is_the_only_fast_witness(boot):
    """With the probe of the driver off, the verdict names `mii`, and the registers can be asked for."""
    vm = boot([Nic("wire", "e1000")])
    truth = _up(vm, "wire")
    with GuestDaemon(vm, *FAST, config="[defaults]\nprobe = false") as guest:
        guest.events.await_state("wire", rawState="up")
        registers = guest.call("Registers", ifname="wire")
        assert len(registers["registers"]) == 16
        assert registers["decoded"]["link"]
        assert (registers["decoded"]["speed"], registers["decoded"]["duplex"]) == (1000, "full")
        truth.await_watchdog("wire")
        guest.events.await_state("wire", rawState="up")
        guest.events.mark()
        truth.cut("wire")
        down = guest.events.await_interface("wire", rawState="down")
        assert down["interface"].get("reason") == "mii"
        assert down["interface"]["disagreement"]
        assert not guest.call("Registers", ifname="wire")["decoded"]["link"]


def test_the_command_shows_real_registers_and_the_reason(boot):
    """`linkwatch mii` prints what mii-diag prints, with a daemon and without, and `--dump` says why."""
    vm = boot([Nic("wire", "e1000")])
    truth = _up(vm, "wire")
    with GuestDaemon(vm, *FAST, config="[defaults]\nprobe = false") as guest:
        guest.events.await_state("wire", rawState="up")

        def linkwatch(*arguments: str) -> str:
            return vm.run(program("linkwatch"), "--socket", guest.socket, *arguments)

        asked, direct = linkwatch("mii", "wire"), linkwatch("mii", "wire", "--direct")
        for text in asked, direct:
            assert "Basic mode control register 0x1140" in text
            assert "Link status: established." in text and "media type is 1000baseT-FD." in text
        guest.events.mark()
        truth.cut("wire")
        guest.events.await_interface("wire", rawState="down")
        assert "Link status: not established." in linkwatch("mii", "wire")
        table = [line.split() for line in linkwatch("--dump").splitlines()]
        [row] = [dict(zip(table[0], line)) for line in table[1:] if line and line[0] == "wire"]
        assert (row["STATE"], row["WHY"], row["MII"]) == ("down", "mii", "down")


def test_a_vlan_on_a_bond(boot):
    """One cut leaves the bond and its VLAN up; both cuts take them down, and one return brings them back."""
    vm = boot([Nic("b0", "e1000", 0), Nic("b1", "e1000", 1)])
    truth = Truth(vm, "b0", "b1")
    # Named, so that its registers are looked at: the bond's driver makes them up.
    with GuestDaemon(vm, *FAST, config="[interface.bond]\nup-delay = \"0s\"\n") as guest:
        vm.sh(
            """
            ip link add bond type bond mode active-backup miimon 50
            ip link set b0 master bond
            ip link set b1 master bond
            ip link set bond up
            ip link add link bond name bond.5 type vlan id 5
            ip link set bond.5 up
            """
        )
        events = guest.events
        bond = events.await_state("bond", rawState="up", kind="bond")
        bond = events.await_state("bond", speed=1000, duplex="full")
        assert bond["evidence"]["mii"]["state"] == "unsupported" and bond.get("mii") is None
        vlan = events.await_state("bond.5", rawState="up", kind="vlan")
        assert vlan["link"] == bond["ifindex"]
        assert vlan["evidence"]["mii"]["state"] == "unsupported"
        for name in ("b0", "b1"):
            events.await_state(name, rawState="up", master=bond["ifindex"])
        events.mark()
        truth.cut("b0")
        events.await_interface("b0", rawState="down")
        truth.await_word("b0", "running", False)
        assert not [event for event in events.recent() if _is_down(event, "bond") or _is_down(event, "bond.5")]
        events.mark()
        truth.cut("b1")
        events.await_interface("b1", rawState="down")
        events.await_interface("bond", rawState="down")
        events.await_interface("bond.5", rawState="down")
        for event in events:
            if (event.get("interface") or {}).get("ifname") == "bond":
                assert event["interface"]["conditions"] == [], "no PHY is lost that never was"
        events.mark()
        truth.restore("b0")
        for name in ("b0", "bond", "bond.5"):
            events.await_interface(name, rawState="up")
        assert events.interface("b1")["rawState"] == "down"
        events.mark()
        vm.sh("ip link delete bond.5; ip link delete bond")
        for name in ("bond.5", "bond"):
            events.await_item(
                lambda event: event["kind"] == "removed" and event["interface"]["ifname"] == name, what=f"{name} gone"
            )
        events.await_state("b0", master=None)


def test_a_kernel_without_ipv6(boot):
    """It answers a question for IPv6 routes with those of all families; a lost default route is gone all the same."""
    vm = boot([Nic("wire", "e1000")], command_line="ipv6.disable=1")
    _up(vm, "wire")
    vm.sh("ip address add 192.0.2.2/24 dev wire; ip route add default via 192.0.2.254")
    with GuestDaemon(vm, *FAST) as guest:
        [route] = guest.call("Dump")["routes"]
        assert (route["dst"], route["present"]) == ("0.0.0.0/0", True)
        guest.events.mark()
        vm.run("ip", "route", "del", "default")
        gone = guest.events.await_item(lambda event: event["kind"] == "route", what="the loss of the route")
        assert not gone["route"]["present"]
        assert guest.call("Dump")["routes"] == []
        assert guest.call("Statistics").get("degraded") is None


def _is_down(event: dict, ifname: str) -> bool:
    interface = event.get("interface") or {}
    return interface.get("ifname") == ifname and interface["rawState"] == "down"


@pytest.fixture(scope="module")
def others(boot_for_all):
    """All cards without a PHY that follows the wire, one daemon over them, and an e1000 as the clock."""
    names = {model: model.split("-")[0] for model in ["e1000", *OTHERS]}
    vm = boot_for_all([Nic(name, model, hub) for hub, (model, name) in enumerate(names.items())])
    truth = Truth(vm, *names.values())
    for name in names.values():
        vm.run("ip", "link", "set", name, "up")
        truth.await_state(name, "running", True)
    with GuestDaemon(vm, *FAST) as guest:
        for name in names.values():
            guest.events.await_state(name, rawState="up")
        yield truth, guest


@pytest.mark.parametrize("model", NEVER_DROPPING)
def test_a_phy_that_never_drops_is_published_as_it_is(others, model):
    """Its registers say up for ever, and so does the daemon: it invents nothing. The e1000's cut and return are the clock."""
    truth, guest = others
    guest.events.mark()
    truth.cut(model)
    truth.vm.set_link("e1000", False)
    guest.events.await_interface("e1000", rawState="down")
    truth.vm.set_link("e1000", True)
    guest.events.await_interface("e1000", rawState="up")
    interface = guest.events.interface(model)
    assert (interface["rawState"], interface["evidence"]["mii"]["state"]) == ("up", "up")
    assert not [event for event in guest.events.recent() if (event.get("interface") or {}).get("ifname") == model]
    truth.restore(model)


@pytest.mark.parametrize("model", WITHOUT_MII)
def test_no_mii_is_unsupported_and_the_driver_decides(others, say, model):
    truth, guest = others
    name = model.split("-")[0]
    assert guest.events.interface(name)["evidence"]["mii"]["state"] == "unsupported"
    assert guest.events.interface(name).get("mii") is None
    assert guest.call("Registers", ifname=name) == {"error": "io.linkwatch.Monitor.NoRegisters"}
    guest.events.mark()
    truth.cut(name)
    cut = truth.await_word(name, "glink", False)
    down = guest.events.await_interface(name, rawState="down")
    assert down["interface"].get("reason") in ("driver", "carrier", "operstate")
    say(
        f"  {model} cut: published {_since(cut.t_ns, down['monotonicUsec'])} after the driver, reason "
        f"{down['interface'].get('reason')}"
    )
    guest.events.mark()
    truth.restore(name)
    guest.events.await_interface(name, rawState="up")
