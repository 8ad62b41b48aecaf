"""`linkwatch-vrrp --record FILE`, and the same steps again in `vrrp-search --replay FILE`.

The two recordings in Tests/recordings, which the Swift tests replay, are made by the first test:

    LINKWATCH_RECORDINGS=$PWD/Tests/recordings pytest Tests/namespaces/test_vrrp_record.py -k replayed
"""

import json
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from lab.daemon import program
from lab.journal import until
from lab.packets import Flood, advert
from lab.pair import OUTSIDE, config
from lab.vrrp import VRRP, Director, Lans

SECRET = "s3cr3tpw"


def replay(path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run([program("vrrp-search"), "--replay", str(path), *options], capture_output=True, text=True)


def assert_same(path) -> str:
    """Replays a recording; every output has to be as it was recorded."""
    done = replay(path)
    assert done.returncode == 0 and " 0 differ" in done.stdout, done.stdout + done.stderr
    return done.stdout


def lines(path) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def inputs(path) -> set[str]:
    return {line["input"]["kind"] for line in lines(path) if "input" in line}


def settle(first, second) -> None:
    first.await_state("master")
    second.await_state("backup")


@pytest.mark.parametrize("cables", [0, 1])
def test_what_two_routers_do_is_replayed(namespaces, tmp_path, cables):
    """A cut, a repair, a reload, a handover or kill -9: recorded live, replayed while it runs, and when it has ended."""
    lans = Lans(namespaces, cables=cables)
    for number in range(cables):
        for name in ("r1", "r2"):
            namespaces.ip(name, f"addr add 10.0.{number}.{name[1]}/30 dev hb{number}")
    files = {name: tmp_path / f"{name}.jsonl" for name in ("r1", "r2")}
    with (
        Director(namespaces, "r1", config("r1", cables), arguments=("--record", str(files["r1"]))) as r1,
        Director(namespaces, "r2", config("r2", cables), arguments=("--record", str(files["r2"]))) as r2,
    ):
        w1, w2 = r1.watch(), r2.watch()
        settle(w1, w2)
        lans.cut("r1", "e1")
        w2.await_state("master")
        lans.mend("r1", "e1")
        settle(w1, w2)
        r2.reconfigure(config("r2", cables, group="preempt = false"))
        r2.call(f"{VRRP}.Reload")
        until(lambda: "reload" in inputs(files["r2"]), "the reload in the recording")
        assert_same(files["r2"])
        if cables:
            r1.kill()
            w2.await_state("master")
        else:
            assert r1.stop() == 0
            w2.await_state("master")
            assert lines(files["r1"])[-1] == {"end": True}
        assert r2.stop() == 0
    for path in files.values():
        assert_same(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lines(files["r2"])[-1] == {"end": True}
    assert {"start", "timer", "advert", "holding", "reload", "shutdown"} <= inputs(files["r2"])
    assert ("heartbeat" in inputs(files["r2"])) == bool(cables)
    words = replay(files["r2"], "--verbose").stdout
    assert "outside hears priority" in words and "-> backup -> master" in words and "reload: priority" in words
    if folder := os.environ.get("LINKWATCH_RECORDINGS"):
        shutil.copyfile(files["r2"], Path(folder) / f"{'heartbeat' if cables else 'reload'}.jsonl")


def test_other_outputs_are_found(namespaces, tmp_path):
    """A recording in which one priority was changed: the replay names the line, the recorded output and its own."""
    Lans(namespaces, hosts=False)
    path = tmp_path / "recording"
    with Director(namespaces, "r1", config("r1", 0), arguments=("--record", str(path))) as r1:
        r1.watch().await_state("master")
        assert r1.stop() == 0
    said = '"kind":"sendAdvert","member":0,"priority":'
    changed = path.read_text().replace(f"{said}200", f"{said}99", 1)
    assert changed != path.read_text()
    path.write_text(changed)
    done = replay(path)
    assert done.returncode == 1 and "1 differ" in done.stdout, done.stdout
    assert "recorded: outside sends priority 99" in done.stdout and "replayed: outside sends priority 200" in done.stdout
    number = next(number for number, line in enumerate(changed.splitlines(), 1) if '"priority":99' in line)
    assert f"DIFFERS: line {number}\n" in done.stdout


def test_no_secret_is_recorded(namespaces, tmp_path):
    Lans(namespaces, hosts=False)
    path = tmp_path / "recording"
    text = config("r1", 0, interval="1s", group='version = 2', inside=f'auth-pass = "{SECRET}"')
    text = text.replace('vrid = 10\n', f'vrid = 10\nauth-pass = "{SECRET}"\n')
    with Director(namespaces, "r1", text, arguments=("--record", str(path))) as r1:
        r1.watch().await_state("master")
        assert r1.stop() == 0
    assert "sendAdvert" in path.read_text() and SECRET not in path.read_text()
    assert_same(path)


def test_full_files_are_changed_and_each_is_replayed(namespaces, tmp_path):
    """More than a file's size in a flood of adverts: two files, and each begins with the engines as they were."""
    Lans(namespaces)
    path = tmp_path / "recording"
    older = tmp_path / "recording.1"
    noise = advert("192.0.2.66", 1, OUTSIDE)
    with Director(namespaces, "r1", config("r1", 0), arguments=("--record", str(path))) as r1:
        r1.watch().await_state("master")
        with Flood(namespaces, *[("01:00:5e:00:00:12", 0x0800, noise)] * 500, seconds=0.01):
            until(older.exists, "a second file", 120)
        assert r1.stop() == 0
    for file in (older, path):
        first, second, *_ = lines(file)
        assert first["recording"] == 1 and second["group"] == "lvs" and "engine" in second
        assert file.stat().st_size < 10 << 20 and stat.S_IMODE(file.stat().st_mode) == 0o600
        assert_same(file)


@pytest.mark.parametrize(
    "make, complaint",
    [
        (lambda path: path.symlink_to("/etc/hostname"), "is a symbolic link"),
        (lambda path: os.mkfifo(path), "is no regular file"),
        (lambda path: path.mkdir(), "is no regular file"),
        (lambda path: path.write_text("precious\n"), "is no recording"),
        (lambda path: path.with_name("recording.1").symlink_to("/etc/hostname"), "recording.1 is a symbolic link"),
    ],
    ids=["link", "fifo", "folder", "other-file", "link-of-the-older"],
)
def test_what_is_no_recording_is_not_replaced(namespaces, tmp_path, make, complaint):
    namespaces.add("r1")
    path = tmp_path / "recording"
    make(path)
    before = sorted(entry.name for entry in tmp_path.iterdir())
    with Director(namespaces, "r1", config("r1", 0), arguments=("--record", str(path)), ready=False) as r1:
        assert r1.process.wait(30) == 69
        r1.log.await_item(lambda line: complaint in line, what=complaint)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == before
    if path.is_file() and not path.is_symlink():
        assert path.read_text() == "precious\n"


def test_an_earlier_recording_is_kept(namespaces, tmp_path):
    Lans(namespaces, hosts=False)
    path = tmp_path / "recording"
    for _ in range(2):
        with Director(namespaces, "r1", config("r1", 0), arguments=("--record", str(path))) as r1:
            r1.watch().await_state("master")
            assert r1.stop() == 0
    assert {entry.name for entry in tmp_path.iterdir()} == {"recording", "recording.1"}
    for file in tmp_path.iterdir():
        assert_same(file)


def test_a_recording_that_ends_does_not_end_the_service(namespaces, tmp_path):
    """Its process is killed, as it ends when the disk is full: that is logged, and the router goes on."""
    Lans(namespaces, hosts=False)
    path = tmp_path / "recording"
    with Director(namespaces, "r1", config("r1", 0), arguments=("--record", str(path))) as r1:
        r1.watch().await_state("master")
        children = Path(f"/proc/{r1.pid}/task/{r1.pid}/children").read_text().split()
        writer = next(int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text() == "lw-vrrp-record\n")
        assert "CapPrm:\t0000000000000000" in Path(f"/proc/{writer}/status").read_text()
        os.kill(writer, signal.SIGKILL)
        r1.log.await_item(lambda line: "nothing is recorded any more" in line, what="the end of the recording")
        sent = r1.status()["members"][0]["advertsSent"]
        until(lambda: r1.status()["members"][0]["advertsSent"] > sent + 3, "more adverts")
        assert r1.status()["state"] == "master" and r1.stop() == 0


@pytest.mark.parametrize("arguments", [["--replay"], ["--seeed", "5"], ["--seed", "x"], ["--schedules", "-1"], ["FILE"]])
def test_a_wrong_command_line_begins_no_search(arguments):
    ended = subprocess.run([program("vrrp-search"), *arguments], capture_output=True, text=True, timeout=20)
    assert ended.returncode == 64
    assert arguments[0] in ended.stdout and "usage: vrrp-search" in ended.stdout
