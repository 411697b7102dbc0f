"""Thousands of connections, by the program of burst.c."""

import os
import subprocess

from harness import check
from lab import SERVER, SERVICE4, Failed, wait_for
from programs import Process

BURST = "tests/net/burst"  # below the build directory
PORT = 5000
PORTS = 8


class Burst:
    """The program of that name, at both ends. netns: the server's."""

    def __init__(self, lab, netns=SERVER):
        program = f"{os.environ['MPTCPIZE_BUILD']}/{BURST}"
        where = [SERVICE4, str(PORT), str(PORTS)]
        server = lab.add(Process([program, "serve", *where], "burst-server", netns=netns))
        wait_for(lambda: {*range(PORT, PORT + PORTS)} <= lab.listeners(netns), "it listens")
        check(server.running(), "the server runs")
        self.process = lab.add(Process([program, "connect", *where], "burst", text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def do(self, line):
        self.process.popen.stdin.write(f"{line}\n")
        self.process.popen.stdin.flush()
        if self.process.popen.stdout.readline() != "ok\n":
            raise Failed(f"{line}: {self.process.state()} {self.process.log_text()}")
