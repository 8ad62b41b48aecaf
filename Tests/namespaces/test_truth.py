"""linkwatchd with kernel messages that are long, late, foreign, or incomplete.

    NAMESPACE m (monitored)                    NAMESPACE p (peer)
    linkwatchd
    [e0] ------------ veth ------------------- [e0]
    [t0] tap
"""

import fcntl
import json
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from lab.daemon import program
from lab.journal import until
from lab.vrrp import Director

NAME = "n" * 120
SIOCETHTOOL, ETHTOOL_SSET = 0x8946, 0x2


@pytest.fixture
def lab(namespaces):
    namespaces.add("m", "p")
    namespaces.veth("m:e0", "p:e0")
    return namespaces


def linkwatch(lab, *arguments: str, status: int = 0, under=()) -> subprocess.CompletedProcess:
    argv = lab.argv("m", *under, program("linkwatch"), *arguments)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, f"{done.args}: {done.returncode}: {done.stdout}{done.stderr}"
    return done


def names(records: list[dict]) -> set[str]:
    return {record["ifname"] for record in records}


def test_an_interface_with_hundreds_of_names_is_followed_and_hides_no_other(lab, daemon_in):
    """Its message is longer than the 32 KiB of a part of a dump."""
    lab.ip("m", "link add long type bridge", "link set long up", "link add last type bridge")
    lab.ip("m", *(f"link property add dev long altname {NAME}{number}" for number in range(100, 360)))
    daemon = daemon_in("m")
    watch = daemon.watch()
    expected = {"lo", "e0", "long", "last"}
    assert names(watch.mirror().values()) == expected
    lab.ip("m", "link set long down")
    watch.await_interface("long", rawState="down", reason="admin")
    daemon.stop()
    daemon.start()
    assert names(daemon.call("Dump")["interfaces"]) == expected
    direct = linkwatch(lab, "--dump", "--direct", "--json").stdout.splitlines()
    assert names([json.loads(line) for line in direct]) == expected


@pytest.fixture
def refusing(tmp_path):
    """A file, and a command line under which the kernel refuses to list its links while that is there."""
    tmp_path.chmod(0o777)
    library, source = tmp_path / "unlisted.so", Path(__file__).with_name("unlisted.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    file = tmp_path / "refusing"
    file.touch()
    return file, ["env", f"LD_PRELOAD={library}", f"UNLISTED={file}"]


def test_a_kernel_that_cannot_be_read_whole_is_told(lab, daemon_in, tmp_path, refusing):
    refusing, under = refusing
    lab.ip("m", "link add off type bridge")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(30)
    daemon = daemon_in("m", under=[*under, f"NOTIFY_SOCKET={tmp_path / 'notify'}"])
    # It serves what it knows, and says what it is.
    assert manager.recv(4096).decode().startswith("READY=1\nSTATUS=Degraded: links: the kernel refuses to list them")
    watch = daemon.watch(synced=False)
    reason = watch.await_kind("degraded")["cause"]
    assert reason.startswith("links: the kernel refuses to list them: Permission denied")
    assert daemon.call("Statistics")["degraded"] == reason and daemon.call("Dump")["degraded"] == reason
    path = ["--socket", str(daemon.socket)]
    assert "degraded: links:" in linkwatch(lab, "--dump", *path, status=69).stderr
    assert "degraded: links:" in linkwatch(lab, "wait", "--down", "none", "--timeout", "1s", *path, status=69).stderr
    done = linkwatch(lab, "--dump", "--direct", status=71, under=under)
    assert "could not be read completely: " in done.stderr and "links: the kernel refuses" in done.stderr
    assert done.stdout == ""
    assert "synced" not in [event["kind"] for event in watch]

    refusing.unlink()
    watch.await_kind("synced")
    assert names(watch.mirror().values()) == {"lo", "e0", "off"}
    while (said := manager.recv(4096).decode()) != "STATUS=Watching 3 interfaces":
        assert said.startswith("STATUS="), said
    linkwatch(lab, "--dump", *path)

    # Later on, whoever watches is told. Someone asks, an interface is down, so the kernel is asked.
    refusing.touch()
    watch.mark()

    def is_told():
        daemon.call("Dump")
        return any(event["kind"] == "degraded" for event in watch.recent())

    until(is_told, "the watcher is told")
    refusing.unlink()
    watch.await_kind("synced")


def test_a_router_that_cannot_read_the_kernel_says_so_and_serves_when_it_can(lab, refusing):
    refusing, under = refusing
    lab.ip("m", "addr add 192.0.2.2/24 dev e0")
    config = '[instance.one]\ninterface = "e0"\nvrid = 10\naddresses = ["192.0.2.1"]\nadvert-interval = "100ms"\n'
    with Director(lab, "m", config, under=under) as director:
        director.log.await_item(lambda line: "the kernel could not be read completely: links: the kernel refuses" in line)
        watch = director.watch()
        watch.await_state("fault")
        assert "kernel-degraded" in director.status()["conditions"]
        refusing.unlink()
        watch.await_state("master")
        until(lambda: "kernel-degraded" not in director.status()["conditions"], "no such condition")
        watch.close()


def test_the_number_of_a_lower_link_is_one_of_this_namespace(lab, daemon_in):
    """A macvlan that was made in one namespace and moved to another has its parent in the first."""
    daemon = daemon_in("m")
    watch = daemon.watch()
    parent = lab.index("p", "e0")
    lab.ip("p", "link add link e0 name mv index 77 type macvlan", f"link set mv netns {lab.full('m')}")
    moved = watch.await_interface("mv")["interface"]
    assert "link" not in moved or moved["link"] is None
    assert isinstance(moved["linkNetnsid"], int) and moved["linkNetnsid"] >= 0
    own = next(record for record in watch.mirror().values() if record["ifname"] == "e0")
    lab.ip("m", "link add link e0 name own type macvlan")
    made = watch.await_interface("own")["interface"]
    assert made["link"] == own["ifindex"] != parent
    assert made.get("linkNetnsid") is None


def test_a_device_of_another_namespace_is_not_believed(lab, tmp_path):
    """`nsenter --net` leaves /sys as it was: with the interfaces of where it came from, some of one name and number with ours."""
    devices = [path.parent for path in Path("/sys/class/net").glob("*/device")]
    if not devices:
        pytest.skip("this machine has no network card whose device /sys could show")
    name, number = devices[0].name, int((devices[0] / "ifindex").read_text())
    lab.ip("m", f"link add {name} index {number} type bridge" if number != 1 else f"link add {name} type bridge")
    enter = ["nsenter", f"--net=/run/netns/{lab.full('m')}"]
    shown = subprocess.run([*enter, "cat", f"/sys/class/net/{name}/ifindex"], capture_output=True, text=True, check=True)
    assert int(shown.stdout) == lab.index("m", name) == number, "/sys shows another one of this name and number"
    path = tmp_path / "direct.sock"
    daemon = subprocess.Popen([*enter, program("linkwatchd"), "--config", "/dev/null", "--socket", path])
    try:
        for arguments in ["--direct"], ["--socket", path, "--connect-timeout", "30s"]:
            argv = [*enter, program("linkwatch"), "--dump", name, "--json", *arguments]
            record = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout)
            # What has no device has no driver, and nobody to ask.
            assert (record["ifindex"], record["kind"], record.get("driver")) == (number, "bridge", None)
            assert [record["evidence"][source]["detail"] for source in ("mii", "driver")] == ["not probed"] * 2
    finally:
        daemon.terminate()
        assert daemon.wait(30) == 0


def test_a_name_given_to_an_interface_that_is_down_is_known_to_who_asks(lab, daemon_in):
    daemon = daemon_in("m")
    lab.ip("m", "link add off type bridge")
    watch = daemon.watch()
    lab.ip("m", "link property add dev off altname the-spare-bridge")
    # The kernel announces it to nobody. Asking again within a second is answered from what is known.
    until(lambda: "the-spare-bridge" in _record(daemon, "off")["altnames"], "the name")
    watch.await_interface("off", altnames=["the-spare-bridge"])
    lab.ip("m", "link property add dev off altname the-other-name")
    with daemon.watch(interfaces=["off"]) as another:
        until(lambda: "the-other-name" in _record(daemon, "off")["altnames"], "the other name")
        another.await_state("off", altnames=["the-spare-bridge", "the-other-name"])


def test_speed_is_renewed_and_depends_on_nobody(lab, daemon_in):
    """t0 is named by the configuration and t1 is not, so it has no speed, whoever asks."""
    for ifname in "t0", "t1":
        lab.tap("m", ifname)
    daemon = daemon_in("m", config="[interface.t0]\nmii = false\n")
    watch = daemon.watch()
    # 10 Mb/s, or 10 Gb/s since Linux 6.2.
    until(lambda: _record(daemon, "t0").get("speed") in (10, 10_000), "a speed")
    before = {key: _record(daemon, "t1").get(key) for key in ("speed", "duplex", "autoneg", "mii")}
    assert set(before.values()) == {None}
    linkwatch(lab, "mii", "t1", "--socket", str(daemon.socket), status=66)
    with daemon.watch(interfaces=["t1"]) as asking:
        asking.await_state("t1", rawState="up")
        asking.await_true(
            lambda: asking.interface("t1")["evidence"]["driver"]["state"] == "up", what="the driver's word on t1"
        )
        # As `ethtool -s` does. No link goes away, and nothing is announced.
        lab.inside("m", lambda: _set_speed("t0", 2500))
        watch.await_state("t0", speed=2500, duplex="full")
        assert {key: _record(daemon, "t1").get(key) for key in before} == before
    assert not [event for event in watch if event["kind"] == "flap"]


def test_a_driver_that_cannot_be_asked_is_not_looked_up_in_sysfs(lab, daemon_in):
    """/sys may be another namespace's, where the same name and number are somebody else's."""
    lab.ip("m", "link add odd type ifb", "link set odd up")
    daemon = daemon_in("m", config="[interface.odd]\nmii = false\n")
    odd = daemon.watch().await_state("odd")
    until(lambda: _record(daemon, "odd")["evidence"]["driver"]["state"] == "up", "the driver's word")
    assert _record(daemon, "odd")["evidence"]["driver"]["detail"] in ("getlink", "glink"), odd


def test_what_a_probe_said_of_a_port_that_was_off_is_over_when_it_is_on(lab, daemon_in):
    daemon = daemon_in("m")
    watch = daemon.watch()
    lab.ip("m", "link set e0 down")
    watch.await_state("e0", rawState="down")
    assert _record(daemon, "e0")["evidence"]["driver"]["detail"] == "administratively down"
    lab.ip("m", "link set e0 up")
    watch.await_state("e0", rawState="up")
    assert _record(daemon, "e0")["evidence"]["driver"]["detail"] == "not probed"


def _record(daemon, ifname: str) -> dict:
    return next(record for record in daemon.call("Dump")["interfaces"] if record["ifname"] == ifname)


def _set_speed(ifname: str, speed: int) -> None:
    """ETHTOOL_SSET: full duplex, no autonegotiation."""
    command = struct.pack("=IIIHBBBBBBIIHBBIII", ETHTOOL_SSET, 0, 0, speed, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    buffer = bytearray(command)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        address = _address(buffer)
        fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP16x", ifname.encode(), address))


def _address(buffer: bytearray) -> int:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
