"""Packets that no honest router sends, and a host on LAN A that sends them."""

import re
import socket
import struct
import threading

from .namespaces import Namespaces
from .pair import OUTSIDE

FORGED = "02:00:00:00:66:66"
BROADCAST = "ff:ff:ff:ff:ff:ff"
ARP = 0x0806


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def mac_of(namespaces, name: str, device: str) -> str:
    return re.search(r"ether (\S+)", namespaces.ip(name, f"link show {device}"))[1]


def arp(operation: int, sender: str, sender_mac: str, target: str = "0.0.0.0", target_mac: str = "00:00:00:00:00:00"):
    return (
        struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
        + mac_bytes(sender_mac) + socket.inet_aton(sender) + mac_bytes(target_mac) + socket.inet_aton(target)
    )  # fmt: skip


class Flood:
    """Sends the same packets from `ca` again and again, until it is closed."""

    def __init__(self, namespaces, *packets: tuple[str, int, bytes], seconds: float = 0.02):
        """Each packet: the frame's destination, its ethertype, and what is in it."""
        self._stop = threading.Event()
        self._sender = namespaces.inside("ca", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM))
        self._packets, self._seconds = packets, seconds
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        while not self._stop.is_set():
            for mac, ether, packet in self._packets:
                self._sender.sendto(packet, ("e0", ether, 0, 0, mac_bytes(mac)))
            self._stop.wait(self._seconds)

    def __enter__(self) -> "Flood":
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()
        self._sender.close()


def advert(
    source: str, priority: int, address: str, vrid: int = 10, version: int = 3, ttl: int = 255, broken: bool = False,
    size: int = 12,
) -> bytes:  # fmt: skip
    """An advert from this address, with its IPv4 header; a good one, unless told otherwise."""
    ends = socket.inet_aton(source) + socket.inet_aton("224.0.0.18")
    message = struct.pack("!BBBBHH4s", version << 4 | 1, vrid, priority, 1, 10, 0, socket.inet_aton(address))
    total = checksum(ends + struct.pack("!HH", 112, len(message)) + message)
    message = (message[:6] + struct.pack("!H", total ^ (0x5555 if broken else 0)) + message[8:])[:size]
    header = struct.pack("!BBHHHBBH8s", 0x45, 0xC0, 20 + len(message), 1, 0, ttl, 112, 0, ends)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + message


def say_on_the_lan(namespaces: Namespaces, *packets: bytes, times: int = 1) -> None:
    def send():
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sender:
            for packet in packets * times:
                sender.sendto(packet, ("e0", 0x0800, 0, 0, bytes([1, 0, 0x5E, 0, 0, 0x12])))

    namespaces.inside("ca", send)


def ipv4(source: str, message: bytes, options: bytes = b"", destination: str = "224.0.0.18", broken: bool = False):
    """An advert's message under another header."""
    length = 20 + len(options) + len(message)
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x40 | (20 + len(options)) // 4, 0xC0, length, 1, 0, 255, 112, 0,
        socket.inet_aton(source), socket.inet_aton(destination),
    ) + options  # fmt: skip
    total = checksum(header) ^ (0x1111 if broken else 0)
    return header[:10] + struct.pack("!H", total) + header[12:] + message


def message(source: str, priority: int = 1, vrid: int = 10, destination: str = "224.0.0.18") -> bytes:
    """A VRRP message whose sum is right from this source to this destination."""
    body = struct.pack("!BBBBHH4s", 0x31, vrid, priority, 1, 10, 0, socket.inet_aton(OUTSIDE))
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    return body[:6] + struct.pack("!H", checksum(ends + struct.pack("!HH", 112, len(body)) + body)) + body[8:]
