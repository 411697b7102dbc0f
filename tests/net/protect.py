"""Two hosts that protect the joins of their connections: a daemon and policies on each.

The programs are the distribution's, unmodified, with the library in them. That knows one runtime
directory, the machine's; so what is started at the server has a mount namespace of its own, in
which this is the one of the server's daemon.

A client that is watched moves its data slowly until all is seen that has to be seen of its
connection, and fast from then on: nobody has to guess how long it lives.
"""

import contextlib
import dataclasses
import os
import time

import sandbox
from apps.case import DATA, UPGRADED, Run, difference, fallbacks, folder
from apps.web import certificate
from harness import check, check_equal
from lab import SERVER, WORK, Failed, have_ipv6, wait_for
from programs import Daemon, Process, nginx_argv, start_bus

RUNTIME = "/run/mptcpize"  # where the library looks
SIZE = 16_000_000
SLOW = 8  # Mbit/s of each path while somebody looks
SOME = 150_000  # bytes by the second path that are no accident
PSK = f"{WORK}/psk"
PORT = 443
NGINX_SERVER = """  server {{ listen 0.0.0.0:80; listen 0.0.0.0:443 ssl; {listen6} root {root};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {cert}; ssl_certificate_key {key}; }}"""


@dataclasses.dataclass(frozen=True)
class Side:
    """What one host wants of a program: a policy of that name."""
    app: str
    mode: str = "require"
    socket: dict = dataclasses.field(default_factory=dict)
    psk: str = ""

    def policy(self):
        auth = {"mode": self.mode, **({"psk": self.psk} if self.psk else {})}
        return {"match": {"app": self.app}, "socket": self.socket, "auth": auth}


def listens(app, *ports, mode="require", psk="", **rules):
    """A server, whose policy names its ports."""
    return Side(app, mode, {"listen": [f"*:{port}" for port in ports], **rules}, psk)


def shared_key():
    """For programs without TLS."""
    descriptor = os.open(PSK, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(48))


class Hosts(Run):
    """The programs of both sides, and their daemons: near, the client's, and far."""

    def __init__(self, lab, near, far, size=SIZE):
        """near, far: Side, or None for a host without a daemon."""
        super().__init__(lab, UPGRADED)
        self.slow = SLOW
        folder("www")
        with open(DATA, "wb") as data:
            data.write(os.urandom(size))
        start_bus(lab)
        start_bus(lab, f"bus-{SERVER}")
        shared_key()
        self.near = self.far = None
        if near:
            self.near = Daemon(lab)
            self.near.runtime = RUNTIME
            self._start(self.near, near)
        if far:
            self.far = Daemon(lab, None, f"mptcpized-{SERVER}", SERVER, f"bus-{SERVER}")
            self._start(self.far, far)
        os.makedirs(RUNTIME, exist_ok=True)
        self.mounts = sandbox.mounts_with(folder(f"mptcpized-{SERVER}"), RUNTIME)

    @staticmethod
    def _start(daemon, side):
        os.makedirs(daemon.runtime, exist_ok=True)
        daemon.policy("tested", side.policy())
        daemon.start()

    def _elsewhere(self, here):
        return contextlib.nullcontext() if here else sandbox.inside_mounts(self.mounts)

    def serve(self, argv, port, here=False, **more):
        with self._elsewhere(here):
            return super().serve(argv, port, here, **more)

    # clients

    def slow_down(self):
        for each in self.lab.paths:
            self.lab.set_rate(each.index, self.slow)

    def begin(self, argv, user=None, env=None, **popen):
        """A client that moves data slowly."""
        self.slow_down()
        popen.update(self._popen(True, user, env))
        process = self.lab.add(Process(argv, os.path.basename(argv[0]), **popen))
        process.carried = self.lab.carried()
        return process

    def finish(self, process):
        """The rest at full speed; the client has to do well."""
        self.lab.open_throttle()
        if process.wait() != 0:
            raise Failed(f"{process.name} {process.state()}: {process.log_text().strip()}")

    def client(self, argv, upgraded=True, user=None, env=None, **popen):
        """Watched. What it printed on stdout, in bytes."""
        if not upgraded:
            return super().client(argv, False, user, env, **popen)
        path = f"{WORK}/out-{time.monotonic_ns()}"
        with open(path, "wb") as out:
            process = self.begin(argv, user, env, stdout=out, **popen)
        self.watch(process)
        self.finish(process)
        with open(path, "rb") as out:
            return out.read()

    # what has to be seen

    def _connection(self, daemon, process, paths):
        """One with that many paths, as a daemon shows it; Failed, with what there is."""
        if not process.running():
            raise Failed(f"{process.name} {process.state()}: {process.log_text().strip()}")
        shown = list(daemon.shown().values())
        for row in shown:
            if [each["state"] for each in row["subflows"]].count("established") == paths:
                return row
        raise Failed(f"now {shown}")

    def shows(self, process, *states, paths=2):
        """Waits until the daemons, near and far, have these states and that many paths.

        What they show, those that there are.
        """
        rows = []
        for daemon, state in zip(filter(None, (self.near, self.far)), states):
            def there(daemon=daemon, state=state):
                row = self._connection(daemon, process, paths)
                if row["authentication"] != state:
                    raise Failed(f"now {row['authentication']}: {row['authentication_reason']}")
                return row
            row = wait_for(there, f"{daemon.name} has it {state}, with {paths} paths")
            check_equal(row["policy"], "tested", f"{state} at {daemon.name}, where the policy")
            rows.append(row)
        return rows

    def watch(self, process, near="confirmed", far="confirmed"):
        """The states, and data on two paths. What the daemons show."""
        rows = self.shows(process, near, far)
        goal = process.carried["lte0"] + SOME
        wait_for(lambda: self.lab.carried()["lte0"] >= goal, "data on the second path")
        check(process.running(), f"{process.name} has both paths")
        return rows

    @contextlib.contextmanager
    def feeder(self):
        """Standard input that never ends: (a file for the program, a function that fills it).

        For programs that end with it, or that mix it up with the handshake.
        """
        fifo = f"{WORK}/fifo"
        os.mkfifo(fifo)
        with open(fifo, "r+b", buffering=0) as stdin:
            yield stdin, lambda source: self.lab.add(Process(["cp", source, fifo], "cp"))


def nginx(hosts):
    """With and without TLS. Its certificate."""
    cert, key = certificate()
    listen6 = "listen [::]:443 ssl ipv6only=on;" if have_ipv6() else ""
    hosts.serve(nginx_argv(NGINX_SERVER.format(root=f"{WORK}/www", cert=cert, key=key,
                                               listen6=listen6)), PORT)
    return cert


def admitted(daemon):
    return daemon.query("status")["counters"]["auth_admitted"]


def readings(hosts):
    lab = hosts.lab
    return lab.counters(), lab.counters(SERVER)


def check_counters(hosts, before):
    """All connections are MPTCP, and each join that the server has taken was admitted.

    More may have been: of connections that end just then, and of questions whether a path is alive.
    """
    client, server = (difference(*pair) for pair in zip(readings(hosts), before))
    opened = client["MPCapableSYNTX"]
    check(opened > 0, f"{opened} MPTCP connections")
    check_equal(server["MPCapableSYNRX"], opened, "accepted")
    check_equal(fallbacks(client) + fallbacks(server), 0, "of them fallen back")
    spare = admitted(hosts.far) - server["MPJoinAckRx"]
    probes = hosts.near.query("status")["counters"]["probes"]
    check(0 <= spare < opened + probes,
          f"{server['MPJoinAckRx']} joins, all of them admitted, and {spare} more")
