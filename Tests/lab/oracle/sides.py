"""keepalived and linkwatch-vrrp, each in a world: started, read at each stage, and stopped."""

import re
import shutil
import time
from dataclasses import dataclass, field

from ..daemon import program
from . import wire
from .kernel import Kernel, networks, read
from .world import CONFIG, World

# keepalived takes no notice of what is not there when it starts, so a test has no use for its processes of LVS.
KEEPALIVED = ("-n", "-l", "-P", "-D", "-G", "-f", CONFIG, "-p", "/run/keepalived.pid", "-r", "/run/vrrp.pid")


@dataclass
class Stage:
    """What was to be seen: by its own words, on the wire, and in the kernel."""

    states: dict[str, str] = field(default_factory=dict)
    adverts: dict = field(default_factory=dict)
    kernel: Kernel = field(default_factory=Kernel)


class Side:
    """One of the two; `stages` fills as it runs."""

    def __init__(self, world: World, virtual: set[str]):
        self.world, self.virtual = world, virtual
        self.stages: dict[str, Stage] = {}
        self.wire = wire.Wire(world)
        self.base = read(world)
        self.process = None

    def read(self) -> Stage:
        """Once two readings are equal: nothing is on its way any more."""
        before = None
        while True:
            now = networks(read(self.world), self.virtual)
            if now == before:
                base = networks(self.base, self.virtual)
                return Stage(self.states(), self.wire.newest(), now.without(base))
            before = now
            time.sleep(0.1)

    def close(self) -> None:
        if self.process:
            self.process.stop()
        self.wire.close()


class Keepalived(Side):
    name = "keepalived"

    def __init__(self, world: World, virtual: set[str], config_id: str | None, argv: list[str]):
        super().__init__(world, virtual)
        self.argv = [*argv, *KEEPALIVED, *(["-i", config_id] if config_id else [])]

    def start(self) -> None:
        self.process = self.world.start(self.name, *self.argv)

    def states(self) -> dict[str, str]:
        """By instance, as it logs them."""
        found = {}
        for line in self.process.log:
            if match := re.search(r"\(([^)]+)\) (?:Entering|entering) (\w+) (?:STATE|state)", line):
                found[match[1]] = match[2].upper()
        return found


class Linkwatch(Side):
    name = "linkwatch-vrrp"

    def __init__(self, world: World, virtual: set[str], toml: str):
        super().__init__(world, virtual)
        section = '[process]\nstate-directory = "/run/state"\n'
        whole = toml.replace("[process]\n", section) if "[process]\n" in toml else section + toml
        world.write("/etc/linkwatch/vrrp.toml", whole)
        self.programs = world.run_folder / "bin"
        self.programs.mkdir()
        shutil.copy(program("linkwatch-vrrp"), self.programs)
        shutil.copy(program("linkwatch"), self.programs)

    def start(self) -> None:
        self.process = self.world.start(
            self.name, "/run/bin/linkwatch-vrrp", "--socket", "/run/vrrp.sock", "--monitor", "/run/nobody.sock",
            "--config", "/etc/linkwatch/vrrp.toml",
        )  # fmt: skip

    def states(self) -> dict[str, str]:
        from ..watch import Connection

        try:
            with Connection(self.world.run_folder / "vrrp.sock") as connection:
                groups = connection.call("io.linkwatch.VRRP.Status")["groups"]
        except OSError:
            return {}
        return {member["name"]: group["state"].upper() for group in groups for member in group["members"]}
