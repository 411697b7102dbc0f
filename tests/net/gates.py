"""The gate without a daemon (gatekeeper.c), and connections that others try to join."""

import json
import os
import signal
import socket
import struct
import subprocess

import sandbox
from lab import SERVER, Failed, command, wait_for
from programs import Process

GATEKEEPER = "tests/net/gatekeeper"  # below the build directory
IPPROTO_MPTCP = 262
SOL_MPTCP, MPTCP_INFO = 284, 1
TABLE = ("table", "inet", "mptcpize")


def program():
    return f"{os.environ['MPTCPIZE_BUILD']}/{GATEKEEPER}"


class Gate:
    """It guards the server."""

    def __init__(self, lab, prefix=()):
        self.process = lab.add(Process([*prefix, program()], "gatekeeper", netns=SERVER, text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def ask(self, line):
        self.process.popen.stdin.write(f"{line}\n")
        self.process.popen.stdin.flush()
        return self.process.popen.stdout.readline().rstrip("\n")

    def do(self, *words):
        line = " ".join(map(str, words))
        answer = self.ask(line)
        if not answer.startswith("ok"):
            raise Failed(f"{line}: {answer!r} {self.process.state()} {self.process.log_text()}")
        return answer

    def status(self):
        return json.loads(self.ask("status"))

    def guard(self, *connections):
        for connection in connections:
            self.do("guard", connection.token)

    def end(self, how):
        self.do(how)
        if code := self.process.wait():
            raise Failed(f"the gate ended with {code}")

    def kill(self):
        self.process.send(signal.SIGKILL)
        self.process.wait()


def restore(living):
    """gate_restore(): what it asked for, and what it returned."""
    with sandbox.inside(SERVER):
        asked, result = command(program(), "restore", living).splitlines()
    return sorted(asked.split()), int(result)


def nft(*words):
    with sandbox.inside(SERVER):
        return command("nft", *words)


def has_table():
    return any(row.split() == list(TABLE) for row in nft("list", "tables").splitlines())


def elements(name):
    """How many a set has."""
    for row in json.loads(nft("-j", "list", "set", *TABLE[1:], name))["nftables"]:
        if "set" in row:
            return len(row["set"].get("elem", ()))
    raise Failed(f"no set {name}")


def dropped():
    """SYNs, as the kernel counts them."""
    for row in json.loads(nft("-j", "list", "counter", *TABLE[1:], "dropped"))["nftables"]:
        if "counter" in row:
            return row["counter"]["packets"]
    raise Failed("no counter")


class Connection:
    """An MPTCP connection from the client to the server, over the first path, with both ends."""

    def __init__(self, address, port, bind=None):
        family = socket.AF_INET6 if ":" in (bind or address) else socket.AF_INET
        with sandbox.inside(SERVER):
            self.listener = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
            self.listener.bind((bind or address, port))
            self.listener.listen()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.target = (address, port)
        self.client = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
        self.client.connect(self.target)
        self.server = self.listener.accept()[0]
        self.exchange()
        self.token = f"{struct.unpack_from('I', self._info(), 12)[0]:08x}"

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        for end in (self.client, self.server, self.listener):
            end.close()

    def _info(self):
        return self.server.getsockopt(SOL_MPTCP, MPTCP_INFO, 96)

    def exchange(self):
        """Data both ways, so that both ends know of each other's keys."""
        for here, there in ((self.client, self.server), (self.server, self.client)):
            here.send(b"x")
            if there.recv(1) != b"x":
                raise Failed("no data")

    def joins(self):
        """Subflows beyond the first, as the server has them."""
        return self._info()[0]

    def wait_joins(self, wanted=1):
        wait_for(lambda: self.joins() == wanted, f"{self.target} has {wanted} more subflow(s)")


def endpoint(address, device):
    """The client's kernel joins all its connections from that address, or tries to."""
    command("ip", "mptcp", "endpoint", "add", address, "dev", device, "subflow")
