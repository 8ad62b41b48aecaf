"""The manual pages say what the programs say: options, methods, types, fields, events and errors, neither more nor less.

Run by the stage `man`, after the build; a program or a page that is not there is skipped by name.
"""

import re
import subprocess
from pathlib import Path

import pytest

from lab.daemon import program

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = CHECKOUT / "man"
# Every command takes these; linkwatch(1) explains them once.
COMMON = {("socket", True), ("connect-timeout", True), ("version", False), ("help", False)}


def page(name: str) -> str:
    return (PAGES / name).read_text()


def sections(text: str, macro: str) -> dict[str, str]:
    """What stands under each heading of this level, and before the first one under ""."""
    parts = re.split(rf"^\.{macro} (.+)$", text, flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2]))


def documented(text: str) -> set[tuple[str, bool]]:
    """The long options that have an entry, and whether they take a value."""
    entries = re.findall(r"^\.It Fl (.+)$", text, re.MULTILINE)
    return {(name, " Ar " in entry) for entry in entries for name in re.findall(r"-([a-z][a-z-]+)", entry)}


def helped(*argv: str) -> set[tuple[str, bool]]:
    """The long options that a program lists: those at the start of a line, as the text may mention others."""
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    entries = re.findall(r"^ +(?:-\w, )?--([a-z][a-z-]+)( <?[A-Za-z-]+>?(?=  |$))?", done.stdout, re.MULTILINE)
    assert entries, f"{' '.join(argv)} lists no options"
    return {(name, value != "") for name, value in entries}


def commands() -> list[str]:
    listed = subprocess.run([program("linkwatch"), "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z]+) ", listed.split("SUBCOMMANDS:")[1], re.MULTILINE)


def test_linkwatch_and_its_options():
    description = sections(page("linkwatch.1"), "Sh")["DESCRIPTION"]
    parts = sections(description, "Ss")
    assert documented(parts[""]) == COMMON
    # What stands before a command's name stands in its help, too; the root has nothing of its own.
    shared = {("json", False), ("routes", False), ("direct", False)}
    assert helped(program("linkwatch"), "--help") == shared | COMMON
    assert documented(parts["linkwatch dump"]) >= shared


def test_every_command_of_linkwatch_and_its_options():
    parts = sections(sections(page("linkwatch.1"), "Sh")["DESCRIPTION"], "Ss")
    assert {name.split()[1] for name in parts if name} == set(commands())
    for command in commands():
        options = helped(program("linkwatch"), "help", command)
        # import asks no daemon, and vrrp another one, on a socket of its own.
        common = COMMON - {("socket", True), ("connect-timeout", True)} if command in ("import", "vrrp") else COMMON
        assert documented(parts[f"linkwatch {command}"]) | common == options, command


def test_the_exit_statuses_are_those_of_the_source():
    source = (CHECKOUT / "Sources/linkwatch/Failure.swift").read_text()
    statuses = {int(number) for number in re.findall(r"^    case \w+ = (\d+)$", source, re.MULTILINE)}
    entries = re.findall(r"^\.It (\d+)$", sections(page("linkwatch.1"), "Sh")["EXIT STATUS"], re.MULTILINE)
    assert {int(number) for number in entries} == statuses | {0, 64}


@pytest.mark.parametrize("name", ["linkwatchd", "linkwatch-vrrp"])
def test_a_daemon_and_its_options(name: str):
    assert documented(page(f"{name}.8")) == helped(program(name), "--help")


# The sources of evidence.


def test_every_source_of_evidence():
    """In the order of the table, each with the constants of what is asked."""
    source = (CHECKOUT / "Sources/LinkState/EvidenceSource.swift").read_text()
    rows = re.findall(r'Row\(\s*"(\w+)",\s*question: "(.*?)"', source)
    part = sections(page("linkwatchd.8"), "Ss")["Evidence"]
    entries = re.findall(r"^\.It Sy (\w+)$(.*?)(?=^\.It|^\.El)", part, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in entries] == [name for name, _ in rows]
    for (name, question), (_, text) in zip(rows, entries):
        for constant in re.findall(r"SIOC[A-Z]+|[A-Z]+_[A-Z_]+", question):
            assert re.search(rf"\b{constant}\b", text), f"{name}: {constant}"


# The interface descriptions.


def test_what_the_varlink_descriptions_say_is_what_is_generated():
    """The records in Swift, the types, methods, events and errors of linkwatch-varlink(7), the methods of linkwatch-vrrp(8)."""
    checked = subprocess.run([CHECKOUT / "Tools/generate", "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    "file, constant",
    [
        ("Varlink/VarlinkServer.swift", "messageBytesMax"),
        ("Varlink/VarlinkServer.swift", "unreadReplyBytesMax"),
        ("Varlink/VarlinkServer.swift", "bytesPerUserMax"),
        ("Varlink/VarlinkServer.swift", "bytesOfStrangersMax"),
        ("linkwatchd/Methods.swift", "strangersHeartbeatMs"),
        ("linkwatchd/Methods.swift", "dumpedAtOnce"),
        ("Varlink/JSONParser.swift", "depthMax"),
        ("linkwatchd/Methods.swift", "watchedNamesMax"),
        ("linkwatchd/Methods.swift", "historyDefault"),
        ("linkwatchd/Methods.swift", "historyMax"),
        ("Links/InterfaceTable.swift", "departedMax"),
    ],
)
def test_the_limits_are_those_of_the_source(file: str, constant: str):
    source = (CHECKOUT / "Sources" / file).read_text()
    product = re.search(rf"{constant} = ([\d_* ]+)", source).group(1).replace("_", "")
    value = 1
    for factor in product.split("*"):
        value *= int(factor)
    text = sections(page("linkwatch-varlink.7"), "Sh")["LIMITS"]
    assert str(value) in re.findall(r"\d+", text), f"{constant} is {value}"


def test_every_variable_of_a_program():
    folder = CHECKOUT / "Sources/VRRPClient/Runner"
    text = sections(sections(page("linkwatch-vrrp.8"), "Sh")["DESCRIPTION"], "Ss")["Programs"]
    variables = re.findall(r'"(LINKWATCH_\w+)=', (folder / "Notification.swift").read_text())
    assert re.findall(r"^\.It Ev (\w+)$", text, re.MULTILINE) == variables
    source = (folder / "ProgramTable.swift").read_text()
    assert re.search(r"PATH=([^\"]+)", source).group(1) in text


def test_the_drop_in_names_what_the_unit_leaves_out():
    """And the capabilities of a program of root are those of the unit."""
    unit = (CHECKOUT / "dist/linkwatch-vrrp.service").read_text()
    text = sections(page("linkwatch-vrrp.8"), "Sh")["UNDER SYSTEMD"]
    kept = set(re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE).group(1).split())
    assert set(re.findall(r"CAP_\w+", text.split("drop-in")[0])) == kept
    for key in re.findall(r"^(\w+)=", text, re.MULTILINE):
        assert re.search(rf"^{key}=", unit, re.MULTILINE), key


def test_every_condition_has_an_entry():
    source = (CHECKOUT / "Sources/VRRP/Cause.swift").read_text().split("public struct Condition")[1]
    kinds = set(re.findall(r'^        case \w+ = "([a-z-]+)"$', source, re.MULTILINE))
    part = sections(page("linkwatch-vrrp.8"), "Ss")["Conditions"]
    entries = " ".join(re.findall(r"^\.It Li (.+)$", part, re.MULTILINE))
    assert len(kinds) > 20 and set(re.findall(r"[a-z][a-z-]+", entries)) == kinds
