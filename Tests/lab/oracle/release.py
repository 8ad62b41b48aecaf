"""keepalived from another suite of Debian, unpacked beside this machine's and never installed.

apt fetches it and the libraries that it needs, with lists and a status of its own; they are unpacked into
`.build-keepalived/SUITE/root` of the checkout, and the program runs by the loader from there. Nothing is fetched twice.
"""

import fcntl
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
MIRROR = "http://deb.debian.org/debian"
# Where a world has the folder.
MOUNTED = "/mnt"


class Unavailable(Exception):
    """It cannot be had on this machine; the text says why."""


@dataclass(frozen=True)
class Program:
    """keepalived: how it is run in a world, and the folder that the world has at `MOUNTED`."""

    argv: list[str]
    mounted: Path | None = None


def installed() -> Program | None:
    """This machine's own."""
    found = shutil.which("keepalived")
    return Program([found]) if found else None


def unpacked(suite: str) -> Program:
    """The one of another suite of Debian, such as `sid`. Raises Unavailable."""
    made = _root(suite)
    return Program(_argv(made), made)


def _root(suite: str) -> Path:
    folder = CHECKOUT / ".build-keepalived" / suite
    made = folder / "root"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _unpack(suite, folder, folder / "new")
            (folder / "new").rename(made)
    return made


def _argv(made: Path) -> list[str]:
    """The loader of the folder, and the program."""
    loader = next(path for folder in ("usr/lib64", "lib64") for path in (made / folder).glob("ld-linux*"))
    libraries = sorted({str(path.parent.relative_to(made)) for path in made.rglob("*.so.*")})
    return [
        f"{MOUNTED}/{loader.relative_to(made)}", "--library-path", ":".join(f"{MOUNTED}/{path}" for path in libraries),
        f"{MOUNTED}/usr/sbin/keepalived",
    ]  # fmt: skip


def _unpack(suite: str, folder: Path, into: Path) -> None:
    apt = folder / "apt"
    shutil.rmtree(apt, ignore_errors=True)
    shutil.rmtree(into, ignore_errors=True)
    for name in ("lists/partial", "archives/partial"):
        (apt / name).mkdir(parents=True)
    (apt / "sources.list").write_text(f"deb {MIRROR} {suite} main\n")
    options = [
        f"Dir::State={apt}", f"Dir::State::lists={apt}/lists", "Dir::State::status=/dev/null", f"Dir::Cache={apt}",
        f"Dir::Etc::sourcelist={apt}/sources.list", "Dir::Etc::sourceparts=-", "Debug::NoLocking=true",
        "APT::Sandbox::User=root",
    ]  # fmt: skip
    flags = [word for option in options for word in ("-o", option)]
    _run("apt-get", *flags, "-qq", "update")
    _run("apt-get", *flags, "-qq", "-y", "--no-install-recommends", "--download-only", "install", "keepalived")
    into.mkdir()
    for package in sorted((apt / "archives").glob("*.deb")):
        archive = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
        patterns = ["./usr/sbin/keepalived", "./etc/keepalived/*", "./lib64*", "./usr/lib64*", "./usr/lib/*.so*", "./lib/*.so*"]
        # Most packages have only some of these.
        subprocess.run(
            ["tar", "-x", "-C", str(into), "--wildcards", *patterns], stdin=archive.stdout, stderr=subprocess.DEVNULL
        )
        archive.wait()
    shutil.rmtree(apt)
    if not (into / "usr/sbin/keepalived").exists():
        raise Unavailable(f"{suite} has no keepalived")
    # It does not start without the options that it was built with, and looks for them beside itself too.
    for options in into.glob("etc/keepalived/*.config-opts"):
        options.rename(into / "usr/sbin/keepalived.config-opts")


def _run(*argv: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{argv[0]}: {error}") from error
    if done.returncode != 0:
        raise Unavailable(f"{argv[0]}: {done.stderr.strip().splitlines()[-1:]}")
