"""`rules` of an instance, as `ip -j rule` shows them: there while the director serves, gone when it does not, put back when
somebody takes them, and no rule goes that is not ours.

The picture is in lab/vrrp.py; r1 is alone on e0 with 192.0.2.11/24.
"""

import json
import re
import subprocess
import threading

import pytest

from lab.daemon import program
from lab.journal import Journal
from lab.vrrp import Director, Lans, until

RULES = [
    '{ from = "192.0.2.0/24", to = "198.51.100.0/24", iif = "lo", table = 100, priority = 1000 }',
    '{ fwmark = "0x10/0xff", tos = 16, table = 70000, priority = 1001 }',
    '{ ipproto = "tcp", dport = "8000-8999", sport = 80, uidrange = "5-7", not = true, table = 254, priority = 1001 }',
    '{ table = 254, suppress-prefixlength = 0, priority = 1002 }',
    '{ from = "2001:db8::/32", oif = "absent", l3mdev = true, priority = 1000 }',
    '{ to = "2001:db8:f::/48", type = "prohibit", priority = 0 }',
]
# The same as `ip -j rule` tells them, by family.
EXPECTED = {
    "-4": [
        {"priority": 1000, "src": "192.0.2.0", "srclen": 24, "dst": "198.51.100.0", "dstlen": 24, "iif": "lo", "table": "100"},
        {"priority": 1001, "src": "all", "tos": "0x10", "fwmark": "0x10", "fwmask": "0xff", "table": "70000"},
        {
            "priority": 1001, "not": None, "src": "all", "ipproto": "tcp", "sport": 80, "dport_start": 8000, "dport_end": 8999,
            "uid_start": 5, "uid_end": 7, "table": "main",
        },
        {"priority": 1002, "src": "all", "table": "main", "suppress_prefixlen": 0},
    ],
    "-6": [
        {"priority": 0, "src": "all", "dst": "2001:db8:f::", "dstlen": 48, "action": "prohibit"},
        {"priority": 1000, "src": "2001:db8::", "srclen": 32, "oif": "absent", "oif_detached": None, "l3mdev": None},
    ],
}  # fmt: skip


def instance(rules=RULES, addresses: str = '"192.0.2.1/24"', more: str = "", priority: int = 200) -> str:
    return (
        f'[instance.outside]\ninterface = "e0"\nvrid = 10\naddresses = [{addresses}]\npriority = {priority}\n'
        f'advert-interval = "100ms"\nroutes = [{{ to = "default", via = "192.0.2.254", table = 100 }}]\n'
        f"rules = [{', '.join(rules)}]\n{more}"
    )


def held(namespaces, name: str = "r1") -> dict[str, list[dict]]:
    found = {}
    for family in EXPECTED:
        rules = json.loads(namespaces.ip(name, f"-j {family} rule show"))
        ours = [rule for rule in rules if rule.pop("protocol", "") in ("112", "vrrp")]
        found[family] = sorted(ours, key=lambda rule: (rule["priority"], "not" in rule))
    return found


NONE = {"-4": [], "-6": []}


@pytest.fixture
def router(namespaces):
    lans = Lans(namespaces, legs=("e0",), hosts=False)
    lans.made = []

    def start(text: str, name: str = "r1") -> Director:
        lans.made.append(Director(namespaces, name, text))
        return lans.made[-1]

    lans.start = start
    yield lans
    for director in lans.made:
        director.close()


def serve(namespaces, director, expected=EXPECTED):
    watch = director.watch()
    watch.await_state("master")
    until(lambda: held(namespaces) == expected, "the rules")
    watch.mark()
    return watch


@pytest.mark.parametrize("end", ["stop", "kill", "release", "start", "fault"])
def test_rules_are_there_while_it_serves(namespaces, router, end):
    foreign = "rule add from 203.0.113.0/24 table 9 priority 1000"
    namespaces.ip("r1", foreign)
    before = [namespaces.ip("r1", f"{family} rule show") for family in EXPECTED]
    director = router.start(instance())
    watch = serve(namespaces, director)
    assert watch.group()["conditions"] in ([], ["monitor-lost"])
    if end == "stop":
        director.stop()
    elif end == "kill":
        director.kill()
        said = director.log.await_item(lambda line: "the process has died" in line, what="the runner's word")
        assert said.endswith("removed 1 addresses and 0 macvlan interfaces, and 1 routes, and 6 rules")
    elif end == "release":
        director.crash()
        assert held(namespaces) == EXPECTED
        command = (program("linkwatch-vrrp"), "--release", "--config", director.config)
        assert namespaces.run("r1", *command).endswith(", and 6 rules removed\n")
        assert namespaces.run("r1", *command) == ""
    elif end == "start":
        director.crash()
        # The new file names none of them, and this router does not serve.
        director.reconfigure(instance([], priority=100))
        namespaces.ip("r1", "link set e0 down")
        director.start()
    else:
        router.cut("r1", "e0")
        watch.await_state("fault")
        until(lambda: held(namespaces) == NONE, "the rules to go")
        router.mend("r1", "e0")
        watch.await_transition("master")
        until(lambda: held(namespaces) == EXPECTED, "the rules to come back")
        director.stop()
    until(lambda: held(namespaces) == NONE, "the rules to go")
    assert [namespaces.ip("r1", f"{family} rule show") for family in EXPECTED] == before


def test_what_goes_comes_back_and_who_insists_is_told(namespaces, router):
    director = router.start(instance())
    watch = serve(namespaces, director)
    namespaces.ip("r1", "rule del priority 1002")
    until(lambda: held(namespaces) == EXPECTED, "the deleted rule")
    namespaces.ip("r1", "rule flush", "rule add table main priority 32766")
    namespaces.ip("r1", "-6 rule del priority 1000")
    until(lambda: held(namespaces) == EXPECTED, "the flushed rules")
    watch.await_what("holding-contested:outside:rules")
    stop = threading.Event()

    def delete():
        while not stop.is_set():
            subprocess.run(namespaces.argv("r1", "ip", "rule", "del", "priority", "1000"), capture_output=True)

    thief = threading.Thread(target=delete)
    thief.start()
    try:
        missing = watch.await_what("holding-missing:outside:rule from 192.0.2.0/24")
        assert missing["what"].endswith(":somebody removes it as often as it is added")
        rules = director.status()["members"][0]["rules"]
        assert [rule["held"] for rule in rules] == [False] + [True] * 5
    finally:
        stop.set()
        thief.join()
    watch.await_what("holding-missing", present=False)
    assert held(namespaces) == EXPECTED and watch.transitions() == []
    text = namespaces.run("r1", program("linkwatch"), "vrrp", "--vrrp-socket", director.socket)
    assert "rule       from all to 2001:db8:f::/48 prohibit priority 0: held" in text


class Monitor(Journal):
    """Every rule that the kernel says it has added or removed: `77:` or `Deleted 77:`."""

    def __init__(self, namespaces):
        super().__init__("ip monitor rule")
        self.namespaces = namespaces
        self.process = namespaces.popen("r1", "ip", "-o", "monitor", "rule", stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        until(self._has_begun, "the monitor to listen")
        self.mark()

    def _has_begun(self) -> bool:
        self.namespaces.ip("r1", "rule add table 9 priority 98", "rule del table 9 priority 98")
        return len(self) > 0

    def _read(self) -> None:
        for line in self.process.stdout:
            if found := re.match(r"(Deleted )?\d+:", line):
                self.append(found[0])
        self.end("ip monitor ended")

    def settled(self) -> list[str]:
        """All since the mark, once what has happened until now has been told; the mark is set again."""
        self.namespaces.ip("r1", "rule add table 9 priority 99", "rule del table 9 priority 99")
        self.await_item(lambda rule: rule == "Deleted 99:", what="the last rule")
        rules = [rule for rule in self.recent() if "99:" not in rule and "98:" not in rule]
        self.mark()
        return rules

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def test_a_reload_touches_what_changed_and_nothing_else(namespaces, router):
    director = router.start(instance())
    watch = serve(namespaces, director)
    monitor = Monitor(namespaces)

    def reload(rules, **more) -> list[str]:
        director.reconfigure(instance(rules, **more))
        director.call("io.linkwatch.VRRP.Reload")
        return monitor.settled()

    added = '{ from = "10.77.0.0/16", table = 7, priority = 77 }'
    assert reload([*RULES, added]) == ["77:"]
    assert reload([*RULES, added.replace("table = 7", "table = 8")]) == ["Deleted 77:", "77:"]
    assert reload(RULES) == ["Deleted 77:"]
    # With something else of the instance, its leg is another one, and the rules stay all the same.
    assert reload(RULES, addresses='"192.0.2.1/24", "192.0.2.9/24"') == []
    until(lambda: router.holds("r1", "192.0.2.9"), "the new address")
    assert monitor.settled() == [] and watch.transitions() == []
    # The first rules of a process that followed none.
    assert len(reload([])) == 6 and held(namespaces) == NONE
    assert len(reload(RULES)) == 6 and held(namespaces) == EXPECTED
    namespaces.ip("r1", "rule del priority 1002")
    until(lambda: held(namespaces) == EXPECTED, "the deleted rule")
    monitor.close()
