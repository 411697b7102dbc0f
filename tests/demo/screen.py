"""Output of the demo: a block of lines that is redrawn in place on a terminal, and plain lines,
once in a while, anywhere else. Colours only on a terminal, and not with NO_COLOR.
"""

import os
import shutil
import sys
import time

STYLES = {"bold": "1", "dim": "2", "good": "32", "bad": "31", "path": "36"}
FRAME = 0.12  # seconds between two redraws
PLAIN_EVERY = 1.0  # seconds between two plain lines


def _is_utf8():
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    return "utf" in locale.lower()


class Line:
    """Pieces of text, each with a style, so that cutting it to the terminal's width is safe."""

    def __init__(self, *pieces):
        self.pieces = []
        for piece in pieces:
            self.add(*(piece if isinstance(piece, tuple) else (piece,)))

    def add(self, text, style=None):
        self.pieces.append((text, style))
        return self

    def render(self, width, colour):
        out = []
        for text, style in self.pieces:
            text = text[:max(width, 0)]
            width -= len(text)
            out.append(f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style and colour and text else text)
        return "".join(out).rstrip(" ")


class Screen:
    """Where it all goes."""

    def __init__(self, out=sys.stdout):
        self.out = out
        self.live = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colour = self.live and not os.environ.get("NO_COLOR")
        self.full, self.empty = ("━", "─") if _is_utf8() else ("#", "-")
        self.height = 0  # lines of the block that are on the screen
        self.next_plain = 0.0

    def bar(self, share, width, style="path"):
        """A bar of that width, filled to that share of it."""
        filled = round(max(0.0, min(1.0, share)) * width)
        return [(self.full * filled, style), (self.empty * (width - filled), "dim")]

    def say(self, *pieces):
        """A line that stays."""
        self._write([Line(*pieces)])

    def _width(self):
        return shutil.get_terminal_size().columns - 1 if self.live else 10000

    def _write(self, lines):
        width = self._width()
        # From the left edge: a Ctrl-C leaves its mark on the screen.
        start, end = ("\r", "\x1b[K\n") if self.live else ("", "\n")
        self.out.write("".join(start + line.render(width, self.colour) + end for line in lines))
        self.out.flush()

    def draw(self, lines):
        """Replaces the block. It never shrinks, so that the screen doesn't jump."""
        if not self.live:
            return
        lines = lines + [Line()] * (self.height - len(lines))
        self.out.write(f"\x1b[?25l\x1b[{self.height}A" if self.height else "\x1b[?25l")
        self._write(lines)
        self.height = len(lines)

    def keep(self, lines):
        """Ends the block with these lines, which stay."""
        if self.live and self.height:
            self.out.write(f"\x1b[{self.height}A\x1b[J")
        self.height = 0
        self._write(lines)
        self.restore()

    def begin(self):
        """Something new is shown from now on."""
        self.next_plain = time.monotonic() + PLAIN_EVERY

    def plain(self, text):
        """A line for outputs that can't be redrawn; most of them are left out."""
        now = time.monotonic()
        if not self.live and now >= self.next_plain:
            self.next_plain = now + PLAIN_EVERY
            self._write([Line(text)])

    def restore(self):
        """Gives the cursor back."""
        if self.live:
            self.out.write("\x1b[?25h")
            self.out.flush()
