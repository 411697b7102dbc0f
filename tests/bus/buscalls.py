"""Calls of org.mptcpize1, by busctl(1); for the names of errors by dbus-send(1)."""

import contextlib
import json
import os
import re
import shutil
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "../../daemon/data")
sys.path.insert(0, os.path.join(HERE, "../net"))

import harness  # noqa: E402  (the path comes first)
import sandbox  # noqa: E402
from lab import SERVER, SERVICE4, Failed, wait_for  # noqa: E402
from programs import Daemon, run, start_bus  # noqa: E402

NAME = "org.mptcpize1"
MANAGER = "/org/mptcpize1"
MANAGER_INTERFACE = "org.mptcpize1.Manager"
CONNECTION_INTERFACE = "org.mptcpize1.Connection"
INTERFACE_INTERFACE = "org.mptcpize1.Interface"
PLUGIN_INTERFACE = "org.mptcpize1.Plugin"
PROGRAMS = ("busctl", "dbus-send", "setpriv")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


def busctl(*args, prefix=()):
    """The CompletedProcess of a call on the system bus, which is the lab's."""
    return run([*prefix, "busctl", "--system", "--json=short", *map(str, args)])


def plain(value):
    """A reply without the types that busctl wraps variants in."""
    if isinstance(value, dict) and set(value) == {"type", "data"}:
        return plain(value["data"])
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def call(path, interface, method, *args, prefix=()):
    """What a method returns, as a list; Failed with the error text."""
    done = busctl("call", NAME, path, interface, method, *args, prefix=prefix)
    if done.returncode != 0:
        raise Failed(f"{method}: {done.stderr.strip()}")
    return plain(json.loads(done.stdout)["data"]) if done.stdout.strip() else []


def get(path, interface, *names, prefix=()):
    """Values of properties."""
    done = busctl("get-property", NAME, path, interface, *names, prefix=prefix)
    if done.returncode != 0:
        raise Failed(f"{names}: {done.stderr.strip()}")
    return [plain(json.loads(line)) for line in done.stdout.splitlines()]


def error_of(method, *args, path=MANAGER, interface=MANAGER_INTERFACE, prefix=()):
    """(name, text) of the error that a method gives; Failed if it gives none."""
    done = run([*prefix, "dbus-send", "--system", "--print-reply", f"--dest={NAME}", path,
                f"{interface}.{method}", *args])
    match = re.match(r"Error (\S+): ?(.*)", done.stderr)
    if done.returncode == 0 or not match:
        raise Failed(f"{method}{args} gives no error: {done.stdout}{done.stderr}")
    return match.groups()


def list_rows(cursor, maximum, prefix=()):
    """(rows, cursor of the next call)."""
    return call(MANAGER, MANAGER_INTERFACE, "List", "uu", cursor, maximum, prefix=prefix)


def connection_path(token):
    return call(MANAGER, MANAGER_INTERFACE, "GetConnection", "u", token)[0]


def stage(lab, conf=None):
    """A bus, and the daemon on it, ready."""
    start_bus(lab)
    return Daemon(lab, conf).start()


def _mptcp():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)


@contextlib.contextmanager
def connections(number):
    """That many connections to the server, without the library; yields when the daemon knows them.

    They have carried a byte from the server, so that joins are possible.
    """
    with contextlib.ExitStack() as stack:
        with sandbox.inside(SERVER):
            listener = stack.enter_context(_mptcp())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((SERVICE4, 80))
        listener.listen(number)
        for _ in range(number):
            client = stack.enter_context(_mptcp())
            client.connect((SERVICE4, 80))
            server = stack.enter_context(listener.accept()[0])
            server.send(b"!")
            client.recv(1)
        wait_for(lambda: count() == number, f"{number} connections")
        yield


@contextlib.contextmanager
def local_connection():
    """One from this host to an address of its own."""
    with _mptcp() as listener, _mptcp() as client:
        listener.bind(("192.0.2.1", 80))
        listener.listen(1)
        client.connect(("192.0.2.1", 80))
        with listener.accept()[0]:
            wait_for(count, "the connection")
            yield


def count():
    return get(MANAGER, MANAGER_INTERFACE, "ConnectionCount")[0]


def main(tests):
    """harness.main(), for tests that need our programs too."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            print(f"1..0 # SKIP the program {program} is not installed; run ./setup deps")
            sys.exit(harness.SKIPPED)
    harness.main(tests)
