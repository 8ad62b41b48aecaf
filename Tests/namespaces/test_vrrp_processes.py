"""Processes that a group tracks: real ones, counted by what the kernel says of them, or by /proc where it says nothing.

The picture is in lab/vrrp.py; most of it is about r1 alone. Each object has a weight of its own, a power of two, so that the
priority of r1 tells which of them are not well.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.pair import config
from lab.vrrp import VRRP, Director, Lans, until

RENAME = "import ctypes, sys; name = lambda text: ctypes.CDLL(None).prctl(15, text.encode(), 0, 0, 0)\n"
# The main thread ends, another goes on until there is a line to read.
ENDED = RENAME + "import os, threading; name(sys.argv[1])\n"
ENDED += "other = threading.Thread(target=lambda: (input(), print('.', flush=True), input(), os._exit(0)))\n"
ENDED += "other.start(); print('.', flush=True); ctypes.CDLL(None).pthread_exit(None)\n"
FORK = "import os\nwhile True:\n    if not (pid := os.fork()): os._exit(0)\n    os.waitpid(pid, 0)\n"


class Processes:
    """Starts processes by names of this test's own, and ends them."""

    def __init__(self, folder: Path):
        self.folder, self.running, self.suffix = folder, [], str(os.getpid())[-6:]

    def name(self, text: str) -> str:
        return text + self.suffix

    def path(self, text: str, program: str = "sleep") -> str:
        """A program of this name."""
        path = self.folder / self.name(text)
        if not path.exists():
            shutil.copy(shutil.which(program), path)
        return str(path)

    def start(self, *argv: str, ready: bool = False, program: str | None = None) -> subprocess.Popen:
        """With `ready`, returns when the process has printed a line."""
        process = subprocess.Popen(
            argv, executable=program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.running.append(process)
        assert not ready or process.stdout.readline()
        return process

    def run(self, text: str) -> subprocess.Popen:
        return self.start(self.path(text), "3600")

    def python(self, script: str) -> subprocess.Popen:
        return self.start(sys.executable, "-c", script, ready=True)

    @staticmethod
    def go_on(process: subprocess.Popen) -> None:
        process.stdin.write("\n")
        process.stdin.flush()

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.stdin.close()
            process.wait()


@pytest.fixture
def processes(tmp_path):
    made = Processes(tmp_path)
    yield made
    made.close()


@pytest.fixture
def alone(namespaces):
    """r1 without a peer, which serves and tracks these objects."""
    made = []

    def make(tracks: list[str], **options) -> Director:
        Lans(namespaces)
        made.append(Director(namespaces, "r1", file(tracks), **options))
        made[-1].journal = made[-1].watch()
        made[-1].journal.await_state("master")
        made[-1].journal.mark()
        return made[-1]

    yield make
    for one in made:
        one.close()


def file(tracks: list[str]) -> str:
    return config("r1", cables=0, group=f'address-lease = "600s"\ntrack = [{", ".join(tracks)}]\n')


def track(process: str, weight: int, more: str = "") -> str:
    return f'{{ process = "{process}", {more} weight = {-weight} }}'


def await_missing(director: Director, mask: int) -> None:
    """The objects of these weights are not well, and all others are."""
    until(lambda: director.status()["priority"] == 200 - mask, f"these to be missing: {mask:b}")


def life(process: subprocess.Popen) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_process_lasts_as_long_as_one_of_its_threads(alone, processes):
    """Though its main thread has ended, and shows no arguments any more."""
    name, path, long = processes.name("lwt"), processes.name("/bin/lwp"), processes.name("a-name-of-more-than-15-bytes")

    def start(called: str) -> subprocess.Popen:
        return processes.start(called, "-c", ENDED, called[:15], ready=True, program=sys.executable)

    early = start(name)
    until(lambda: life(early) == "Z", "the main thread to end")
    director = alone([track(name, 1), track(path, 2), track(long, 4)])
    await_missing(director, 6)
    late = [start(path), start(long)]
    until(lambda: {life(process) for process in late} == {"Z"}, "the main threads to end")
    await_missing(director, 0)
    # They are alive, and nothing was ever counted as ended.
    for process in [early, *late]:
        processes.go_on(process)
        assert process.stdout.readline() == ".\n"
    assert director.status()["priority"] == 200
    assert not [line for line in director.log if "0 running, at least" in line and "lwt" in line]
    for process, mask in zip([early, *late], (1, 3, 7)):
        processes.go_on(process)
        await_missing(director, mask)


def test_what_counts(alone, processes):
    plain, two, odd = processes.name("lwa"), processes.name("lwb"), processes.name("l) Z (")
    path, long = processes.path("lwc", "bash"), processes.name("a-name-of-more-than-15-bytes")
    director = alone(
        [track(plain, 1), track(two, 2, "at-least = 2,"), track(path, 4), track(long, 8), track(odd, 16)]
    )
    await_missing(director, 31)
    first = processes.run("lwa")
    await_missing(director, 30)
    pair = [processes.run("lwb")]
    # The same program by another path is another one, and so is one whose name begins in the same way.
    processes.start("/proc/self/cwd/" + os.path.relpath(path))
    processes.run("lwax")
    processes.run("a-name-of-more-than-15-bytes-too")
    by_path = processes.start(path, "-c", "read; exec sleep 3600")
    await_missing(director, 26)
    pair.append(processes.run("lwb"))
    await_missing(director, 24)
    processes.run("a-name-of-more-than-15-bytes")
    await_missing(director, 16)

    # By prctl(2) and by exec(2), there and back.
    renamed = processes.python(RENAME + f"name({odd!r}); print('.', flush=True); input(); name('other'); input()")
    await_missing(director, 0)
    processes.go_on(renamed)
    await_missing(director, 16)
    processes.go_on(by_path)
    await_missing(director, 20)
    shell = processes.start("sh", "-c", f"read line; exec {path} -c read")
    processes.go_on(shell)
    await_missing(director, 16)

    # A process that has ended is none, though nobody has waited for it.
    first.kill()
    await_missing(director, 17)

    # Threads are no processes, and a child has its parent's name.
    for process in pair:
        process.kill()
    await_missing(director, 19)
    threads = "import threading; [threading.Thread(target=input).start() for _ in range(3)]\n"
    threaded = processes.python(RENAME + f"name({two!r})\n" + threads + "print('.', flush=True)")
    processes.run("lwa")
    await_missing(director, 18)
    threaded.kill()
    parent = processes.python(RENAME + f"import os\nname({two!r}); os.fork(); print('.', flush=True); os.read(0, 1)")
    await_missing(director, 16)
    processes.go_on(parent)
    await_missing(director, 18)
    assert director.journal.transitions() == []


def hears_of_processes(director: Director) -> bool:
    """Whether it has a socket of NETLINK_CONNECTOR, which is number 11."""
    sockets = {line.split()[-1] for line in Path("/proc/net/netlink").read_text().splitlines() if line.split()[1] == "11"}
    links = [os.readlink(path) for path in Path(f"/proc/{director.pid}/fd").iterdir() if path.is_symlink()]
    return any(f"socket:[{inode}]" in links for inode in sockets)


def test_a_process_is_a_cause_and_the_reload_moves_nothing_else(alone, processes):
    one, other = processes.name("lwa"), processes.name("lwb")
    processes.run("lwa")
    director = alone([track(one, 1)])
    steps = [
        ([track(one, 1), track(other, 2)], 2), ([track(one, 1, "at-least = 2,"), track(other, 2)], 3),
        ([track(one, 1, "at-least = 1,")], 0), ([track(other, 2)], 2), ([], 0), ([track(one, 1, "at-least = 2,")], 1),
    ]  # fmt: skip
    for tracks, mask in steps:
        director.reconfigure(file(tracks))
        director.call(f"{VRRP}.Reload")
        await_missing(director, mask)
        # The socket goes with the last one that is tracked. Later it cannot be had: it is in a network that may not be entered.
        assert hears_of_processes(director) == (steps.index((tracks, mask)) < 4)
    assert director.journal.transitions() == []
    director.reconfigure(file([f'"process:{one}"', f'{{ process = "{other}", at-least = 2 }}']))
    director.call(f"{VRRP}.Reload")
    director.journal.await_transition("fault")
    assert director.status()["causes"] == [f"process:{other}"]
    for _ in range(2):
        processes.run("lwb")
    director.journal.await_state("master")
    assert director.status()["causes"] == []


@pytest.mark.parametrize("runs", [True, False])
def test_a_director_does_not_serve_before_it_knows_what_runs(namespaces, processes, runs):
    """What is there at the start counts at once: a delay is for what changes later."""
    name = processes.name("lwa")
    if runs:
        processes.run("lwa")
    Lans(namespaces)
    director = Director(namespaces, "r1", file([f'{{ process = "{name}", down-delay = "1h", up-delay = "1h" }}']))
    try:
        watch = director.watch()
        watch.await_state("master" if runs else "fault")
        assert director.status()["causes"] == ([] if runs else [f"process:{name}"])
        assert any("-> master" in line for line in director.log) == runs
    finally:
        director.close()


def test_where_the_kernel_tells_nothing(alone, processes):
    """The process may not leave its network namespace, and the kernel tells of processes in the first one alone."""
    name = processes.name("lwa")
    director = alone([track(name, 1)], under=["setpriv", "--bounding-set", "-sys_admin"])
    director.log.await_item(lambda line: "no process events" in line and "once a second" in line, what="the warning")
    process = processes.run("lwa")
    await_missing(director, 0)
    process.kill()
    await_missing(director, 1)
    assert director.journal.transitions() == []


def forks() -> int:
    return int(next(line for line in Path("/proc/stat").read_text().splitlines() if "processes" in line).split()[1])


def test_a_flood_of_forks_makes_no_advert_late(pair, processes, say):
    name = processes.name("lwa")
    process = processes.run("lwa")
    pair = pair(cables=0, r1={"group": f'track = ["process:{name}"]'})
    floods = [processes.start(sys.executable, "-c", FORK), processes.start("sh", "-c", "while :; do /bin/true; done")]
    cpu = lambda: sum(map(int, Path(f"/proc/{pair.r1.pid}/stat").read_text().rsplit(")")[-1].split()[11:13]))
    forked, used = forks(), cpu()
    pair.quiet(30)
    forked, used = forks() - forked, (cpu() - used) * 1000 // os.sysconf("SC_CLK_TCK")
    assert forked > 300, "no flood"
    assert pair.moved_nothing()
    process.kill()
    pair.w1.await_transition("fault")
    assert pair.r1.status()["causes"] == [f"process:{name}"]
    for flood in floods:
        flood.send_signal(signal.SIGKILL)
    processes.run("lwa")
    pair.settle()
    say(f"{forked} forks while 30 adverts left on time: {used} ms of CPU in r1")
