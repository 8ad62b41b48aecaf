"""What the lab itself promises to those who build on it.

    NAMESPACE r1                                      NAMESPACE ca
    [r1a] 192.0.2.1 e1000 ------ hub 0, a LAN ------- [caa] 192.0.2.2 e1000
                                   |
                                 [spare] e1000, in no namespace
"""

import pytest

from wirelab import kernel
from wirelab.vm import Failed, Nic


@pytest.fixture(scope="module")
def vm(boot_for_all):
    vm = boot_for_all([Nic("r1a"), Nic("caa"), Nic("spare")])
    vm.sh(
        """
        ip netns add r1
        ip netns add ca
        ip link set r1a netns r1
        ip link set caa netns ca
        ip -n r1 address add 192.0.2.1/24 dev r1a
        ip -n ca address add 192.0.2.2/24 dev caa
        ip -n r1 link set r1a up
        ip -n ca link set caa up
        """
    )
    return vm


def _ping(vm, seconds: int) -> bool:
    """Whether one echo comes back in time; asked every 200 ms."""
    ping = vm.spawn(*f"ip netns exec r1 /bin/busybox timeout {seconds} /bin/sh -c".split(), _PING)
    return ping.wait() == 0


_PING = "until /bin/busybox ping -c 1 -W 1 192.0.2.2; do :; done"


def test_a_hub_is_a_lan_and_a_cut_is_one_cards_own(vm):
    """The other end of a cut stays up: what a director sees of a dead switch port."""
    assert _ping(vm, 20)
    vm.set_link("caa", False)
    assert not _ping(vm, 2)
    assert vm.sh("ip netns exec r1 cat /sys/class/net/r1a/carrier") == "1"
    vm.set_link("caa", True)
    assert _ping(vm, 20)


def test_the_kernel_has_what_the_machines_own_may_lack(vm):
    vm.sh(
        """
        modprobe -a ip_vs ip_vs_rr ip_vs_wlc
        test -e /proc/net/ip_vs
        ip netns exec r1 nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }'
        ip netns exec r1 nft add rule inet t c ip protocol 112 drop
        ip netns exec r1 iptables-legacy -t mangle -A PREROUTING -p 112 -j DROP
        ip link add mv0 link spare type macvlan mode bridge
        ip link add link spare name spare.5 type vlan id 5
        ip link add d0 type dummy
        ip link add br0 type bridge
        ip tuntap add t0 mode tap
        """
    )


def test_a_program_that_fails_says_so(vm):
    with pytest.raises(Failed, match="ended with 3.*some reason"):
        vm.sh("echo some reason >&2; exit 3")
    with pytest.raises(Failed, match="no-such-program"):
        vm.run("no-such-program")


def test_a_signal_ends_a_program_and_all_it_started(vm):
    program = vm.spawn("/bin/sh", "-c", "echo started; sleep 1000 & wait")
    program.stdout.await_item(lambda line: line == "started")
    assert program.stop() == -15


def test_results_come_out_and_nothing_else_does(vm):
    vm.sh("echo figure >/results/out; echo x >/etc/linkwatch-lab-was-here")
    assert vm.read_result("out") == "figure\n"
    assert not kernel.Path("/etc/linkwatch-lab-was-here").exists()
