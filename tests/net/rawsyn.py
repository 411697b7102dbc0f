"""TCP SYNs that no kernel would send, from a namespace: with any options, or in IPv6 fragments.

Whether the kernel at the other end took one for a join is in its counter MPJoinSynRx.
"""

import os
import socket
import struct

KIND = 30  # of MPTCP's options
CAPABLE, JOIN, PRIO = 0, 1, 5
NOP = b"\x01"
FRAGMENT = 44
IPPROTO_RAW = 255
SYN = 0x02


def join(token, address_id=1):
    """MP_JOIN of a SYN (RFC 8684, section 3.2.)"""
    return struct.pack("!BBBBI", KIND, 12, JOIN << 4, address_id, token) + os.urandom(4)


def option(subtype, body=b""):
    """Any MPTCP option, right or wrong."""
    return struct.pack("!BBB", KIND, 3 + len(body), subtype << 4) + body


def segment(source, target, options, flags=SYN):
    """A whole TCP segment with its checksum. source and target: (address, port)."""
    options += b"\0" * (-len(options) % 4)
    assert len(options) <= 40
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    packed = socket.inet_pton(family, source[0]) + socket.inet_pton(family, target[0])
    header = struct.pack("!HHIIBBHHH", source[1], target[1], int.from_bytes(os.urandom(4), "big"),
                         0, (20 + len(options)) // 4 << 4, flags, 64000, 0, 0) + options
    pseudo = packed + struct.pack("!II", len(header), socket.IPPROTO_TCP)
    words = pseudo + header
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return header[:16] + struct.pack("!H", ~total & 0xffff) + header[18:]


def send(source, target, options, flags=SYN):
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.bind((source[0], 0))
        raw.sendto(segment(source, target, options, flags), (target[0], 0))


def send_fragments(source, target, options, first):
    """The same over IPv6, in two fragments: the first has so many bytes, a multiple of 8."""
    whole = segment(source, target, options)
    identity = int.from_bytes(os.urandom(4), "big")
    addresses = (socket.inet_pton(socket.AF_INET6, source[0])
                 + socket.inet_pton(socket.AF_INET6, target[0]))
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, IPPROTO_RAW) as raw:
        for offset, more, part in ((0, 1, whole[:first]), (first, 0, whole[first:])):
            fragment = struct.pack("!BBHI", socket.IPPROTO_TCP, 0, offset | more, identity)
            packet = struct.pack("!IHBB", 6 << 28, len(fragment + part), FRAGMENT, 64)
            raw.sendto(packet + addresses + fragment + part, (target[0], 0))
