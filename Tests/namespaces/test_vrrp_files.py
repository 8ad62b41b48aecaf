"""Files that a group tracks: the number in each, times its weight, is added to the priority of r1 (see lab/vrrp.py)."""

import os
import shutil

from lab.pair import config
from lab.vrrp import VRRP, Director, Lans, until


def file(*tracks: str) -> str:
    return config("r1", cables=0, group=f'address-lease = "600s"\ntrack = [{", ".join(tracks)}]\n')


def test_a_path_that_leads_elsewhere_from_now_on(namespaces, tmp_path):
    """By a symbolic link or a folder anywhere on the way, that is changed, renamed, removed or made."""
    tmp_path.chmod(0o755)
    Lans(namespaces)
    for name, number in ("one", 1), ("two", 2), ("three", 3):
        folder = tmp_path / name / "inner"
        folder.mkdir(parents=True)
        (folder / "number").write_text(f"{number}")
        (tmp_path / name / "inner" / "number").chmod(0o644)
    link, way = tmp_path / "link", tmp_path / "way"
    link.symlink_to("one")
    way.symlink_to(tmp_path / "link" / "inner")
    number = way / "number"

    def put(where, target) -> None:
        new = tmp_path / "new"
        new.symlink_to(target)
        os.rename(new, where)

    with Director(namespaces, "r1", file(f'{{ file = "{number}", weight = 10 }}')) as director:

        def await_number(wanted: int) -> None:
            until(lambda: director.status()["priority"] == 200 + 10 * wanted, f"the number {wanted}")

        director.watch().await_state("master")
        await_number(1)
        (tmp_path / "one" / "inner" / "number").write_text("4")
        await_number(4)
        put(link, "two")
        await_number(2)
        (tmp_path / "two" / "inner" / "number").write_text("5")
        await_number(5)
        put(way, "three/inner")
        await_number(3)
        # A folder above the folder.
        (tmp_path / "three").rename(tmp_path / "four")
        await_number(0)
        (tmp_path / "four").rename(tmp_path / "three")
        await_number(3)
        # The file itself is a link, into another folder; then a second name of a file.
        put(tmp_path / "three" / "inner" / "number", tmp_path / "one" / "inner" / "number")
        await_number(4)
        (tmp_path / "one" / "inner" / "number").write_text("1")
        await_number(1)
        (tmp_path / "three" / "inner" / "number").unlink()
        await_number(0)
        (tmp_path / "three" / "inner" / "number").symlink_to(tmp_path / "two" / "inner" / "number")
        await_number(5)
        (tmp_path / "three" / "inner" / "number").unlink()
        await_number(0)
        os.link(tmp_path / "one" / "inner" / "number", tmp_path / "three" / "inner" / "number")
        await_number(1)


def test_the_number_in_a_file(namespaces, tmp_path):
    tmp_path.chmod(0o755)
    Lans(namespaces)
    folder = tmp_path / "folder"
    number, other = folder / "number", folder / "other"
    folder.mkdir()
    number.write_text("-3 and more\n")
    with Director(namespaces, "r1", file(f'{{ file = "{number}", weight = 10 }}')) as director:

        def await_priority(wanted: int) -> None:
            until(lambda: director.status()["priority"] == wanted, f"priority {wanted}")

        def reload(*tracks: str) -> None:
            director.reconfigure(file(*tracks))
            director.call(f"{VRRP}.Reload")

        watch = director.watch()
        watch.await_state("master")
        watch.mark()
        await_priority(170)
        # Written, replaced, beyond all bounds, without a number, removed, and made again.
        for text, priority in (("+2", 220), ("-0x4", 160), ("1000", 254), ("-1000000000", 1), ("none", 200), ("5", 250)):
            number.write_text(text)
            await_priority(priority)
        for text, priority in (("-1", 190), ("1", 210)):
            other.write_text(text)
            os.rename(other, number)
            await_priority(priority)
        for text, priority in (("9" * 100, 254), ("-" + "9" * 100, 1), ("1", 210)):
            number.write_text(text)
            await_priority(priority)
        assert director.status()["tracked"] == [
            {"name": f"file:{number}", "well": False, "weight": 10, "contribution": 10}
        ]
        number.unlink()
        await_priority(200)
        number.write_text("-5")
        await_priority(150)
        # Its directory goes and comes back.
        shutil.rmtree(folder)
        await_priority(200)
        folder.mkdir()
        number.write_text("-2")
        await_priority(180)
        number.write_text("-4")
        await_priority(160)
        reload(f'{{ file = "{number}", weight = -1 }}')
        await_priority(204)
        reload()
        await_priority(200)
        assert watch.transitions() == []
        # Without a weight it is a cause; a pipe that nobody writes to is 0.
        number.unlink()
        os.mkfifo(number)
        reload(f'"file:{number}"')
        assert director.status()["causes"] == []
        other.write_text("1")
        os.rename(other, number)
        watch.await_transition("fault")
        assert director.status()["causes"] == [f"file:{number}"]
        number.write_text("0")
        watch.await_state("master")
