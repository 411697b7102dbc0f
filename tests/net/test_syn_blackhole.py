#!/usr/bin/python3
"""A path that swallows SYNs with MPTCP: only its destination goes without, and nobody waits twice.

The client is a program of this machine under the library. What decides is not how long a connect()
took but what the kernel counts: a SYN that asks for MPTCP, and one that was sent again.
"""

import json
import os
import sys

import harness
import sandbox
from harness import check, check_equal
from lab import SERVER, SERVICE4, Failed, command, ip_batch, read, wait_for, write
from programs import Build, Daemon, Process, start_bus

TIMEOUT = "/proc/sys/net/mptcp/blackhole_timeout"
SECOND = "203.0.113.2"  # SYNs with MPTCP to there are lost
PORT = 80
RUNTIME = "/run/mptcpize"  # where the library looks; /run is the sandbox's own
DROP = f"""table inet lost {{
  chain input {{
    type filter hook input priority 0;
    ip daddr {SECOND} tcp flags & (syn|ack) == syn tcp option mptcp subtype 0 drop
  }}
}}
"""
SERVE = """import socket
listener = socket.create_server(("", 80))
kept = []
while True:
    kept.append(listener.accept()[0])
    kept[-1].send(b"!")
"""
# Connects to each word that it is given, and answers whether that is MPTCP; keeps all open.
CLIENT = """import json, socket, sys
kept = []
for line in sys.stdin:
    client = socket.create_connection((line.strip(), 80))
    client.recv(1)
    kept.append(client)
    print(json.dumps(client.getsockopt(socket.IPPROTO_TCP, 43) == 1), flush=True)  # TCP_IS_MPTCP
"""
# Leaves no trace of its connection.
SHORT = f"""import socket, struct
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.connect(("{SECOND}", {PORT}))
client.close()
"""
needs_detection = harness.needs(TIMEOUT, "this kernel does not look for blackholes")


class Client:
    """A program that connects when it is told to."""

    def __init__(self, lab):
        self.process = lab.add(Process([sys.executable, "-c", CLIENT], "client", stdin=-1,
                                       stdout=-1, text=True, env=Build.find().preload_environ()))

    def is_mptcp(self, address):
        print(address, file=self.process.popen.stdin, flush=True)
        answer = self.process.popen.stdout.readline()
        if not answer:
            raise Failed(f"the client {self.process.state()}: {self.process.log_text()}")
        return json.loads(answer)


def database(daemon):
    return f"{daemon.runtime}/policy.db"


def syns():
    """SYNs of this host that asked for MPTCP, sent again or not; how often that was given up."""
    with sandbox.inside(None):
        rows = read("/proc/thread-self/net/netstat").splitlines()
    table = {}
    for names, values in zip(rows[::2], rows[1::2]):
        table.update(zip(names.split()[1:], map(int, values.split()[1:])))
    return {name: table[name] for name in ("MPCapableSYNTX", "TCPSynRetrans", "Blackhole")}


def moved(before):
    return {name: number - before[name] for name, number in syns().items()}


def drop():
    with sandbox.inside(SERVER):
        command("nft", "-f", "-", stdin=DROP)


def stage(lab, conf=None):
    """A daemon, and a server at two addresses, of which SYNs with MPTCP reach one."""
    with sandbox.inside(SERVER):
        ip_batch([f"addr add {SECOND}/32 dev lo"])
    drop()
    start_bus(lab)
    daemon = Daemon(lab, conf)
    daemon.runtime = RUNTIME
    os.makedirs(RUNTIME)
    daemon.start()
    lab.add(Process([sys.executable, "-c", SERVE], "server", netns=SERVER,
                    env=Build.find().preload_environ()))
    wait_for(lambda: PORT in lab.listeners(SERVER), "the server listens")
    return daemon


def blackhole(daemon):
    return daemon.query("status")["blackhole"]


def explain(daemon, address):
    row = daemon.query("policy", "explain", "--db", database(daemon), sys.executable,
                       f"{address}:{PORT}")
    return row["protocol"], row["reason"]


def fall_in(daemon, client):
    """The one connection that pays."""
    check(not client.is_mptcp(SECOND), f"the first connection to {SECOND} ends up as TCP")
    wait_for(lambda: blackhole(daemon)["destinations"], "the destination in status")


@needs_detection
def test_syn_blackhole_one_destination_others_stay_mptcp(lab):
    """After the first connection's seconds: TCP at once to there, MPTCP to all others."""
    daemon = stage(lab)
    client = Client(lab)
    timeout = read(TIMEOUT)
    check(client.is_mptcp(SERVICE4), "the other destination is MPTCP before")
    fall_in(daemon, client)
    wait_for(lambda: "MPTCP is on again" in blackhole(daemon)["state"], "re-armed")
    before = syns()
    check(not client.is_mptcp(SECOND), "the destination is TCP")
    check_equal(moved(before), {"MPCapableSYNTX": 0, "TCPSynRetrans": 0, "Blackhole": 0},
                "SYNs with MPTCP, SYNs sent again, blackholes")
    check(client.is_mptcp(SERVICE4), "the other destination is MPTCP")
    check_equal(read(TIMEOUT), timeout, "the kernel's timeout")
    row = blackhole(daemon)
    check_equal((row["count"], [hole["destination"] for hole in row["destinations"]]),
                (1, [SECOND]), "count and destinations")
    check_equal(explain(daemon, SECOND)[0], "tcp", "explained protocol")
    check("blackhole" in explain(daemon, SECOND)[1], "and the reason names the blackhole")
    check_equal(explain(daemon, SERVICE4)[0], "mptcp", "explained protocol of the other")
    check(SECOND in daemon.ctl("status").stdout, "the destination is in the text of status")


@needs_detection
def test_syn_blackhole_exception_ends_with_the_timeout(lab):
    """It is for as long as the kernel would have kept MPTCP off."""
    write(TIMEOUT, "6")
    daemon = stage(lab)
    client = Client(lab)
    fall_in(daemon, client)
    check_equal(explain(daemon, SECOND)[0], "tcp", "explained protocol")
    with sandbox.inside(SERVER):
        command("nft", "flush", "ruleset")
    wait_for(lambda: not blackhole(daemon)["destinations"], "the exception ends")
    check_equal(explain(daemon, SECOND)[0], "mptcp", "explained protocol")
    check(client.is_mptcp(SECOND), "the destination is MPTCP, now that nothing is lost")


@needs_detection
def test_syn_blackhole_exception_survives_restart(lab):
    """Also after kill -9: it is in the database."""
    daemon = stage(lab)
    client = Client(lab)
    fall_in(daemon, client)
    daemon.process.ends_with = None
    daemon.kill()
    daemon.start()
    check_equal([hole["destination"] for hole in blackhole(daemon)["destinations"]], [SECOND],
                "destinations")
    before = syns()
    check(not client.is_mptcp(SECOND), "the destination is TCP")
    check_equal(moved(before)["MPCapableSYNTX"], 0, "SYNs with MPTCP")


@needs_detection
def test_syn_blackhole_gone_connection_is_not_guessed(lab):
    """With no connection left to tell the destination, nothing is kept out, and MPTCP stays off."""
    daemon = stage(lab)
    short = lab.add(Process([sys.executable, "-c", SHORT], "short"))
    check_equal(short.wait(), 0, "exit status of a program whose connection ends at once")
    wait_for(lambda: blackhole(daemon)["count"] == 1, "the kernel's count is noticed")
    wait_for(lambda: "off" in blackhole(daemon)["state"], "it is not found")
    check_equal(blackhole(daemon)["destinations"], [], "destinations")


if __name__ == "__main__":
    harness.main([value for name, value in list(globals().items()) if name.startswith("test_")])
