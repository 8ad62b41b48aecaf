"""Programs that do their worst, and one that measures what comes of it: compiled when a test first needs them."""

import atexit
import functools
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

NOBODY, ANOTHER = 65534, 65533


@functools.cache
def program(name: str) -> str:
    """The path of one of this folder's programs."""
    folder = tempfile.mkdtemp(prefix="linkwatch-attacks-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # Other users run it as well.
    Path(folder).chmod(0o755)
    source, path = Path(__file__).with_name(f"{name}.c"), Path(folder, name)
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", path, source], check=True)
    return str(path)


class Running:
    """A program that runs until it is told to end, and then says what it did. It has begun when this is made."""

    def __init__(self, namespaces, namespace: str | None, name: str, *arguments, begins: bool = False):
        argv = [program(name), *map(str, arguments)]
        if namespace is not None:
            argv = namespaces.argv(namespace, *argv)
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        if begins:
            self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def end(self) -> list[str]:
        """Ends it; the words of its last line."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=30)
        return said.split("\n")[-2].split()


class Callers(Running):
    """A local user's connections to a daemon, all of them made."""

    def __init__(self, daemon, count: int, modes: str, uid: int = NOBODY):
        daemon.folder.chmod(0o755)
        super().__init__(None, None, "callers", daemon.socket, uid, count, modes, begins="n" not in modes and "r" not in modes)


class Forger(Running):
    """A host of the LAN that sends adverts."""

    def __init__(self, namespaces, rate: int, vrids: int = 1, priority: int = 1, lists: int = 1, senders: int = 1):
        super().__init__(namespaces, "ca", "forger", "e0", rate, vrids, priority, lists, senders)

    def rate(self) -> float:
        """Ends it; how many it sent in a second."""
        count, seconds = self.end()
        return int(count) / float(seconds)


class Gaps(Running):
    """The longest time between two adverts of a director, as another host of the LAN gets them; without a namespace, of a
    bare loop in C that has as much to do."""

    def __init__(self, namespaces=None, namespace: str | None = None, source: str = "192.0.2.11"):
        super().__init__(namespaces, namespace, "gaps", *(["e0", source] if namespace else []), begins=True)

    def longest_ms(self) -> float:
        """Ends it."""
        self.count, longest = self.end()
        return float(longest)
