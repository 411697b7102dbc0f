"""What manual pages show literally: sessions of a shell, files, messages.

Environment: SOURCE, the top directory.
"""

import os
import re

SOURCE = os.environ["SOURCE"]
DISPLAYS = (r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$",  # mdoc(7)
            r"^\.EX\n(.*?)^\.EE$")  # man(7)
ESCAPES = ((r"\e", "\\"), (r"\-", "-"), (r"\&", ""), (r"\(aq", "'"))


def displays(page):
    """The texts of all, as a reader sees them; .Dl is a display of one line."""
    with open(os.path.join(SOURCE, page), encoding="utf-8") as file:
        text = re.sub(r"^\.Dl (.*)$", r".Bd -literal\n\1\n.Ed", file.read(), flags=re.M)
    found = [block for display in DISPLAYS for block in re.findall(display, text, re.S | re.M)]
    for escape, plain in ESCAPES:
        found = [block.replace(escape, plain) for block in found]
    return [re.sub(r"\\f[BIRP]", "", block) for block in found]


def is_session(text):
    """Does it begin with a command? Those have a prompt."""
    return text.startswith(("$ ", "# "))


def is_unit(text):
    """A drop-in of a unit."""
    return text.startswith("[Service]")


def is_bus(text):
    """A configuration of dbus-daemon."""
    return text.startswith("<busconfig>")


def is_json(text):
    return text.lstrip().startswith("{")
