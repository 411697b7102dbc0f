"""A reader of the policy database that keeps it mapped, as programs under the library do.

Written from policy/format.h and independent of our own reader.
"""

import ipaddress
import mmap
import os
import struct

from lab import Failed

HEADER = struct.Struct("=8sIII")        # struct policy_header
HALF = struct.Struct("=QII II II")      # struct policy_half
PREFIX = struct.Struct("=BB2x16s")      # struct policy_prefix
APP = struct.Struct("=II II II II II IIIII I 72x")  # struct policy_app
HEADER_BYTES, HALF_BYTES = 4096, 524288
MODES = ("default", "off", "handover", "interactive", "aggregate", "ndiffports", "plugin")


class Database:
    """path is opened once, here."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.inode = os.fstat(file.fileno()).st_ino
            self.map = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
        if len(self.map) != HEADER_BYTES + 2 * HALF_BYTES:
            raise Failed(f"{path} has {len(self.map)} bytes")

    def generation(self):
        magic, _version, _half_bytes, generation = HEADER.unpack_from(self.map)
        if magic != b"mptcpol\0":
            raise Failed(f"the magic is {magic}")
        return generation

    def _half(self):
        """Where it begins, and its bytes; retried until nobody wrote meanwhile."""
        while True:
            before = self.generation()
            start = HEADER_BYTES + (before & 1) * HALF_BYTES
            half = self.map[start:start + HALF_BYTES]
            if self.generation() == before:
                return half

    def own(self):
        """The host's own addresses."""
        half = self._half()
        offset, count = HALF.unpack_from(half)[5:]
        prefixes = (PREFIX.unpack_from(half, offset + i * PREFIX.size) for i in range(count))
        return {str(ipaddress.ip_address(raw[:4] if family == 4 else raw))
                for family, _len, raw in prefixes}

    def policies(self):
        """Mode of each policy, by name."""
        half = self._half()
        offset, count = HALF.unpack_from(half)[3:5]
        table = {}
        for i in range(count):
            app = APP.unpack_from(half, offset + i * APP.size)
            table[half[app[0]:app[0] + app[1]].decode()] = MODES[app[15]]
        return table
