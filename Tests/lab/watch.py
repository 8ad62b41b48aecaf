"""A subscription to linkwatchd by nothing but its public protocol: JSON objects that end in a NUL on a Unix socket.

As a module it gives `Watch`, a journal of events. As a program it waits for the socket, calls one method and prints each
answer's parameters as a line of JSON, for where the socket is in another machine:

    python3 -I Tests/lab/watch.py /run/linkwatch/linkwatchd.sock Watch '{"heartbeatMs": 1000}'
    python3 -I Tests/lab/watch.py /run/linkwatch/linkwatchd.sock Registers '{"ifname": "eth0"}'

The client from PyPI is not used here, so that a mistake in the daemon cannot hide behind a client's leniency.
"""

import json
import socket
import sys
import threading
import time

try:
    from .journal import Journal
except ImportError:  # as a program
    Journal = list

INTERFACE = "io.linkwatch.Monitor"


class VarlinkError(Exception):
    """The service's own error: its name, and its parameters."""

    def __init__(self, name: str, parameters: dict | None):
        super().__init__(f"{name} {parameters or {}}")
        self.name, self.parameters = name, parameters or {}


class Connection:
    """One connection: `call` for one answer, `stream` for many."""

    def __init__(self, path, timeout: float | None = 30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self._received = bytearray()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; a thread that reads from it sees the end."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def send(self, method: str, parameters: dict | None = None, **flags) -> None:
        """Asks, without waiting. The flags are varlink's: more, oneway."""
        call = {"method": method if "." in method else f"{INTERFACE}.{method}", **flags}
        if parameters:
            call["parameters"] = parameters
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def receive(self) -> dict:
        """The next answer as it came. Raises EOFError at the end."""
        searched = 0
        while (end := self._received.find(b"\0", searched)) < 0:
            searched = len(self._received)
            data = self.socket.recv(262144)
            if not data:
                raise EOFError("the service closed the connection")
            self._received += data
        message = json.loads(self._received[:end])
        del self._received[: end + 1]
        return message

    def call(self, method: str, **parameters) -> dict:
        """Asks and returns the answer's parameters. Raises VarlinkError."""
        self.send(method, parameters)
        return self._parameters(self.receive())

    def stream(self, method: str, **parameters):
        """Asks for more and yields each answer's parameters."""
        self.send(method, parameters, more=True)
        while True:
            answer = self.receive()
            yield self._parameters(answer)
            if not answer.get("continues"):
                return

    @staticmethod
    def _parameters(answer: dict) -> dict:
        if "error" in answer:
            raise VarlinkError(answer["error"], answer.get("parameters"))
        return answer.get("parameters", {})


class Events(Journal):
    """linkwatchd's events, wherever they come from, and what they say of interfaces."""

    def await_kind(self, kind: str, timeout: float = 30) -> dict:
        """The first event of a kind since the mark."""
        return self.await_item(lambda event: event["kind"] == kind, timeout, f"an event of kind {kind}")

    def await_interface(self, ifname: str, timeout: float = 30, **fields) -> dict:
        """The first event since the mark that says this of the interface, such as `rawState="down", reason="mii"`."""

        def says(event):
            interface = event.get("interface") or {}
            return interface.get("ifname") == ifname and all(interface.get(key) == fields[key] for key in fields)

        return self.await_item(says, timeout, f"{ifname} with {fields}")

    def await_state(self, ifname: str, timeout: float = 30, **fields) -> dict:
        """Waits until the newest event about the interface, before the mark or after, says this; returns the interface."""

        def holds():
            known = self.interface(ifname)
            return known is not None and all(known.get(key) == fields[key] for key in fields)

        self.await_true(holds, timeout, f"{ifname} with {fields}")
        return self.interface(ifname)

    def interface(self, ifname: str) -> dict | None:
        """What the newest event about the interface says; None once it is removed."""
        for event in reversed(self):
            if event.get("interface") and event["interface"]["ifname"] == ifname:
                return None if event["kind"] == "removed" else event["interface"]
        return None

    def is_whole(self) -> bool:
        """Whether the newest snapshot is complete."""
        return next(event["kind"] for event in reversed(self) if event["kind"] in ("overflow", "synced")) == "synced"

    def mirror(self) -> dict[int, dict]:
        """All interfaces by index, as a consumer has them who applied every event; an overflow starts it anew."""
        interfaces: dict[int, dict] = {}
        for event in list(self):
            interface = event.get("interface")
            if event["kind"] == "overflow":
                interfaces = {}
            elif event["kind"] == "removed":
                interfaces.pop(interface["ifindex"], None)
            elif interface:
                interfaces[interface["ifindex"]] = interface
        return interfaces


class Watch(Events):
    """A subscriber: its snapshot has been received when it is made, and a thread appends what follows."""

    def __init__(self, path, synced: bool = True, **parameters):
        super().__init__("watch")
        self.connection = Connection(path, timeout=None)
        self._thread = threading.Thread(target=self._read, args=[parameters], daemon=True)
        self._thread.start()
        if synced:
            self.await_kind("synced")
            self.mark()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Unsubscribes."""
        self.connection.close()
        self._thread.join()

    def _read(self, parameters: dict) -> None:
        try:
            for answer in self.connection.stream("Watch", **parameters):
                self.append(answer["event"])
            self.end("the last answer came")
        except Exception as error:
            self.end(repr(error))


def _connected(path: str, seconds: float = 20) -> Connection:
    """A connection to a daemon that may still be starting."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return Connection(path, timeout=None)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def main() -> None:
    path, method, parameters = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    connection = _connected(path)
    connection.send(method, parameters, **({"more": True} if method == "Watch" else {}))
    while True:
        answer = connection.receive()
        print(json.dumps({"error": answer["error"]} if "error" in answer else answer.get("parameters", {})), flush=True)
        if not answer.get("continues"):
            return


if __name__ == "__main__":
    main()
