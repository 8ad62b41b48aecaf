"""`linkwatch import` on real files: what goes where, the exit statuses, and that it writes nothing but its output."""

import subprocess
from pathlib import Path

from lab.daemon import program

PLAIN = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress { 192.0.2.1/24 }
    %s
}
"""


def run(*argv: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("linkwatch"), "import", *argv], capture_output=True, text=True, cwd=cwd, timeout=60)


def written(tmp_path: Path, keys: str = "", name: str = "keepalived.conf") -> Path:
    path = tmp_path / name
    path.write_text(PLAIN % keys)
    return path


def test_the_output_is_accepted(tmp_path: Path):
    done = run(written(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    output = tmp_path / "vrrp.toml"
    output.write_text(done.stdout)
    checked = subprocess.run([program("linkwatch-vrrp"), "--check", output], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_the_statuses(tmp_path: Path):
    lost = run(written(tmp_path, "old_unicast_checksum"))
    assert lost.returncode == 3 and f"{tmp_path}/keepalived.conf:6: loss: old_unicast_checksum: " in lost.stderr
    assert "[instance.VI_1]" in lost.stdout
    missing = run(written(tmp_path, "use_ipvlan"))
    assert missing.returncode == 65 and "INCOMPLETE" in missing.stdout
    assert f"{tmp_path}/keepalived.conf:6: missing: use_ipvlan: " in missing.stderr
    refused = run(written(tmp_path, "virtual_router_id"))
    assert (refused.returncode, refused.stdout) == (65, "") and "keepalived.conf:6: error: virtual_router_id: " in refused.stderr
    absent = run(tmp_path / "none")
    assert (absent.returncode, absent.stdout) == (66, "")
    assert run(tmp_path).returncode == 65
    assert run().returncode == 64


def test_a_pattern_that_stands_for_a_billion_others_is_refused(tmp_path: Path):
    done = run(written(tmp_path, "}\ninclude /tmp/" + "{a,b}" * 30 + "*\nglobal_defs {"))
    assert (done.returncode, done.stdout) == (65, "") and "name the files" in done.stderr


def test_includes_are_found_beside_the_file(tmp_path: Path):
    (tmp_path / "conf.d").mkdir()
    written(tmp_path / "conf.d", name="1.conf")
    (tmp_path / "conf.d/2.conf").write_text("@one include ../no*.conf\n")
    (tmp_path / "nopreempt.conf").write_text("")
    main = tmp_path / "main.conf"
    main.write_text("include conf.d/*.conf\ninclude none.conf\n")
    for argv, cwd in ((main, None), ("main.conf", tmp_path)):
        done = run(argv, "--config-id", "one", cwd=cwd)
        assert done.returncode == 0 and "[instance.VI_1]" in done.stdout
        assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["include none.conf"]
    # An executable file is none that keepalived includes.
    (tmp_path / "conf.d/1.conf").chmod(0o755)
    assert run(main).returncode == 65


def test_a_file_that_includes_itself_and_devices_end(tmp_path: Path):
    main = tmp_path / "main.conf"
    main.write_text("include main.conf\n")
    assert run(main).returncode == 65
    main.write_text("includer /dev/zero\n")
    assert run(main).returncode == 65
    assert run("/dev/zero").returncode == 65
    (tmp_path / "big.conf").write_text("# comment\n" * 1_000_000)
    assert run(tmp_path / "big.conf").returncode == 65


def test_a_folder_gets_the_files_and_keeps_what_it_has(tmp_path: Path):
    path = written(tmp_path, "old_unicast_checksum")
    folder = tmp_path / "new"
    done = run("--output", folder, path)
    assert (done.returncode, done.stdout) == (3, "")
    names = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert names == {"vrrp.toml", "report.txt", "linkwatch-vrrp.service.d/keepalived.conf"}
    assert (folder / "report.txt").read_text() in done.stderr
    before = (folder / "vrrp.toml").read_text()
    again = run("--output", folder, written(tmp_path))
    assert again.returncode == 74 and (folder / "vrrp.toml").read_text() == before


def test_it_writes_nothing_else(tmp_path: Path):
    path = written(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert run(path, cwd=tmp_path).returncode == 0
    assert sorted(tmp_path.rglob("*")) == before
