"""What a service manager hears of both daemons, by sd_notify(3), and how the watchdog is fed."""

import re
import signal
import socket

import pytest

from lab.vrrp import Director

CONFIG = """[instance.outside]
interface = "e0"
vrid = 10
addresses = ["192.0.2.1"]
advert-interval = "100ms"
"""


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(30)
        # The process may become another user.
        folder.chmod(0o777)
        self.path.chmod(0o777)

    def under(self, **variables) -> list[str]:
        """A command line under which a program is watched."""
        return ["env", f"NOTIFY_SOCKET={self.path}", *(f"{name}={value}" for name, value in variables.items())]

    def receive(self) -> str:
        return self.socket.recv(4096).decode()

    def next(self, beginning: str) -> str:
        """The next message that begins so; STATUS and WATCHDOG messages in between are skipped."""
        while not (said := self.receive()).startswith(beginning):
            assert said.startswith(("STATUS=", "WATCHDOG=1")), f"{said} instead of {beginning}"
        return said


@pytest.fixture
def lan(namespaces):
    namespaces.add("m", "p")
    namespaces.veth("m:e0", "p:e0")
    namespaces.ip("m", "addr add 192.0.2.2/24 dev e0")
    return namespaces


def converse(manager: Manager, daemon, ready: str) -> None:
    """From READY to STOPPING."""
    assert re.fullmatch(f"READY=1\nSTATUS={ready}", manager.next("READY=1"))
    for _ in range(3):
        assert manager.next("WATCHDOG=1") == "WATCHDOG=1"
    daemon.signal(signal.SIGHUP)
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", manager.next("RELOADING=1"))
    assert manager.next("READY=1").startswith("READY=1\nSTATUS=")
    # A file that is refused is a reload as well.
    daemon.config.write_text("nonsense")
    daemon.signal(signal.SIGHUP)
    manager.next("RELOADING=1")
    manager.next("READY=1")
    assert daemon.stop() == 0
    assert manager.next("STOPPING=1").startswith("STOPPING=1\nSTATUS=")


def test_linkwatchd_tells_its_manager(lan, daemon_in, tmp_path):
    manager = Manager(tmp_path)
    daemon = daemon_in("m", under=manager.under(WATCHDOG_USEC=100_000))
    converse(manager, daemon, "Watching 2 interfaces")


def test_linkwatch_vrrp_tells_its_manager(lan, tmp_path):
    manager = Manager(tmp_path)
    with Director(lan, "m", CONFIG, under=manager.under(WATCHDOG_USEC=100_000)) as director:
        converse(manager, director, "monitor-lost, outside (backup|master)")


def test_a_change_of_state_is_told_and_no_watchdog_is_fed_unasked(lan, tmp_path):
    manager = Manager(tmp_path)
    with Director(lan, "m", CONFIG, under=manager.under()) as director:
        said = [manager.next("READY=1")]

        def await_status(words: str) -> None:
            while words not in said[-1]:
                said.append(manager.receive())

        await_status("STATUS=monitor-lost, outside master")
        lan.ip("p", "link set e0 down")
        await_status("outside fault (link:e0")
        assert director.stop() == 0
        await_status("STOPPING=1\nSTATUS=resigning")
        assert not [message for message in said if "WATCHDOG" in message]
