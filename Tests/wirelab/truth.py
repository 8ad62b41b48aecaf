"""The ground truth about the cards of one guest: cutwatch running there, and its words as they come."""

from dataclasses import dataclass

from . import kernel
from .vm import Program, Vm

SOURCES = ["mii", "glink", "running", "lower_up"]


@dataclass(frozen=True)
class Word:
    """One source's word about one interface: `up` is None where it has none, and `error` says why."""

    t_ns: int
    ifname: str
    source: str
    up: bool | None
    error: str | None = None


class Truth:
    """cutwatch over the named interfaces. Its words before `mark()` are not looked at by `await_word` and `words`."""

    def __init__(self, vm: Vm, ifnames: list[str], namespace: str | None = None):
        self.vm = vm
        inside = ["ip", "netns", "exec", namespace] if namespace else []
        self.program: Program = vm.spawn(*inside, kernel.cutwatch(), *ifnames)
        self.program.await_json(lambda line: "ready" in line)
        self.start = 0

    def mark(self) -> None:
        """Forgets what was said until now."""
        self.start = len(self.program.stdout)

    def cut(self, ifname: str) -> None:
        """Unplugs the card's cable, and forgets what was said before."""
        self.mark()
        self.vm.set_link(ifname, False)

    def restore(self, ifname: str) -> None:
        """Plugs the card's cable in again, and forgets what was said before."""
        self.mark()
        self.vm.set_link(ifname, True)

    def await_word(self, ifname: str, source: str, up: bool, timeout: float = 30) -> Word:
        """The first word of this kind since the mark, now or when it comes."""

        def wanted(line):
            return line.get("ifname") == ifname and line["source"] == source and line.get("up") == up

        return _word(self.program.await_json(wanted, timeout, self.start))

    def await_last(self, ifname: str, source: str, up: bool, timeout: float = 30) -> None:
        """Waits until the source's last word, marked off or not, is this one."""
        if self.last(ifname, source) != up:
            self.program.await_json(
                lambda line: line.get("ifname") == ifname
                and line["source"] == source
                and self.last(ifname, source) == up,
                timeout,
            )

    def words(self, ifname: str, source: str | None = None) -> list[Word]:
        """What was said since the mark."""
        lines = self.program.json()[self.start :]
        found = [_word(line) for line in lines if line.get("ifname") == ifname]
        return [word for word in found if source in (None, word.source)]

    def last(self, ifname: str, source: str) -> bool | None:
        """The source's last word; None if it has none or gives an error."""
        said = [line for line in self.program.json() if (line.get("ifname"), line.get("source")) == (ifname, source)]
        return said[-1].get("up") if said else None

    def error(self, ifname: str, source: str) -> str | None:
        """What the source answered instead of a word, if it did."""
        said = [line for line in self.program.json() if (line.get("ifname"), line.get("source")) == (ifname, source)]
        return said[-1].get("error") if said else None

    def stop(self) -> None:
        self.program.stop()


def _word(line: dict) -> Word:
    return Word(line["t_ns"], line["ifname"], line["source"], line.get("up"), line.get("error"))


def since(origin_ns: int, words: list[Word]) -> str:
    """A line for people: each word and its distance in milliseconds from an instant."""
    said = [f"{word.source} {'up' if word.up else 'down'} {(word.t_ns - origin_ns) / 1e6:+.1f} ms" for word in words]
    return ", ".join(said) or "nothing"
