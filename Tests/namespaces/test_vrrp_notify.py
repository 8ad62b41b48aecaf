"""Programs that are told of changes: what keepalived gives to its own, in its order, an imported file gives to them too.

Two LANs of lab/vrrp.py and r1 alone. First Debian's keepalived runs, then linkwatch-vrrp with what `linkwatch import` makes of
the same file; each sees the same faults, and each program writes down its arguments.
"""

import subprocess
import tempfile
from pathlib import Path

import pytest

from lab.daemon import program
from lab.packets import advert, say_on_the_lan
from lab.vrrp import VRRP, Director, Keepalived, Lans, until

CONF = """
global_defs {
 vrrp_version 3
 vrrp_garp_master_delay 0
 script_user root
 vrrp_notify_fifo %(fifo)s
 vrrp_notify_fifo_script "%(read)s fifo"
}
vrrp_sync_group both {
 group { outside
  inside }
 notify_master "%(told)s group-master"
 notify_backup "%(told)s group-backup"
 notify_fault "%(told)s group-fault"
 notify "%(told)s group 'two words'"
}
vrrp_instance outside {
 state BACKUP
 interface e0
 virtual_router_id 10
 priority 100
 advert_int 0.1
 virtual_ipaddress { 192.0.2.1/24 }
 notify "%(told)s instance"
 notify_master_rx_lower_pri "%(told)s lower"
}
vrrp_instance inside {
 state BACKUP
 interface e1
 virtual_router_id 10
 priority 100
 advert_int 0.1
 virtual_ipaddress { 198.51.100.1/24 }
 notify "%(told)s instance"
 notify_stop "%(told)s inside-stop"
}
"""

LONE = """
vrrp_instance %(name)s {
 state BACKUP
 interface e0
 virtual_router_id %(vrid)d
 priority 90
 advert_int 0.1
 virtual_ipaddress { 192.0.2.%(vrid)d/24 }
 notify "%(told)s instance"
 %(more)s
}
"""


class Original(Keepalived):
    """keepalived with a whole file."""

    def __init__(self, namespaces, conf: str, folder: Path):
        self.namespaces, self.namespace = namespaces, "r1"
        self.folder = tempfile.TemporaryDirectory(prefix="keepalived-")
        Path(self.folder.name, "conf").write_text(conf)
        self.start()

    def reload(self, conf: str) -> None:
        Path(self.folder.name, "conf").write_text(conf)
        self.log.mark()
        self.process.send_signal(1)

    def end(self) -> None:
        self.stop()


class Imported:
    """linkwatch-vrrp with the same file."""

    def __init__(self, namespaces, conf: str, folder: Path):
        self.folder = folder
        self.director = Director(namespaces, "r1", self.imported(conf))

    def imported(self, conf: str) -> str:
        (self.folder / "conf").write_text(conf)
        done = subprocess.run([program("linkwatch"), "import", self.folder / "conf"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def reload(self, conf: str) -> None:
        self.director.reconfigure(self.imported(conf))
        self.director.call(f"{VRRP}.Reload")

    def end(self) -> None:
        self.director.stop()

    def close(self) -> None:
        self.director.close()


@pytest.mark.parametrize("router", [Original, Imported])
def test_programs_are_told_what_keepalived_tells_them(namespaces, tmp_path, router):
    log, told = tmp_path / "log", tmp_path / "told"
    told.write_text(f"#!/bin/sh\nfor one in \"$@\"; do line=$line\\|$one; done\necho $line >> {log}\n")
    told.chmod(0o755)

    read, fifo, heard = tmp_path / "read", tmp_path / "fifo", tmp_path / "heard"
    read.write_text(f'#!/bin/sh\nexec < "$2"\nwhile read -r line; do echo "$1: $line" >> {heard}; done\n')
    read.chmod(0o755)

    def lines(*tags: str) -> list[str]:
        all = log.read_text().splitlines() if log.exists() else []
        return [line[1:] for line in all if line.split("|")[1] in tags]

    def instance(name: str) -> list[str]:
        return [line for line in lines("instance") if f"|{name}|" in line]

    lone = LONE % {"name": "lone", "vrid": 20, "told": told, "more": ""}
    gone = LONE % {"name": "gone", "vrid": 30, "told": told, "more": f'notify_deleted "{told} deleted"'}
    conf = CONF % {"told": told, "fifo": fifo, "read": read}
    lans = Lans(namespaces, legs=("e0", "e1"))
    running = router(namespaces, conf + lone + gone, tmp_path)
    try:
        for name in ("lone", "gone"):
            until(lambda: any("MASTER" in line for line in instance(name)), f"{name} as master")
        until(lambda: lines("group-master"), "the master's program")
        # A router of lower priority says so once.
        say_on_the_lan(namespaces, advert("192.0.2.12", 50, "192.0.2.1"))
        until(lambda: lines("lower"), "the program for adverts of lower priority")
        lans.cut("r1", "e1")
        until(lambda: lines("group-fault"), "the fault's program")
        lans.mend("r1", "e1")
        until(lambda: len(lines("group-master")) == 2, "the master's program again")
        running.reload(conf)
        until(lambda: lines("deleted"), "the program for what is deleted")
        until(lambda: len(instance("lone")) == 3 and len(instance("gone")) == 3, "what the others are told of it")
        running.end()
        until(lambda: lines("inside-stop") and len(lines("group")) == 6, "the last programs")
        # keepalived ends the reader of its FIFO before that has read the last lines.
        until(lambda: router is Original or heard.read_text().count("STOP") == 3, "the last lines of the FIFO")
        assert not fifo.exists()
    finally:
        running.close()
    states = ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER", "STOP"]
    assert lines("group") == [f"group|two words|GROUP|both|{state}|0" for state in states]
    for name in ("outside", "inside"):
        assert instance(name) == [f"instance|INSTANCE|{name}|{state}|100" for state in states]
    for name, last in (("lone", "FAULT"), ("gone", "DELETED")):
        assert instance(name) == [f"instance|INSTANCE|{name}|{state}|90" for state in ("BACKUP", "MASTER", last)]
    assert lines("group-master") == ["group-master"] * 2 and lines("group-backup") == ["group-backup"] * 2
    assert lines("group-fault") == ["group-fault"] and lines("inside-stop") == ["inside-stop"]
    said = [line for line in heard.read_text().splitlines() if "STOP" not in line]
    states.remove("STOP")
    assert [line for line in said if "GROUP" in line] == [f'fifo: GROUP "both" {state} 0' for state in states]
    lower = ["BACKUP", "MASTER", "MASTER_RX_LOWER_PRI", "FAULT", "BACKUP", "MASTER"]
    for name, all in (("outside", lower), ("inside", states)):
        assert [line for line in said if f'"{name}"' in line] == [f'fifo: INSTANCE "{name}" {one} 100' for one in all]
    lone = [f'fifo: INSTANCE "lone" {state} 90' for state in ("BACKUP", "MASTER", "FAULT")]
    assert [line for line in said if '"lone"' in line] == lone
    assert lines("lower") == ["lower"] and lines("deleted") == ["deleted"]

