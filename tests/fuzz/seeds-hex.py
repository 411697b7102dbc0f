#!/usr/bin/python3
"""Messages of the kernel, as unit tests have them in hex, as files: seeds-hex.py DIRECTORY FILE...

What they have is `static const char NAME[] = "HEX" ...;`, and each gets a file of that name.
"""

import os
import re
import sys

MESSAGE = re.compile(r"static const char (\w+)\[\] =((?:\s*\"[0-9a-f]*\")+);")


def main(directory, *tests):
    os.makedirs(directory, exist_ok=True)
    for test in tests:
        with open(test, encoding="utf-8") as file:
            messages = MESSAGE.findall(file.read())
        if not messages:
            sys.exit(f"seeds-hex.py: {test} has no messages")
        for name, texts in messages:
            with open(os.path.join(directory, name), "wb") as file:
                file.write(bytes.fromhex("".join(re.findall(r'"(.*)"', texts))))


if __name__ == "__main__":
    main(*sys.argv[1:])
