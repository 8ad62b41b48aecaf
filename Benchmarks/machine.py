"""What the figures were taken on: processor, kernel, versions, load. Nothing here identifies whose machine it is."""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
WRITTEN = [":(exclude)docs/benchmarks.md", ":(exclude)docs/*.svg"]


def facts() -> dict[str, str]:
    """The machine and the versions of what is compared, those that are there."""
    os_release = Path("/etc/os-release").read_text()
    found = {
        "processor": f"{_processor()}, {os.cpu_count()} of them",
        "memory": f"{_kib('/proc/meminfo', 'MemTotal') // 1024} MiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "distribution": re.search(r'PRETTY_NAME="(.*)"', os_release).group(1),
        "linkwatch": revision(),
        "swift": _first_line("swift", "--version"),
        "ip": _first_line("ip", "-V"),
        "keepalived": _first_line("keepalived", "--version"),
        "FRR vrrpd": _first_line("/usr/lib/frr/vrrpd", "--version"),
        "ifplugd, netplugd": peers(),
        "the wire lab's guest": guest(),
    }
    return {name: value for name, value in found.items() if value}


def peers() -> str:
    """What Debian has of the two, whether installed or unpacked here."""
    shown = subprocess.run(["apt-cache", "policy", "ifplugd", "netplug"], capture_output=True, text=True).stdout
    return ", ".join(re.findall(r"Candidate: (\S+)", shown))


def guest() -> str:
    """The kernel that the wire lab boots, if it has been unpacked."""
    version = CHECKOUT / ".build-wirelab/version"
    qemu = _first_line("qemu-system-x86_64", "--version")
    return f"Linux {version.read_text()}; {qemu}" if version.exists() else ""


def load() -> str:
    """The load average of the last minute."""
    return Path("/proc/loadavg").read_text().split()[0]


def revision() -> str:
    """The commit that is measured, and whether the work tree differs from it; what the page itself says is not
    measured, so writing it makes nothing dirty."""
    commit = _first_line("git", "-C", str(CHECKOUT), "rev-parse", "--short", "HEAD")
    argv = ["git", "-C", CHECKOUT, "diff", "--quiet", "HEAD", "--", ".", *WRITTEN]
    differs = subprocess.run(argv, capture_output=True).returncode != 0
    return commit + ("-dirty" if commit and differs else "")


def _processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else platform.machine()


def _kib(path: str, key: str) -> int:
    return int(re.search(rf"{key}:\s*(\d+)", Path(path).read_text()).group(1))


def _first_line(*argv: str) -> str:
    if not (shutil.which(argv[0]) or Path(argv[0]).exists()):
        return ""
    done = subprocess.run(argv, capture_output=True, text=True)
    return ((done.stdout or done.stderr).splitlines() or [""])[0].strip()
