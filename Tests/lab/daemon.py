"""The repository's own programs, run for a test: found, started, awaited, read and stopped.

The programs are those of `.build/release`; `LINKWATCH_BIN` names another folder, such as one with a sanitizer's build.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from .journal import Journal
from .namespaces import Namespaces
from .watch import Connection, Watch

CHECKOUT = Path(__file__).resolve().parents[2]
READY_SECONDS_MAX = 60


def program(name: str) -> str:
    """The path of one of the repository's programs."""
    path = Path(os.environ.get("LINKWATCH_BIN", CHECKOUT / ".build/release")).resolve() / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built: make build")
    return str(path)


class Daemon:
    """A daemon in a namespace (or, without one, in this process's own), ready when its socket accepts a connection.

    `under` is a command line that becomes the daemon, such as setpriv's. `log` is a journal of its stderr, unless that is a
    descriptor of the test's. Its folder, with the socket and the configuration, is removed at the end.
    """

    def __init__(
        self,
        namespaces: Namespaces | None = None,
        namespace: str | None = None,
        *arguments: str,
        name: str = "linkwatchd",
        config: str | None = None,
        ready: bool = True,
        under: list[str] | None = None,
        stderr: int = subprocess.PIPE,
    ):
        self.folder = Path(tempfile.mkdtemp(prefix="linkwatch-"))
        self.socket = self.folder / f"{name}.sock"
        if under:
            # It may become another user's, who has to bind its socket there.
            self.folder.chmod(0o777)
        self.config = self.folder / f"{name}.toml"
        self.config.write_text(config or "")
        self.name, self.namespaces, self.namespace = name, namespaces, namespace
        self.under = under or []
        self.stderr = stderr
        self.arguments = ["--socket", str(self.socket), "--config", str(self.config), *arguments]
        self.process: subprocess.Popen | None = None
        try:
            self.start(ready)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def start(self, ready: bool = True) -> None:
        """Starts it (again) on the same socket and configuration."""
        argv = [*self.under, program(self.name), *self.arguments]
        if self.namespaces is not None:
            argv = self.namespaces.argv(self.namespace, *argv)
        self.log = Journal(f"{self.name}'s log")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=self.stderr, text=True)
        if self.stderr == subprocess.PIPE:
            threading.Thread(target=self._read, args=[self.process, self.log], daemon=True).start()
        if ready:
            self._await_ready()

    def watch(self, **parameters) -> Watch:
        """A subscriber whose snapshot has arrived."""
        return Watch(self.socket, **parameters)

    def call(self, method: str, **parameters) -> dict:
        """One call on a connection of its own."""
        with Connection(self.socket) as connection:
            return connection.call(method, **parameters)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, timeout: float = 30) -> int:
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.process.wait(timeout)

    def kill(self) -> None:
        """SIGKILL, as a crash would be."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Ends it whatever state it is in, and removes its folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def memory_kb(self, field: str = "Rss") -> int:
        """A field of /proc/PID/smaps_rollup: Rss, Pss, Private_Dirty ..."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
        raise KeyError(field)

    def cpu_seconds(self) -> float:
        """Processor time used so far, by all its threads."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def _await_ready(self) -> None:
        """A connection is refused until the daemon listens; it cannot be awaited other than by trying."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            peer = socket.socket(socket.AF_UNIX)
            try:
                peer.connect(str(self.socket))
                return
            except OSError:
                if (status := self.process.poll()) is not None:
                    self.log.await_end(10)
                    raise RuntimeError(f"{self.name} ended with {status}: " + "\n".join(self.log))
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.name} does not listen: " + "\n".join(self.log))
                time.sleep(0.005)
            finally:
                peer.close()

    @staticmethod
    def _read(process: subprocess.Popen, log: Journal) -> None:
        for line in process.stderr:
            log.append(line.rstrip("\n"))
        log.end("stderr closed")
