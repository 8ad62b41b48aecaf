"""One configuration on both sides: alone, beaten by a better peer, alone again, and stopped."""

import re
import threading
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from ..daemon import program
from . import wire
from .comparison import Difference, differences
from .needs import Needs, needs
from .release import Program
from .sides import Keepalived, Linkwatch, Side, Stage
from .world import CONFIG, World

MISSING = re.compile(r"[Ii]nterface (?:name )?'?([^\s',]+)'? .*(?:doesn't (?:currently )?exist|does not exist|not found)")


@dataclass
class Result:
    path: str
    # Why there is nothing to compare.
    reason: str | None = None
    report: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    sides: list[Side] = field(default_factory=list, repr=False)
    toml: str = field(default="", repr=False)

    @property
    def unnamed(self) -> list[Difference]:
        return [difference for difference in self.differences if not difference.named]

    @property
    def is_seen(self) -> bool:
        """Whether both did something that could be compared."""
        return all(side.stages["alone"].adverts or side.stages["alone"].kernel.addresses for side in self.sides)


def _import(world: World, config_id: str | None) -> tuple[int, str, list[str]]:
    """In the world's own root, so that users and folders are those of the router."""
    world.run_folder.joinpath("linkwatch").write_bytes(Path(program("linkwatch")).read_bytes())
    world.run_folder.joinpath("linkwatch").chmod(0o755)
    done = world.run("/run/linkwatch", "import", CONFIG, *(["--config-id", config_id] if config_id else []))
    return done.returncode, done.stdout, [line for line in done.stderr.splitlines() if line.startswith(CONFIG)]


def _wanted(text: str, config_id: str | None, keepalived: Program) -> tuple[Needs | None, str, list[str], str]:
    """What the file needs, what it is as vrrp.toml, the report, and a reason if it cannot be tried."""
    with _world(Needs(), text, keepalived) as world:
        status, toml, report = _import(world, config_id)
    if not toml:
        return None, "", report, f"status {status}: " + "; ".join(
            line.removeprefix(CONFIG) for line in report if re.search(r": (missing|error): ", line)
        )
    wanted = needs(text, toml)
    # keepalived says itself which interfaces it does not find.
    for _ in range(8):
        with _world(wanted, text, keepalived) as world:
            done = world.run(*keepalived.argv, "-t", "-P", "-f", CONFIG, *(["-i", config_id] if config_id else []))
            status, toml, report = _import(world, config_id)
        absent = {name for name in MISSING.findall(done.stdout + done.stderr) if len(name) <= 15}
        absent -= set(wanted.interfaces)
        if not absent:
            return wanted, toml, report, ""
        for name in sorted(absent):
            wanted.interfaces[name] = []
    return wanted, toml, report, ""


class _world:
    """A world for a moment."""

    def __init__(self, wanted: Needs, text: str, keepalived: Program):
        self._make = lambda: World(wanted, text, keepalived.mounted)

    def __enter__(self) -> World:
        self.world = self._make()
        return self.world

    def __exit__(self, *_) -> None:
        self.world.close()


class Plan:
    """What is expected of both sides, from the imported file: which virtual routers, and how long they may take."""

    def __init__(self, toml: str, text: str, wanted: Needs):
        config = tomllib.loads(toml)
        self.wanted = wanted
        self.instances = list(config["instance"].values())
        groups = config.get("group", {}).values()
        seconds = [_seconds(owner.get("advert-interval", "1s")) for owner in (*self.instances, *groups)]
        self.interval = max([0.1, *seconds])
        delays = [float(seconds) for seconds in re.findall(r"vrrp_startup_delay\s+([\d.]+)", text)]
        delays += [_seconds(owner.get("start-delay", "0s")) for owner in (*self.instances, *groups)]
        checks = [_seconds(check.get("interval", "1s")) for check in config.get("check", {}).values()]
        # The master-down time is three intervals and a skew of at most one; checks may have to succeed first.
        self.patience = 4 * self.interval + max([0, *delays]) + max([0, *checks]) + 3
        self.keys, self.addresses, self.owners = set(), set(), {}
        for name, instance in config["instance"].items():
            texts = [item["address"] if isinstance(item, dict) else item for item in instance["addresses"]]
            hosts = [text.split("/")[0] for text in (*texts, instance.get("source", ""))]
            self.addresses |= set(hosts)
            self.owners |= {host: name for host in hosts if host} | {(instance["interface"], instance["vrid"]): name}
            self.keys.add((instance["interface"], instance["vrid"], 6 if ":" in "".join(hosts) else 4))

    def source(self, key: tuple[str, int, int]) -> str:
        """An address for the better peer."""
        for instance in self.instances:
            if (instance["interface"], instance["vrid"]) == key[:2]:
                for peer in instance.get("unicast-peers", []):
                    return peer["address"] if isinstance(peer, dict) else peer
        if key[2] == 6:
            return "fe80::ff:fe00:200"
        own = [text.split("/")[0] for text in self.wanted.interfaces[key[0]] if ":" not in text]
        head = own[0].rpartition(".")[0] if own else "192.0.2"
        taken = {*own, *self.addresses}
        return next(f"{head}.{last}" for last in range(254, 0, -1) if f"{head}.{last}" not in taken)


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "us": 1e-6}
    match = re.fullmatch(r"([\d.]+)([a-z]+)", text)
    return float(match[1]) * units[match[2]] if match else 0


def _life(side: Side, plan: Plan, failures: list[BaseException]) -> None:
    """Start to end; what was seen is in `side.stages`."""
    try:
        side.start()
        _serve(side, plan)
        side.stages["alone"] = side.read()
        seen = side.stages["alone"].adverts
        forged = [
            (key[0], min(1.0, advert.interval_ms / 2000), wire.better(advert, plan.source(key)))
            for key, advert in seen.items() if advert.auth != "AH"
        ]  # fmt: skip
        if forged:
            side.wire.forge(forged)
            _yield(side, plan)
            side.stages["beaten"] = side.read()
            side.wire.forge([])
            _serve(side, plan)
        side.wire.mark()
        side.process.stop()
        stage = Stage({}, {advert.key: advert for advert in side.wire.recent() if advert.priority == 0})
        stage.kernel = side.read().kernel
        side.stages["stopped"] = stage
    except BaseException as error:
        failures.append(error)


def _serve(side: Side, plan: Plan) -> None:
    """Until each virtual router has sent two adverts, or its time is over."""
    side.wire.mark()
    deadline = time.monotonic() + plan.patience
    while time.monotonic() < deadline and not side.process.has_ended:
        recent = side.wire.recent()
        counts = {key: sum(advert.key == key and advert.priority > 0 for advert in recent) for key in plan.keys}
        if plan.keys and min(counts.values()) >= 2:
            break
        time.sleep(0.05)


def _yield(side: Side, plan: Plan) -> None:
    """Until nothing is held, or time is over; then what comes is the adverts of a backup, which are none."""
    deadline = time.monotonic() + 2 * plan.interval + 1
    alone = side.stages["alone"].kernel
    while time.monotonic() < deadline and not side.process.has_ended:
        now = side.read()
        if not set(now.kernel.addresses) & set(alone.addresses) and alone.addresses:
            break
        time.sleep(0.1)
    side.wire.mark()
    time.sleep(min(2.0, 1.2 * plan.interval))


def trial(path: Path, config_id: str | None, keepalived: Program, alter=lambda toml: toml) -> Result:
    """`alter` changes what was imported, so that a test can see a difference found."""
    result = Result(str(path))
    text = path.read_text(errors="replace")
    if not Path("/proc/net/ip_vs").exists():
        # Without IPVS in the kernel keepalived ends there.
        text = re.sub(r"^(\s*)(lvs_sync_daemon)", r"\1# \2", text, flags=re.M)
    wanted, result.toml, result.report, result.reason = _wanted(text, config_id, keepalived)
    if wanted is None:
        return result
    plan = Plan(result.toml, text, wanted)
    worlds, failures = [], []
    try:
        for _ in range(2):
            worlds.append(World(wanted, text, keepalived.mounted))
        result.sides = [
            Keepalived(worlds[0], plan.addresses, config_id, keepalived.argv),
            Linkwatch(worlds[1], plan.addresses, alter(result.toml)),
        ]
        threads = [threading.Thread(target=_life, args=[side, plan, failures]) for side in result.sides]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        theirs, ours = result.sides
        if any("died: Respawning" in line or "Terminating" in line for line in theirs.process.log):
            result.reason = "keepalived does not run it here: " + " | ".join(theirs.process.log[-8:])
            return result
        for stage in theirs.stages.keys() | ours.stages.keys():
            one, other = (side.stages.get(stage, Stage()) for side in (theirs, ours))
            result.differences += differences(stage, one, other, result.report, plan.owners)
        order = ("alone", "beaten", "stopped")
        result.differences.sort(key=lambda difference: order.index(difference.stage))
    finally:
        for side in result.sides:
            side.close()
        for world in worlds:
            world.close()
    return result
