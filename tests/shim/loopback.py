"""A network namespace with only loopback: to be in one, and what its kernel has counted."""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

INSIDE = "MPTCPIZE_TEST_INSIDE"


def skip(reason):
    print("SKIP:", reason, file=sys.stderr)
    sys.exit(77)


def enter(*options):
    """Starts this program again in namespaces of its own, by these options of unshare; loopback is
    up there. Returns inside only.
    """
    if INSIDE in os.environ:
        _bring_loopback_up()
        return
    if not shutil.which("unshare"):
        skip("no unshare (package util-linux)")
    inside = ["unshare", "--net", *options]
    probe = subprocess.run([*inside, "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        skip("cannot enter a namespace: " + probe.stderr.decode().strip())
    os.environ[INSIDE] = "1"
    os.execvp(inside[0], [*inside, sys.executable, *sys.argv])


def _bring_loopback_up():
    siocsifflags, iff_up = 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, siocsifflags, struct.pack("16sH22x", b"lo", iff_up))


def counters():
    """The MPTcpExt counters of this network namespace."""
    with open("/proc/net/netstat", encoding="ascii") as file:
        lines = [line.split() for line in file if line.startswith("MPTcpExt:")]
    return {} if not lines else dict(zip(lines[0][1:], map(int, lines[1][1:])))
