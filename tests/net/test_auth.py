#!/usr/bin/python3
"""Join authentication as users have it: off, prefer and require on each side, and what becomes of
connections that have no key. Downloads from nginx over two paths, all programs unmodified.

With other programs: test_auth_programs.py.
"""

import harness
from apps.case import check_same, path
from harness import check, check_equal, needs_program
from lab import SERVER, wait_for
from protect import PORT, SIZE, Hosts, Side, admitted, listens, nginx

CURL = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--insecure"]
OPEN = ("off", "open", "free")  # states of a client that joins without being asked
# Modes of client and server: their states, and whether the second path is used.
MODES = {
    ("off", "off"): ("off", "off", True),
    ("off", "prefer"): ("off", "open", True),
    ("off", "require"): ("off", "guarded", False),
    ("prefer", "off"): ("free", "off", True),
    ("prefer", "prefer"): ("confirmed", "confirmed", True),
    ("prefer", "require"): ("confirmed", "confirmed", True),
    ("require", "off"): ("barred", "off", False),
    ("require", "prefer"): ("confirmed", "confirmed", True),
    ("require", "require"): ("confirmed", "confirmed", True),
}


def begin(lab, near, far, app="curl", **rules):
    """Both hosts, with nginx; near, far: the mode of each side, None: it has no daemon."""
    hosts = Hosts(lab, near and Side(app, near, **rules),
                  far and listens("nginx", 80, PORT, mode=far))
    nginx(hosts)
    return hosts


def curl(hosts, scheme="https"):
    """A download that goes on until it is finished."""
    return hosts.begin([*CURL, "--output", path("got"), f"{scheme}://{hosts.address}/data"])


def wget(hosts, priority):
    return hosts.begin(["wget", "--quiet", "--no-check-certificate", f"--ciphers={priority}",
                        "--output-document", path("got"), f"https://{hosts.address}/data"])


def finish(hosts, client):
    hosts.finish(client)
    check_same(path("got"))
    check(True, f"{SIZE} bytes arrived as they were sent")


def joined(hosts, client, *states):
    """These states, near and far, data on both paths, and the file is right. What was shown."""
    rows = hosts.watch(client, *states)
    finish(hosts, client)
    return rows


def alone(hosts, client, *states):
    """These states, no join that gets to the server, and the file is right. What was shown."""
    rows = hosts.shows(client, *states, paths=1)
    if states[0] in OPEN:
        wait_for(lambda: hosts.lab.counters()["MPJoinSynTx"], "the client tries to join")
    finish(hosts, client)
    check_equal(hosts.lab.counters(SERVER)["MPJoinSynRx"], 0, "joins that have reached the server")
    return rows


def reasons(rows, *words):
    """Each daemon says why it is so, in such words."""
    for row, each in zip(rows, words):
        check(each in row["authentication_reason"], row["authentication_reason"])


# off, prefer and require

def modes(near, far):
    """The test of a pair of modes."""
    *states, both = MODES[near, far]

    def test(lab):
        hosts = begin(lab, near, far)
        scheme = "http" if near == "off" else "https"
        (joined if both else alone)(hosts, curl(hosts, scheme), *states)
        check_equal(admitted(hosts.far) > 0, states[0] == "confirmed", "that joins were admitted")

    test.__name__ = f"test_modes_{near}_and_{far}"
    test.__doc__ = f"The client's policy says {near}, the server's says {far}."
    return test


# no answer

def test_prefer_without_a_daemon_at_the_server_waits_once(lab):
    """Joins go without after a while; and the next time at once, since the peer is known."""
    hosts = begin(lab, "prefer", None)
    reasons(joined(hosts, curl(hosts), "free"), "the peer did not answer")
    reasons(joined(hosts, curl(hosts), "free"), "the peer did not answer lately")


def test_require_without_a_daemon_at_the_server_stays_alone(lab):
    """No joins, but the download does not mind."""
    hosts = begin(lab, "require", None)
    reasons(alone(hosts, curl(hosts), "barred"), "the peer did not answer")


def test_require_without_a_daemon_at_the_client_stays_alone(lab):
    """Joins of the client's kernel are dropped at the gate."""
    lab.kernel_endpoints()
    hosts = begin(lab, None, "require")
    client = curl(hosts)
    wait_for(lambda: lab.counters()["MPJoinSynTx"], "the client tries to join")
    check_equal(hosts.far.connection()["authentication"], "guarded", "state at the server")
    finish(hosts, client)
    check_equal(lab.counters(SERVER)["MPJoinSynRx"], 0, "joins that have reached the server")


# no key

def test_prefer_without_tls_joins(lab):
    """There is no key to wait for."""
    hosts = begin(lab, "prefer", "prefer")
    reasons(joined(hosts, curl(hosts, "http"), "free", "open"), "no key", "no key")


def test_require_without_tls_stays_alone(lab):
    """Who requires authentication has none of what can't have it."""
    hosts = begin(lab, "require", "require")
    reasons(alone(hosts, curl(hosts, "http"), "key", "guarded"), *("has given no key",) * 2)


def test_require_without_hints_stays_alone(lab):
    """The client's policy leaves its daemon without hints, and so without the key."""
    hosts = begin(lab, "require", "require", socket={"hints": False})
    client = curl(hosts)
    wait_for(lambda: hosts.far.connection()["authentication"] == "guarded", "the server waits")
    finish(hosts, client)
    check_equal(lab.counters(SERVER)["MPJoinSynRx"], 0, "joins that have reached the server")


@needs_program("wget")
def test_require_by_old_tls_stays_alone(lab):
    """TLS 1.2 without extended master secret has no key that is bound to the connection."""
    hosts = begin(lab, "require", "require", "wget")
    client = wget(hosts, "NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_SESSION_HASH")
    reasons(alone(hosts, client, "key", "guarded"), *("has given no key",) * 2)
    check_equal(hosts.near.query("status")["counters"]["auth_confirmed"], 0, "confirmed")


@needs_program("wget")
def test_require_by_tls_1_2_joins(lab):
    """TLS 1.2 as everybody has it."""
    hosts = begin(lab, "require", "require", "wget")
    client = wget(hosts, "NORMAL:-VERS-ALL:+VERS-TLS1.2")
    joined(hosts, client, "confirmed", "confirmed")


# changes

def test_reload_to_off_ends_authentication(lab):
    """The server's policy says off: the client is told, and goes on without."""
    hosts = begin(lab, "prefer", "prefer")
    client = curl(hosts)
    hosts.watch(client)
    hosts.far.policy("tested", listens("nginx", 80, PORT, mode="off").policy())
    check_equal(hosts.far.ctl("reload").returncode, 0, "reload")
    reasons(hosts.shows(client, "free", "off"), "has ended")
    finish(hosts, client)


def test_reload_to_require_protects_what_is_there(lab):
    """Both sides turn it on while the program runs: its next connection has it."""
    hosts = begin(lab, "off", "off")
    joined(hosts, curl(hosts), "off", "off")
    hosts.near.policy("tested", Side("curl").policy())
    hosts.far.policy("tested", listens("nginx", 80, PORT).policy())
    for daemon in (hosts.near, hosts.far):
        check_equal(daemon.ctl("reload").returncode, 0, "reload")
    joined(hosts, curl(hosts), "confirmed", "confirmed")


def test_text_tells_of_authentication(lab):
    """What people see of a connection, in the list, and of the host."""
    hosts = begin(lab, "require", "require")
    client = curl(hosts)
    for row, daemon in zip(hosts.watch(client), (hosts.near, hosts.far)):
        shown = daemon.ctl("show", row["token"]).stdout
        check("confirmed (require)" in shown, f"show of {daemon.name}")
        check("confirmed" in daemon.ctl("connections").stdout, "connections")
    status = hosts.far.ctl("status").stdout
    check([line for line in status.splitlines() if line.startswith("gate") and "closed" in line],
          "status tells of the gate")
    finish(hosts, client)


harness.main([*(modes(*pair) for pair in MODES),
              test_prefer_without_a_daemon_at_the_server_waits_once,
              test_require_without_a_daemon_at_the_server_stays_alone,
              test_require_without_a_daemon_at_the_client_stays_alone,
              test_prefer_without_tls_joins,
              test_require_without_tls_stays_alone,
              test_require_without_hints_stays_alone,
              test_require_by_old_tls_stays_alone,
              test_require_by_tls_1_2_joins,
              test_reload_to_off_ends_authentication,
              test_reload_to_require_protects_what_is_there,
              test_text_tells_of_authentication])
