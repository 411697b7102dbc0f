"""Packets as a packet socket sees them: TCP segments with their MPTCP options, and datagrams.

Written from RFC 8684 and independent of our own code.
"""

import contextlib
import ctypes
import dataclasses
import hashlib
import hmac
import socket
import struct

import sandbox

ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
PACKET_BYTES = 320  # enough for all headers, and for the messages of daemons
CAPTURE_BYTES = 32 << 20
OPTION_STAMPS, OPTION_MPTCP = 8, 30
MP_CAPABLE, MP_JOIN, MP_DSS, ADD_ADDR = 0, 1, 2, 3
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


@dataclasses.dataclass
class Segment:
    """A TCP segment, as far as it matters here."""
    time: int  # ns
    source: str
    target: str
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    options: dict  # subtype of MPTCP -> bytes of the option
    stamps: tuple | None  # value and echo of the time stamp option (RFC 7323)
    payload: int  # bytes

    def opens(self):
        return self.flags & (SYN | ACK) == SYN

    def length(self):
        """In sequence space."""
        return self.payload + bool(self.flags & SYN) + bool(self.flags & FIN)


@dataclasses.dataclass
class Datagram:
    """One of UDP. data: at most PACKET_BYTES less the headers."""
    time: int  # ns
    source: str
    target: str
    sport: int
    dport: int
    data: bytes


def tcp_options(data):
    """(MPTCP options by subtype, time stamps) of the option part of a TCP header."""
    found, stamps = {}, None
    while len(data) >= 2 and data[0] != 0:
        length = 1 if data[0] == 1 else max(data[1], 2)
        if data[0] == OPTION_MPTCP and len(data) >= 3:
            found[data[2] >> 4] = data[:length]
        elif data[0] == OPTION_STAMPS and len(data) >= 10:
            stamps = struct.unpack_from("!II", data, 2)
        data = data[length:]
    return found, stamps


def _network(packet):
    """(source, target, protocol, where the next header begins, where the packet ends), or None."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        return (socket.inet_ntop(socket.AF_INET, packet[12:16]),
                socket.inet_ntop(socket.AF_INET, packet[16:20]), packet[9],
                (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big"))
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return (socket.inet_ntop(socket.AF_INET6, packet[8:24]),
                socket.inet_ntop(socket.AF_INET6, packet[24:40]), packet[6], 40,
                40 + int.from_bytes(packet[4:6], "big"))
    return None


def parse(when, packet):
    """A Segment, a Datagram, or None if it is neither."""
    found = _network(packet)
    if not found:
        return None
    source, target, protocol, start, end = found
    rest = packet[start:]
    if protocol == socket.IPPROTO_UDP and len(rest) >= 8:
        sport, dport, length, _sum = struct.unpack_from("!4H", rest)
        return Datagram(when, source, target, sport, dport, rest[8:length])
    if protocol != socket.IPPROTO_TCP or len(rest) < 20:
        return None
    sport, dport, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", rest)
    head = (offset >> 4) * 4
    return Segment(when, source, target, sport, dport, seq, ack, flags,
                   *tcp_options(rest[20:head]), end - start - head)


def token_of(key):
    """RFC 8684, 3.2, version 1: the first 32 bits of the hash of the key."""
    return hashlib.sha256(key).digest()[:4]


def mac(key, text):
    """The HMAC of MPTCP, not truncated."""
    return hmac.new(key, text, hashlib.sha256).digest()


def small_ones(longest, network):
    """Classic BPF: packets of at most that many bytes, but no IPv4 from network/16 (4 bytes)."""
    return b"".join(struct.pack("=HBBI", *each) for each in (
        (0x80, 0, 0, 0), (0x25, 7, 0, longest),  # length > longest: drop
        (0x30, 0, 0, 0), (0x54, 0, 0, 0xf0), (0x15, 0, 3, 0x40),  # not IPv4: keep
        (0x20, 0, 0, 12), (0x54, 0, 0, 0xffff0000),
        (0x15, 1, 0, int.from_bytes(network, "big")),  # source in network: drop
        (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)))


class Capture:
    """All packets of a namespace, or those that a filter keeps, with the kernel's time stamps.

    They are read and parsed only when they are asked for, so as not to disturb.
    """

    def __init__(self, netns=None, keep=None):
        with sandbox.inside(netns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                        socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, CAPTURE_BYTES)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)
        if keep:
            code = ctypes.create_string_buffer(keep)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                                   struct.pack("@HP", len(keep) // 8, ctypes.addressof(code)))

    def ignore_outgoing(self):
        """From now on, nothing that this namespace has sent."""
        self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)

    def packets(self):
        """Segments and Datagrams that have come since the last call."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, control, _flags, _from = self.socket.recvmsg(PACKET_BYTES, 128)
                seconds, nanoseconds = struct.unpack_from("@ll", control[0][2])
                found.append(parse(seconds * 10**9 + nanoseconds, packet))
        return [packet for packet in found if packet]

    def segments(self):
        """The segments among them."""
        return [packet for packet in self.packets() if isinstance(packet, Segment)]

    def close(self):
        self.socket.close()
