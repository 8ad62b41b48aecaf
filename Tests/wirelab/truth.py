"""The ground truth about the cards of one guest: cutwatch running there, and its reports as they come."""

import json
from dataclasses import dataclass

from lab.journal import Journal

from . import kernel
from .vm import Vm


@dataclass(frozen=True)
class Word:
    """What one source says of one interface: `up` is None where it says nothing, and `error` says why."""

    t_ns: int = 0
    ifname: str = ""
    source: str = ""
    up: bool | None = None
    error: str | None = None
    ifindex: int = 0
    ready: bool = False


class Truth(Journal):
    """cutwatch over the named interfaces, polling every `interval_us`: a journal of its reports.

    With `realtime` nothing else that the guest has to do makes it late.
    """

    def __init__(
        self,
        vm: Vm,
        *ifnames: str,
        namespace: str | None = None,
        interval_us: int = 1000,
        realtime: bool = False,
    ):
        super().__init__()
        self.vm = vm
        inside = ["ip", "netns", "exec", namespace] if namespace else []
        scheduled = ["chrt", "--fifo", "45"] if realtime else []
        argv = [*scheduled, *inside, kernel.compiled("cutwatch"), "-i", interval_us, *ifnames]
        self.program = vm.spawn(*argv, stdout=self, parse=lambda line: Word(**json.loads(line)))
        self.await_item(lambda word: word.ready)

    def cut(self, ifname: str) -> None:
        """Unplugs the card's cable; what was said before is history."""
        self.mark()
        self.vm.set_link(ifname, False)

    def restore(self, ifname: str) -> None:
        """Plugs the card's cable in again; what was said before is history."""
        self.mark()
        self.vm.set_link(ifname, True)

    def await_watchdog(self, ifname: str) -> None:
        """Returns just after e1000's driver has looked at its card, which it does every two seconds.

        The kernel's news of a link that is back comes at such a tick, so a cut that follows has the time until the next
        one to itself; a cut at any other instant may happen to be seen by the driver first.
        """
        self.cut(ifname)
        self.await_word(ifname, "running", False)
        self.restore(ifname)
        self.await_word(ifname, "running", True)

    def await_word(self, ifname: str, source: str, up: bool, timeout: float = 60) -> Word:
        """The first report of this kind since the mark, now or when it comes."""
        wanted = (ifname, source, up)
        return self.await_item(lambda word: (word.ifname, word.source, word.up) == wanted, timeout, str(wanted))

    def await_state(self, ifname: str, source: str, up: bool | None, timeout: float = 60) -> None:
        """Waits until the source's newest report, before the mark or after, is this one."""

        def holds():
            newest = self.newest(ifname, source)
            return newest is not None and newest.up == up

        self.await_true(holds, timeout, f"{ifname} {source} {up}")

    def newest(self, ifname: str, source: str) -> Word | None:
        """The source's newest report."""
        said = (word for word in reversed(self) if (word.ifname, word.source) == (ifname, source))
        return next(said, None)

    def words(self, ifname: str, source: str | None = None) -> list[Word]:
        """What was said since the mark."""
        return [word for word in self.recent() if word.ifname == ifname and source in (None, word.source)]

    def stop(self) -> None:
        self.program.stop()


def since(origin_ns: int, words: list[Word]) -> str:
    """A line for people: each report and its distance in milliseconds from an instant."""
    said = [f"{word.source} {'up' if word.up else 'down'} {(word.t_ns - origin_ns) / 1e6:+.1f} ms" for word in words]
    return ", ".join(said) or "nothing"
