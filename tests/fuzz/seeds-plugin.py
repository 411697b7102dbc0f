#!/usr/bin/python3
"""Inputs for fuzz-plugin to begin with: seeds-plugin.py DIRECTORY writes them there.

Any bytes are a story, so each of these is one by chance, and always the same.
"""

import os
import random
import sys


def main(directory):
    chance = random.Random(1)
    os.makedirs(directory, exist_ok=True)
    for i in range(24):
        with open(os.path.join(directory, f"story-{i:02}"), "wb") as file:
            file.write(chance.randbytes(64 * (i + 1)))


if __name__ == "__main__":
    main(*sys.argv[1:])
