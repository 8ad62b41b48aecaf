"""The wire lab's kernel and initramfs, unpacked and never installed.

Debian's `linux-image-amd64` names the kernel package; `apt-get download` fetches it, and the parts that the lab needs
(the kernel itself and the modules of networking, 9p, overlay and virtio) go to `.build-wirelab/` in the checkout. Two
things are made from them:

- `vmlinux`, the kernel without its compression: QEMU starts it by its PVH entry, which saves the emulated processor
  some seconds of unpacking;
- `initramfs`, with busybox, `init` and only the modules that stand between the kernel and the host's files. All other
  modules are read from this folder, over 9p, by the usual `modprobe`.

Nothing here runs in the guest, and nothing is downloaded twice: the folder's `version` is written last.
"""

import fcntl
import hashlib
import lzma
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
CACHE = CHECKOUT / ".build-wirelab"

# What must be there before the host's files can be seen, in the order of asking; modprobe adds what they depend on.
EARLY_MODULES = ["virtio_pci", "virtio_console", "virtio_rng", "9pnet_virtio", "9p", "overlay", "af_packet"]

# The folders of the package that are unpacked; wireless and sound are most of it and stay out.
PARTS = [
    "./boot/vmlinuz-*",
    "./lib/modules/*/modules.*",
    "./lib/modules/*/kernel/net",
    "./lib/modules/*/kernel/lib",
    "./lib/modules/*/kernel/crypto",
    "./lib/modules/*/kernel/arch",
    "./lib/modules/*/kernel/fs/9p",
    "./lib/modules/*/kernel/fs/fscache",
    "./lib/modules/*/kernel/fs/netfs",
    "./lib/modules/*/kernel/fs/overlayfs",
    "./lib/modules/*/kernel/drivers/char",
    "./lib/modules/*/kernel/drivers/virtio",
    "./lib/modules/*/kernel/drivers/net",
]
EXCLUDED = ["*/drivers/net/wireless", "*/drivers/net/can", "*/net/mac80211", "*/drivers/char/ipmi"]


class Unavailable(Exception):
    """The lab cannot be built on this machine; the text says what is missing."""


@dataclass(frozen=True)
class Kernel:
    """A kernel that QEMU can boot."""

    version: str
    image: Path
    initramfs: Path
    modules: Path
    """The folder that holds `lib/modules/VERSION`."""


def prepare() -> Kernel:
    """Unpacks the kernel and builds the initramfs, or finds them from an earlier run. Raises Unavailable."""
    for program in ["qemu-system-x86_64", "dpkg-deb", "apt-get", "depmod", "modprobe", "cpio"]:
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            raise Unavailable(f"{program} is not installed")
    if not Path("/bin/busybox").exists():
        raise Unavailable("busybox-static is not installed")
    CACHE.mkdir(exist_ok=True)
    with _locked(CACHE / "lock"):
        mark = CACHE / "version"
        if not mark.exists():
            mark.write_text(_unpack())
        version = mark.read_text()
        return Kernel(version, CACHE / "vmlinux", _initramfs(version), CACHE)


@contextmanager
def _locked(path: Path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(*argv: str, **options) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def _package() -> str:
    """The package that the newest kernel comes in, as `linux-image-amd64` names it."""
    for line in _run("apt-cache", "depends", "linux-image-amd64").splitlines():
        words = line.split()
        if words[:1] == ["Depends:"] and words[1].startswith("linux-image-"):
            return words[1]
    raise Unavailable("apt-cache knows no package linux-image-amd64")


def _download(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        _run("apt-get", "download", _package(), cwd=folder)
    except Unavailable:
        # The package lists may be missing or older than the archive.
        _run("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "update")
        _run("apt-get", "download", _package(), cwd=folder)
    return next(folder.glob("*.deb"))


def _unpack() -> str:
    """Downloads and unpacks; returns the kernel's version."""
    package = _download(CACHE / "download")
    shutil.rmtree(CACHE / "lib", ignore_errors=True)
    archive = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
    excluded = [f"--exclude={pattern}" for pattern in EXCLUDED]
    _run("tar", "-x", "-C", str(CACHE), "--wildcards", *excluded, *PARTS, stdin=archive.stdout)
    if archive.wait() != 0:
        raise Unavailable(f"dpkg-deb cannot read {package.name}")
    version = next((CACHE / "lib/modules").iterdir()).name
    _run("depmod", "-b", str(CACHE), version)
    packed = CACHE / f"boot/vmlinuz-{version}"
    (CACHE / "vmlinux").write_bytes(_uncompressed(packed.read_bytes()))
    shutil.rmtree(CACHE / "boot")
    shutil.rmtree(CACHE / "download")
    return version


def _uncompressed(image: bytes) -> bytes:
    """The ELF kernel inside a bzImage that was packed with xz, as Debian's are."""
    start = image.find(b"\xfd7zXZ\x00")
    if start < 0:
        raise Unavailable("the kernel image is not packed with xz")
    return lzma.LZMADecompressor().decompress(image[start:])


def _initramfs(version: str) -> Path:
    """Packs busybox, init and the early modules; the name tells the content, so an edited init makes a new one."""
    script = (HERE / "init").read_bytes()
    digest = hashlib.sha256(repr((version, EARLY_MODULES)).encode() + script).hexdigest()[:12]
    made = CACHE / f"initramfs-{digest}"
    if made.exists():
        return made
    root = CACHE / "initramfs"
    shutil.rmtree(root, ignore_errors=True)
    for folder in ["bin", "dev", "proc", "sys", "modules", "newroot"]:
        (root / folder).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    (root / "init").write_bytes(script)
    (root / "init").chmod(0o755)
    for place, module in enumerate(_early_modules(version)):
        shutil.copy(module, root / f"modules/{place:02}-{module.name}")
    paths = b"\0".join(str(path.relative_to(root)).encode() for path in sorted(root.rglob("*")))
    packed = subprocess.run(["cpio", "--null", "-o", "-H", "newc", "--quiet"], input=paths, cwd=root, capture_output=True)
    if packed.returncode != 0:
        raise Unavailable(f"cpio: {packed.stderr.decode().strip()}")
    made.with_suffix(".new").write_bytes(packed.stdout)
    made.with_suffix(".new").rename(made)
    shutil.rmtree(root)
    return made


def compiled(name: str) -> Path:
    """The program of NAME.c in this folder, static, built if it is not there yet. Raises Unavailable."""
    source = HERE / f"{name}.c"
    made = CACHE / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    with _locked(CACHE / "lock"):
        if not made.exists():
            if shutil.which("gcc") is None:
                raise Unavailable("gcc is not installed")
            new = made.with_suffix(".new")
            _run("gcc", "-std=gnu11", "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-o", str(new), str(source))
            new.rename(made)
    return made


def _early_modules(version: str) -> list[Path]:
    """The early modules and what they depend on, each once, in an order that insmod can follow."""
    found: dict[Path, None] = {}
    for module in EARLY_MODULES:
        shown = _run("modprobe", "-d", str(CACHE), "-S", version, "--show-depends", module)
        found.update((Path(line.split()[1]), None) for line in shown.splitlines() if line.startswith("insmod"))
    return list(found)
