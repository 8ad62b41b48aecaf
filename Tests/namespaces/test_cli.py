"""linkwatch, as a person and a script meet it, against a linkwatchd of its own.

    NAMESPACE m (monitored)                    NAMESPACE p (peer)
    linkwatchd
    [e0] ------------ veth ------------------- [e0]
    [t0] tap, plugged and unplugged by its descriptor
"""

import json
import os
import pty
import signal
import socket
import subprocess
import threading
import time

import pytest
from prometheus_client import parser as prometheus
from prometheus_client.openmetrics import parser as openmetrics

from lab.daemon import Daemon, program
from lab.journal import Journal, until

HELD = '[interface.t0]\nup-delay = "1h"\n'


class Lab:
    """The topology above, its daemon, and ways to run linkwatch against it."""

    def __init__(self, namespaces, daemon_in, config: str | None = None):
        self.ns = namespaces
        self.ns.add("m", "p")
        self.ns.veth("m:e0", "p:e0")
        self.tap = self.ns.tap("m", "t0")
        self.daemon: Daemon = daemon_in("m", config=config)
        self.processes: list[subprocess.Popen] = []
        # The kernel says so up to a second later; from then on it has nothing more to say.
        self.run("wait", "--up", "--raw", "e0", "t0", "--timeout", "30s")

    def argv(self, *arguments: str) -> list[str]:
        return [program("linkwatch"), *arguments, "--socket", str(self.daemon.socket)]

    def run(self, *arguments: str, status: int = 0, **options) -> subprocess.CompletedProcess:
        done = subprocess.run(self.argv(*arguments), capture_output=True, text=True, timeout=60, **options)
        assert done.returncode == status, f"{done.args}: {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def lines(self, *arguments: str) -> list[str]:
        return self.run(*arguments).stdout.splitlines()

    def records(self, *arguments: str) -> list[dict]:
        return [json.loads(line) for line in self.lines(*arguments)]

    def start(self, *arguments: str) -> subprocess.Popen:
        process = subprocess.Popen(
            self.argv(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        process.output = Journal(" ".join(arguments))
        process.complaints = Journal(f"stderr of {' '.join(arguments)}")
        for stream, journal in (process.stdout, process.output), (process.stderr, process.complaints):
            threading.Thread(target=_read, args=[stream, journal], daemon=True).start()
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def _read(stream, journal: Journal) -> None:
    for line in stream:
        journal.append(line.rstrip("\n"))
    journal.end("closed")


@pytest.fixture
def lab(namespaces, daemon_in, request):
    lab = Lab(namespaces, daemon_in, config=getattr(request, "param", None))
    yield lab
    lab.close()


def holding(*words: str):
    """Matches a line that has all these words, in this order."""

    def matches(line: str) -> bool:
        position = 0
        for word in words:
            position = line.find(word, position)
            if position < 0:
                return False
        return True

    return matches


def row(lines: list[str], ifname: str) -> dict[str, str]:
    """The cells of an interface by their headings; none of these has a blank in it."""
    [cells] = [line.split() for line in lines if line.split() and line.split()[0] == ifname]
    return dict(zip(lines[0].split(), cells))


# linkwatch --dump


def test_dump_shows_every_interface(lab):
    lines = lab.lines("--dump")
    assert {line.split()[0] for line in lines[1:]} == {"lo", "e0", "t0"}
    e0 = row(lines, "e0")
    assert (e0["STATE"], e0["WHY"], e0["ADMIN"], e0["MII"], e0["CARRIER"], e0["OPERSTATE"]) == (
        "up", "-", "up", "-", "up", "up",
    )  # fmt: skip
    assert row(lab.lines(), "e0")["STATE"] == "up", "--dump may be left out"


def test_dump_some(lab):
    lab.ns.ip("m", "link property add dev e0 altname other-name", "address add 192.0.2.1/24 dev e0")
    lab.ns.ip("m", "route add default via 192.0.2.254")
    lab.start("watch", "--routes").output.await_item(holding("present", "route 0.0.0.0/0"), 20)
    for name in "e0", "other-name":
        assert [record["ifname"] for record in lab.records("--dump", name, "--json")] == ["e0"]
    assert [record["ifname"] for record in lab.records("dump", "--json", "t0", "lo")] == ["lo", "t0"]
    interface, route = lab.records("--dump", "--json", "--routes", "e0")
    assert (interface["ifname"], route["dst"], route["gateways"]) == ("e0", "0.0.0.0/0", ["192.0.2.254"])
    assert lab.records("--dump", "--json", "--routes", "t0")[1:] == [], "a route that does not use it"
    missing = lab.run("--dump", "--json", "nix", "t0", status=66)
    assert json.loads(missing.stdout)["ifname"] == "t0"
    assert missing.stderr == "linkwatch: no interface nix\n"


def test_dump_says_why(lab):
    lab.ns.ip("p", "link set e0 down")
    lab.run("wait", "--down", "e0", "--timeout", "20s")
    e0 = row(lab.lines("--dump"), "e0")
    assert (e0["STATE"], e0["ADMIN"], e0["CARRIER"]) == ("down", "up", "down")
    assert e0["WHY"] in {"carrier", "operstate", "driver"}
    lab.ns.ip("m", "link set e0 down")
    lab.start("watch", "e0").output.await_item(holding("e0", "down", "by admin"), 20)
    assert row(lab.lines("--dump"), "e0")["WHY"] == "admin"


def test_dump_json_is_what_the_daemon_says(lab):
    def steady(interface: dict) -> dict:
        words = {name: word | {"confirmedUsec": None} for name, word in interface["evidence"].items()}
        return interface | {"evidence": words}

    told = {steady(interface)["ifindex"]: steady(interface) for interface in lab.records("--dump", "--json")}
    assert told == {record["ifindex"]: steady(record) for record in lab.daemon.call("Dump")["interfaces"]}


def test_dump_shows_tracked_routes(lab):
    lab.ns.ip("m", "address add 192.0.2.1/24 dev e0", "route add default via 192.0.2.254")
    watch = lab.start("watch", "--routes")
    watch.output.await_item(holding("present", "route 0.0.0.0/0", "via 192.0.2.254", "dev e0"), 20)
    assert any(holding("0.0.0.0/0", "present", "192.0.2.254", "e0")(line) for line in lab.lines("--dump"))


def test_without_a_daemon(lab):
    lab.daemon.kill()
    for arguments in ["--dump"], ["watch"], ["wait", "--up", "e0"], ["mii", "e0"], ["history"], ["metrics"]:
        done = lab.run(*arguments, status=69)
        assert done.stdout == ""
        [complaint] = done.stderr.splitlines()
        assert str(lab.daemon.socket) in complaint
    os.unlink(lab.daemon.socket)
    lab.run("--dump", "--connect-timeout", "50ms", status=69)
    waiting = lab.start("--dump", "--connect-timeout", "30s")
    lab.daemon.start(ready=False)
    waiting.output.await_item(holding("e0", "up"), 30)
    assert waiting.wait(20) == 0


def test_colour_is_for_terminals(lab):
    def on_a_terminal(**environment) -> str:
        ours, theirs = pty.openpty()
        inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        subprocess.run(
            lab.argv("--dump"), stdout=theirs, timeout=60, check=True, env=inherited | {"TERM": "xterm"} | environment
        )
        os.close(theirs)
        text = os.read(ours, 65536).decode()
        os.close(ours)
        return text

    assert "\x1b[32mup\x1b[0m" in on_a_terminal()
    assert "\x1b" not in on_a_terminal(NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(TERM="dumb")
    assert "\x1b" not in on_a_terminal(TERM="")
    assert "\x1b" not in lab.run("--dump").stdout


def test_a_name_cannot_drive_the_terminal(lab):
    lab.ns.ip("m", "link add e\x1b[31mx type veth peer name plain")
    lab.run("wait", "--down", "plain")
    watch = lab.start("watch")
    watch.output.await_item(holding("synced"), 20)
    for line in [*watch.output, *lab.lines("--dump"), *lab.lines("history")]:
        assert "\x1b" not in line


def test_names_that_are_no_text_are_two(lab):
    for byte in b"\xfe", b"\xff":
        lab.ns.run(
            "m", "ip", "link", "add", os.fsdecode(b"x" + byte), "type", "veth",
            "peer", "name", os.fsdecode(b"y" + byte),
        )  # fmt: skip
    lab.run("wait", "--down", "x\\xfe", "y\\xff", "--timeout", "20s")
    names = {record["ifname"] for record in lab.records("--dump", "--json")}
    assert {"x\\xfe", "x\\xff", "y\\xfe", "y\\xff"} <= names
    up = [line for line in lab.lines("metrics") if line.startswith("linkwatch_interface_up{")]
    assert len(set(up)) == len(names)


@pytest.mark.parametrize("name, printed", [(b"x\xff", "x\\xff"), (b"e\x1b[31m", "e\\x1b[31m"), (b"a\\xff", "a\\x5cxff")])
def test_an_interface_is_named_as_it_is_or_as_it_is_printed(lab, name, printed):
    lab.ns.run("m", "ip", "link", "add", os.fsdecode(name), "type", "bridge")
    lab.run("wait", "--down", printed, "--timeout", "20s")
    names = [printed] if name == b"a\\xff" else [printed, os.fsdecode(name)]
    for argument in names:
        [record] = lab.records("--dump", argument, "--json")
        assert record["ifname"] in (printed, name.decode(errors="replace"))
        assert printed in lab.run("--dump", argument).stdout
        lab.run("wait", "--down", argument, "--timeout", "20s")
        lab.run("history", argument)
        assert printed in lab.run("mii", argument, status=66).stderr
    assert f"no interface {printed}z" in lab.run("--dump", printed + "z", status=66).stderr


@pytest.mark.parametrize("command", [["--dump"], ["metrics"], ["history"], ["wait", "--up", "e0"], ["watch"]])
def test_who_may_not_connect_is_told_by_the_status(lab, command):
    """A refusal for want of root is reported neither as a missing daemon nor as a protocol error."""
    lab.daemon.socket.chmod(0o600)
    lab.daemon.folder.chmod(0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run([*nobody, *lab.argv(*command)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 77 and "Permission denied" in done.stderr, done


def test_registers_that_may_not_be_read_are_told_by_the_status(lab):
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program("linkwatch"), "mii", "e0", "--direct"]
    done = subprocess.run(lab.ns.argv("m", *nobody), capture_output=True, text=True, timeout=60)
    assert done.returncode == 77 and "no MII" in done.stderr, done


# linkwatch --direct


def test_direct_agrees_with_the_daemon(lab):
    lab.ns.ip("p", "link set e0 down")
    lab.run("wait", "--down", "e0", "--timeout", "20s")
    fields = ["ifname", "state", "rawState", "operstate", "flags", "mtu", "address", "kind"]

    def told(records) -> dict[int, dict]:
        return {record["ifindex"]: {key: record.get(key) for key in fields} for record in records}

    text = lab.ns.run("m", program("linkwatch"), "--dump", "--direct", "--json")
    assert told(map(json.loads, text.splitlines())) == told(lab.daemon.call("Dump")["interfaces"])


def test_direct_needs_no_privileges(lab):
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program("linkwatch")]
    lines = lab.ns.run("m", *nobody, "--direct").splitlines()
    assert row(lines, "e0")["STATE"] == "up"


# linkwatch watch


def test_watch_prints_a_line_an_event(lab):
    watch = lab.start("watch")
    synced = watch.output.await_item(holding("--- synced: 3 interfaces, 0 routes"), 20)
    assert watch.output.index(synced) == 3
    watch.output.mark()
    lab.tap.carrier(False)
    watch.output.await_item(holding("t0", "down", "carrier up -> down"), 20)
    lab.ns.ip("m", "link set t0 down", "link set t0 name t1")
    watch.output.await_item(holding("t1", "down", "was t0"), 20)
    lab.ns.ip("m", "link delete e0")
    watch.output.await_item(holding("e0", "gone", "removed"), 20)
    watch.send_signal(signal.SIGINT)
    assert watch.wait(20) == 0
    watch.complaints.await_end(20)
    assert watch.complaints == []


def test_watch_some_as_json(lab):
    watch = lab.start("watch", "e0", "--json")
    watch.output.await_item(holding('"kind":"synced"'), 20)
    lab.ns.ip("p", "link set e0 down")
    watch.output.await_item(holding('"kind":"changed"', '"state":"down"'), 20)
    events = [json.loads(line) for line in watch.output]
    assert [event["kind"] for event in events[:3]] == ["snapshot", "synced", "changed"]
    assert {event["interface"]["ifname"] for event in events if "interface" in event} == {"e0"}


def test_watch_ends_when_nobody_reads(lab):
    watch = lab.start("watch")
    watch.output.await_item(holding("synced"), 20)
    reader = subprocess.Popen(lab.argv("watch"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lab.processes.append(reader)
    assert any(b"synced" in line for line in reader.stdout)
    reader.stdout.close()
    lab.tap.carrier(False)
    assert reader.wait(20) == 0
    assert reader.stderr.read() == b""


def test_watch_ends_without_another_event_when_nobody_reads(lab):
    shell = " ".join(lab.argv("watch", "lo")) + " | head -n 1; exit ${PIPESTATUS[0]}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert holding("lo", "up")(done.stdout)


def test_watch_and_the_end_of_the_daemon(lab):
    leaving = lab.start("watch")
    staying = lab.start("watch", "--reconnect")
    for watch in leaving, staying:
        watch.output.await_item(holding("synced"), 20)
    lab.daemon.kill()
    assert leaving.wait(20) == 69
    staying.complaints.await_item(holding(str(lab.daemon.socket), "waiting for it"), 20)
    staying.output.mark()
    lab.daemon.start()
    staying.output.await_item(holding("synced: 3 interfaces"), 20)
    lab.tap.carrier(False)
    staying.output.await_item(holding("t0", "down"), 20)


# linkwatch wait


def test_wait_for_an_interface_that_is_not_there_yet(lab):
    waiting = lab.start("wait", "--up", "new0", "e0")
    gone = lab.start("wait", "--down", "e0")
    lab.ns.ip("m", "link add new0 type veth peer name new1", "link set new1 up", "link set new0 up")
    assert waiting.wait(30) == 0
    lab.ns.ip("m", "link delete e0")
    assert gone.wait(30) == 0


def test_wait_has_a_timeout(lab):
    done = lab.run("wait", "--up", "e0", "nix", "--timeout", "50ms", status=1)
    assert done.stderr == "linkwatch: not up within 50ms: nix\n"
    lab.run("wait", "--up", "e0", "nix", "--any", "--timeout", "0s")
    lab.run("wait", "--down", "e0", "nix", "--any", "--timeout", "0s")
    lab.run("wait", "--down", "e0", "nix", "--timeout", "0s", status=1)


def test_wait_goes_on_with_another_daemon(lab):
    leaving = lab.start("wait", "--down", "e0")
    staying = lab.start("wait", "--down", "e0", "--reconnect")
    until(lambda: lab.daemon.call("Statistics")["subscribers"] == 2, "both to be watching")
    lab.daemon.kill()
    assert leaving.wait(20) == 69
    staying.complaints.await_item(holding("waiting for it"), 20)
    lab.daemon.start()
    lab.ns.ip("p", "link set e0 down")
    assert staying.wait(30) == 0
    assert len(staying.complaints) == 1
    lab.daemon.kill()
    assert lab.run("wait", "--up", "e0", "--reconnect", "--timeout", "50ms", status=69).stdout == ""


def test_wait_keeps_its_timeout_with_a_daemon_that_is_silent(lab, tmp_path):
    """Without the mend it takes ten seconds; a timeout of its own bounds it, compared with none in the same run."""

    def seconds(*arguments: str) -> float:
        argv = [program("linkwatch"), "wait", "--up", "e0", "--socket", str(tmp_path / "silent"), *arguments]
        begin = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (69, "")
        return time.monotonic() - begin

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        assert seconds("--timeout", "1s") < seconds() / 3
        # What goes on for days answers at once as well.
        watching = [["watch"], ["watch", "--json"]]
        commands = [[program("linkwatch"), *words, "--socket", str(tmp_path / "silent")] for words in watching]
        commands.append([program("linkwatch"), "vrrp", "--watch", "--vrrp-socket", str(tmp_path / "silent")])
        running = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for argv in commands]
        for process in running:
            assert "does not answer" in process.communicate(timeout=60)[1]
            assert process.returncode == 69


@pytest.mark.parametrize("lab", [HELD], indirect=True)
def test_wait_for_raw_or_settled(lab):
    lab.tap.carrier(False)
    lab.run("wait", "--down", "t0", "--timeout", "20s")
    lab.tap.carrier(True)
    lab.run("wait", "--up", "--raw", "t0", "--timeout", "20s")
    lab.run("wait", "--up", "t0", "--timeout", "0s", status=1)
    [line] = [line for line in lab.lines("--dump") if line.startswith("t0")]
    assert holding("down [up]", "hold")(line)


# The others


def test_mii_says_that_there_is_none(lab):
    for where in [], ["--direct"]:
        command = ["mii", "e0", *where]
        argv = lab.ns.argv("m", *lab.argv(*command))
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert done.returncode == 66
        assert done.stderr.startswith("linkwatch: e0: no MII: ")
    assert lab.run("mii", "nix", status=66).stderr == "linkwatch: no interface nix\n"


def test_history(lab):
    lab.tap.carrier(False)
    lab.run("wait", "--down", "t0", "--timeout", "20s")
    lines = lab.lines("history", "t0")
    assert lines[0].split() == ["TIME", "INTERFACE", "WHAT", "STATE", "WHY"]
    assert any(holding("t0", "raw", "down")(line) for line in lines)
    records = lab.records("history", "t0", "--json")
    assert records[0]["scope"] == "added"
    assert lab.records("history", "t0", "--json", "--limit", "1") == records[-1:]
    assert lab.run("history", "nix", status=66).stderr == "linkwatch: no interface nix\n"


def test_metrics_are_good_in_both_formats(lab):
    lab.ns.ip("m", 'link add q"\\ type veth peer name plain')
    # A port that is nobody's is probed while somebody asks for it by name, and the readings below are compared.
    lab.start("watch", "e0", "t0").output.await_item(lambda line: " e0 " in f" {line} ")
    lab.run("wait", "--up", "e0", "t0", "--timeout", "20s")
    lab.tap.carrier(False)
    lab.run("wait", "--down", "t0", "--timeout", "20s")
    text = lab.run("metrics", "--format", "openmetrics").stdout
    assert text.endswith("# EOF\n")
    samples = {}
    for family in openmetrics.text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.timestamp is None, "node_exporter refuses those"
            samples[sample.name, sample.labels.get("ifname"), sample.labels.get("source")] = sample.value
    assert samples["linkwatch_interface_up", "e0", None] == 1
    assert samples["linkwatch_interface_up", "t0", None] == 0
    assert samples["linkwatch_interface_raw_up", "t0", None] == 0
    assert samples["linkwatch_interface_flaps_total", "t0", None] == 1
    assert samples["linkwatch_interface_transitions_total", "t0", None] >= 1
    assert samples["linkwatch_interface_evidence_up", "t0", "admin"] == 1
    assert samples["linkwatch_interface_evidence_up", "t0", "carrier"] == 0
    assert ("linkwatch_interface_up", 'q"\\', None) in samples
    assert samples["linkwatch_interfaces", None, None] == 5
    for name in "subscribers", "netlink_overruns_total", "subscriber_overflows_total", "events_total":
        assert (f"linkwatch_{name}", None, None) in samples
    assert ("linkwatch_probe_latency_seconds_count", None, "driver") in samples

    text = lab.run("metrics").stdout
    families = list(prometheus.text_string_to_metric_families(text))
    assert "unknown" not in {family.type for family in families} and all(f.documentation for f in families)
    older = {
        (sample.name, *sorted(sample.labels.items())): sample.value for f in families for sample in f.samples
    }
    assert older["linkwatch_interface_up", ("ifname", "t0")] == 0
    assert older["linkwatch_interface_flaps_total", ("ifname", "t0")] == 1
    assert older.keys() - samples_of(lab.run("metrics", "--format", "openmetrics").stdout) == set()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def samples_of(text: str) -> set:
    families = openmetrics.text_string_to_metric_families(text)
    return {(sample.name, *sorted(sample.labels.items())) for f in families for sample in f.samples}


def test_metrics_replace_a_file_in_one_step(lab, tmp_path):
    file = tmp_path / "linkwatch.prom"
    file.write_text("old")
    before = file.stat().st_ino
    assert lab.run("metrics", "--output", str(file)).stdout == ""
    assert "linkwatch_up 1\n" in file.read_text()
    assert file.stat().st_ino != before, "written over, not replaced"
    file.chmod(0o640)
    lab.run("metrics", "--output", str(file))
    assert file.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["linkwatch.prom"]
    lab.run("metrics", "--output", str(tmp_path / "missing" / "file"), status=74)
    lab.run("metrics", "--output", str(tmp_path), status=74)
    lab.daemon.kill()
    lab.run("metrics", "--output", str(file), status=69)
    samples = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert samples[0] == "linkwatch_up 0"
    assert samples[1].startswith("linkwatch_read_timestamp_seconds ") and len(samples) == 2


def test_metrics_of_the_file_that_was_meant(lab, tmp_path):
    """Links, devices, pipes and - are written to, not replaced; the collector can read a new file whatever the umask."""
    target, link = tmp_path / "target.prom", tmp_path / "link.prom"
    link.symlink_to("target.prom")
    previous = os.umask(0o077)
    try:
        lab.run("metrics", "--output", str(link))
    finally:
        os.umask(previous)
    assert link.is_symlink() and "linkwatch_up 1" in target.read_text()
    assert target.stat().st_mode & 0o777 == 0o644
    for name in "-", "/dev/stdout":
        assert "linkwatch_up 1" in lab.run("metrics", "--output", name, cwd=tmp_path).stdout
    lab.run("metrics", "--output", "/dev/null")
    lab.run("metrics", "--output", "/dev/full", status=74)
    loop = tmp_path / "loop.prom"
    loop.symlink_to("loop.prom")
    lab.run("metrics", "--output", str(loop), status=74)
    assert loop.is_symlink()
    loop.unlink()
    assert sorted(os.listdir(tmp_path)) == ["link.prom", "target.prom"]
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE, text=True)
    lab.run("metrics", "--output", str(fifo))
    assert "linkwatch_up 1" in reader.communicate(timeout=20)[0]


def test_output_that_cannot_be_written(lab):
    with open("/dev/full", "w") as full:
        done = subprocess.run(lab.argv("--dump"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (74, "linkwatch: standard output: No space left on device\n")


@pytest.mark.parametrize("name", ["linkwatch", "linkwatchd", "linkwatch-vrrp"])
def test_what_is_asked_for_and_cannot_be_printed(name):
    """A full disk, a closed output and one that is open for reading alone: neither success nor a crash."""
    for redirection in ">/dev/full", ">&-", "1</dev/null", ">&- <&-", ">&- 2>&- <&-":
        for option in "--help", "--version":
            done = subprocess.run(
                ["bash", "-c", f"exec {program(name)} {option} {redirection}"], capture_output=True, timeout=60
            )
            assert done.returncode == 74, (option, redirection, done)


def test_without_standard_descriptors(lab):
    """The next descriptor that is opened must not become the standard output: no text in the daemon's socket, no crash."""
    before = lab.daemon.call("Statistics")
    for command in "--dump", "metrics", "watch", "history", "--dump --direct":
        for redirection in ">&-", "<&- >&-", "<&- >&- 2>&-":
            shell = f"exec {' '.join(lab.argv(*command.split()))} {redirection}"
            done = subprocess.run(["bash", "-c", shell], capture_output=True, timeout=60)
            assert done.returncode == 74, (command, redirection, done)
    shell = f"exec {' '.join(lab.argv('wait', '--up', 'e0'))} <&- >&- 2>&-"
    assert subprocess.run(["bash", "-c", shell], timeout=60).returncode == 0, "it prints nothing"
    assert lab.daemon.call("Statistics")["version"] == before["version"]


def test_a_daemon_without_standard_descriptors(namespaces, tmp_path):
    """Its log goes nowhere, and least of all into its own lock file."""
    namespaces.add("m")
    argv = [program("linkwatchd"), "--socket", str(tmp_path / "d.sock"), "--config", "/dev/null"]
    argv = namespaces.argv("m", "bash", "-c", f"exec {' '.join(argv)} <&- >&- 2>&-")
    process = subprocess.Popen(argv)
    try:
        asked = [program("linkwatch"), "--socket", str(tmp_path / "d.sock"), "--connect-timeout", "30s", "--dump"]
        assert "lo" in subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
        assert all((tmp_path / name).stat().st_size == 0 for name in os.listdir(tmp_path))
        for descriptor in 0, 1, 2:
            assert os.readlink(f"/proc/{process.pid}/fd/{descriptor}") == "/dev/null"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(
    "arguments",
    [["metrics", "--json"], ["--json", "metrics"], ["watch", "--direct"], ["--direct", "history"], ["wait", "--json"],
     ["wait", "--up", "lo", "--timeout", "1s", "--timeout", "2s"], ["--socket", "a", "--dump", "--socket=b"],
     ["vrrp", "--socket", "a"], ["metrics", "--routes"], ["lo"], ["mii", "lo", "lo"], ["metrics", "--format", "xml"],
     ["--nonsense"], ["wait", "e0"], ["wait", "--up"], ["wait", "--up", "e0", "--timeout", "30"], ["mii"],
     ["history", "--limit", "0"], ["nonsense"]],
)  # fmt: skip
def test_a_command_line_that_cannot_be_taken(arguments):
    done = subprocess.run([program("linkwatch"), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 64
    assert "linkwatch" in done.stderr
