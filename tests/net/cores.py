"""What must not get out: secrets of join authentication, and the places to look for them.

A secret is found by parts of it, as it is and as hash functions have it in hand: with the pads of
HMAC (RFC 2104), and in words of the other byte order.
"""

import contextlib
import dataclasses
import functools
import os
import re

from lab import read

PART = 8  # bytes. Each window of 16 in a secret of 32 has one of those at 8 and 16 in it
PADS = (0x00, 0x36, 0x5c)
HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+) *(.*)$")
ENORMOUS = 1 << 30  # bytes of what a sanitizer has set aside
BLOCK = 1 << 24
PAGE = 1 << 12


def _swapped(data):
    return b"".join(data[i:i + 4][::-1] for i in range(0, len(data), 4))


@functools.lru_cache(maxsize=None)
def parts(secret):
    """Each of which is enough to know that the secret is there."""
    padded = (bytes(byte ^ pad for byte in secret) for pad in PADS)
    return {form[at:at + PART] for text in padded for form in (text, _swapped(text))
            for at in (8, 16)}


def named_in(data, secrets):
    """Names of those of the secrets, {name: bytes}, that are in the data."""
    if isinstance(data, str):
        data = data.encode(errors="surrogateescape")
    text = data.lower()
    return sorted(name for name, secret in secrets.items()
                  if any(part in data for part in parts(secret))
                  or secret[8:24].hex().encode() in text)


@dataclasses.dataclass
class Map:
    """Of a process."""
    first: int
    last: int
    shared: bool
    name: str
    flags: list
    empty: bool = False  # no page is there that is not as its file has it

    def is_dumped(self):
        """Would a core file have it? As core(5) says, by default."""
        of_file = self.name.startswith("/") and not self.name.endswith("(deleted)")
        return "dd" not in self.flags and not (self.shared and of_file)


def maps(pid):
    found = []
    for line in read(f"/proc/{pid}/smaps").splitlines():
        if head := HEAD.match(line):
            found.append(Map(int(head[1], 16), int(head[2], 16), head[3][3] == "s", head[5], []))
        elif line.startswith("VmFlags:"):
            found[-1].flags = line.split()[1:]
        elif line.startswith("Rss:" if found and found[-1].shared else "Anonymous:"):
            found[-1].empty = line.split()[1] == "0"
    return [each for each in found if each.last - each.first < ENORMOUS and not each.empty]


def _used(data):
    """Its pages, but for those that nothing was written to."""
    pages = (data[at:at + PAGE] for at in range(0, len(data), PAGE))
    return b"".join(page for page in pages if page.strip(b"\0"))


def memory(pid):
    """(Map, bytes) of all that was ever written to, stacks and heaps of all threads too."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for each in maps(pid):
            blocks = []
            with contextlib.suppress(OSError, OverflowError):  # the kernel's own
                file.seek(each.first)
                while (rest := each.last - file.tell()) > 0 and (got := file.read(min(rest,
                                                                                      BLOCK))):
                    blocks.append(got)
            yield each, _used(b"".join(blocks))


def leaks(pid, secrets):
    """Secrets in what a core file would have: ["K_c2s in [heap]", ...]."""
    return [f"{name} in {each.name or 'anonymous memory'} ({' '.join(each.flags)})"
            for each, data in memory(pid) if each.is_dumped()
            for name in named_in(data, secrets)]


def kept(pid, secrets):
    """Names of the secrets in what it would not have, by the names of maps."""
    found = {}
    for each, data in memory(pid):
        if not each.is_dumped() and (names := named_in(data, secrets)):
            found.setdefault(os.path.basename(each.name), set()).update(names)
    return found
