#!/usr/bin/python3
"""Join authentication with a key that policies share, from end to end: two daemons, and the gate.

The test is both programs: it tells the daemons of its own sockets, as the library does.
"""

import array
import contextlib
import json
import os
import socket
import struct

import harness
import sandbox
from harness import check, check_equal, needs_program
from lab import SERVER, SERVICE4, Failed, read, wait_for
from programs import Daemon, run, start_bus, wait_for_subflows

CONNECT, LISTEN, KEY = 1, 2, 6  # enum hint_kind of policy/hint.h
EXE = os.path.realpath("/proc/self/exe")
PORT = 80
UDP_PORT = 8684
TABLE = ["list", "table", "inet", "mptcpize"]
needs_nft = needs_program("nft")


def tell(daemon, kind, sock, key=b""):
    """struct hint, with the socket."""
    data = struct.pack("=4I64s64s256sB3x32s", 1, kind, 0, 0, b"", b"", b"", len(key), key)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                 array.array("i", [sock.fileno()]))], 0, f"{daemon.runtime}/hint")


def mptcp(netns=None):
    with sandbox.inside(netns):
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)


def write_key(daemon, byte=b"k", mode=0o600):
    """The file of the shared key. Its path."""
    path = f"{daemon.runtime}.key"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, mode), "wb") as file:
        file.write(byte * 32)
    return path


def protect(daemon, mode, key=None):
    auth = {"mode": mode, "psk": key or write_key(daemon)}
    daemon.policy("mine", {"match": {"exe": EXE}, "auth": auth,
                           **({"socket": {"listen": [f"*:{PORT}"]}} if daemon.netns else {})})


class Scene:
    """A daemon on each host, each with a policy for this program; and one connection."""

    def __init__(self, lab, client="prefer", server="prefer"):
        self.lab = lab
        start_bus(lab)
        start_bus(lab, "bus-server")
        self.client = Daemon(lab)
        self.server = Daemon(lab, name="mptcpized-server", netns=SERVER, bus="bus-server")
        for daemon, mode in ((self.client, client), (self.server, server)):
            if mode:
                protect(daemon, mode)

    def start(self):
        for daemon in (self.server, self.client):
            daemon.start()
        return self

    @contextlib.contextmanager
    def connection(self):
        """With a byte from each end, so that joins are possible."""
        listener = mptcp(SERVER)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", PORT))
        listener.listen(16)
        with listener, mptcp() as near:
            tell(self.server, LISTEN, listener)
            wait_for(lambda: self.server.query("status")["counters"]["hints"], "the hint")
            near.settimeout(10)
            near.connect((SERVICE4, PORT))
            tell(self.client, CONNECT, near)
            with listener.accept()[0] as far:
                exchange(near, far)
                yield near, far

    def both_paths(self):
        wait_for_subflows(self.client, ["wifi0", "lte0"])

    def rejoins(self):
        """The second path goes and comes, and with it a join that has to be admitted."""
        self.lab.path_down(1)
        wait_for_subflows(self.client, ["wifi0"])
        self.lab.path_up(1)
        self.both_paths()


def exchange(near, far):
    for sender, receiver in ((near, far), (far, near)):
        sender.sendall(b"!")
        if receiver.recv(1) != b"!":
            raise AssertionError("a byte is lost")


def nft(*words):
    return run(["nft", "-j", *words], SERVER)


def elements(name):
    """Of a set of the server's gate, as text; Failed if there is no gate."""
    done = nft(*TABLE)
    if done.returncode != 0:
        raise Failed(f"no table: {done.stderr.strip()}")
    rows = [row["set"] for row in json.loads(done.stdout)["nftables"] if "set" in row]
    return [json.dumps(element) for row in rows if row["name"] == name
            for element in row.get("elem", [])]


def gate_is_there():
    return nft(*TABLE).returncode == 0


def notes(daemon, words):
    """Those in the log of the only connection that have these words."""
    return [line for line in daemon.connection()["log"] if words in line["what"] + line["reason"]]


def restore(daemon):
    """mptcpized --restore, where that daemon was."""
    with sandbox.inside(daemon.netns):
        return daemon.refusal(more=("--restore",))[0]


def wait_for_state(daemon, wanted):
    def there():
        row = daemon.connection()
        if row.get("authentication") != wanted:
            raise Failed(f"it is {row.get('authentication')}: {row.get('authentication_reason')}")
        return True

    wait_for(there, f"authentication of the connection at {daemon.name} is {wanted}")


@needs_nft
def test_psk_prefer_join_is_admitted(lab):
    """Both hold the key: the peer confirms, the gate closes, and the join is let in."""
    scene = Scene(lab).start()
    with scene.connection() as (near, far):
        scene.both_paths()
        for daemon in (scene.client, scene.server):
            wait_for_state(daemon, "confirmed")
        check_equal(len(elements("guarded")), 1, "guarded tokens")
        scene.rejoins()
        exchange(near, far)
    wait_for(lambda: not elements("guarded"), "the token is guarded no longer")


@needs_nft
def test_psk_require_join_is_admitted(lab):
    """The listener is behind the gate before anybody has connected."""
    scene = Scene(lab, "require", "require").start()
    check_equal(len(elements("required4")), 1, "listeners that are protected at READY")
    with scene.connection() as (near, far):
        scene.both_paths()
        for daemon in (scene.client, scene.server):
            wait_for_state(daemon, "confirmed")
        for daemon, word in ((scene.client, "the peer"), (scene.server, "the client")):
            check_equal(len(notes(daemon, f"{word} has proved that it holds the key")), 1,
                        f"words on it in the log of {daemon.name}")
        exchange(near, far)


@needs_nft
def test_psk_none_key_of_the_program_counts(lab):
    """The first one of each; one that is too short is refused."""
    scene = Scene(lab, None, None)
    for daemon in (scene.client, scene.server):
        daemon.policy("mine", {"match": {"exe": EXE}, "auth": {"mode": "require"}})
    scene.start()
    with scene.connection() as (near, far):
        wait_for_state(scene.client, "key")
        tell(scene.client, KEY, near, b"k" * 31)
        wait_for(lambda: "a key of the wrong length" in scene.client.log_text(), "it is refused")
        for key in (b"1" * 32, b"2" * 32):
            tell(scene.server, KEY, far, key)
        tell(scene.client, KEY, near, b"1" * 32)
        scene.both_paths()
        tell(scene.client, KEY, near, b"2" * 32)
        scene.rejoins()
        check_equal(memory_with(scene.client, b"1" * 32), [], "maps with the key")
        check_equal(memory_with(scene.client, b"2" * 32), [], "maps with the one that came late")


@needs_nft
def test_psk_other_key_nobody_joins(lab):
    """Keys that differ: a client that requires makes no join."""
    scene = Scene(lab, "require", "require")
    write_key(scene.server, b"x")
    scene.start()
    with scene.connection() as (near, far):
        wait_for_state(scene.client, "barred")
        wait_for_state(scene.server, "guarded")
        check_equal(lab.counters(SERVER)["MPJoinSynRx"], 0, "joins at the server")
        exchange(near, far)


@needs_nft
def test_psk_server_without_daemon_prefer_joins_all_the_same(lab):
    """Nobody answers: then joins are free, as they are without this."""
    scene = Scene(lab, "prefer", None).start()
    with scene.connection():
        wait_for_state(scene.client, "free")
        scene.both_paths()


@needs_nft
def test_psk_key_of_others_is_refused(lab):
    """A key file that others may read is not used: its policy's place is in the log."""
    scene = Scene(lab, "require", "require")
    os.chmod(write_key(scene.client), 0o644)
    scene.start()
    check("mine.json:" in scene.client.log_text() and "0600" in scene.client.log_text(),
          "the log says which file, and what it needs")
    with scene.connection() as (near, far):
        wait_for_state(scene.client, "key")
        exchange(near, far)
        write_key(scene.client)
        check_equal(scene.client.ctl("reload").returncode, 0, "exit code of the reload")
        wait_for_state(scene.client, "confirmed")
        scene.both_paths()


@needs_nft
def test_psk_client_killed_goes_on(lab):
    """The next daemon has the key, and asks for joins as the last one did."""
    scene = Scene(lab, "require", "require").start()
    with scene.connection() as (near, far):
        scene.both_paths()
        for stop in (scene.client.kill, scene.client.stop):
            stop()
            scene.client.start()
            wait_for_state(scene.client, "confirmed")
            scene.rejoins()
        exchange(near, far)


@needs_nft
def test_psk_server_killed_goes_on(lab):
    """The gate stays closed meanwhile, and the next daemon opens it for the same key."""
    scene = Scene(lab, "require", "require").start()
    with scene.connection() as (near, far):
        scene.both_paths()
        for stop in (scene.server.kill, scene.server.stop):
            stop()
            check_equal(len(elements("guarded")), 1, "guarded tokens without a daemon")
            scene.server.start()
            wait_for_state(scene.server, "confirmed")
            check_equal(len(elements("guarded")), 1, "guarded tokens, again")
            scene.rejoins()
        exchange(near, far)


@needs_nft
def test_psk_gate_removed_is_written_again(lab):
    """Whoever flushes the rules of the host takes the gate with them, for a moment."""
    scene = Scene(lab, "require", "require").start()
    with scene.connection() as (near, far):
        scene.both_paths()
        check_equal(nft("flush", "ruleset").returncode, 0, "exit code of nft flush ruleset")
        wait_for(lambda: len(elements("guarded")) == 1, "the gate, with the token")
        scene.rejoins()
        exchange(near, far)


def regions(daemon):
    """What the daemon has mapped and may read: (first address, bytes, name)."""
    for line in read(f"/proc/{daemon.process.popen.pid}/maps").splitlines():
        span, mode, _offset, _device, _inode, *name = line.split(maxsplit=5)
        first, last = (int(part, 16) for part in span.split("-"))
        if mode.startswith("r") and first < 1 << 47:
            yield first, last - first, name[0] if name else ""


def memory_with(daemon, wanted):
    """Names of the maps of the daemon in which these bytes are."""
    found = []
    with open(f"/proc/{daemon.process.popen.pid}/mem", "rb", buffering=0) as memory:
        for first, size, name in regions(daemon):
            with contextlib.suppress(OSError, ValueError, OverflowError, MemoryError):
                memory.seek(first)
                if size <= 1 << 30 and wanted in memory.read(size):
                    found.append(os.path.basename(name))
    return found


def key_in_store(daemon):
    """A key of the only connection: struct auth_record, behind the header."""
    with open(f"{daemon.runtime}/auth", "rb") as file:
        data = file.read()
    slots = [data[i:i + 256] for i in range(256, len(data), 256)]
    (record,) = (slot for slot in slots if any(slot))
    return record[16:48]


@needs_nft
def test_psk_secrets_are_in_one_place(lab):
    """Nothing of them is in the memory that a core file would have."""
    scene = Scene(lab, "require", "require").start()
    with scene.connection():
        scene.both_paths()
        for daemon in (scene.client, scene.server):
            check_equal(os.stat(f"{daemon.runtime}/auth").st_mode & 0o777, 0o600, "mode")
            check_equal(memory_with(daemon, key_in_store(daemon)), ["auth"], "maps with the key")
            check_equal(memory_with(daemon, b"k" * 32), [], "maps with the shared key")
    wait_for(lambda: not any(open_store(scene.server)[256:]), "the key is cleansed")


def open_store(daemon):
    with open(f"{daemon.runtime}/auth", "rb") as file:
        return file.read()


@needs_nft
def test_psk_reload_spends_the_key(lab):
    """What was recorded of a connection must not open it when its policy comes back."""
    scene = Scene(lab, "prefer", "prefer").start()
    with scene.connection():
        wait_for_state(scene.server, "confirmed")
        scene.server.policy("mine", {"match": {"exe": EXE}, "paths": {"max_subflows": 4}})
        check_equal(scene.server.ctl("reload").returncode, 0, "exit code of the reload")
        wait_for_state(scene.server, "off")
        protect(scene.server, "prefer")
        check_equal(scene.server.ctl("reload").returncode, 0, "exit code of the next one")
        wait_for_state(scene.server, "open")
        reason = scene.server.connection()["authentication_reason"]
        check("lost" in reason, reason)


@needs_nft
def test_psk_port_taken_is_told(lab):
    """Somebody else has the port: "prefer" does without, and it is opened once it is free."""
    scene = Scene(lab, "prefer", "prefer")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.bind(("0.0.0.0", UDP_PORT))
        scene.start()
        check(f"UDP port {UDP_PORT} can't be opened" in scene.client.log_text(), "it says so")
        with scene.connection():
            wait_for_state(scene.client, "free")
            scene.both_paths()
            thief.close()
            wait_for(lambda: f"UDP port {UDP_PORT} is open" in scene.client.log_text(),
                     "the port is open")


@needs_nft
def test_psk_exit_gate_stays_while_it_is_needed(lab):
    """What was required stays so without a daemon; --restore opens when nothing is behind it."""
    scene = Scene(lab, "require", "require").start()
    with scene.connection() as (near, far):
        scene.both_paths()
        check_equal(scene.server.stop(), 0, "exit code")
        check("nft delete table inet mptcpize" in scene.server.log_text(),
              "the log says how to open it")
        check_equal(len(elements("guarded")), 1, "guarded tokens")
        check_equal(restore(scene.server), 0, "exit code of --restore")
        check_equal(len(elements("guarded")), 1, "guarded tokens, still")
        exchange(near, far)
    wait_for(lambda: restore(scene.server) == 0 and not gate_is_there(),
             "the gate is opened when the connection has ended")


@needs_nft
def test_psk_exit_prefer_leaves_nothing(lab):
    """Where it was only preferred, everybody may join without a daemon."""
    scene = Scene(lab).start()
    with scene.connection():
        scene.both_paths()
        check(gate_is_there(), "there is a gate")
        check_equal(scene.server.stop(), 0, "exit code")
        check(not gate_is_there(), "it is gone")


harness.main([test_psk_prefer_join_is_admitted,
              test_psk_require_join_is_admitted,
              test_psk_none_key_of_the_program_counts,
              test_psk_other_key_nobody_joins,
              test_psk_server_without_daemon_prefer_joins_all_the_same,
              test_psk_key_of_others_is_refused,
              test_psk_client_killed_goes_on,
              test_psk_server_killed_goes_on,
              test_psk_gate_removed_is_written_again,
              test_psk_secrets_are_in_one_place,
              test_psk_reload_spends_the_key,
              test_psk_port_taken_is_told,
              test_psk_exit_gate_stays_while_it_is_needed,
              test_psk_exit_prefer_leaves_nothing])
