"""Objects that count together, inverted, or once they have lasted: files that r1 tracks (see lab/vrrp.py)."""

from lab.pair import config
from lab.vrrp import VRRP, Director, Lans, until


def test_any_of_several(namespaces, tmp_path):
    """Reloads of a serving master add, change and remove it; the cause names what fails."""
    tmp_path.chmod(0o755)
    Lans(namespaces)
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))

    def file(tracks: str, group: str = "") -> str:
        more = f'[track-group.uplinks]\nany-of = ["file:{one}", "file:{two}", "check:gate"]\n{group}' if group else ""
        check = f'[check.gate]\nexec = ["/usr/bin/test", "!", "-e", "{three}"]\ninterval = "100ms"\nfall = 1\nrise = 1\n'
        return config("r1", cables=0, group=f'address-lease = "600s"\ntrack = [{tracks}]\n', more=check + more)

    weighed = '{ track-group = "uplinks", weight = -50 }'
    with Director(namespaces, "r1", file(weighed, "at-least = 1")) as director:

        def await_priority(wanted: int) -> None:
            until(lambda: director.status()["priority"] == wanted, f"priority {wanted}")

        def reload(*arguments: str) -> None:
            director.reconfigure(file(*arguments))
            director.call(f"{VRRP}.Reload")

        watch = director.watch()
        watch.await_state("master")
        watch.mark()
        assert director.status()["priority"] == 200
        for path in one, two, three:
            path.write_text("1")
        await_priority(150)
        assert director.status()["tracked"] == [
            {"name": "track-group:uplinks", "well": False, "weight": -50, "contribution": -50}
        ]
        two.write_text("0")
        await_priority(200)
        reload(weighed, "at-least = 2")
        await_priority(150)
        three.unlink()
        await_priority(200)
        # Inverted and back; a change that has not lasted for an hour does not count, a reload shortens that.
        reload('{ track-group = "uplinks", weight = -40, inverted = true }', "at-least = 2")
        await_priority(160)
        reload('{ track-group = "uplinks", weight = -40, down-delay = "1h" }', "at-least = 2")
        await_priority(200)
        two.write_text("1")
        director.log.await_item(lambda line: f"uplinks fails: file:{one}, file:{two}" in line, 10, "the failure")
        assert director.status()["priority"] == 200
        reload('{ track-group = "uplinks", weight = -40, down-delay = "1ms" }', "at-least = 2")
        await_priority(160)
        reload("")
        await_priority(200)
        # An inverted link without a weight, added to a master and well.
        reload('{ link = "absent", inverted = true }')
        assert director.status()["tracked"][0]["well"] and watch.transitions() == []
        # Without a weight it is one cause, with the names of what fails.
        reload('"track-group:uplinks"', "at-least = 2")
        watch.await_transition("fault")
        assert director.status()["causes"] == [f"track-group:uplinks:file:{one}, file:{two}"]
        one.write_text("0")
        watch.await_state("master")
        assert director.status()["causes"] == []
