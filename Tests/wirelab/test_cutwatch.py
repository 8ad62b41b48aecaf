"""What the emulated cards themselves do when their wire goes, before any daemon looks at them.

    one guest, one card of each model, each alone on a hub of its own:   e1000 --- hub 0    e1000e --- hub 1   ...

These are the facts that the daemon's tests stand on: whose PHY follows the wire, whose never does, and who has none.
"""

import pytest

from wirelab.truth import Truth, since
from wirelab.vm import DRIVERS, Nic

FOLLOWING = ["e1000", "e1000e", "rtl8139"]
NEVER_DROPPING = ["i82559c", "tulip"]
WITHOUT_MII = ["pcnet", "virtio-net-pci", "vmxnet3"]
NAMES = {model: model.split("-")[0] for model in DRIVERS}


@pytest.fixture(scope="module")
def truth(boot_for_all):
    vm = boot_for_all([Nic(NAMES[model], model, hub) for hub, model in enumerate(DRIVERS)])
    for name in NAMES.values():
        vm.run("ip", "link", "set", name, "up")
    truth = Truth(vm, *NAMES.values())
    for name in NAMES.values():
        truth.await_state(name, "running", True)
    return truth


@pytest.mark.parametrize("model", FOLLOWING)
def test_phy_follows_the_wire(truth, say, model):
    name = NAMES[model]
    truth.await_state(name, "mii", True)
    if model == "e1000":
        truth.await_watchdog(name)
    truth.cut(name)
    cut = truth.await_word(name, "mii", False)
    if model == "e1000":
        # Its watchdog decides when the kernel hears of it.
        running = truth.await_word(name, "running", False)
        assert truth.await_word(name, "glink", False).t_ns < running.t_ns
        assert cut.t_ns < running.t_ns
    said = truth.words(name)
    truth.restore(name)
    back = truth.await_word(name, "mii", True)
    truth.await_state(name, "running", True)
    say(f"  {model} cut: {since(cut.t_ns, said)}; restored: {since(back.t_ns, truth.words(name))}")


def test_e1000e_tells_the_kernel_nothing(truth):
    """Between the cut and the return, as the registers show them, no other source reports anything."""
    truth.await_state("e1000e", "mii", True)
    truth.cut("e1000e")
    truth.await_word("e1000e", "mii", False)
    truth.vm.set_link("e1000e", True)
    truth.await_word("e1000e", "mii", True)
    assert [(word.source, word.up) for word in truth.words("e1000e")] == [("mii", False), ("mii", True)]


@pytest.mark.parametrize("model", NEVER_DROPPING)
def test_phy_never_drops(truth, model):
    """Until e1000 has been cut and has come back, which is some thousand polls, the bit stays set."""
    name = NAMES[model]
    truth.await_state(name, "mii", True)
    truth.cut(name)
    truth.vm.set_link("e1000", False)
    truth.await_word("e1000", "running", False)
    truth.vm.set_link("e1000", True)
    truth.await_word("e1000", "running", True)
    assert truth.words(name, "mii") == []
    truth.restore(name)


@pytest.mark.parametrize("model", WITHOUT_MII)
def test_no_mii(truth, model):
    """There are no registers, but the driver knows."""
    name = NAMES[model]
    truth.await_state(name, "mii", None)
    assert truth.newest(name, "mii").error == "Operation not supported"
    truth.cut(name)
    truth.await_word(name, "glink", False)
    truth.await_word(name, "running", False)
    truth.restore(name)
    truth.await_word(name, "running", True)
