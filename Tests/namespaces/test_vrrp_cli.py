"""What linkwatch-vrrp says of itself: to a person by `linkwatch vrrp`, and to the varlink client from PyPI.

The picture is in lab/vrrp.py, the pair in lab/pair.py; all is asked of r1, which serves.
"""

import json
import subprocess
import threading

import pytest
import varlink

from lab.daemon import program
from lab.journal import Journal
from lab.pair import INSIDE, OUTSIDE, config
from lab.vrrp import VRRP, until


@pytest.fixture
def pair(pair):
    return pair()


def ask(socket, *arguments: str, status: int = 0) -> subprocess.CompletedProcess:
    argv = [program("linkwatch"), "vrrp", *arguments, "--vrrp-socket", str(socket)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, f"{argv}: {done.returncode}: {done.stdout}{done.stderr}"
    return done


def test_a_person_sees_who_serves_and_why(pair):
    said = ask(pair.r1.socket).stdout
    first, *lines = said.splitlines()
    assert first.startswith("lvs: MASTER for ") and "priority 200, VRRPv3, adverts every 100ms" in first
    rows = {line.split()[0]: line.split() for line in lines if line.startswith("  ") and line.split()}
    assert rows["INSTANCE"] == ["INSTANCE", "INTERFACE", "VRID", "HOLDS", "LEG", "MASTER", "DOWN-IN", "ADDRESSES"]
    assert rows["outside"][:5] == ["outside", "e0", "10", "yes", "proven"] and rows["outside"][-1] == OUTSIDE
    assert rows["inside"][:5] == ["inside", "e1", "20", "yes", "proven"] and rows["inside"][-1] == INSIDE
    assert "cross0 on hb0 alive" in said and "priority 100, holds nothing" in said
    assert "lvs: backup -> master" in lines[-1]
    # The backup says whose adverts it hears, and when it would take over without them.
    rows = {line.split()[0]: line.split() for line in ask(pair.r2.socket).stdout.splitlines() if line.split()}
    assert rows["outside"][3:7] == ["no", "proven", "192.0.2.11", "(200)"] and rows["outside"][7].endswith("ms")
    pair.lans.cut("r1", "e1")
    pair.w1.await_transition("fault")
    assert "  cause      link:e1:" in ask(pair.r1.socket, "lvs").stdout


def test_a_script_gets_a_group_a_line(pair):
    [line] = ask(pair.r1.socket, "--json").stdout.splitlines()
    record = json.loads(line)
    assert record["name"] == "lvs" and record["state"] == "master"
    assert [member["name"] for member in record["members"]] == ["outside", "inside"]
    assert "no group nobody" in ask(pair.r1.socket, "nobody", status=66).stderr
    assert "no linkwatch-vrrp on" in ask(f"{pair.r1.socket}.not", status=69).stderr


def test_events_are_followed_as_they_happen(pair):
    argv = [program("linkwatch"), "vrrp", "--watch", "--vrrp-socket", str(pair.r2.socket)]
    watching = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    output = Journal("linkwatch vrrp --watch")

    def read() -> None:
        for line in watching.stdout:
            output.append(line.rstrip("\n"))
        output.end("closed")

    threading.Thread(target=read, daemon=True).start()
    try:
        output.await_item(lambda line: line.endswith(" lvs is backup"), what="the snapshot")
        pair.lans.cut("r1", "e1")
        output.await_item(lambda line: "lvs: backup -> master (at-once)" in line, what="the takeover")
        pair.lans.mend("r1", "e1")
        output.await_item(lambda line: "lvs: master -> backup" in line, what="the way back")
        watching.terminate()
        assert watching.wait(20) == 0
    finally:
        watching.kill()
        watching.wait()


def test_an_operator_reloads_and_hands_over(pair):
    pair.r1.config.write_text(pair.r1.config.read_text().replace("priority = 200", "priority = 1000"))
    refused = ask(pair.r1.socket, "--reload", status=78).stderr
    assert "linkwatch-vrrp.toml:" in refused and "priority" in refused and "255" in refused
    pair.r1.reconfigure(config("r1", **{**pair.options["r1"], "group": "preempt = false"}))
    ask(pair.r1.socket, "--reload")
    assert pair.moved_nothing()
    assert "no handover" in ask(pair.r2.socket, "--handover", "lvs", status=78).stderr
    ask(pair.r1.socket, "--handover", "lvs")
    pair.holdings.await_by("r2")
    assert "  condition  handed-over" in ask(pair.r1.socket).stdout
    assert pair.holdings.never_together()


def test_an_operator_has_the_file_checked(pair):
    """The same is said as by `linkwatch-vrrp --check`, and nothing is applied."""
    assert ask(pair.r1.socket, "--check").stdout == "the configuration file is good\n"
    text = pair.r1.config.read_text()
    doubtful = text.replace("priority = 200", 'priority = 200\npreempt = false\ntrack = [{ link = "e1", weight = -10 }]')
    pair.r1.config.write_text(doubtful)
    done = ask(pair.r1.socket, "--check")
    assert done.stdout == "the configuration file is good\n" and "moves nothing" in done.stderr, done.stderr
    checked = subprocess.run(
        pair.namespaces.argv("r1", program("linkwatch-vrrp"), "--check", str(pair.r1.config)), capture_output=True, text=True
    )
    ours, theirs = ([line.split(": ", 1)[1] for line in run.stderr.splitlines()] for run in (done, checked))
    assert ours == theirs
    pair.r1.config.write_text(text.replace("priority = 200", "priority = 1000\nprority = 1"))
    done = ask(pair.r1.socket, "--check", status=78)
    assert len(done.stderr.splitlines()) == 2 and done.stdout == "", done.stderr
    [answer] = [json.loads(line) for line in ask(pair.r1.socket, "--check", "--json", status=78).stdout.splitlines()]
    assert len(answer["errors"]) == 2 and answer["warnings"] == []
    assert pair.r1.status()["configuredPriority"] == 200 and pair.moved_nothing()


def test_what_only_root_may_ask_is_told_by_the_status(pair):
    pair.r1.folder.chmod(0o755)
    pair.r1.socket.chmod(0o666)
    for arguments in ["--reload"], ["--check"], ["--handover", "lvs"]:
        argv = [program("linkwatch"), "vrrp", *arguments, "--vrrp-socket", str(pair.r1.socket)]
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv]
        done = subprocess.run(nobody, capture_output=True, text=True, timeout=60)
        assert done.returncode == 77 and "not permitted" in done.stderr, done
    assert pair.moved_nothing()


def test_the_varlink_client_from_pypi(pair):
    with varlink.Client.new_with_address(f"unix:{pair.r1.socket}") as client:
        description = client.get_interface(VRRP)
        methods = {name for name, member in description.members.items() if "Method" in type(member).__name__}
        assert methods == {"Status", "Watch", "Reload", "Handover", "CheckConfig"}
        with client.open(VRRP) as vrrp:
            [group] = vrrp.Status()["groups"]
            assert group["state"] == "master" and all(member["holding"] for member in group["members"])
            assert vrrp.CheckConfig()["errors"] == []
            assert vrrp.Reload() == {}
            with pytest.raises(varlink.VarlinkError) as raised:
                vrrp.Handover("nobody")
            assert raised.value.error() == f"{VRRP}.NoSuchGroup"
        kinds = []
        with client.open(VRRP) as vrrp:
            for reply in vrrp.Watch(_more=True):
                kinds.append(reply["event"]["kind"])
                if kinds[-1] == "synced":
                    break
        assert kinds == ["snapshot", "synced"]
    until(lambda: pair.r1.process.poll() is None and pair.r1.status(), "an answer after the client has gone")
