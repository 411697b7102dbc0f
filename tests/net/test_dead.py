#!/usr/bin/python3
"""Connections that lose all their paths, of unmodified programs that block: an error, in time.

The daemon would set net.mptcp.close_timeout; here the test does, to a smaller value than it has a
use for, and lets TCP give up early (net.ipv4.tcp_retries2). Only the last one has a daemon.
"""

import contextlib
import errno
import os
import re
import signal
import socket

import harness
import sandbox
from harness import check, check_equal, topology
from lab import NAMES, SERVER, WORK, Failed, ip_batch, wait_for, write
from programs import Build, Daemon, Process, start_bus

IPPROTO_MPTCP = 262
PORT = 5000
BIG = 64 << 20  # more than all buffers on the way hold
ONE_PATH = topology(NAMES[:1], (None,))

# Connects, says so, and waits for SIGUSR1: then come a byte, for TCP to notice, and the call.
CLIENT = """
import errno, os, signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sock.sendall(b"a")
assert sock.recv(1) == b"b"
big = bytes(%d)
file = open(sys.argv[3], "rb")
pipe = os.pipe()

def repeat(call):
    while call() > 0:
        pass

def splice():
    os.splice(file.fileno(), pipe[1], 65536, offset_src=0)
    return os.splice(pipe[0], sock.fileno(), 65536)

actions = {
    "recv": lambda: repeat(lambda: len(sock.recv(100))),
    "recv_into": lambda: repeat(lambda: sock.recv_into(bytearray(100))),
    "recvmsg": lambda: repeat(lambda: len(sock.recvmsg(100)[0])),
    "read": lambda: repeat(lambda: len(os.read(sock.fileno(), 100))),
    "makefile-read": lambda: repeat(lambda: len(sock.makefile("rb").readline())),
    "send": lambda: repeat(lambda: sock.send(big)),
    "sendall": lambda: repeat(lambda: sock.sendall(big) or 1),
    "sendmsg": lambda: repeat(lambda: sock.sendmsg([big[:1000], big[:70000], big[:1]])),
    "write": lambda: repeat(lambda: os.write(sock.fileno(), big)),
    "writev": lambda: repeat(lambda: os.writev(sock.fileno(), [big[:1000], big])),
    "makefile-write": lambda: repeat(lambda: sock.makefile("wb", buffering=0).write(big)),
    "sendfile": lambda: repeat(lambda: os.sendfile(sock.fileno(), file.fileno(), 0, len(big))),
    "splice": lambda: repeat(splice),
}
print("ready", flush=True)
signal.sigwait({signal.SIGUSR1})
try:
    sock.send(b"c")
    actions[sys.argv[4]]()
    print("result end of file", flush=True)
except OSError as error:
    print("result", errno.errorcode[error.errno], flush=True)
""" % BIG

ACTIONS = re.findall(r'^    "(\S+)":', CLIENT, re.MULTILINE)
READERS = [name for name in ACTIONS if re.match("re(cv|ad)|makefile-read", name)]
WRITERS = [name for name in ACTIONS if name not in READERS]

# Perl dies of SIGPIPE unless told otherwise, and so shows that there was none.
PERL = """
use IO::Socket::INET; use Errno; use POSIX;
$| = 1;
my $mask = POSIX::SigSet->new(SIGUSR1);
sigprocmask(SIG_BLOCK, $mask);
$SIG{USR1} = sub { };
my $sock = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1]) or die "connect: $!";
syswrite($sock, "a"); sysread($sock, my $b, 1);
print "ready\\n";
sigsuspend(POSIX::SigSet->new());
shutdown($sock, 1) if $ARGV[2] eq "perl-shutdown";
while (syswrite($sock, "x" x 1000000)) { }
my ($name) = grep { $!{$_} } keys %!;
print "result $name\\n";
"""

# Listens with a timeout for accept(), then accepts one connection and sends urgent data over it.
SERVER_PROGRAM = """
import errno, socket, struct, sys
def told(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno]

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 200000))
listener.bind(("0.0.0.0", int(sys.argv[1])))
listener.listen()
print("timeout", told(listener._accept), flush=True)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
print("ready", flush=True)
sock = socket.socket(fileno=listener._accept()[0])
print("urgent", told(lambda: sock.send(b"!", socket.MSG_OOB)), flush=True)
sock.sendall(b"end")
print("peer", sock.recv(100).decode(), flush=True)
"""


class Listener:
    """On the server: accepts a connection from every program, and reads no more than a byte."""

    def __init__(self, lab, protocol):
        self.address = f"{lab.paths[0].net4}.254"
        with sandbox.inside(SERVER):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("0.0.0.0", PORT))
        self.socket.listen(64)
        self.socket.settimeout(20)

    def accept(self):
        connection = self.socket.accept()[0]
        connection.settimeout(20)
        if connection.recv(1) != b"a":
            raise Failed("no byte from a program")
        connection.sendall(b"b")
        return connection


def prepare():
    write("/proc/sys/net/mptcp/close_timeout", "3")
    write("/proc/sys/net/ipv4/tcp_retries2", "2")
    os.makedirs(WORK, exist_ok=True)
    with open(f"{WORK}/file", "wb") as file:
        file.truncate(BIG)


def line(process, word):
    """What a program has said after that word; Failed while it has not."""
    found = re.search(rf"^{word} ?(.*)\n", process.log_text(), re.MULTILINE)  # a whole line
    if not found:
        raise Failed(f"{process.name} {process.state()}, has not said {word}")
    return found


def wait_for_line(process, word):
    return wait_for(lambda: line(process, word), f"{process.name} says {word}")[1]


def start(lab, listener, names):
    """Programs, by the name of what they do, each with its accepted connection."""
    env = Build.find().preload_environ()
    programs = {}
    for name in names:
        where = [listener.address, str(PORT)]
        argv = (["perl", "-e", PERL, *where, name] if name.startswith("perl") else
                ["/usr/bin/python3", "-c", CLIENT, *where, f"{WORK}/file", name])
        process = lab.add(Process(argv, name, env=env))
        programs[name] = (process, listener.accept())
    for process, _connection in programs.values():
        wait_for_line(process, "ready")
    return programs


def go(programs):
    for process, _connection in programs.values():
        process.send(signal.SIGUSR1)


def check_results(programs, wanted):
    results = {name: wait_for_line(process, "result")
               for name, (process, _connection) in programs.items()}
    for name, result in results.items():
        check(result in wanted, f"{name}: {result}, of {sorted(wanted)}")
    for process, _connection in programs.values():
        check_equal(process.wait(), 0, f"{process.name}'s exit code")


def lose_all(lab, protocol):
    prepare()
    programs = start(lab, Listener(lab, protocol), ACTIONS + ["perl"])
    lab.note("all paths go")
    lab.carrier_off(0)
    go(programs)
    check_results(programs, {"ETIMEDOUT"})
    return len(programs)


@ONE_PATH
def test_dead_mptcp_every_call_times_out(lab):
    """Both ends speak MPTCP, and the only path swallows everything."""
    n = lose_all(lab, IPPROTO_MPTCP)
    check_equal(lab.counters(SERVER)["MPCapableACKRX"], n, "number of MPTCP connections")


@ONE_PATH
def test_dead_after_fallback_every_call_times_out(lab):
    """The server speaks TCP only."""
    lose_all(lab, socket.IPPROTO_TCP)
    check_equal(lab.counters(SERVER)["MPCapableSYNRX"], 0, "number of MPTCP connections")


@ONE_PATH
def test_closed_readers_see_end_of_file(lab):
    """The peer closes: that is no death."""
    prepare()
    programs = start(lab, Listener(lab, IPPROTO_MPTCP), READERS)
    go(programs)
    for _process, connection in programs.values():
        check_equal(connection.recv(1), b"c", "last byte")
        connection.close()
    check_results(programs, {"end of file"})


@ONE_PATH
def test_closed_writers_are_told_so(lab):
    """The peer closes with data unread."""
    prepare()
    programs = start(lab, Listener(lab, IPPROTO_MPTCP), WRITERS)
    go(programs)
    for _process, connection in programs.values():
        check_equal(connection.recv(1), b"c", "first byte")
        connection.recv(1, socket.MSG_PEEK)  # there is more; without, MPTCP takes writes for 60 s
        connection.close()
    check_results(programs, {"ECONNRESET", "EPIPE"})


@ONE_PATH
def test_shut_down_writer_dies_of_sigpipe(lab):
    """A program writes to what it has shut down itself."""
    prepare()
    programs = start(lab, Listener(lab, IPPROTO_MPTCP), ["perl-shutdown"])
    go(programs)
    for process, _connection in programs.values():
        check_equal(process.wait(), -signal.SIGPIPE, "perl's exit code")


def accept_one(lab, protocol, urgent):
    """A server program under the library, and a client that speaks that protocol."""
    process = lab.add(Process(["/usr/bin/python3", "-c", SERVER_PROGRAM, str(PORT)], "server",
                              netns=SERVER, env=Build.find().preload_environ()))
    check_equal(wait_for_line(process, "timeout"), "EAGAIN", "accept() with SO_RCVTIMEO")
    wait_for_line(process, "ready")
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)) as client:
        client.settimeout(20)
        client.connect((f"{lab.paths[0].net4}.254", PORT))
        check_equal(wait_for_line(process, "urgent"), urgent, "send() with MSG_OOB")
        check_equal(client.recv(3, socket.MSG_WAITALL), b"end", "what the stream has")
        client.sendall(b"done")
        check_equal(wait_for_line(process, "peer"), "done", "the answer")
    check_equal(process.wait(), 0, "exit code")


@ONE_PATH
def test_accept_timeout_and_urgent_data_mptcp(lab):
    """accept() ends in time, and no urgent byte gets into the stream."""
    accept_one(lab, IPPROTO_MPTCP, errno.errorcode[errno.EOPNOTSUPP])


@ONE_PATH
def test_accept_timeout_and_urgent_data_tcp(lab):
    """What an MPTCP listener has accepted from a TCP client has urgent data as ever."""
    accept_one(lab, socket.IPPROTO_TCP, "1")


def swallow(lab):
    """The server hears nothing any more, and is not heard."""
    with sandbox.inside(SERVER):
        for path in lab.paths:
            ip_batch([f"rule add to {path.client4}/24 blackhole pref 1",
                      f"rule add iif {path.far} blackhole pref 2"])


def has_two_subflows(daemon, token):
    rows = daemon.query("show", token)["subflows"]
    return len([row for row in rows if row["state"] == "established"]) == 2


def test_dead_silent_paths_with_a_daemon_every_call_times_out(lab):
    """mptcpized tries joins that nobody answers; the connections end all the same."""
    start_bus(lab)
    daemon = Daemon(lab).start()
    prepare()
    programs = start(lab, Listener(lab, IPPROTO_MPTCP), ["recv", "sendall"])
    tokens = [row["token"] for row in daemon.connections()]
    check_equal(len(tokens), len(programs), "number of connections")
    for token in tokens:
        wait_for(lambda token=token: has_two_subflows(daemon, token), "two subflows")
    lab.note("all paths swallow everything")
    swallow(lab)
    go(programs)
    check_results(programs, {"ETIMEDOUT"})
    joins = lab.counters()["MPJoinSynTx"]
    check(joins > len(programs), f"{joins} joins were tried")


harness.main([test_dead_mptcp_every_call_times_out,
              test_dead_after_fallback_every_call_times_out,
              test_closed_readers_see_end_of_file,
              test_closed_writers_are_told_so,
              test_shut_down_writer_dies_of_sigpipe,
              test_accept_timeout_and_urgent_data_mptcp,
              test_accept_timeout_and_urgent_data_tcp,
              test_dead_silent_paths_with_a_daemon_every_call_times_out])
