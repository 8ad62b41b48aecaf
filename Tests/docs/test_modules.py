"""docs/modules.md has a paragraph for each module of the source, and for no other."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def test_each_module_has_its_paragraph():
    modules = {path.name for path in (CHECKOUT / "Sources").iterdir() if path.is_dir()}
    named = re.findall(r"^\*\*(.+?)\*\*|, \*\*(.+?)\*\*| and \*\*(.+?)\*\*", (CHECKOUT / "docs/modules.md").read_text(), re.M)
    assert {name for names in named for name in names if name} == modules


def code(path: Path) -> str:
    """Without comments and the text of strings."""
    text = re.sub(r"//.*", "", path.read_text())
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def test_the_folders_of_the_vrrp_client_point_down():
    """No folder of VRRPClient uses a type from a folder that docs/modules.md lists below it."""
    client = CHECKOUT / "Sources/VRRPClient"
    order = re.findall(r"^- `(\w+)`: ", (CHECKOUT / "docs/modules.md").read_text(), re.M)
    assert sorted(order) == sorted(path.name for path in client.iterdir())
    declared = {}
    for folder in order:
        for path in (client / folder).glob("*.swift"):
            for name in re.findall(
                r"^(?:@\w+ )*(?:final )?(?:class|struct|enum|protocol|typealias) (\w+)", code(path), re.M
            ):
                declared[name] = folder
    assert len(declared) > 50, "the sources are no longer read"
    upwards = [
        f"{folder}/{path.name} names {name} of {declared[name]}"
        for folder in order
        for path in (client / folder).glob("*.swift")
        for name in set(re.findall(r"\b[A-Z]\w+\b", code(path)))
        if order.index(declared.get(name, folder)) > order.index(folder)
    ]
    assert not upwards, upwards
