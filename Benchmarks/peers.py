"""Other programs of Debian's that are unpacked rather than installed, so that no service of theirs starts here."""

import os
import shutil
import subprocess
from pathlib import Path

from .yardsticks import RESULTS

FOLDER = RESULTS / "peers"
PACKAGES = {"ifplugd": ["ifplugd", "libdaemon0"], "netplugd": ["netplug"]}
PATHS = {"ifplugd": "usr/sbin/ifplugd", "netplugd": "sbin/netplugd"}


def find(name: str) -> str | None:
    """The path of a peer: installed, unpacked, or unpacked now; None if it cannot be had."""
    if installed := shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
        return installed
    path = FOLDER / PATHS[name]
    if not path.exists():
        _unpack(PACKAGES[name])
    return str(path) if path.exists() else None


def environment() -> list[str]:
    """How a peer finds the libraries that were unpacked with it."""
    folders = [str(library.parent) for library in FOLDER.glob("usr/lib/**/*.so.*")]
    return ["env", f"LD_LIBRARY_PATH={':'.join(dict.fromkeys(folders))}"] if folders else []


def _unpack(packages: list[str]) -> None:
    download = FOLDER / "download"
    download.mkdir(parents=True, exist_ok=True)
    for package in packages:
        subprocess.run(["apt-get", "download", package], cwd=download, capture_output=True)
    for archive in download.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", archive, FOLDER], check=True)
    shutil.rmtree(download)
