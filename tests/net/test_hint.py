#!/usr/bin/python3
"""Hints of programs: which policy their connections get, what they may not do, user timeouts.

The test is the program: it sends hints for sockets of its own, as the library does.
"""

import array
import contextlib
import os
import select
import socket
import stat
import struct

import harness
import sandbox
from harness import check, check_equal
from lab import SERVER, SERVICE4, Failed, command, ip_batch, wait_for, write
from programs import CLOSE_TIMEOUT, Build, Daemon, Process, start_bus, wait_for_subflows

CONNECT, LISTEN, OPTION, DEMOTED, FELL_BACK = range(1, 6)  # enum hint_kind of policy/hint.h
# enum policy_mode of policy/format.h
MODES = {"off": 1, "handover": 2, "interactive": 3, "aggregate": 4, "ndiffports": 5}
EXE = os.path.realpath("/proc/self/exe")
SECOND = "203.0.113.2"  # another address of the server
PORT = 80
TIMEOUT_MSEC = 2000


def hint(kind, mode=0, user_timeout=0, policy="", text="", version=1, exe=""):
    """struct hint."""
    return struct.pack("=4I64s64s256s", version, kind, mode, user_timeout, policy.encode(),
                       text.encode(), exe.encode())


def send(daemon, data, fds=(), flags=0):
    """One datagram, with descriptors."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sender.sendmsg([data], control, flags, f"{daemon.runtime}/hint")


def mptcp(netns=None):
    with sandbox.inside(netns):
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)


def listen(netns, address, port=PORT):
    listener = mptcp(netns)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(64)
    return listener


@contextlib.contextmanager
def peer(address=SERVICE4):
    """A listener at the server."""
    with listen(SERVER, address) as listener:
        yield listener


def talk(client, listener):
    """The other end, after a byte from there: joins are possible from now on."""
    server = listener.accept()[0]
    server.send(b"!")
    client.recv(1)
    return server


@contextlib.contextmanager
def connection(daemon, listener, *early, **late):
    """Both ends. early: a hint that comes before joins are possible; late: when all is there."""
    with mptcp() as client:
        before = counter(daemon, "hints")
        client.setblocking(not early)
        client.connect_ex((SERVICE4, PORT))
        for data in early:
            send(daemon, data, [client.fileno()])
        if early:
            wait_for(lambda: counter(daemon, "hints") > before, "the hint")
            client.setblocking(True)
        with talk(client, listener) as server:
            if late:
                wait_for_subflows(daemon, late["interfaces"])
                send(daemon, late["data"], [client.fileno()])
            yield client, server


def stage(lab, conf=None, **policies):
    start_bus(lab)
    daemon = Daemon(lab, conf)
    for name, policy in policies.items():
        daemon.policy(name, policy)
    return daemon.start()


def ours(**paths):
    """A policy for this very program."""
    return {"match": {"exe": EXE}, "paths": paths}


def counter(daemon, name):
    return daemon.query("status")["counters"][name]


def refused(daemon, number):
    wait_for(lambda: counter(daemon, "hints_refused") == number, f"{number} hints refused")


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.popen.pid}/fd"))


# whose policy

def test_hint_none_is_unknown(lab):
    """Without a hint the program is not guessed, and the configuration counts."""
    daemon = stage(lab, narrow=ours(max_subflows=1))
    with peer() as listener, connection(daemon, listener):
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        row = daemon.connection()
        check_equal([row[key] for key in ("program", "pid", "policy", "user_timeout_msec")],
                    [None] * 4, "program, pid, policy, user timeout")
        check("unknown" in daemon.ctl("connections").stdout, "it says so in text")


def test_hint_early_decides(lab):
    """A hint during connect(): the policy's limit instead of the configuration's."""
    daemon = stage(lab, narrow=ours(max_subflows=1))
    with peer() as listener, connection(daemon, listener, hint(CONNECT)):
        wait_for(lambda: daemon.connection()["policy"] == "narrow", "the policy")
        row = daemon.connection()
        check_equal((row["pid"], row["uid"]), (os.getpid(), os.getuid()), "pid and uid")
        check_equal(row["program"], open("/proc/self/comm", encoding="ascii").read().strip(),
                    "program")
        wait_for_subflows(daemon, ["wifi0"])
        check(not [line for line in row["log"] if line["what"].startswith("create ")],
              "no subflow was asked for")
        check("narrow" in daemon.ctl("connections").stdout, "the policy is in the text")


def test_hint_of_a_name_that_is_no_text_is_shown(lab):
    """A name is bytes, and may be cut within a character: the bus takes only UTF-8."""
    daemon = stage(lab, ours=ours(mode="handover"))
    with open("/proc/self/comm", "wb") as comm:
        comm.write(b"\xffb\xc3\xa9d\xc3")
    with peer() as listener, connection(daemon, listener, hint(CONNECT)):
        check_equal([row["program"] for row in daemon.connections()], ["?b\u00e9d?"], "program")


def test_hint_late_hands_over(lab):
    """A hint when the joins are there already: what the policy doesn't allow is closed."""
    daemon = stage(lab, narrow=ours(max_subflows=1))
    with peer() as listener, connection(daemon, listener, data=hint(CONNECT),
                                        interfaces=["wifi0", "lte0"]):
        wait_for_subflows(daemon, ["wifi0"])
        check_equal(daemon.connection()["policy"], "narrow", "policy")


def test_hint_plugin_option_counts(lab):
    """announced: false, so the second address of the server is not joined."""
    daemon = stage(lab, policy=ours(options={"announced": False}))
    with sandbox.inside(SERVER):
        ip_batch([f"addr add {SECOND}/32 dev lo", f"mptcp endpoint add {SECOND} signal"])
    with peer("0.0.0.0") as listener:
        with connection(daemon, listener):
            wait_for(lambda: len(daemon.subflows()) == 4, "four subflows by default")
        wait_for(lambda: not daemon.connections(), "its end")
        with connection(daemon, listener, hint(CONNECT)):
            wait_for(lambda: len(daemon.connection()["remotes"]) == 2, "the second address")
            wait_for_subflows(daemon, ["wifi0", "lte0"])
            check_equal(daemon.connection()["policy"], "policy", "policy")


def test_hint_interface_role_counts(lab):
    """lte0 is backup for this program only."""
    daemon = stage(lab, policy=ours(interfaces={"lte*": "backup"}))
    with peer() as listener, connection(daemon, listener, hint(CONNECT)):
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        check_equal({row["interface"]: row["backup"] for row in daemon.subflows()},
                    {"wifi0": False, "lte0": True}, "backup")


def test_hint_off_leaves_it_alone(lab):
    """Mode off, and a socket that is MPTCP all the same: no plugin, no subflows."""
    daemon = stage(lab, policy=ours(mode="off"))
    with peer() as listener, connection(daemon, listener, hint(CONNECT)):
        wait_for(lambda: daemon.connection()["policy"] == "policy", "the policy")
        check_equal(daemon.connection()["plugin"], "", "plugin")
        wait_for_subflows(daemon, ["wifi0"])


def test_hint_claim_is_not_believed(lab):
    """The name of another policy, and a mode where the policy has one."""
    daemon = stage(lab, narrow=ours(max_subflows=1),
                   wide={"match": {"app": "other"}, "paths": {"max_subflows": 4}})
    with peer() as listener:
        claim = hint(CONNECT, mode=MODES["aggregate"], policy="wide")
        with connection(daemon, listener, claim):
            wait_for(lambda: daemon.connection()["policy"] == "narrow", "its own policy")
            wait_for_subflows(daemon, ["wifi0"])


def test_hint_mode_counts_where_policy_is_silent(lab):
    """The user's own mode: by a policy that says nothing of paths, or by none."""
    daemon = stage(lab, silent={"match": {"exe": EXE}, "socket": {"loopback": True}})
    with peer() as listener, connection(daemon, listener, hint(CONNECT, MODES["aggregate"])):
        wait_for(lambda: daemon.connection()["policy"] == "mode/aggregate", "the mode")
    wait_for(lambda: not daemon.connections(), "its end")
    with peer() as listener, connection(daemon, listener, hint(CONNECT, MODES["off"])):
        wait_for(lambda: daemon.connection()["policy"] == "silent", "no mode: off is not ours")


def test_hint_modes_have_their_plugins(lab):
    """Each mode has a plugin of its own; two of them share one."""
    daemon = stage(lab)
    for mode, plugin in (("handover", "backup"), ("interactive", "backup"),
                         ("aggregate", "fullmesh"), ("ndiffports", "ndiffports")):
        with peer() as listener, connection(daemon, listener, hint(CONNECT, MODES[mode])):
            wait_for(lambda mode=mode: daemon.connection()["policy"] == f"mode/{mode}", "the mode")
            check_equal(daemon.connection()["plugin"], plugin, f"plugin of {mode}")
        wait_for(lambda: not daemon.connections(), "its end")


def test_hint_policy_options_go_to_the_plugin_of_its_mode(lab):
    """A policy's options are those of its mode's plugin; a wrong one is said, with its place."""
    daemon = stage(lab, policy=ours(mode="ndiffports", options={"subflows": 3, "speed": 9}))
    with peer() as listener, connection(daemon, listener, hint(CONNECT)):
        wait_for_subflows(daemon, ["wifi0"] * 3)
    check("plugin ndiffports has no option \"speed\"" in daemon.log_text(), "the wrong one is said")


def test_hint_reload_follows_the_policy(lab):
    """The policy of a connection that is there changes."""
    daemon = stage(lab, policy=ours(max_subflows=1))
    with peer() as listener, connection(daemon, listener, hint(CONNECT)):
        wait_for_subflows(daemon, ["wifi0"])
        daemon.policy("policy", ours(max_subflows=2))
        check_equal(daemon.ctl("reload").returncode, 0, "reload")
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        daemon.policy("policy", ours(mode="off"))
        check_equal(daemon.ctl("reload").returncode, 0, "reload")
        wait_for_subflows(daemon, ["wifi0"])


def test_hint_missing_plugin_is_said_once(lab):
    """A policy wants a plugin that isn't there: its place in the log, and the default instead."""
    daemon = stage(lab, policy=ours(plugin="nosuch"), another={
        "match": {"app": "other"}, "paths": {"plugin": "nosuch"}})
    lines = [line for line in daemon.log_text().splitlines() if "nosuch" in line]
    check_equal(len(lines), 1, "lines in the log")
    check(".json:" in lines[0] and "fullmesh is used instead" in lines[0], lines[0])
    with peer() as listener, connection(daemon, listener, hint(CONNECT)):
        wait_for(lambda: daemon.connection()["policy"] == "policy", "the policy")
        check_equal(daemon.connection()["plugin"], "fullmesh", "plugin")


def test_hint_listener_speaks_for_its_connections(lab):
    """What listens here is hinted at; its connections have the policy, until it is closed."""
    daemon = stage(lab, policy=ours(max_subflows=3))
    address = lab.paths[0].client4
    with listen(None, "0.0.0.0") as listener, mptcp(SERVER) as client:
        send(daemon, hint(LISTEN), [listener.fileno()])
        wait_for(lambda: counter(daemon, "hints") == 1, "the hint")
        client.connect((address, PORT))
        with talk(client, listener):
            wait_for(lambda: daemon.connection()["role"] == "server", "the connection")
            row = daemon.connection()
            check_equal((row["policy"], row["pid"]), ("policy", os.getpid()), "policy, pid")
    wait_for(lambda: not daemon.connections(), "its end")
    harness.need_feature(daemon, "listener-events")
    with listen(None, "0.0.0.0") as listener, mptcp(SERVER) as client:
        client.connect((address, PORT))
        with talk(client, listener):
            wait_for(lambda: daemon.connection()["role"] == "server", "the next connection")
            check_equal(daemon.connection()["policy"], None, "policy of another listener")


@harness.needs_ipv6
def test_hint_listener_for_ipv6_only_is_not_for_ipv4(lab):
    """The same port, of somebody else: a user timeout would close connections of others."""
    daemon = stage(lab)
    with listen(None, "0.0.0.0") as listener, mptcp(SERVER) as client, \
            socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_MPTCP) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("::", PORT))
        other.listen()
        send(daemon, hint(LISTEN, user_timeout=TIMEOUT_MSEC), [other.fileno()])
        wait_for(lambda: counter(daemon, "hints") == 1, "the hint")
        client.connect((lab.paths[0].client4, PORT))
        with talk(client, listener):
            wait_for(lambda: daemon.connection()["role"] == "server", "the connection")
            check_equal(daemon.connection()["user_timeout_msec"], None, "user timeout")


def test_hint_demoted_and_fell_back_are_counted(lab):
    """In the status, and once in the log for each program and reason."""
    daemon = stage(lab)
    with socket.socket() as tcp, mptcp() as other:
        for _ in range(3):
            send(daemon, hint(DEMOTED, text="TCP_MD5SIG"), [tcp.fileno()])
        send(daemon, hint(DEMOTED, text="bad\n\x1b[31mwords"), [tcp.fileno()])
        send(daemon, hint(FELL_BACK), [other.fileno()])
        wait_for(lambda: counter(daemon, "hints") == 5, "all hints")
    check_equal([counter(daemon, name) for name in ("sockets_demoted", "sockets_fell_back")],
                [4, 1], "counters")
    text = daemon.log_text()
    check_equal(text.count("TCP_MD5SIG"), 1, "lines in the log")
    check("bad??[31mwords" in text, "control characters are not for the log")


def as_nobody(function):
    """Runs it in a child without rights. Failed if it fails."""
    child = os.fork()
    if child == 0:
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        function()
        os._exit(0)
    check_equal(os.waitpid(child, 0)[1], 0, "status of the child")


def test_hint_of_another_user_is_seen_or_believed(lab):
    """CAP_SYS_PTRACE: seen which file it runs; without: as it says. Its uid is always seen."""
    start_bus(lab)
    daemon = Daemon(lab)
    for name, exe, uid in (("seen", EXE, 65534), ("said", "/said", 65534), ("root", "/root", 0)):
        daemon.policy(name, {"match": {"exe": exe, "uid": uid}, "paths": {"max_subflows": 1}})
    cases = ((",+sys_ptrace", "/said", "seen"), ("", "/said", "said"), ("", "/root", "none"))
    for more, said, policy in cases:
        daemon.start(["setpriv", f"--bounding-set=-all,+net_admin{more}", "--inh-caps=-all"])
        with peer() as listener, connection(daemon, listener) as (client, _):
            as_nobody(lambda: (send(daemon, hint(CONNECT, exe=said), [client.fileno()]),
                               wait_for(lambda: daemon.connection()["policy"], "the policy")))
            check_equal(daemon.connection()["policy"], policy, f"policy with net_admin{more}")
        daemon.stop()


RUNTIME = "/run/mptcpize"  # where the library looks; /run is the sandbox's own
CLIENT = """
import socket
client = socket.socket()
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3000)
client.connect(("{host}", {port}))
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 4000)
client.recv(100)
"""


def test_hint_of_the_library_brings_policy_and_user_timeout(lab):
    """An unmodified program, with the library in it."""
    start_bus(lab)
    os.makedirs(RUNTIME)
    daemon = Daemon(lab)
    daemon.runtime = RUNTIME
    daemon.policy("narrow", ours(max_subflows=1))
    daemon.start()
    with peer() as listener:
        client = lab.add(Process([EXE, "-c", CLIENT.format(host=SERVICE4, port=PORT)],
                                 "client", env=Build.find().preload_environ()))
        with listener.accept()[0] as server:
            wait_for(lambda: daemon.connection()["user_timeout_msec"] == 4000, "the user timeout")
            row = daemon.connection()
            check_equal((row["policy"], row["pid"]), ("narrow", client.popen.pid), "policy, pid")
            server.send(b"!")
            check_equal(client.wait(), 0, "exit code of the program")


# what strangers may do

def bad_hints(tcp, client, far, pipe):
    """(datagram, descriptors) that are refused."""
    good = hint(CONNECT)
    return [(good, []), (good, [client] * 10), (good, [client] * 2), (good, [far]),
            (good, [tcp]), (good, [pipe]), (hint(LISTEN), [client]), (hint(DEMOTED), [client]),
            (b"", [client]), (b"garbage", [client]), (b"\xff" * 60000, [client]),
            (hint(0), [client]), (hint(99), [client]), (hint(CONNECT, version=7), [client]),
            (good[:15], [client]), (b"", []), (good, [client] * 250)]


def test_hint_hostile_changes_nothing(lab):
    """Malformed ones, and such as are none of ours: counted, and no descriptor stays open."""
    daemon = stage(lab, narrow=ours(max_subflows=1))
    refused(daemon, 0)
    before = descriptors(daemon)
    reader, writer = os.pipe()
    with peer() as listener, connection(daemon, listener) as (client, _), \
            socket.socket() as tcp, mptcp(SERVER) as far:
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        bad = bad_hints(tcp.fileno(), client.fileno(), far.fileno(), writer)
        for number, (data, fds) in enumerate(bad, 1):
            send(daemon, data, fds)
            refused(daemon, number)
        check_equal(counter(daemon, "hints"), len(bad), "hints in all")
        check_equal(daemon.connection()["policy"], None, "policy of the connection")
        wait_for_subflows(daemon, ["wifi0", "lte0"])
    wait_for(lambda: descriptors(daemon) <= before, f"{before} descriptors, as before")
    check(len(daemon.log_text().splitlines()) < 30, "the log is not flooded")
    os.close(reader)
    os.close(writer)


def test_hint_longer_than_ours_is_taken(lab):
    """The structure may grow at its end."""
    daemon = stage(lab, narrow=ours(max_subflows=1))
    with peer() as listener, connection(daemon, listener, hint(CONNECT) + b"later"):
        wait_for(lambda: daemon.connection()["policy"] == "narrow", "the policy")


def test_hint_flood_does_not_stop_the_daemon(lab):
    """While hints pour in, a connection gets its subflows, and the bus its answers."""
    daemon = stage(lab)
    flooder = os.fork()
    if flooder == 0:
        sandbox.die_with_parent()
        with mptcp() as client:
            while True:
                with contextlib.suppress(OSError):
                    send(daemon, hint(CONNECT), [client.fileno()])
    with peer() as listener, connection(daemon, listener):
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        wait_for(lambda: counter(daemon, "hints") > 1000, "many hints")
    os.kill(flooder, 9)
    os.waitpid(flooder, 0)


def lingering(port):
    """A TCP socket whose last close() waits for minutes: the peer reads nothing of what it has."""
    with sandbox.inside(SERVER):
        listener = socket.create_server((SERVICE4, port))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # all that the kernel takes
    tcp = socket.create_connection((SERVICE4, port))
    tcp.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            tcp.send(bytes(65536))
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 300))
    return listener, tcp


def test_hint_descriptor_that_cannot_be_closed_holds_up_no_path(lab):
    """A TCP socket that lingers: hints wait with it, but not the paths, nor the daemon's end."""
    daemon = stage(lab)
    listener, tcp = lingering(81)
    daemon.process.freeze()  # so that it is the last one who has it
    send(daemon, hint(DEMOTED), [tcp.fileno()])
    tcp.close()
    daemon.process.thaw()
    wait_for(lambda: counter(daemon, "hints") == 1, "the hint")
    send(daemon, b"garbage")
    with peer() as other, mptcp() as client:
        client.connect((SERVICE4, PORT))
        with talk(client, other):
            wait_for_subflows(daemon, ["wifi0", "lte0"])
    check_equal(counter(daemon, "hints"), 1, "hints: the next one waits")
    check_equal(daemon.stop(), 0, "exit code")
    listener.close()


def test_hint_socket_is_for_everybody_and_goes(lab):
    """Mode 0666 while the daemon runs; what a killed one left makes room; gone afterwards."""
    daemon = stage(lab)
    path = f"{daemon.runtime}/hint"
    check_equal(oct(stat.S_IMODE(os.stat(path).st_mode)), "0o666", "mode")
    daemon.kill()
    check(os.path.exists(path), "a killed daemon leaves it")
    daemon.start()
    check_equal(oct(stat.S_IMODE(os.stat(path).st_mode)), "0o666", "mode")
    check_equal(daemon.stop(), 0, "exit code")
    check(not os.path.exists(path), "it is gone")


# user timeouts

def silence(index, lab):
    """What the server sends by that path vanishes."""
    with sandbox.inside(SERVER):
        ip_batch([f"rule add to {lab.paths[index].client4}/24 blackhole pref 1"])


def notes(daemon, word):
    return [line for line in daemon.connection()["log"] if word in line["what"] + line["reason"]]


def test_hint_user_timeout_others_take_over(lab):
    """A path that falls silent: its subflow is closed after the timeout, the stream goes on."""
    daemon = stage(lab)
    early = hint(CONNECT, user_timeout=TIMEOUT_MSEC)
    with peer() as listener, connection(daemon, listener, early) as (client, server):
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        check_equal(daemon.connection()["user_timeout_msec"], TIMEOUT_MSEC, "user timeout")
        silence(0, lab)
        total = 0

        def moved():
            nonlocal total
            with contextlib.suppress(BlockingIOError):
                client.send(bytes(4096), socket.MSG_DONTWAIT)
                total += len(server.recv(65536, socket.MSG_DONTWAIT))
            return notes(daemon, "nothing acknowledged")  # for that, or even sooner

        wait_for(moved, "the verdict")
        wait_for(lambda: "wifi0" not in [row["interface"] for row in daemon.subflows()],
                 "the end of the silent subflow")
        check(total > 0, f"{total} bytes have arrived")
        before = total
        wait_for(lambda: moved() and total > before, "more bytes")


def lose_all(lab, lose):
    """A connection with a user timeout loses all its paths."""
    daemon = stage(lab)
    write(CLOSE_TIMEOUT, "1")
    with peer() as listener, connection(daemon, listener) as (client, _):
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        send(daemon, hint(OPTION, user_timeout=TIMEOUT_MSEC), [client.fileno()])
        for path in lab.paths:
            lose(path.index)
        client.send(bytes(4096))
        wait_for(lambda: daemon.connection()["state"] == "ending", "the end")
        poll = select.poll()
        poll.register(client, 0)
        check(poll.poll(30000), "the application notices")
        with contextlib.suppress(OSError):
            client.send(b"x")
            raise Failed("it can still send")


@harness.needs_close_timeout
def test_lost_path_does_not_keep_the_connection_alive(lab):
    """The first path was lost with data on it; when the other one ends, too, close_timeout counts.

    The daemon is held meanwhile, since a join that it tries stops the kernel's clock.
    """
    daemon = stage(lab)
    write(CLOSE_TIMEOUT, "1")
    with peer() as listener, connection(daemon, listener) as (client, _):
        wait_for_subflows(daemon, ["wifi0", "lte0"])
        silence(0, lab)
        client.send(bytes(60000), socket.MSG_DONTWAIT)
        lab.path_down(0)
        wait_for_subflows(daemon, ["lte0"])
        silence(1, lab)
        daemon.process.freeze()
        command("ss", "-K", "-t", "src", lab.paths[1].client4)
        poll = select.poll()
        poll.register(client, 0)
        ended = poll.poll(20000)
        daemon.process.thaw()
        check(ended, "the application notices")


@harness.needs_close_timeout
def test_hint_user_timeout_of_the_last_ends_the_connection(lab):
    """All paths are silent: the application gets its error after close_timeout."""
    lose_all(lab, lambda index: silence(index, lab))


@harness.needs_close_timeout
def test_hint_user_timeout_without_carriers_ends_the_connection(lab):
    """Nothing is told to the peer, and both subflows wait for their paths."""
    lose_all(lab, lab.carrier_off)


@harness.needs_close_timeout
def test_hint_user_timeout_without_links_ends_the_connection(lab):
    """The first subflow is closed, to no avail, and the last one can't even send."""
    lose_all(lab, lab.path_down)


harness.main([test_hint_none_is_unknown,
              test_hint_early_decides,
              test_hint_of_a_name_that_is_no_text_is_shown,
              test_hint_late_hands_over,
              test_hint_plugin_option_counts,
              test_hint_interface_role_counts,
              test_hint_off_leaves_it_alone,
              test_hint_claim_is_not_believed,
              test_hint_mode_counts_where_policy_is_silent,
              test_hint_modes_have_their_plugins,
              test_hint_policy_options_go_to_the_plugin_of_its_mode,
              test_hint_reload_follows_the_policy,
              test_hint_missing_plugin_is_said_once,
              test_hint_listener_speaks_for_its_connections,
              test_hint_listener_for_ipv6_only_is_not_for_ipv4,
              test_hint_demoted_and_fell_back_are_counted,
              test_hint_of_another_user_is_seen_or_believed,
              test_hint_of_the_library_brings_policy_and_user_timeout,
              test_hint_hostile_changes_nothing,
              test_hint_longer_than_ours_is_taken,
              test_hint_flood_does_not_stop_the_daemon,
              test_hint_descriptor_that_cannot_be_closed_holds_up_no_path,
              test_hint_socket_is_for_everybody_and_goes,
              test_hint_user_timeout_others_take_over,
              test_hint_user_timeout_of_the_last_ends_the_connection,
              test_hint_user_timeout_without_carriers_ends_the_connection,
              test_hint_user_timeout_without_links_ends_the_connection,
              test_lost_path_does_not_keep_the_connection_alive])
