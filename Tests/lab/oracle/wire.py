"""Adverts on the wire: read as they come to the made-up peer, and forged as if it had a better one.

A packet socket at the far ends sees what the router sends. Nothing of the repository reads the packets here.
"""

import ipaddress
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from ..journal import Journal
from ..packets import checksum

VRRP, AH = 112, 51
OUTGOING = 4


@dataclass
class Advert:
    """An advert as it was read; `frame` is the whole of it."""

    interface: str
    vrid: int
    family: int
    version: int
    priority: int
    interval_ms: int
    source: str
    destination: str
    mac: str
    to_mac: str
    ttl: int
    tos: int
    addresses: list[str]
    auth: str
    checksum: str
    trailer: int
    frame: bytes = field(repr=False)

    @property
    def key(self) -> tuple[str, int, int]:
        return self.interface, self.vrid, self.family

    @property
    def is_multicast(self) -> bool:
        return ipaddress.ip_address(self.destination).is_multicast


def _mac(data: bytes) -> str:
    return data.hex(":")


def _pseudo(source: bytes, destination: bytes, length: int) -> bytes:
    if len(source) == 4:
        return source + destination + struct.pack("!HH", VRRP, length)
    return source + destination + struct.pack("!IHBB", length, 0, 0, VRRP)


def _form(message: bytes, pseudo: bytes) -> str:
    """How the message is summed: over itself, or with the pseudo header before it."""
    padded = message + b"\0" * (len(message) % 2)
    if checksum(padded) == 0:
        return "message"
    return "pseudo-header" if checksum(pseudo + padded) == 0 else "bad"


def read(interface: str, frame: bytes) -> Advert | None:
    """The advert in an Ethernet frame, or None."""
    ether, packet = struct.unpack_from("!H", frame, 12)[0], frame[14:]
    auth = ""
    if ether == 0x0800 and len(packet) >= 20:
        size = (packet[0] & 15) * 4
        length = struct.unpack_from("!H", packet, 2)[0]
        tos, ttl, protocol, source, destination = packet[1], packet[8], packet[9], packet[12:16], packet[16:20]
        message = packet[size:length]
        if protocol == AH and len(message) >= 24 and message[0] == VRRP:
            protocol, auth, message = VRRP, "AH", message[(message[1] + 2) * 4 :]
    elif ether == 0x86DD and len(packet) >= 40:
        length, protocol, ttl = struct.unpack_from("!HBB", packet, 4)
        tos = struct.unpack_from("!H", packet)[0] >> 4 & 0xFF
        source, destination, message = packet[8:24], packet[24:40], packet[40 : 40 + length]
    else:
        return None
    if protocol != VRRP or len(message) < 8:
        return None
    version, count, width = message[0] >> 4, message[3], len(source)
    end = 8 + count * width
    interval_ms = (struct.unpack_from("!H", message, 4)[0] & 0xFFF) * 10 if version == 3 else message[5] * 1000
    if version == 2:
        if message[4] == 1:
            auth = "PASS " + message[end : end + 8].rstrip(b"\0").decode(errors="backslashreplace")
        end += 8
    addresses = [str(ipaddress.ip_address(message[8 + n * width : 8 + (n + 1) * width])) for n in range(count)]
    return Advert(
        interface, message[1], 4 if width == 4 else 6, version, message[2], interval_ms,
        str(ipaddress.ip_address(source)), str(ipaddress.ip_address(destination)), _mac(frame[6:12]), _mac(frame[:6]),
        ttl, tos, addresses, auth, _form(message, _pseudo(source, destination, len(message))),
        max(0, len(message) - end), frame,
    )  # fmt: skip


def better(advert: Advert, source: str) -> bytes:
    """The frame of another router's advert like this one, of a higher priority. Nobody is better than an owner."""
    frame = bytearray(advert.frame)
    frame[6:12] = bytes.fromhex("020000000200") if advert.mac.startswith("02:") else bytes.fromhex(
        advert.mac.replace(":", "")
    )
    priority = 255 if advert.priority == 254 else 254
    mine, theirs = (ipaddress.ip_address(text).packed for text in (source, advert.source))
    destination = ipaddress.ip_address(advert.destination)
    to = destination.packed if destination.is_multicast else theirs
    if advert.family == 4:
        header = (frame[14] & 15) * 4
        frame[14 + 12 : 14 + 20] = mine + to
        frame[14 + 10 : 14 + 12] = bytes(2)
        frame[14 + 10 : 14 + 12] = struct.pack("!H", checksum(bytes(frame[14 : 14 + header])))
        start, end = 14 + header, 14 + struct.unpack_from("!H", frame, 16)[0]
    else:
        frame[14 + 8 : 14 + 40] = mine + to
        start, end = 54, 54 + struct.unpack_from("!H", frame, 18)[0]
    if not destination.is_multicast:
        frame[0:6] = bytes.fromhex(advert.mac.replace(":", ""))
        frame[6:12] = bytes.fromhex(advert.to_mac.replace(":", ""))
    frame[start + 2] = priority
    frame[start + 6 : start + 8] = bytes(2)
    message = bytes(frame[start:end])
    pseudo = b"" if advert.checksum == "message" else _pseudo(mine, to, len(message))
    frame[start + 6 : start + 8] = struct.pack("!H", checksum(pseudo + message + b"\0" * (len(message) % 2)))
    return bytes(frame)


class Wire(Journal):
    """The adverts that come to the far ends, and those that are sent from there."""

    def __init__(self, world):
        super().__init__("adverts")
        self.ports = world.ports
        self._is_closed = False
        self._socket = world.namespaces.inside("far", self._open)
        self._forged: list[tuple[str, float, bytes]] = []
        threading.Thread(target=self._read, daemon=True).start()
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._sender.start()

    @staticmethod
    def _open() -> socket.socket:
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(3))
        listener.settimeout(0.2)
        return listener

    def _read(self) -> None:
        while not self._is_closed:
            try:
                frame, (port, _, kind, *_) = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if kind != OUTGOING and port in self.ports and (advert := read(self.ports[port], frame)):
                self.append(advert)
        self.end("closed")

    def forge(self, frames: list[tuple[str, float, bytes]]) -> None:
        """From now on sends each frame to the wire of an interface, at its interval in seconds; none: no more."""
        self._forged = frames

    def _send(self) -> None:
        names = {interface: port for port, interface in self.ports.items()}
        sent: dict[int, float] = {}
        while not self._is_closed:
            for number, (interface, seconds, frame) in enumerate(self._forged):
                now = time.monotonic()
                if now - sent.get(number, 0) >= seconds:
                    sent[number] = now
                    try:
                        self._socket.sendto(frame, (names[interface], 0))
                    except OSError:
                        pass
            time.sleep(0.02)

    def newest(self) -> dict[tuple[str, int, int], Advert]:
        """The newest advert since the mark of each virtual router, resignations apart."""
        return {advert.key: advert for advert in self.recent() if advert.priority}

    def close(self) -> None:
        self._is_closed = True
        self._sender.join()
        self._socket.close()
