"""docs/modules.md has a paragraph for each room of the source, and for no other."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def test_each_room_has_its_paragraph():
    rooms = {path.name for path in (CHECKOUT / "Sources").iterdir() if path.is_dir()}
    named = re.findall(r"^\*\*(.+?)\*\*|, \*\*(.+?)\*\*| and \*\*(.+?)\*\*", (CHECKOUT / "docs/modules.md").read_text(), re.M)
    assert {name for names in named for name in names if name} == rooms
