"""linkwatchd's socket as strangers use it: the varlink client from PyPI, which nobody here wrote, and clients that send
what they should not.

    [PyPI varlink client] ---+
    [bytes of all kinds]  ---+--- linkwatchd.sock --- linkwatchd, over the links of this very machine, read only
    [another user]        ---+

One daemon serves all tests: whatever one of them sends, the next one still finds it well.
"""

import json
import os
import random
import socket
import subprocess

import pytest
import varlink

from lab.daemon import Daemon, program
from lab.journal import until
from lab.watch import Connection, VarlinkError

MONITOR = "io.linkwatch.Monitor"
SERVICE = "org.varlink.service"
MESSAGE_BYTES_MAX = 64 * 1024


@pytest.fixture(scope="module")
def daemon():
    with Daemon() as running:
        yield running
        assert running.process.poll() is None, "it has died"
        assert running.stop() == 0


@pytest.fixture
def monitor(daemon):
    """The interface through the PyPI client."""
    with varlink.Client.new_with_address(f"unix:{daemon.socket}") as client:
        with client.open(MONITOR) as interface:
            yield interface


@pytest.fixture
def connection(daemon):
    with Connection(daemon.socket) as made:
        yield made


# The PyPI client


def test_pypi_client_reads_the_description(daemon):
    with varlink.Client.new_with_address(f"unix:{daemon.socket}") as client:
        with client.open(SERVICE) as service:
            info = service.GetInfo()
        assert sorted(info["interfaces"]) == [MONITOR, SERVICE]
        assert info["product"] and info["version"]
        interface = client.get_interface(MONITOR)
        methods = {name for name, member in interface.members.items() if "Method" in type(member).__name__}
        assert methods == {"Dump", "Watch", "Registers", "History", "Statistics", "Reload"}


def test_pypi_client_dumps(monitor):
    def names(*answers) -> set[str]:
        return {interface["ifname"] for answer in answers for interface in answer["interfaces"]}

    def kernel() -> set[str]:
        return {link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-j", "link"]))}

    # Others use this machine as well.
    until(lambda: names(monitor.Dump()) == kernel(), "the kernel's own links")
    whole = monitor.Dump()
    loopback = next(interface for interface in whole["interfaces"] if interface["ifname"] == "lo")
    assert loopback["rawState"] in ("up", "down")
    assert loopback["evidence"]["admin"]["state"] in ("up", "down")
    until(lambda: names(*monitor.Dump(_more=True)) == kernel(), "the same, an interface a reply")
    pieces = list(monitor.Dump(_more=True))
    assert [len(piece["interfaces"]) for piece in pieces[:-1]] == [1] * (len(pieces) - 1)


def test_pypi_client_watches(monitor):
    kinds = []
    for reply in monitor.Watch(heartbeatMs=20, _more=True):
        kinds.append(reply["event"]["kind"])
        if kinds[-1] == "heartbeat":
            break
    assert kinds[0] == "snapshot" and "synced" in kinds
    assert "snapshot" not in kinds[kinds.index("synced") :]


def test_pypi_client_asks_the_rest(monitor):
    statistics = monitor.Statistics()
    assert statistics["interfaces"] >= 1 and statistics["inconsistent"] is False
    assert len(monitor.History(limit=1)["transitions"]) == 1
    assert monitor.Reload() == {}
    for name, error in (("lo", "NoRegisters"), ("no-such-if", "NoSuchInterface")):
        with pytest.raises(varlink.VarlinkError) as raised:
            monitor.Registers(name)
        assert raised.value.error() == f"{MONITOR}.{error}"
        assert raised.value.parameters()["ifname"] == name


# Errors


@pytest.mark.parametrize(
    "call, error, parameters",
    [
        ({"method": f"{MONITOR}.Dmp"}, "MethodNotFound", {"method": f"{MONITOR}.Dmp"}),
        ({"method": "io.linkwatch.Monitr.Dump"}, "InterfaceNotFound", {"interface": "io.linkwatch.Monitr"}),
        ({"method": "Dump"}, "InvalidParameter", {"parameter": "method"}),
        ({}, "InvalidParameter", {"parameter": "method"}),
        ([], "InvalidParameter", {"parameter": ""}),
        ({"method": f"{MONITOR}.Registers"}, "InvalidParameter", {"parameter": "ifname"}),
        ({"method": f"{MONITOR}.Registers", "parameters": {"ifname": 1}}, "InvalidParameter", {"parameter": "ifname"}),
        ({"method": f"{MONITOR}.Dump", "parameters": {"x": 1}}, "InvalidParameter", {"parameter": "x"}),
        ({"method": f"{MONITOR}.History", "parameters": {"limit": -1}}, "InvalidParameter", {"parameter": "limit"}),
        (
            {"method": f"{MONITOR}.Watch", "more": True, "parameters": {"heartbeatMs": 9}},
            "InvalidParameter",
            {"parameter": "heartbeatMs"},
        ),
        (
            {"method": f"{MONITOR}.Watch", "more": True, "parameters": {"interfaces": ["lo", 1]}},
            "InvalidParameter",
            {"parameter": "interfaces[1]"},
        ),
        ({"method": f"{MONITOR}.Watch"}, "ExpectedMore", {}),
        ({"method": f"{MONITOR}.Dump", "upgrade": True}, "InvalidParameter", {"parameter": "upgrade"}),
    ],
)
def test_errors(connection, call, error, parameters):
    connection.socket.sendall(json.dumps(call).encode() + b"\0")
    assert connection.receive() == {"error": f"{SERVICE}.{error}", "parameters": parameters}
    assert connection.call(f"{SERVICE}.GetInfo")["product"]


def test_only_root_and_the_daemon_itself_may_reload(daemon):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    os.chmod(daemon.folder, 0o755)
    os.seteuid(65534)
    try:
        stranger = Connection(daemon.socket)
    finally:
        os.seteuid(0)
    with stranger:
        with pytest.raises(VarlinkError, match="PermissionDenied"):
            stranger.call("Reload")
        assert stranger.call("Dump")["interfaces"]
    assert daemon.call("Reload") == {}


# What is no varlink

RANDOM = random.Random(112)

NONSENSE = {
    "text": b"GET / HTTP/1.1\r\n\r\n\0",
    "NULs": bytes(1000),
    "binary": RANDOM.randbytes(5000).replace(b"\0", b"\1") + b"\0",
    "not UTF-8": b'{"method":"\xff"}\0',
    "truncated": b'{"method":"io.linkwatch.Moni\0',
    "two values": b"{}{}\0",
    "deep": b'{"a":' * 10_000 + b"\0",
    "deep arrays": b"[" * 60_000 + b"\0",
    "long": b" " * (MESSAGE_BYTES_MAX + 1),
    "long string": b'{"method":"' + b"x" * 10_000_000,
    "long number": b'{"method":' + b"9" * 60_000 + b"e9\0",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_closes_the_connection(daemon, connection, name):
    try:
        connection.socket.sendall(NONSENSE[name])
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has not even read it all
    with pytest.raises((EOFError, ConnectionResetError)):
        connection.receive()
    assert daemon.call("Dump")["interfaces"]


def test_a_message_cut_short_does_no_harm(daemon):
    for length in (1, 10, 50):
        with Connection(daemon.socket) as cut:
            cut.socket.sendall(json.dumps({"method": f"{MONITOR}.Dump", "parameters": {}}).encode()[:length])
    assert daemon.call("Dump")["interfaces"]


def test_a_hundred_thousand_calls_and_nobody_who_reads(daemon):
    before = daemon.memory_kb()
    with Connection(daemon.socket) as flood:
        flood.socket.setblocking(False)
        call = json.dumps({"method": f"{MONITOR}.Dump"}).encode() + b"\0"
        sent = 0
        try:
            while sent < 100_000 * len(call):
                sent += flood.socket.send(call * 100)
        except BlockingIOError:
            pass  # the daemon takes no more than it can answer
        assert sent < 100_000 * len(call)
        assert daemon.call("Dump")["interfaces"]
        assert daemon.memory_kb() - before < 1024


def test_pipelined_calls_are_answered_in_order(connection):
    names = [f"none{index}" for index in range(100)]
    calls = [{"method": f"{MONITOR}.Registers", "parameters": {"ifname": name}} for name in names]
    connection.socket.sendall(b"".join(json.dumps(call).encode() + b"\0" for call in calls))
    assert [connection.receive()["parameters"]["ifname"] for _ in names] == names


def test_a_socket_handed_in_by_a_service_manager(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "handed-in"))
        listener.listen()
        script = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&{listener.fileno()}'
        argv = ["bash", "-c", script, "bash", program("linkwatchd"), "--socket", str(tmp_path / "unused")]
        process = subprocess.Popen(argv, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
    try:
        # Connections wait in the backlog until the daemon is up.
        with Connection(tmp_path / "handed-in") as connection:
            assert connection.call("Dump")["interfaces"]
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert (tmp_path / "handed-in").exists(), "the file is the manager's"
    assert not (tmp_path / "unused").exists()
