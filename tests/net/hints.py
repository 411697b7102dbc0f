"""Tells a daemon of a socket, as the library does."""

import array
import socket
import struct

CONNECT, LISTEN = 1, 2  # enum hint_kind of policy/hint.h


def tell(daemon, kind, sock, timeout=0):
    """struct hint, with the socket."""
    data = struct.pack("=4I64s64s", 1, kind, 0, timeout, b"", b"")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                 array.array("i", [sock.fileno()]))], 0, f"{daemon.runtime}/hint")
