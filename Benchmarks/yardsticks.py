"""The C programs of `bare/`, built when they are needed, and the folder for whatever a run makes."""

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from lab import daemon

from .machine import CHECKOUT

RESULTS = CHECKOUT / "bench-results"
BUILT = RESULTS / "bin"
SOURCES = CHECKOUT / "Benchmarks/bare"


def program(name: str) -> str:
    """The path of one of them, up to date."""
    source, built = SOURCES / f"{name}.c", BUILT / name
    newest = max(source.stat().st_mtime, (SOURCES / "bare.h").stat().st_mtime)
    if not built.exists() or built.stat().st_mtime < newest:
        _compile(built, [source], ["-lmnl"] if "libmnl" in source.read_text() else [])
    return str(built)


def poll_cost(static: bool = False) -> str:
    """`poll-cost`, which holds CIoctl's poll against the bare ioctl; static for a guest."""
    include = CHECKOUT / "Sources/CIoctl/include"
    sources = [CHECKOUT / "Benchmarks/poll-cost.c", *sorted((CHECKOUT / "Sources/CIoctl").glob("[a-z]*.c"))]
    built = BUILT / ("poll-cost-static" if static else "poll-cost")
    if not built.exists() or built.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        _compile(built, sources, ["-pthread", f"-I{include}", *(["-static"] if static else [])])
    return str(built)


@contextmanager
def private_copies():
    """Runs every system from copies of its programs and of their libraries, so that no other process on the machine
    shares their pages and a PSS is that of a system that is alone there."""
    folder, before = RESULTS / f"private-{os.getpid()}", dict(os.environ)
    (folder / "real").mkdir(parents=True, exist_ok=True)
    ours = [daemon.program(name) for name in ("linkwatch", "linkwatchd", "linkwatch-vrrp")]
    theirs = [shutil.which("keepalived"), *(f"/usr/lib/frr/{name}" for name in ("zebra", "vrrpd"))]
    for path in [*ours, *theirs]:
        if path and Path(path).exists():
            _copy(Path(path), folder)
    os.environ.update({"LINKWATCH_BIN": str(folder), "FRR_BIN": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder)


def _copy(program: Path, folder: Path) -> None:
    """A copy, its libraries beside it, and a script that becomes it."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    for path in [program, *re.findall(r"=> (/\S+)", listed)]:
        shutil.copy(path, folder / "real")
    script = folder / program.name
    script.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={folder}/real exec {folder}/real/{program.name} "$@"\n')
    script.chmod(0o755)


def _compile(built: Path, sources: list[Path], options: list[str]) -> None:
    """To another name first: several processes may want the same program."""
    built.parent.mkdir(parents=True, exist_ok=True)
    new = built.with_name(f"{built.name}.{os.getpid()}")
    subprocess.run(["gcc", "-O2", "-Wall", "-D_GNU_SOURCE", "-o", new, *sources, *options], check=True)
    new.rename(built)
