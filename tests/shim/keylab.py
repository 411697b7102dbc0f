"""What tests of keys and their benchmark share: namespaces with a daemon's place, and programs.

Both are called with PRELOAD SHIM MAKE_POLICY RUNTIME: the script of that name, the library, what
makes policy databases, and the directory that the library was built for.
"""

import array
import contextlib
import dataclasses
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import loopback

PRELOAD, SHIM, MAKE_POLICY = map(os.path.abspath, sys.argv[1:4])
RUNTIME = sys.argv[4]

DEADLOCK_SEC = 60
POLL_SEC = 0.02

# struct hint: see policy/hint.h.
HINT = struct.Struct("=IIII64s64s256sB3x32s")
HINT_KEY = 6

# POLICY_APP_CONNECT, _LISTEN, _LOOPBACK, _SOURCE, _HINTS: see policy/format.h.
EVERYWHERE = 0x01 | 0x02 | 0x04 | 0x08 | 0x10
AUTH_OFF, AUTH_PREFER, AUTH_REQUIRE = range(3)


@dataclasses.dataclass(frozen=True)
class Key:
    """A key that arrived, and the ports of the connection whose descriptor came with it."""
    local: int
    peer: int  # 0: closed meanwhile
    key: bytes


def peer_port(sock):
    try:
        return sock.getpeername()[1]
    except OSError:
        return 0


class Receiver:
    """In the place of the daemon."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(f"{RUNTIME}/hint")
        os.chmod(f"{RUNTIME}/hint", 0o666)  # as the daemon's: apache is www-data

    def take(self, timeout=0.0):
        """The next key within so many seconds, or None."""
        end = time.monotonic() + timeout
        while True:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data, control, _, _ = self.socket.recvmsg(
                    4096, socket.CMSG_SPACE(array.array("i").itemsize))
            except TimeoutError:
                return None
            if not control:
                continue  # of fill()
            descriptors = array.array("i", control[0][2])
            with socket.socket(fileno=descriptors[0]) as sock:
                fields = HINT.unpack(data)
                if fields[1] != HINT_KEY:
                    continue
                assert fields[7] == 32
                return Key(sock.getsockname()[1], peer_port(sock), fields[8])

    def fill(self):
        """Until no more can be sent, by whomever."""
        sent = True
        while sent:
            sent = False
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock, \
                    contextlib.suppress(BlockingIOError):
                while True:
                    sock.sendto(b"", f"{RUNTIME}/hint")
                    sent = True

    def drain(self):
        keys = []
        while key := self.take():
            keys.append(key)
        return keys


def preloaded(*command):
    return [PRELOAD, SHIM, "--", *command]


def listeners():
    """Ports on which somebody listens."""
    ports = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        ports |= {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A"}
    return ports


class Process:
    """A program in a process group of its own, with what it says in a file."""

    def __init__(self, command, **popen):
        self.log = tempfile.TemporaryFile()
        popen = {"stdout": self.log, "stdin": subprocess.DEVNULL, **popen}
        self.popen = subprocess.Popen(command, stderr=self.log, start_new_session=True, **popen)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self.log.close()

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def listens(self, port):
        """Waits until it does."""
        end = time.monotonic() + DEADLOCK_SEC
        while port not in listeners():
            if self.popen.poll() is not None:
                raise AssertionError(f"{self.popen.args} ended: {self.said()}")
            if time.monotonic() > end:
                raise AssertionError(f"{self.popen.args} does not listen: {self.said()}")
            time.sleep(POLL_SEC)
        return self


def set_policy(auth, flags=EVERYWHERE):
    """For all programs."""
    subprocess.run([MAKE_POLICY, f"{RUNTIME}/policy.db", str(flags), str(auth)], check=True)


def enter_namespaces():
    """Starts this program again in namespaces of its own; as root, with all users in them."""
    loopback.enter("--mount", *(["--user", "--map-root-user"] if os.geteuid() != 0 else []))
    make_runtime()


def make_runtime():
    """Where the daemon's files would be, in this mount namespace only."""
    with open("/proc/sys/net/unix/max_dgram_qlen", "w", encoding="ascii") as file:
        file.write("1000")  # as many keys at once as a test sends
    parent = os.path.dirname(RUNTIME)
    subprocess.run(["mount", "-t", "tmpfs", "none", parent], check=True)
    os.mkdir(RUNTIME)
