#!/usr/bin/python3
"""TCP Fast Open (RFC 7413): data that comes with the SYN, once the client has a cookie of the
server. Connections are MPTCP all the same, and policies, hints and authentication are in time.
"""

import os
import socket

import harness
import sandbox
from apps.case import DATA, check_same, fallbacks, path
from apps.web import certificate
from guarded import PORT, Pair, mptcp, stage_guarded
from harness import check, check_equal, needs, needs_gate
from lab import SERVER, SERVICE4, WORK, Failed, wait_for, write
from programs import (Build, Curl, Daemon, Nginx, Process, nginx_argv, start_bus,
                      wait_for_subflows)
from protect import RUNTIME, Hosts, Side, listens

SYSCTL = "/proc/sys/net/ipv4/tcp_fastopen"
BOTH_ROLES = "3"
EXE = os.path.realpath("/proc/self/exe")
SIZE = 1_000_000  # more than waits between two ends of which one doesn't read
FEW = 500  # bytes, all of which go with the SYN
NGINX_SERVER = "  server {{ listen 0.0.0.0:80 fastopen=16; {tls} root {root}; }}"
TLS = "listen 0.0.0.0:443 ssl fastopen=16; ssl_certificate {}; ssl_certificate_key {};"
CURL = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--tcp-fastopen"]

# Connects and sends a file, in a way, and then waits for the end.
CLIENT = """
import socket, sys
way, host, file = sys.argv[1:]
data = open(file, "rb").read()
client = socket.socket()
if way == "connect":
    client.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
    client.connect((host, 80))
    sent = client.send(data)
elif way == "sendto":
    sent = client.sendto(data, socket.MSG_FASTOPEN, (host, 80))
else:
    sent = client.sendmsg([data[:7], data[7:]], [], socket.MSG_FASTOPEN, (host, 80))
client.sendall(data[sent:])
client.shutdown(socket.SHUT_WR)
client.recv(1)
"""
WAYS = ("connect", "sendto", "sendmsg")

needs_fastopen = needs(SYSCTL, "this kernel has no TCP Fast Open")


def allow():
    for netns in (None, SERVER):
        with sandbox.inside(netns):
            write(SYSCTL, BOTH_ROLES)


def fast(lab, netns=None):
    """Connections opened here with data that the SYN took, and the same accepted there."""
    return (lab.counters(None, "TcpExt")["TCPFastOpenActive"],
            lab.counters(netns or SERVER, "TcpExt")["TCPFastOpenPassive"])


def listen(netns=SERVER):
    listener = mptcp(netns)
    listener.bind(("", PORT))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    listener.listen(16)
    return listener


def stage(lab, policy, size):
    """The daemon where the library looks for it, with a policy for Python; and a listener."""
    allow()
    start_bus(lab)
    os.makedirs(RUNTIME)
    daemon = Daemon(lab)
    daemon.runtime = RUNTIME
    daemon.policy("tested", {"match": {"exe": EXE}, **policy})
    daemon.start()
    os.makedirs(f"{WORK}/www")
    Nginx.file("data", size)
    return daemon, listen()


def program(lab, way):
    return lab.add(Process([EXE, "-c", CLIENT, way, SERVICE4, DATA], way,
                           env=Build.find().preload_environ()))


def take(listener, process, before=lambda: None):
    """Accepts a connection, reads it to its end, and compares."""
    listener.settimeout(20)
    got = bytearray()
    with listener.accept()[0] as server:
        before()
        while data := server.recv(65536):
            got += data
    with open(DATA, "rb") as wanted:
        if got != wanted.read():
            raise Failed(f"{len(got)} bytes arrived, and not as they were sent")
    check_equal(process.wait(), 0, f"exit code of {process.name}")


@needs_fastopen
def test_fastopen_programs_both_paths_carry(lab):
    """curl and nginx: first for the cookie, then with the request in the SYN."""
    allow()
    start_bus(lab)
    lab.add(Process(nginx_argv(NGINX_SERVER.format(tls="", root=f"{WORK}/www")), "nginx",
                    netns=SERVER, env=Build.find().preload_environ()))
    wait_for(lambda: 80 in lab.listeners(SERVER), "nginx listens")
    Nginx.file("data", SIZE)
    daemon = Daemon(lab).start()
    for count in range(2):
        curl = Curl(lab, SERVICE4, "data", more=["--tcp-fastopen"])
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        lab.open_throttle()
        curl.finish()
        check_equal(fast(lab), (count, count), "requests that went with a SYN, and were taken")
        wait_for(lambda: not daemon.connections(), "the end")
        for each in lab.paths:
            lab.set_rate(each.index, each.rate)
    check_equal(lab.counters(SERVER)["MPCapableACKRX"], 2, "MPTCP connections")
    check_equal(fallbacks(lab.counters()) + fallbacks(lab.counters(SERVER)), 0, "fallen back")


@needs_fastopen
def test_fastopen_ways_are_a_connect(lab):
    """TCP_FASTOPEN_CONNECT, sendto() and sendmsg(): the policy holds before all is sent."""
    daemon, listener = stage(lab, {"paths": {"max_subflows": 1}}, SIZE)

    def is_told():
        wait_for(lambda: daemon.connection()["policy"] == "tested", "the daemon has the policy")
        wait_for_subflows(daemon, ["wifi0"])

    for count, way in enumerate(("connect", *WAYS)):
        take(listener, program(lab, way), is_told)
        check_equal(fast(lab), (count, count), "with data in the SYN")
        wait_for(lambda: not daemon.connections(), "the end")
    check_equal(lab.counters(SERVER)["MPCapableACKRX"], 4, "MPTCP connections")


@needs_fastopen
def test_fastopen_exception_is_tcp(lab):
    """What the policy leaves out stays TCP, and is fast, too."""
    except_all = {"socket": {"except": [{"to": f"{SERVICE4}/32"}]}}
    _daemon, listener = stage(lab, except_all, FEW)
    for count, way in enumerate(("connect", *WAYS)):
        take(listener, program(lab, way))
        check_equal(fast(lab), (count, count), f"after {way}, with data in the SYN")
    check_equal(lab.counters()["MPCapableSYNTX"], 0, "MPTCP connections")


@needs_fastopen
def test_fastopen_to_a_plain_server_falls_back(lab):
    """Its kernel takes the data of the SYN, and the connection is TCP."""
    _daemon, other = stage(lab, {}, FEW)
    other.close()
    with sandbox.inside(SERVER):
        listener = socket.create_server(("", PORT))
    with listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
        for count, way in enumerate(("connect", *WAYS)):
            take(listener, program(lab, way))
            check_equal(fast(lab), (count, count), f"after {way}, with data in the SYN")
    check_equal(fallbacks(lab.counters()), 4, "connections that fell back")


@needs_fastopen
@needs("/proc/sys/net/ipv4/tcp_syncookies", "this kernel has no SYN cookies")
def test_fastopen_is_passed_over_by_syn_cookies(lab):
    """A server that answers so takes no data from SYNs, and gets it again.

    On Linux 6.18 by TCP: what is sent again has no number in MPTCP's sequence.
    """
    _daemon, listener = stage(lab, {}, FEW)
    take(listener, program(lab, "sendto"))
    with sandbox.inside(SERVER):
        write("/proc/sys/net/ipv4/tcp_syncookies", "2")
    for way in WAYS:
        take(listener, program(lab, way))
    check_equal(fast(lab), (0, 0), "with data in the SYN")
    connections = lab.counters(SERVER)["MPCapableACKRX"]
    check_equal(connections + fallbacks(lab.counters()), 4, "connections, MPTCP or fallen back")


@needs_fastopen
@needs_gate
def test_fastopen_require_of_tls_programs_both_paths_carry(lab):
    """A ClientHello in the SYN: the key of the session is found all the same."""
    allow()
    hosts = Hosts(lab, Side("curl"), listens("nginx", 80, 443))
    tls = TLS.format(*certificate())
    hosts.serve(nginx_argv(NGINX_SERVER.format(tls=tls, root=f"{WORK}/www")), 443)
    for count in range(2):
        client = hosts.begin([*CURL, "--insecure", "--output", path("got"),
                              f"https://{SERVICE4}/data"])
        hosts.watch(client)
        hosts.finish(client)
        check_same(path("got"))
        check_equal(fast(lab), (count, count), "with data in the SYN")
        wait_for(lambda: not hosts.near.connections() + hosts.far.connections(), "the end")


def sent_again(scene):
    """Has TCP or MPTCP repeated anything, as on a machine that is busy?"""
    rows = scene.daemon.connection()["subflows"] + scene.far.connection()["subflows"]
    return (sum(row["retransmits"] for row in rows)
            or sum(scene.lab.counters(netns).get("MPTCPRetrans", 0)
                   for netns in (None, scene.real.netns)))


@needs_fastopen
@needs_gate
def test_fastopen_require_joins_and_counts_once(lab):
    """A shared key, which comes from sequence numbers: the SYN's data has none."""
    scene = stage_guarded(lab)
    for netns in (None, scene.real.netns):
        with sandbox.inside(netns):
            write(SYSCTL, BOTH_ROLES)
    listener = scene.listeners[0]
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    for count, size in enumerate((FEW, FEW, 60_000)):
        client, data = mptcp(), os.urandom(size)
        client.sendto(data, socket.MSG_FASTOPEN, (SERVICE4, PORT))
        pair = Pair.of(client, listener.accept()[0])
        check(pair.server.recv(size, socket.MSG_WAITALL) == data, f"{size} bytes arrived")
        pair.talk()
        scene.confirmed()
        wait_for_subflows(scene.daemon, ["wifi0", "lte0"])
        moved = [sum(row[f"bytes_{what}"] for row in daemon.connection()["subflows"])
                 for daemon, what in ((scene.daemon, "sent"), (scene.far, "received"))]
        if sent_again(scene):
            lab.note(f"something was sent again: {moved}")
        else:
            check_equal(moved, [size + 1] * 2, "bytes that the daemons have seen sent, received")
        check_equal(fast(lab, scene.real.netns), (count, count), "with data in the SYN")
        pair.close()
        wait_for(lambda: not scene.daemon.connections() + scene.far.connections(), "the end")


harness.main([test_fastopen_programs_both_paths_carry,
              test_fastopen_ways_are_a_connect,
              test_fastopen_exception_is_tcp,
              test_fastopen_to_a_plain_server_falls_back,
              test_fastopen_is_passed_over_by_syn_cookies,
              test_fastopen_require_of_tls_programs_both_paths_carry,
              test_fastopen_require_joins_and_counts_once])
