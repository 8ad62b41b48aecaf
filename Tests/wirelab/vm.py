"""One virtual machine of the wire lab, driven from the host.

         host                                   guest (Debian's kernel, the host's files)
    Vm.run, Vm.spawn ---- virtio port --------- agent.py ---- programs
    Vm.set_link      ---- QMP --- QEMU: e0 --- hub 0 --- e2      a hub is a cable or a LAN;
                                        e1 --- hub 1 --- e3      set_link unplugs one card from it
    results/         ---- 9p, writable -------- /results

QEMU emulates the processor (`-accel tcg`): it is a tenth as fast as the host, runs anywhere, and needs no privileges.
Time is compared inside the guest only. The machine is killed by its own pid whatever happens, and powers itself off when
the host's end of the virtio port is gone: even a killed test run leaves nothing running.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from lab.journal import Journal

from . import kernel

AGENT = kernel.HERE / "agent.py"
QEMU_SECONDS_MAX = 60
BOOT_SECONDS_MAX = 180

# 4 ns an instruction, and what nobody waits for takes no time: see Vm.
OWN_TIME = "shift=2,sleep=off"
OWN_TIME_BOOT_SECONDS_MAX = 240

# The driver of each model of network card. MII registers that follow the wire: e1000, e1000e, rtl8139.
DRIVERS = {
    "e1000": "e1000",
    "e1000e": "e1000e",
    "rtl8139": "8139cp",
    "i82559c": "e100",
    "pcnet": "pcnet32",
    "virtio-net-pci": "virtio_net",
    "tulip": "tulip",
    "vmxnet3": "vmxnet3",
}


@dataclass(frozen=True)
class Nic:
    """A network card: its name in the guest and on the monitor, its model, and the hub that its cable goes to."""

    name: str
    model: str = "e1000"
    hub: int = 0


class Failed(Exception):
    """A program in the guest ended with another status than it should have, or the guest itself ended."""


class Program:
    """A program in the guest. `stdout` and `stderr` are journals of its lines as they come, those of `stdout` parsed."""

    def __init__(self, vm: "Vm", id: int, argv: list[str], stdout: Journal, parse):
        self.vm, self.id, self.argv, self._parse = vm, id, argv, parse
        self.status: int | None = None
        self.stdout, self.stderr = stdout, Journal("stderr")
        self.stdout.name = " ".join(argv)
        self._partial = {"out": "", "err": ""}

    def wait(self, timeout: float = 60) -> int:
        """Waits for its end; returns its exit status, negative for a signal."""
        self.stdout.await_end(timeout)
        if self.status is None:
            raise Failed(self.stdout.ended)
        return self.status

    def kill(self, number: int = signal.SIGTERM) -> None:
        """Sends its process group a signal; nothing happens if it has ended."""
        self.vm._send(id=self.id, signal=int(number))

    def stop(self, timeout: float = 30) -> int:
        """SIGTERM, and waits for the end."""
        self.kill()
        return self.wait(timeout)

    def tail(self) -> str:
        """The last lines of both outputs, for a message."""
        return "\n".join(map(str, [*self.stdout[-20:], *self.stderr[-20:]]))

    def _receive(self, message: dict) -> None:
        for name, lines, parse in (("out", self.stdout, self._parse), ("err", self.stderr, str)):
            *whole, self._partial[name] = (self._partial[name] + message.get(name, "")).split("\n")
            if "exit" in message and self._partial[name]:
                whole.append(self._partial[name])
            for line in whole:
                lines.append(parse(line))
        if "exit" in message:
            self.status = message["exit"]
            self._end(f"exit status {self.status}: " + " / ".join(self.stderr[-5:]))

    def _end(self, reason: str) -> None:
        self.stderr.end(reason)
        self.stdout.end(reason)


class Vm:
    """A running guest; a context manager that kills it at the end.

    With `own_time` the guest's clock counts instructions and skips what it idles, so that a busy host makes the lab slow
    and its figures no worse. It costs twice the host's time, and a guest that waits for a file of the host's ages.

    `command_line` is added to the kernel's. `boot_seconds` is the time from the start of QEMU until the guest takes
    commands; `results` is a folder of the host's that the guest sees as /results.
    """

    def __init__(
        self,
        nics: list[Nic],
        modules: list[str] = (),
        memory_mb: int = 512,
        processors: int = 1,
        own_time: bool = False,
        command_line: str = "",
    ):
        self.nics = list(nics)
        self.kernel = kernel.prepare()
        self.folder = Path(tempfile.mkdtemp(prefix=f"wirelab-{os.getpid()}-"))
        self.results = self.folder / "results"
        self.results.mkdir()
        self._programs: dict[int, Program] = {}
        self._ready = Journal("the guest's start")
        self._next = 0
        self._qemu = self._reader = None
        try:
            self._boot(list(modules), memory_mb, processors, own_time, command_line)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Vm":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Kills the guest and removes its folder."""
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait()
        if self._reader is not None:
            self._reader.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, *argv, stdout: Journal | None = None, parse=str) -> Program:
        """Starts a program in the guest. Each line of its output goes through `parse` into the journal `stdout`."""
        self._next += 1
        stdout = Journal() if stdout is None else stdout
        program = self._programs[self._next] = Program(self, self._next, [str(word) for word in argv], stdout, parse)
        self._send(id=program.id, argv=program.argv)
        return program

    def run(self, *argv, check: bool = True, timeout: float = 60) -> str:
        """Runs a program in the guest to its end; returns its output. Raises Failed if its status is not 0."""
        program = self.spawn(*argv)
        status = program.wait(timeout)
        if check and status != 0:
            raise Failed(f"{program.argv} ended with {status}: {program.tail()}")
        return "\n".join(program.stdout)

    def sh(self, script: str, **options) -> str:
        """Runs a shell script in the guest, which ends at the first command that fails."""
        return self.run("/bin/sh", "-ec", script, **options)

    def warm(self, *programs) -> None:
        """Reads programs and their libraries into the guest's memory, so that reading over 9p delays nothing later."""
        for program in programs:
            self.sh(f"cat {program} $(ldd {program} 2>/dev/null | grep -o '/[^ ]*') >/dev/null")

    def set_link(self, name: str, up: bool) -> None:
        """Plugs or unplugs the cable of one network card."""
        self.qmp("set_link", name=name, up=up)

    def qmp(self, command: str, **arguments):
        """Asks QEMU itself."""
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self._answers.readline())
            if "error" in answer:
                raise Failed(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def read_result(self, name: str) -> str:
        """What a program of the guest wrote to /results/NAME."""
        return (self.results / name).read_text()

    # Booting

    def _boot(self, modules: list[str], memory_mb: int, processors: int, own_time: bool, command_line: str) -> None:
        started = time.monotonic()
        log = open(self.folder / "qemu.log", "wb")
        command = self._command(modules, memory_mb, processors, command_line)
        if own_time:
            command += ["-icount", OWN_TIME]
        self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._agent = self._connect("agent")
        self._monitor = self._connect("monitor")
        self._answers = self._monitor.makefile("rb")
        self._answers.readline()
        self.qmp("qmp_capabilities")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._ready.await_item(lambda _: True, OWN_TIME_BOOT_SECONDS_MAX if own_time else BOOT_SECONDS_MAX)
        except TimeoutError:
            raise Failed(self._console())
        self._name_nics()
        self.boot_seconds = time.monotonic() - started

    def _command(self, modules: list[str], memory_mb: int, processors: int, command_line: str) -> list[str]:
        drivers = dict.fromkeys(DRIVERS[nic.model] for nic in self.nics)
        append = [
            "console=ttyS0 quiet panic=-1 nokaslr mitigations=off random.trust_cpu=on tsc=reliable clocksource=tsc",
            f"lab.cache={self.kernel.modules} lab.agent={AGENT} lab.modules={','.join([*drivers, *modules])}",
            command_line,
        ]
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-M", "pc,usb=off,vmport=off"]
        command += ["-m", str(memory_mb), "-smp", str(processors)]
        command += ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
        command += ["-kernel", str(self.kernel.image), "-initrd", str(self.kernel.initramfs), "-append", " ".join(append)]
        command += ["-serial", f"file:{self.folder}/console", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
        command += ["-chardev", f"socket,id=agent,path={self.folder}/agent,server=on,wait=on"]
        command += ["-device", "virtserialport,chardev=agent,name=linkwatch.agent"]
        command += ["-chardev", f"socket,id=monitor,path={self.folder}/monitor,server=on,wait=off"]
        command += ["-mon", "chardev=monitor,mode=control"]
        share = "security_model=none,multidevs=remap"
        command += ["-virtfs", f"local,path=/,mount_tag=hostroot,readonly=on,{share}"]
        command += ["-virtfs", f"local,path={self.results},mount_tag=results,{share}"]
        for place, nic in enumerate(self.nics):
            command += ["-netdev", f"hubport,id=port{place},hubid={nic.hub}"]
            device = f"{nic.model},id={nic.name},netdev=port{place},mac={_address(place)}"
            command += ["-device", f"{device},romfile="]
        return command

    def _name_nics(self) -> None:
        """Gives the cards their names; the kernel numbers them in the order in which drivers find them."""
        wanted = " ".join(f"{_address(place)}={nic.name}" for place, nic in enumerate(self.nics))
        self.sh(
            f"""
            for pair in {wanted}; do
                for card in /sys/class/net/*; do
                    read -r address <$card/address || continue
                    [ "$address" = ${{pair%=*}} ] && ip link set ${{card##*/}} name ${{pair#*=}}
                done
                [ -d /sys/class/net/${{pair#*=}} ]
            done
            """
        )

    def _console(self) -> str:
        """The last output of the guest and QEMU, while their folder exists."""
        paths = [self.folder / name for name in ("qemu.log", "console")]
        texts = [path.read_text(errors="replace")[-2000:] for path in paths if path.exists()]
        return "the guest has ended or hangs: " + "\n".join(texts)

    def _connect(self, name: str) -> socket.socket:
        """A connection to a socket that QEMU is about to make."""
        deadline = time.monotonic() + QEMU_SECONDS_MAX
        while True:
            peer = socket.socket(socket.AF_UNIX)
            try:
                peer.connect(str(self.folder / name))
                return peer
            except OSError:
                peer.close()
                if self._qemu.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"QEMU does not start: {(self.folder / 'qemu.log').read_text().strip()}")
                time.sleep(0.01)

    # The agent's connection

    def _send(self, **message) -> None:
        self._agent.sendall(json.dumps(message).encode() + b"\n")

    def _read(self) -> None:
        try:
            for line in self._agent.makefile("rb"):
                message = json.loads(line)
                if "ready" in message:
                    self._ready.append(message)
                else:
                    self._programs[message["id"]]._receive(message)
        except ConnectionResetError:
            pass  # QEMU was killed.
        finally:
            self._ready.end(reason := self._console())
            for program in list(self._programs.values()):
                program._end(reason)


def _address(place: int) -> str:
    return f"52:54:00:6c:77:{place + 1:02x}"
