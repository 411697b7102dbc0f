"""A path with a delay and losses: the program link, between the client and another namespace.

What is switched on it is in force when the call returns.
"""

import os
import subprocess

PROGRAM = "tests/net/link"  # below the build directory


class Broken(Exception):
    """The program could not be started, or did not do what it was told."""


class Link:
    """The devices near, here, and far, in a namespace, are there until end()."""

    def __init__(self, near, far, netns, seed):
        program = f"{os.environ['MPTCPIZE_BUILD']}/{PROGRAM}"
        self.popen = subprocess.Popen([program, near, far, netns, str(seed)], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._expect("ready", "start")

    def _expect(self, wanted, what):
        answer = self.popen.stdout.readline().strip()
        if answer != wanted:
            raise Broken(f"link: {what}: {answer or 'it has ended'}")

    def do(self, *words):
        line = " ".join(map(str, words))
        self.popen.stdin.write(f"{line}\n")
        self.popen.stdin.flush()
        self._expect("ok", line)

    def end(self):
        self.popen.stdin.close()
        self.popen.wait()
        self.popen.stdout.close()
