"""The system that keeps the addresses on one of the two directors: linkwatch, or keepalived in its best configuration.

Both are configured alike as far as they can be: one sync group of an outside and an inside instance, LVS1 with the higher
priority and preempting, real-time scheduling, and neither starts anything else. keepalived has no heartbeats, and its polling of the PHY is fixed
at one second. What they log is a journal for each director, and the only thing that is asked of them: who holds what is for
the kernel to say.
"""

from dataclasses import dataclass

from lab.daemon import program
from lab.journal import Journal

from .pair import ADDRESSES, CABLES, DIRECTORS, INSIDE, LEGS, OUTSIDE, SECONDS_MAX, Pair
from .vm import Program

PRIORITIES = {"r1": 200, "r2": 100}

# The guest's one processor carries the client, the servers and both directors; on a router of its own nobody would have to
# wait for those. Below holdwatch and cutwatch, which say what happened when.
REALTIME = 40
# keepalived has itself killed after 10 ms of work at a stretch, which on an emulated processor is every start.
RTTIME_US = 5_000_000


class Directors:
    """A system on both directors: `start` returns when LVS1 holds both addresses and the client is served."""

    name: str
    has_cables: bool

    def __init__(self) -> None:
        self.pair: Pair
        self.programs: list[Program] = []
        self.logs: dict[str, Journal] = {}

    def start(self, pair: Pair) -> "Directors":
        self.pair = pair
        for director in DIRECTORS:
            self._start(director)
        try:
            self._await_start()
            pair.holdings.await_holder("r1")
            pair.client.await_service()
        except TimeoutError as error:
            raise TimeoutError(f"{self.name} does not start: {error}\n" + "\n".join(self._tails())) from error
        return self

    def _tails(self) -> list[str]:
        return [f"{director}: {line}" for director, log in self.logs.items() for line in log[-12:]]

    def stop(self) -> None:
        """Ends it in good order; the addresses go with it."""
        for running in reversed(self.programs):
            running.stop(SECONDS_MAX)
        self.programs = []

    def mark(self) -> None:
        for log in self.logs.values():
            log.mark()

    def await_log(self, director: str, text: str, timeout: float = SECONDS_MAX) -> None:
        """Waits for a line with this text, in the log since the mark."""
        self.logs[director].await_item(lambda line: text in line, timeout, f"{text!r} of {director}")

    def await_fault(self, director: str) -> None:
        """Waits until the director has said that it cannot serve, since the mark."""
        raise NotImplementedError

    def await_fit(self, director: str) -> None:
        """Waits until it has said that it can again."""
        raise NotImplementedError

    def await_cables(self, cables: int, alive: bool) -> None:
        """Waits until both have noticed that this many cables went, or came back."""

    def _start(self, director: str) -> None:
        raise NotImplementedError

    def _await_start(self) -> None:
        """Waits until both directors take part."""
        raise NotImplementedError

    def _spawn(self, director: str, log: str, *argv) -> None:
        """Starts a daemon there; `log` names the output to follow as its log; "" means none."""
        running = self.pair.vm.spawn("ip", "netns", "exec", director, *argv)
        self.programs.append(running)
        if log:
            self.logs[director] = getattr(running, log)


@dataclass(eq=False)
class Linkwatch(Directors):
    """linkwatchd and linkwatch-vrrp on each director."""

    advert: str = "100ms"
    heartbeats: int = 2
    poll: str = "10ms"

    def __post_init__(self) -> None:
        super().__init__()
        self.has_cables = self.heartbeats > 0
        known = f"heartbeats over {self.heartbeats} cables" if self.heartbeats else "no heartbeats"
        self.name = f"linkwatch, adverts every {self.advert}, {known}, MII every {self.poll}"

    def await_fault(self, director: str) -> None:
        self.await_log(director, "-> fault")

    def await_fit(self, director: str) -> None:
        self.await_log(director, "fault -> ")

    def await_cables(self, cables: int, alive: bool) -> None:
        for director in DIRECTORS:
            for number in range(1, min(cables, self.heartbeats) + 1):
                self._await_cable(director, f"heartbeat-degraded:cable{number}", alive)

    def _await_cable(self, director: str, condition: str, alive: bool) -> None:
        """Waits until the newest line about this condition says that it is over, or there."""
        log = self.logs[director]

        def holds() -> bool:
            said = [line for line in log if line.endswith(condition)]
            return bool(said) and said[-1].endswith(f"no longer {condition}") == alive

        log.await_true(holds, SECONDS_MAX, f"{condition} {'ending' if alive else 'coming'} at {director}")

    def _await_start(self) -> None:
        for director in DIRECTORS:
            self.await_log(director, "initialize -> ")
        self.await_cables(self.heartbeats, alive=True)

    def _start(self, director: str) -> None:
        socket, file = self.monitor(director), f"/run/{director}-vrrp.toml"
        self.pair.vm.sh(f"mkdir -p /run/{director}; cat >{file} <<'END'\n{self.configuration(director)}\nEND")
        for name in ("linkwatchd", "linkwatch-vrrp"):
            self.pair.vm.warm(program(name))
        poll = ["--mii-interval", self.poll, "--probe-interval", self.poll, "--realtime", REALTIME]
        self._spawn(director, "", program("linkwatchd"), "--config", "/dev/null", "--socket", socket, *poll)
        vrrp = ["--config", file, "--monitor", socket, "--socket", f"/run/{director}-vrrp.sock"]
        self._spawn(director, "stderr", program("linkwatch-vrrp"), *vrrp)

    @staticmethod
    def monitor(director: str) -> str:
        """linkwatchd's socket."""
        return f"/run/{director}-linkwatchd.sock"

    def configuration(self, director: str) -> str:
        """vrrp.toml of a director."""
        outside, inside = LEGS[director]
        names = [f'"cable{number}"' for number in range(1, self.heartbeats + 1)]
        text = f"""
[process]
state-directory = "/run/{director}"
realtime-priority = {REALTIME}

[group.lvs]
priority = {PRIORITIES[director]}
instances = ["outside", "inside"]
heartbeats = [{", ".join(names)}]
advert-interval = "{self.advert}"

[instance.outside]
interface = "{outside}"
vrid = 10
addresses = ["{OUTSIDE}/24"]

[instance.inside]
interface = "{inside}"
vrid = 20
addresses = ["{INSIDE}/24"]
"""
        place = DIRECTORS.index(director)
        for number, ends in enumerate(CABLES[: self.heartbeats], 1):
            own, peer = ends[place], ends[1 - place]
            text += f"""
[heartbeat.cable{number}]
interface = "{own}"
vrid = {own[2:]}
peer-vrid = {peer[2:]}
"""
        return text


@dataclass(eq=False)
class Keepalived(Directors):
    """Debian's keepalived on each director; `stamp` is a program that runs another and puts the instant before each of its
    lines."""

    advert_seconds: float = 0.1
    polling: bool = True
    stamp: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.has_cables = False
        self.name = f"keepalived, adverts every {self.advert_seconds:g} s, " + (
            "MII polling" if self.polling else "no MII polling"
        )

    def await_fault(self, director: str) -> None:
        self.await_log(director, "Entering FAULT STATE")

    def await_fit(self, director: str) -> None:
        self.await_log(director, "Entering BACKUP STATE")

    def _await_start(self) -> None:
        for director in DIRECTORS:
            self.await_log(director, "Entering BACKUP STATE")

    def _start(self, director: str) -> None:
        file = f"/run/{director}-keepalived.conf"
        self.pair.vm.sh(f"cat >{file} <<'END'\n{self.configuration(director)}\nEND")
        self.pair.vm.warm("/usr/sbin/keepalived")
        pids = ["--pid", f"/run/{director}-keepalived.pid", "--vrrp_pid", f"/run/{director}-keepalived-vrrp.pid"]
        options = ["--dont-fork", "--log-console", "--vrrp", "--log-detail", "--use-file", file, *pids]
        stamped = [self.stamp] if self.stamp else []
        self._spawn(director, "stdout" if stamped else "stderr", *stamped, "keepalived", *options)

    def configuration(self, director: str) -> str:
        """keepalived.conf of a director."""
        legs = LEGS[director]
        # One a line: of two on a line it ignores the second.
        polled = "\n".join(["linkbeat_interfaces {", *(f"    {leg} MII" for leg in legs), "}"]) if self.polling else ""
        text = f"""
global_defs {{
    vrrp_version 3
    vrrp_rt_priority {REALTIME}
    vrrp_rlimit_rttime {RTTIME_US}
}}
{polled}
vrrp_sync_group lvs {{
    group {{
        outside
        inside
    }}
}}
"""
        for name, leg, vrid, address in zip(("outside", "inside"), legs, (10, 20), ADDRESSES):
            text += f"""
vrrp_instance {name} {{
    state BACKUP
    interface {leg}
    virtual_router_id {vrid}
    priority {PRIORITIES[director]}
    advert_int {self.advert_seconds:g}
    virtual_ipaddress {{
        {address}/24 dev {leg}
    }}
}}
"""
        return text
