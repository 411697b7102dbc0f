"""Messages of join authentication, as a peer or a forger writes them.

Independent of our own code: keys by HKDF (RFC 5869) from a shared key and what a tap has seen of
the handshake, since the initial data sequence numbers follow from the keys in it (RFC 8684, 3.2).
"""

import hashlib
import ipaddress
import os
import struct

from lab import Failed
from segments import mac

HELLO, HELLO_ACK, JOIN_REQ, JOIN_OK, JOIN_NO, ADDR, ADDR_OK, BYE = range(1, 9)
HEADER = struct.Struct("!4sBBBB8sQ")
MAGIC, VERSION, SERVER = b"MPAH", 1, 1
MAC_BYTES = 16


def _extract(salt, secret):
    return mac(salt, secret)


def _expand(key, label, length=32):
    return mac(key, label + b"\1")[:length]


def idsn(key):
    """The initial data sequence number of the end whose key it is: 8 bytes."""
    return hashlib.sha256(key).digest()[-8:]


class Keys:
    """Those of a connection, from its secret."""

    def __init__(self, secret):
        self.secret = secret
        self.prk = prk = _extract(b"mptcpize join v1", secret)
        self.c2s, self.s2c = (_expand(prk, label) for label in (b"c2s", b"s2c"))
        self.kid = _expand(prk, b"kid", 8)

    @staticmethod
    def shared(psk, victim):
        """victim: the Handshake of the connection."""
        salt = idsn(victim.client_key) + idsn(victim.server_key)
        with open(psk, "rb") as file:
            return Keys(_expand(_extract(salt, file.read()), b"psk v1"))

    def message(self, kind, sequence, body, server=False):
        """With a right MAC."""
        words = (HEADER.size + len(body) + MAC_BYTES) // 4
        text = HEADER.pack(MAGIC, VERSION, kind, SERVER if server else 0, words, self.kid,
                           sequence) + body
        return text + mac(self.s2c if server else self.c2s, text)[:MAC_BYTES]

    def hello(self, sequence, random=None):
        return self.message(HELLO, sequence, (random or os.urandom(8)) + struct.pack("!I", 1))

    def join_req(self, sequence, token, port, number=9, nonce=None):
        """token: 4 bytes, the server's. nonce: 4 bytes. number: the address id."""
        return self.message(JOIN_REQ, sequence, token + (nonce or os.urandom(4))
                            + struct.pack("!BBH", number, 0, port))

    def bye(self, sequence, reason=1, server=False):
        return self.message(BYE, sequence, struct.pack("!I", reason), server)

    def check(self, data):
        """Failed unless its MAC is right."""
        server = data[6] & SERVER
        right = mac(self.s2c if server else self.c2s, data[:-MAC_BYTES])[:MAC_BYTES]
        if data[8:16] != self.kid or data[-MAC_BYTES:] != right:
            raise Failed(f"the MAC of {data.hex()} is wrong")


def sequence_of(data):
    return HEADER.unpack_from(data)[6]


def addresses_of(data):
    """Of an ADDR."""
    count = data[HEADER.size]
    entries = (struct.unpack_from("!BBH16s", data, HEADER.size + 4 + i * 20) for i in range(count))
    return [(str(ipaddress.ip_address(raw[12:] if family == 1 else raw)), port)
            for _number, family, port, raw in entries]


def flip(data, bit):
    """The same but for one bit, counted from the end."""
    changed = int.from_bytes(data, "big") ^ 1 << bit
    return changed.to_bytes(len(data), "big")
