"""A program of the suite is one function below @case, played as plain TCP and under the library.

The function gets a Run: it starts servers with serve(), on all addresses of the server's side, and
moves data with client(), which fails unless the program says that it did well. It knows nothing of
MPTCP. It is played in one lab in three modes, and around each the kernel's counters are read:

    plain TCP   no MPTCP connection, nothing on the second path
    MPTCP       just the connections that the case declares, none of them fallen back, data on
                both paths, and no program has printed a line that it didn't print before
    fallback    only the client's programs have the library: as many connections, all fallen back
                to TCP, no joins, and no line more either

Only connections between client and server count. What a case connects on loopback stays TCP by
policy, so such a connection has to have a side without the library (upgraded=False).
"""

import contextlib
import dataclasses
import os
import pwd
import re
import shutil
import signal
import subprocess

from harness import check, check_equal, topology
from lab import SERVER, SERVICE4, SERVICE6, WORK, Failed, command, have_ipv6, wait_for
from programs import Build, Daemon, Process, run, start_bus

SIZE = 3_000_000
DATA = f"{WORK}/www/data"  # SIZE random bytes, to be moved
RATES = (40, 40)  # Mbit/s of the paths
CASES = []
ADMIN_PATHS = ":/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/git-core"
LISTENING = 60.0  # seconds that a server may take to start


@dataclasses.dataclass(frozen=True)
class Mode:
    """Whose programs are started with the library."""
    name: str
    server: bool
    client: bool


PLAIN = Mode("plain TCP", False, False)
UPGRADED = Mode("MPTCP", True, True)
FALLBACK = Mode("fallback", False, True)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the counters have to say after a run with the library."""
    connections: int | None = 1  # opened by the client; None: one or more
    demoted: int = 0  # of them: to sockets that stay TCP, bound to one address by the server
    spread: bool = True  # enough data for both paths

    def check_plain(self, client, server, carried):
        check_equal(client["MPCapableSYNTX"] + server["MPCapableSYNRX"], 0, "MPTCP connections")
        if self.spread:
            check_equal([count > SIZE / 10 for count in carried.values()], [True, False],
                        f"data on the paths, {carried}")

    def check_opened(self, client):
        """Their number."""
        opened = client["MPCapableSYNTX"]
        if self.connections is None:
            check(opened >= 1, f"{opened} MPTCP connections opened")
        else:
            check_equal(opened, self.connections, "MPTCP connections opened")
        return opened

    def check_fallback(self, client, server, _carried):
        check_equal(fallbacks(client), self.check_opened(client), "of them fallen back")
        check_equal(server["MPCapableSYNRX"], 0, "accepted")
        check_equal(client["MPJoinSynTx"], 0, "joins tried")

    def check_upgraded(self, client, server, carried):
        opened = self.check_opened(client)
        check_equal(server["MPCapableSYNRX"], opened - self.demoted, "accepted")
        check_equal(fallbacks(client) + fallbacks(server), self.demoted, "of them fallen back")
        if self.spread:
            check(server["MPJoinAckRx"] >= 1, f"{server['MPJoinAckRx']} joins")
            check_equal([count > SIZE / 10 for count in carried.values()], [True, True],
                        f"data on the paths, {carried}")


def fallbacks(counters):
    return sum(count for name, count in counters.items() if "Fallback" in name)


def path(name):
    return f"{WORK}/{name}"


def folder(name, owner=None):
    """A directory of that name below WORK, of that user."""
    os.makedirs(path(name), exist_ok=True)
    if owner:
        shutil.chown(path(name), owner)
    return path(name)


def file(name, text):
    """A file with that text below WORK. Its path."""
    with open(path(name), "w", encoding="utf-8") as out:
        out.write(text)
    return path(name)


def beside(name):
    """A file of this folder, for programs that are not root: a copy below WORK."""
    return shutil.copy(os.path.join(os.path.dirname(__file__), name), path(name))


def check_same(got, wanted=DATA):
    """Every byte of a file is right. It is deleted, so that the next run doesn't find it."""
    command("cmp", got, wanted)
    os.unlink(got)


def preload_environ():
    """LD_PRELOAD with a copy of the library, which users may read wherever it was built."""
    build = Build.find()
    copy = path("libmptcpize.so")
    if not os.path.exists(copy):
        shutil.copy(build.shim, copy)
    environ = build.preload_environ()
    return {**environ, "LD_PRELOAD": environ["LD_PRELOAD"].replace(build.shim, copy)}


def shortly(ended):
    """The beginning of what a program printed, for a message."""
    return f"{(ended.stdout or '')[:1000]!r} {(ended.stderr or '')[:1000]!r}"


def is_sanitized():
    return "libasan" in Build.find().preload()


class Run:
    """One way through a case: starts its programs, and remembers what they printed."""

    def __init__(self, lab, mode):
        self.lab = lab
        self.mode = mode
        self.address = SERVICE4
        self.servers = []
        self.printed = []

    def _popen(self, upgraded, user, env):
        """Arguments for subprocess.Popen."""
        environ = {"HOME": folder("home", user), "TMPDIR": folder("tmp", user), **(env or {})}
        if upgraded:
            environ.update(preload_environ())
        identity = {}
        if user:
            entry = pwd.getpwnam(user)
            identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        return {"env": environ, "cwd": WORK, **identity}

    def serve(self, argv, port, here=False, upgraded=True, user=None, env=None, stdin=None):
        """A server, which listens on the port, or path, when this returns.

        here: on the client's side, as proxies are; upgraded=False: never with the library.
        """
        netns = None if here else SERVER
        upgraded = upgraded and (self.mode.client if here else self.mode.server)
        server = self.lab.add(Process(argv, os.path.basename(argv[0]), netns=netns,
                                      start_new_session=True,
                                      stdin=stdin or subprocess.DEVNULL,
                                      **self._popen(upgraded, user, env)))
        server.netns, server.port = netns, port
        self.servers.append(server)
        wait_for(lambda: self._listens(server), f"{server.name} listens on {port}", LISTENING)
        return server

    def _listens(self, server):
        if not server.running():
            raise Failed(f"{server.name} {server.state()}: {server.log_text().strip()}")
        if isinstance(server.port, str):
            return os.path.exists(server.port)
        return server.port in self.lab.listeners(server.netns)

    def start(self, argv, user=None, env=None):
        """A client that goes on in the background."""
        return self.lab.add(Process(argv, os.path.basename(argv[0]),
                                    **self._popen(self.mode.client, user, env)))

    def client(self, argv, upgraded=True, user=None, env=None, **popen):
        """A client, until it ends. What it printed on stdout; Failed if it says it failed."""
        popen.update(self._popen(upgraded and self.mode.client, user, env))
        try:
            done = run(argv, **popen)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{argv} has not ended: {shortly(late)}") from None
        if done.returncode != 0:
            raise Failed(f"{argv} ended with {done.returncode}: {shortly(done)}")
        stderr = done.stderr if isinstance(done.stderr, str) else done.stderr.decode()
        self.printed += [f"{os.path.basename(argv[0])}: {line}" for line in stderr.splitlines()]
        return done.stdout

    def fetch(self, url, *more, upgraded=True, wanted=DATA):
        """A download by curl, or several, all to be like the file."""
        got = path("fetched")
        self.client(["curl", "--silent", "--show-error", "--fail", "--globoff", "--noproxy", "*",
                     "--output", got, *more, url], upgraded=upgraded)
        check_same(got, wanted)

    def end(self):
        """Stops the servers, with what they have started, so that the next run can start them."""
        for server in reversed(self.servers):
            server.end()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.popen.pid, signal.SIGKILL)
            self.printed += [f"{server.name}: {line}" for line in server.log_text().splitlines()]
            wait_for(lambda server=server: self._is_free(server), f"port {server.port} is free")

    def _is_free(self, server):
        if isinstance(server.port, str):
            if os.path.exists(server.port):
                os.unlink(server.port)
            return True
        return server.port not in self.lab.listeners(server.netns)

    def lines(self):
        """What the programs printed, without numbers: process ids, times, sizes."""
        return {re.sub(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{7,}\b|\d+", "N", line)
                for line in self.printed}


def difference(after, before):
    return {name: after[name] - before[name] for name in after}


def readings(lab):
    return lab.counters(), lab.counters(SERVER), lab.carried()


def play_once(lab, function, mode, check_counters):
    """One run, with its checks. What the programs printed."""
    lab.note(mode.name)
    attempt = Run(lab, mode)
    before = readings(lab)
    function(attempt)
    check(True, "data and answers are right")
    moved = [difference(*pair) for pair in zip(readings(lab), before)]
    attempt.end()
    check_counters(*moved)
    return attempt.lines()


def play(lab, function, wanted):
    start_bus(lab)
    Daemon(lab).start()
    folder("www")
    with open(DATA, "wb") as data:
        data.write(os.urandom(SIZE))
    os.environ["PATH"] += ADMIN_PATHS
    control = play_once(lab, function, PLAIN, wanted.check_plain)
    for mode, check_counters in ((UPGRADED, wanted.check_upgraded),
                                 (FALLBACK, wanted.check_fallback)):
        printed = play_once(lab, function, mode, check_counters)
        check_equal(sorted(printed - control), [], "lines that plain TCP doesn't print")


def obstacle(needs, sanitized, ipv6):
    """Why a case can't run here."""
    search = os.environ["PATH"] + ADMIN_PATHS
    missing = [name for name in needs if not shutil.which(name, path=search)]
    if not sanitized and is_sanitized():
        return "does not live with a preloaded sanitizer"
    if missing:
        return f"not installed: {' '.join(missing)}; run ./setup deps test full"
    return "this kernel has no IPv6" if ipv6 and not have_ipv6() else ""


def case(*needs, full=False, sanitized=True, ipv6=False, **wanted):
    """Decorator. needs: programs; wanted: see Wanted.

    full: not in the quick choice; sanitized: lives with a sanitizer that is preloaded as well.
    """
    def decorate(function):
        def test(lab):
            play(lab, function, Wanted(**wanted))
        test.__name__, test.__doc__ = function.__name__, function.__doc__
        test.obstacle = lambda: obstacle(needs, sanitized, ipv6)
        test.full = full
        CASES.append(topology(rates=RATES)(test))
        return function
    return decorate
