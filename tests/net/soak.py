"""Transfers and faults for hours: what the soak of test_soak.py is made of.

                                                      to1  up0
    client  wifi0 ==== 5 ms ===== r0  +--------+  ============  real1: a daemon, joins guarded
            lte0  ==== 15 ms ==== r1  | router |      to2  up0
                                      +--------+  ============  real2: a daemon that nobody hurts

A transfer has to get through, byte for byte, if it had both paths when it began and never loses
both for good. So nothing that hurts a path begins while a transfer does, and the other way round;
what hurts a daemon comes at any time.
"""

import contextlib
import os
import re
import socket
import struct
import subprocess
import threading
import time

import sandbox
from guarded import CHUNK, Pair
from kernelstate import kernel_state
from lab import SERVER, WORK, Failed, command, read
from nets import nft
from programs import Build

MPTCP_INFO = 1
SOL_MPTCP = 284
EXTRA_SUBFLOWS = 0  # offset in struct mptcp_info
SAMPLE = 24  # bytes that are found at one place only in random data
GUARDED, OPEN, GHOST = 4000, 4001, 4002  # ports of our own servers
STUCK = 90  # seconds without a byte that are too many
FIRST_PORT, PORTS = 20000, 8000  # of curl


class Gate:
    """Either transfers begin, any number of them, or one thing hurts the paths."""

    def __init__(self):
        self.changed = threading.Condition()
        self.opening = 0
        self.closed = 0

    @contextlib.contextmanager
    def open(self):
        """A transfer begins in the with block."""
        with self.changed:
            self.changed.wait_for(lambda: not self.closed)
            self.opening += 1
        try:
            yield
        finally:
            with self.changed:
                self.opening -= 1
                self.changed.notify_all()

    @contextlib.contextmanager
    def shut(self):
        """No transfer begins in the with block."""
        with self.changed:
            self.closed += 1
            self.changed.wait_for(lambda: not self.opening)
        try:
            yield
        finally:
            with self.changed:
                self.closed -= 1
                self.changed.notify_all()


class Wrong(Failed):
    """Other bytes than were sent.

    moved: as many as were sent, all from other places of the same data, at the end that accepts
    joins. That is what a fault of Linux does (mptcpized(8), BUGS), and nothing of ours could do.
    """

    def __init__(self, sent, got, accepts):
        at = len(os.path.commonprefix([sent, got]))
        found = sent.find(got[at:at + SAMPLE])
        self.moved = accepts and len(sent) == len(got) and found >= 0
        super().__init__(f"{len(got)} of {len(sent)} bytes, other ones from {at} on"
                         + (f", as at {found}" if found >= 0 else ""))


def compare(sent, got, accepts):
    """accepts: the data is what an end got that accepts joins."""
    if sent != got:
        raise Wrong(bytes(sent), bytes(got), accepts)


class Stalled(Failed):
    """A transfer that no longer moves.

    kept: a kernel has taken data in by a subflow, and said so to the peer, and in all that time has
    not given it to the program. (Seen on Linux 6.18: what came out of order fills the buffer of the
    connection, and what comes before it stays in those of the subflows.)
    """

    def __init__(self, received, port):
        found = [Sockets(netns, side, port) for netns, side in
                 ((None, "sport"), ("real1", "dport"), ("real2", "dport"))]
        self.kept = any(int(line.split()[0]) > 0 for each in found for line in each.subflows)
        super().__init__("\n#   ".join([f"no byte for {STUCK} s, after {received}"]
                                       + [line for each in found for line in each.lines]))


class Sockets:
    """What ss has of a connection in a namespace. port: its client's, `side` says where."""

    def __init__(self, netns, side, port):
        with sandbox.inside(netns):
            self.connections = command("ss", "-HMneiO", f"{side} = :{port}").splitlines()
            subflows = command("ss", "-HtneiO", "state", "established").splitlines()
        tokens = re.findall(r" token:(\w+)", " ".join(self.connections))
        self.subflows = [line for line in subflows
                         if any(f"/{token}(id:" in line for token in tokens)]
        self.lines = self.connections + self.subflows


class Watch:
    """Stalled when a transfer no longer moves. port: its client's."""

    def __init__(self, received, port):
        self.received = received
        self.port = port
        self.seen, self.since = -1, time.monotonic()

    def look(self):
        if (now := self.received()) != self.seen:
            self.seen, self.since = now, time.monotonic()
        elif time.monotonic() > self.since + STUCK:
            raise Stalled(now, self.port)


class Program:
    """curl under the library, which downloads from nginx or uploads to it."""

    def __init__(self, real, name, port, dice):
        address = dice.choice((real.address4, f"[{real.address6}]"))
        self.name = f"curl {name} {address}"
        self.expected = f"{WORK}/www/{name}"
        self.size = os.stat(self.expected).st_size
        self.upload = dice.random() < 0.5
        mark = f"{name}-{port}-{time.monotonic_ns()}"
        self.path = f"{WORK}/www/up/{mark}" if self.upload else f"{WORK}/got-{mark}"
        how = ["--output", self.path, f"http://{address}/{name}"]
        if self.upload:
            how = ["--upload-file", self.expected, "--header", "Expect:",
                   f"http://{address}/up/{mark}"]
        self.port = port
        self.progress = f"{WORK}/progress-{mark}"
        with open(self.progress, "wb") as log:
            self.popen = subprocess.Popen(
                ["curl", "--fail", "--globoff", "--noproxy", "*", "--progress-bar",
                 "--local-port", str(port), *how], stdin=subprocess.DEVNULL, stderr=log,
                env={**os.environ, "LC_ALL": "C", **Build.find().preload_environ()})

    def opened(self):
        """Has it both paths?"""
        if self.popen.poll() is not None:
            return True
        lines = command("ss", "-HMnei", f"sport = :{self.port}").splitlines()
        tokens = {f"0x{int(word[6:], 16):08x}" for line in lines for word in line.split()
                  if word.startswith("token:")}
        found = kernel_state()
        return any(len(found.get(token, ())) > 1 for token in tokens)

    def finish(self):
        # curl writes to it as often as something moves
        watch = Watch(lambda: os.stat(self.progress).st_size, self.port)
        while self.popen.poll() is None:
            watch.look()
            time.sleep(0.05)
        if self.popen.returncode != 0:
            last = read(self.progress).replace("\r", "\n").strip().splitlines()[-1:]
            raise Failed(f"curl ended with {self.popen.returncode}: {' '.join(last)}")
        with open(self.expected, "rb") as sent, open(self.path, "rb") as got:
            compare(sent.read(), got.read(), self.upload)

    def abort(self):
        self.popen.kill()

    def end(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        for path in (self.path, self.progress):
            with contextlib.suppress(OSError):
                os.unlink(path)


class Listeners:
    """Of one port at a real server, for both families."""

    def __init__(self, real, port):
        self.port = port
        self.lock = threading.Lock()
        self.targets = []
        for family, address in ((socket.AF_INET, real.address4), (socket.AF_INET6, real.address6)):
            with sandbox.inside(real.netns):
                listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, port))
                listener.listen(64)
                listener.settimeout(30)
            self.targets.append((listener, address))

    def connect(self, dice):
        """Both ends of a new connection."""
        listener, address = dice.choice(self.targets)
        with self.lock:  # so that nobody else accepts what is ours
            return Pair(listener, address, self.port)

    def close(self):
        for listener, _address in self.targets:
            listener.close()


class Exchange:
    """Random bytes both ways at once, over one connection; no program but this."""

    def __init__(self, listeners, size, dice):
        self.name = f"a pair at {listeners.port}"
        self.size = 2 * size
        self.pair = listeners.connect(dice)
        self.names = self.pair.names()
        self.port = self.names[0][1]

    def opened(self):
        """Has it both paths?"""
        return self.pair.client.getsockopt(SOL_MPTCP, MPTCP_INFO, 8)[EXTRA_SUBFLOWS]

    def finish(self):
        moved = [0]
        watch = Watch(lambda: moved[0], self.port)

        def seen(count):
            moved[0] = count
            watch.look()

        try:
            received = self.pair.exchange(self.size // 2, seen)
        except OSError as error:
            raise Failed(f"{self.names}: {error}, after {moved[0]} bytes, "
                         f"{time.monotonic() - watch.since:.1f} s after the last one") from error
        for end, (sent, got) in received.items():
            compare(sent, got, end is self.pair.server)

    def abort(self):
        """The peer gets MP_FASTCLOSE."""
        for end in (self.pair.client, self.pair.server):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def end(self):
        self.pair.close()


def vanish(lab, listeners, dice, wait):
    """Some connections whose packets get nowhere any more, and whose ends then close."""
    pairs = [listeners.connect(dice) for _ in range(dice.randint(1, 5))]
    nft(SERVER, f"table inet ghosts {{ chain gone {{ type filter hook forward priority 0; "
                f"tcp dport {GHOST} drop; tcp sport {GHOST} drop; }}\n}}\n")
    for pair in pairs:
        pair.client.send(b"into the void")
        pair.close()
    wait(dice.uniform(0.1, 4))
    nft(SERVER, "delete table inet ghosts")
    lab.note(f"{len(pairs)} peers have vanished")
