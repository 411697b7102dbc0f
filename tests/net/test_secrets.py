#!/usr/bin/python3
"""Secrets of join authentication are in one place, and get to no other: what a core file of the
daemon would have, its log, files, bus and datagrams, and the programs that the keys come from.
"""

import array
import contextlib
import functools
import glob
import hashlib
import os
import socket
import stat
import struct

import harness
from apps.case import path
from cores import kept, leaks, memory, named_in
from guarded import (PORT, Pair, policy, stage, stage_guarded, wait_for_own_paths,
                     wait_for_state)
from harness import check, check_equal, needs_program
from lab import WORK, Failed, wait_for
from messages import JOIN_OK, Keys, flip
from programs import Process
from protect import Hosts, Side, listens, nginx
from segments import mac

QUESTIONS = (("status",), ("connections",), ("metrics",), ("policy", "list"),
             ("policy", "show", "guarded"), ("interface",), ("plugin",), ("limits",))
HINT_KEY = 6  # enum hint_kind of policy/hint.h
HELLOS = 300  # of each kind
CONNECTIONS = 8
LABEL, CONTEXT = b"EXPERIMENTAL-mptcp-join-auth", b"v1"


def secrets_of(keys, **more):
    return {"ES": keys.secret, "PRK": keys.prk, "K_c2s": keys.c2s, "K_s2c": keys.s2c, **more}


class Eavesdropper:
    """Has all that a daemon says on its bus, and what it says to who watches it."""

    def __init__(self, lab, daemon):
        self.daemon = daemon
        address = daemon.env.get("DBUS_SYSTEM_BUS_ADDRESS", os.environ["DBUS_SYSTEM_BUS_ADDRESS"])
        self.raw = f"{WORK}/{daemon.name}.pcap"
        with open(self.raw, "wb") as out:
            self.capture = lab.add(Process(["busctl", f"--address={address}", "capture"],
                                           "busctl", stdout=out))
        wait_for(lambda: os.path.getsize(self.raw), "the bus is watched")
        self.monitor = lab.add(Process([daemon.build.ctl, "monitor"], "monitor", env=daemon.env))

    def ask(self):
        """Every question there is. All that was said, until now too."""
        token = [row["token"] for row in self.daemon.connections()]
        questions = QUESTIONS + tuple(("show", each) for each in token)
        said = [done.stdout + done.stderr for question in questions for form in ((), ("--json",))
                for done in [self.daemon.ctl(*form, *question)]]
        with open(self.raw, "rb") as file:
            return "".join(said) + self.monitor.log_text(), file.read()


def files_of(daemon):
    """Everything in its directory that is no secret itself: (name, bytes)."""
    for name in glob.glob(f"{daemon.runtime}/**", recursive=True):
        if os.path.isfile(name) and os.path.basename(name) != "auth":
            with open(name, "rb") as file:
                yield os.path.basename(name), file.read()


def store_of(daemon):
    """What is behind the header."""
    with open(f"{daemon.runtime}/auth", "rb") as file:
        return file.read()[256:]


def check_tight(daemon, secrets, ears=None):
    """None of the secrets is where it could get out."""
    check_equal(leaks(daemon.process.popen.pid, secrets), [],
                f"secrets that a core file of {daemon.name} would have")
    check_equal(named_in(daemon.log_text(), secrets), [], f"secrets in the log of {daemon.name}")
    files = dict(files_of(daemon))
    check("policy.db" in files, f"there is a database among {sorted(files)}")
    check_equal({name: found for name, data in files.items()
                 if (found := named_in(data, secrets))}, {}, "secrets in its files")
    if ears:
        check_equal([found for said in ears.ask() if (found := named_in(said, secrets))], [],
                    f"secrets that {daemon.name} told")


def check_kept(daemon):
    """Who may see the file."""
    mode = os.stat(f"{daemon.runtime}/auth")
    check_equal((stat.filemode(mode.st_mode), mode.st_uid), ("-rw-------", os.geteuid()),
                f"mode and owner of the store of {daemon.name}")


def loud(daemon):
    """Again, with all that it can log."""
    daemon.argv = functools.partial(type(daemon).argv, daemon, "--verbose")
    check_equal(daemon.stop(), 0, f"exit code of {daemon.name}")
    daemon.start()


def quarrel(scene, keys, victim):
    """HELLOs that are not right, with the KID of the connection and with none that is known."""
    other = Keys(os.urandom(32))
    for i in range(HELLOS):
        scene.attacker.say(flip(keys.hello(1000 + i), 250), victim.server[0])
        scene.attacker.say(other.hello(i), victim.server[0])
    counters = ("auth_forged", "auth_held")
    wait_for(lambda: all(scene.far.query("status")["counters"][name] for name in counters),
             "HELLOs are refused, and held")


def spoil_key(scene):
    """The shared key is not to be had for a while; both daemons complain."""
    os.chmod(scene.key, 0o644)
    for daemon in (scene.daemon, scene.far):
        check_equal(daemon.ctl("reload").returncode, 0, "exit code of the reload")
        check("0600" in daemon.log_text(), f"{daemon.name} complains of the key's file")
    os.chmod(scene.key, 0o600)
    for daemon in (scene.daemon, scene.far):
        check_equal(daemon.ctl("reload").returncode, 0, "exit code of the next one")


@needs_program("nft")
@needs_program("busctl")
def test_secrets_shared_key_stays_inside(lab):
    """Joins, floods, reloads, a key that can't be read, and daemons that end in each way."""
    scene = stage_guarded(lab)
    daemons = (scene.daemon, scene.far)
    for daemon in daemons:
        loud(daemon)
    ears = [Eavesdropper(lab, daemon) for daemon in daemons]
    pair, victim = scene.open()
    scene.confirmed()
    wait_for_own_paths(scene)
    keys = scene.keys(victim)
    with open(scene.key, "rb") as file:
        secrets = secrets_of(keys, PSK=file.read())
    for daemon, ear in zip(daemons, ears):
        found = kept(daemon.process.popen.pid, secrets)
        check_equal(found, {"auth": {"K_c2s", "K_s2c"}}, f"what {daemon.name} has, and where")
        check_kept(daemon)
        check_tight(daemon, secrets, ear)
    quarrel(scene, keys, victim)
    spoil_key(scene)
    for daemon, ear in zip(daemons, ears):
        check_tight(daemon, secrets, ear)
    for daemon in daemons:
        daemon.kill()
        daemon.start()
        scene.confirmed()
        check_kept(daemon)
        check_tight(daemon, secrets)
    check_equal(len(scene.tap.messages(JOIN_OK)) > 0, True, "whether messages were seen")
    said = b"".join(each.data for each in scene.tap.datagrams)
    check_equal(named_in(said, secrets), [], "secrets on the wire")
    pair.close()
    for daemon in daemons:
        wait_for(lambda daemon=daemon: not any(store_of(daemon)),
                 f"{daemon.name} has cleansed its store")
        check_equal(kept(daemon.process.popen.pid, secrets), {}, "what it still has")
        check_tight(daemon, secrets)


def expand_label(secret, label, context):
    """HKDF-Expand-Label (RFC 8446, 7.1) of SHA-256."""
    label = b"tls13 " + label
    return mac(secret, b"\x00\x20" + bytes([len(label)]) + label + bytes([len(context)]) + context
               + b"\1")


def exported(secret):
    """What both ends export (RFC 8446, 7.5), from the exporter's secret."""
    derived = expand_label(secret, LABEL, hashlib.sha256(b"").digest())
    return expand_label(derived, b"exporter", hashlib.sha256(CONTEXT).digest())


def exporter_secret(log):
    """Of the only session, as the client has logged it."""
    with contextlib.suppress(FileNotFoundError), open(log, encoding="ascii") as file:
        for line in file:
            if line.startswith("EXPORTER_SECRET"):
                return bytes.fromhex(line.split()[2])
    raise Failed("there is no secret of an exporter")


def programs_of(client, server):
    """Process ids: of both, with the children of the server."""
    pid = server.popen.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        workers = [int(word) for word in file.read().split()]
    return [client.popen.pid, *workers]


@needs_program("nft")
def test_secrets_exported_key_is_cleansed(lab):
    """Of TLS: neither the programs that exported it nor the daemons have it a moment later."""
    hosts = Hosts(lab, Side("curl"), listens("nginx", PORT, 443))
    daemons = (hosts.near, hosts.far)
    for daemon in daemons:
        loud(daemon)
    nginx(hosts)
    log = path("keys")
    client = hosts.begin(["curl", "--silent", "--show-error", "--fail", "--noproxy", "*",
                          "--insecure", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256",
                          "--output", path("got"), f"https://{hosts.address}/data"],
                         env={"SSLKEYLOGFILE": log})
    hosts.watch(client)
    of_session = exporter_secret(log)
    secrets = secrets_of(Keys(exported(of_session)))
    for daemon in daemons:
        check_equal(kept(daemon.process.popen.pid, secrets), {"auth": {"K_c2s", "K_s2c"}},
                    f"what {daemon.name} has, and where")
        check_kept(daemon)
        check_tight(daemon, secrets)
    for pid in programs_of(client, hosts.servers[0]):
        found = {name for _, data in memory(pid)
                 for name in named_in(data, {"session": of_session, "ES": secrets["ES"]})}
        check_equal(found, {"session"}, f"secrets in the memory of process {pid}")
    hosts.finish(client)


@needs_program("nft")
def test_secrets_many_connections_leave_nothing(lab):
    """Keys of connections that have ended are nowhere, nor are those of others next to them."""
    scene = stage_guarded(lab)
    pairs, secrets = [], {}
    for number in range(CONNECTIONS):
        pair = Pair(scene.listeners[0])
        pairs.append(pair)
        keys = scene.keys(scene.tap.victim(*pair.names()))
        secrets.update({f"{name}{number}": secret for name, secret in secrets_of(keys).items()})
    for daemon in (scene.daemon, scene.far):
        wait_for(lambda daemon=daemon: all(
            row["authentication"] == "confirmed" for row in daemon.shown().values()),
            f"all are confirmed at {daemon.name}")
        found = kept(daemon.process.popen.pid, secrets)["auth"]
        check_equal(len(found), 2 * CONNECTIONS, f"keys that {daemon.name} has")
    for pair in pairs[1:]:
        pair.close()
    wait_for_state(scene.far, "confirmed")
    wait_for_state(scene.daemon, "confirmed")
    for daemon in (scene.daemon, scene.far):
        check_equal(kept(daemon.process.popen.pid, secrets), {"auth": {"K_c2s0", "K_s2c0"}},
                    f"what {daemon.name} still has")
        check_tight(daemon, secrets)


@needs_program("nft")
def test_secrets_without_a_store_connections_say_why(lab):
    """Where secrets can't be kept nobody joins, and the next reload tries again."""
    scene = stage_guarded(lab)
    check_equal(scene.daemon.stop(), 0, "exit code")
    store = f"{scene.daemon.runtime}/auth"
    os.unlink(store)
    os.mkdir(store)
    scene.daemon.start()
    check(f"{store} can't be used" in scene.daemon.log_text(), "the log says what is wrong")
    pair, _ = scene.open()
    scene.wait_for_state("barred", "guarded")
    reason = scene.daemon.connection()["authentication_reason"]
    check("no room" in reason, reason)
    os.rmdir(store)
    check_equal(scene.daemon.ctl("reload").returncode, 0, "exit code of the reload")
    scene.confirmed()
    wait_for_own_paths(scene)
    check_kept(scene.daemon)
    pair.talk()


def tell_key(daemon, sock, key):
    """As the library does; see struct hint of policy/hint.h."""
    hint = struct.pack("=4I64s64s256sB3x32s", 1, HINT_KEY, 0, 0, b"", b"", b"", len(key), key)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendmsg([hint], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                 array.array("i", [sock.fileno()]))], 0, f"{daemon.runtime}/hint")


@needs_program("nft")
def test_secrets_early_key_waits_inside(lab):
    """A key that is there before its connection is protected; and one of nobody's use."""
    other = {"match": {"exe": "/no/such/program"}, "auth": {"mode": "prefer"}}
    scene = stage(lab, policy("off", None), policy("off", None))
    daemons = (scene.daemon, scene.far)
    for daemon in daemons:
        daemon.policy("other", other)
        check_equal(daemon.ctl("reload").returncode, 0, "exit code of the reload")
    pair, _ = scene.open()
    unused = Pair(scene.listeners[0])
    key, idle = os.urandom(32), os.urandom(32)
    secrets = secrets_of(Keys(key), idle=idle)
    for daemon, end, rest in zip(daemons, (pair.client, pair.server),
                                 (unused.client, unused.server)):
        tell_key(daemon, end, key)
        tell_key(daemon, rest, idle)
        pid = daemon.process.popen.pid
        wait_for(lambda pid=pid: kept(pid, secrets) == {"": {"ES", "idle"}}, "both keys wait")
        check_tight(daemon, secrets)
    unused.close()
    for daemon in (scene.far, scene.daemon):
        wait_for(lambda daemon=daemon: len(daemon.connections()) == 1, "the other one has ended")
        daemon.policy("guarded", policy("require", None))
        check_equal(daemon.ctl("reload").returncode, 0, "exit code of the reload")
    scene.confirmed()
    for daemon in daemons:
        found = kept(daemon.process.popen.pid, secrets)
        check_equal(found.pop("auth"), {"K_c2s", "K_s2c"}, f"what {daemon.name} keeps")
        check(found in ({}, {"": {"idle"}}), f"what still waits is {found}")
        check_tight(daemon, secrets)


harness.main([test_secrets_shared_key_stays_inside,
              test_secrets_exported_key_is_cleansed,
              test_secrets_many_connections_leave_nothing,
              test_secrets_without_a_store_connections_say_why,
              test_secrets_early_key_waits_inside])
