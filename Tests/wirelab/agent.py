"""What the host talks to inside the guest: starts programs, hands their output back, and is the guest's process 1.

JSON lines over a virtio port, because the emulated serial console is slow enough to bend what is measured. One thread,
one poll; it sleeps unless something happens.

    host to guest   {"id": 7, "argv": ["ip", "link"]}            start a program
                    {"id": 7, "signal": 15}                      send its process group a signal
    guest to host   {"ready": true, "uptime": 2.3}               once, at the start
                    {"id": 7, "out": "..."}, {"id": 7, "err": "..."}
                    {"id": 7, "exit": 0}                         after the last output; -9 for a signal

It does no authentication and keeps no limits: the only peer is the lab that booted this guest.
"""

import json
import os
import select
import signal
import sys

# The machine has one port; without udev it has only the kernel's name for it.
PORT = next(f"/dev/{name}" for name in os.listdir("/dev") if name.startswith("vport"))
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
}


def power_off():
    """Ends the guest; without a host that listens there is nothing to run for."""
    os.system("/bin/busybox poweroff -f")


class Program:
    """A started program: its pipes are read until both end, and it is reported ended when it is also reaped."""

    def __init__(self, argv):
        self.status = None
        self.pipes = {}
        ends = []
        for name in ("out", "err"):
            read, write = os.pipe()
            self.pipes[read] = name
            ends.append(write)
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, ends[0], 1), (os.POSIX_SPAWN_DUP2, ends[1], 2)]
        try:
            self.pid = os.posix_spawnp(
                argv[0], argv, ENVIRONMENT, file_actions=actions, setpgroup=0, setsigmask=[], setsigdef=[signal.SIGPIPE]
            )
        except OSError as error:
            self.pid = None
            self.status = 127
            os.write(ends[1], f"{argv[0]}: {error.strerror}\n".encode())
        for end in ends:
            os.close(end)


class Agent:
    def __init__(self):
        self.port = os.open(PORT, os.O_RDWR)
        self.poll = select.poll()
        self.poll.register(self.port, select.POLLIN)
        self.programs = {}
        self.received = b""
        # A child's end wakes the poll.
        self.wake, notify = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(notify, False)
        signal.set_wakeup_fd(notify, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll.register(self.wake, select.POLLIN)

    def send(self, **message):
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.port, data) :]

    def run(self):
        with open("/proc/uptime") as file:
            self.send(ready=True, uptime=float(file.read().split()[0]))
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.port:
                    self.receive()
                elif fd == self.wake:
                    self.reap()
                else:
                    self.forward(fd)

    def receive(self):
        data = os.read(self.port, 65536)
        if not data:
            power_off()
        *lines, self.received = (self.received + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "argv" in request:
                self.start(request["id"], request["argv"])
            elif (program := self.programs.get(request["id"])) and program.status is None:
                os.killpg(program.pid, request["signal"])

    def start(self, id, argv):
        program = self.programs[id] = Program(argv)
        for fd in program.pipes:
            self.poll.register(fd, select.POLLIN)

    def forward(self, fd):
        id, program = next((id, program) for id, program in self.programs.items() if fd in program.pipes)
        data = os.read(fd, 65536)
        if data:
            self.send(id=id, **{program.pipes[fd]: data.decode(errors="replace")})
            return
        self.poll.unregister(fd)
        os.close(fd)
        del program.pipes[fd]
        self.finish(id, program)

    def reap(self):
        os.read(self.wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for id, program in list(self.programs.items()):
                if program.pid == pid:
                    program.status = os.waitstatus_to_exitcode(status)
                    self.finish(id, program)

    def finish(self, id, program):
        if program.status is not None and not program.pipes:
            del self.programs[id]
            self.send(id=id, exit=program.status)


if __name__ == "__main__":
    try:
        Agent().run()
    except BaseException as error:
        print(f"agent: {error!r}", file=sys.stderr)
        power_off()
        raise
