"""linkwatchd in the guest, and a subscriber beside it whose events come to the host."""

import itertools
import json

from lab import watch
from lab.daemon import program
from lab.watch import Events

from .vm import Program, Vm

_numbers = itertools.count()


class GuestDaemon:
    """A daemon in a guest (and there in a namespace): `events` has its snapshot, and grows."""

    def __init__(self, vm: Vm, *arguments: str, namespace: str | None = None, config: str = ""):
        number = next(_numbers)
        self.vm = vm
        self.socket = f"/run/linkwatchd-{number}.sock"
        file = f"/run/linkwatchd-{number}.toml"
        vm.sh(f"cat >{file} <<'END'\n{config}\nEND")
        vm.warm(program("linkwatchd"))
        inside = ["ip", "netns", "exec", namespace] if namespace else []
        argv = [*inside, program("linkwatchd"), "--socket", self.socket, "--config", file, *arguments]
        self.daemon: Program = vm.spawn(*argv)
        self.events = Events("the guest's events")
        self.watch: Program = vm.spawn(*self._client("Watch", {}), stdout=self.events, parse=_event)
        try:
            self.events.await_kind("synced")
        except Exception as error:
            raise RuntimeError(f"linkwatchd in the guest: {self.daemon.tail()}") from error

    def __enter__(self) -> "GuestDaemon":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def call(self, method: str, **parameters) -> dict:
        """One call; the answer's parameters, or {"error": its name}."""
        return json.loads(self.vm.run(*self._client(method, parameters)))

    def stop(self) -> int:
        """Ends both; returns the daemon's exit status."""
        self.watch.kill()
        return self.daemon.stop()

    def _client(self, method: str, parameters: dict) -> list[str]:
        return ["/usr/bin/python3", "-I", watch.__file__, self.socket, method, json.dumps(parameters)]


def _event(line: str) -> dict:
    return json.loads(line)["event"]
