#!/usr/bin/python3
"""Takes the example plugin out of its manual page: example.py PAGE OUTPUT"""

import re
import sys


def example(page):
    """The literal block that begins with an #include, without what roff needs."""
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", page, re.S | re.M)
    programs = [block for block in blocks if block.startswith("#include")]
    if len(programs) != 1:
        raise SystemExit(f"{len(programs)} examples in the page, not 1")
    return programs[0].replace(r"\&", "").replace(r"\-", "-").replace(r"\e", "\\")


def main(page, output):
    with open(page, encoding="utf-8") as file:
        text = example(file.read())
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
