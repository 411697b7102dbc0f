"""Connections that somebody would like to join: the scene of the tests with an attacker.

                                         evil0
    client  wifi0 ======== r0  +--------+ ======  attacker
            lte0  ======== r1  | router | ======  real1, the server: SERVICE4, SERVICE6, port 80
                               +--------+  to1
                                 tap

Both ends have a daemon. The test's process itself is the program at both ends.
"""

import contextlib
import dataclasses
import json
import os
import select
import socket

import nets
import sandbox
from attacker import NET4, NET6, Attacker, Tap
from attacker import PORT as DAEMONS
from harness import check_equal
from lab import SERVER, SERVICE4, SERVICE6, WORK, Failed, command, have_ipv6, ip_batch, wait_for
from messages import Keys
from programs import Daemon, start_bus

PORT = 80
CHUNK = 1 << 16
TABLE = ("inet", "mptcpize")


def mptcp(netns=None, family=socket.AF_INET):
    with sandbox.inside(netns):
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)


def psk():
    """A file with a key that both ends share. Its path."""
    path = f"{WORK}/psk"
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(os.urandom(32))
    return path


def policy(mode, key, listen=None, **paths):
    """For every program, whether it has the library or not.

    key: a file; None: the key is the program's business. listen: listeners, at a server.
    """
    found = {"match": {"app": "*"}, "paths": {"mode": "aggregate", **paths},
             "auth": {"mode": mode, "psk": key} if key else {"mode": mode}}
    return {**found, "socket": {"listen": listen}} if listen else found


def message(kind):
    """For Scene.lose(): messages of that type. It's in the sixth byte after the head of UDP."""
    return f"@th,104,8 {kind}"


class Pair:
    """Both ends of a connection, with a byte from the server there: joins are possible."""

    def __init__(self, listener, target=SERVICE4, port=PORT, source=None):
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        self.client = mptcp(family=family)
        if source:
            self.client.bind(source)
        self.client.connect((target, port))
        self.server = listener.accept()[0]
        self.talk()

    @classmethod
    def of(cls, client, server):
        """These two."""
        pair = cls.__new__(cls)
        pair.client, pair.server = client, server
        return pair

    def talk(self):
        """A byte there and back."""
        for sender, receiver in ((self.client, self.server), (self.server, self.client)):
            sender.sendall(b"!")
            if receiver.recv(1) != b"!":
                raise Failed("the connection has ended")

    def names(self):
        """Address and port of the client, and of the server."""
        return self.client.getsockname()[:2], self.client.getpeername()[:2]

    def exchange(self, size, meanwhile=lambda count: None):
        """Sends that many random bytes each way, both at once, and polls: nothing blocks.

        meanwhile gets to know how many have arrived so far. Returns {receiver: (sent, got)}.
        """
        ends = {self.client: self.server, self.server: self.client}
        sent = {end: memoryview(os.urandom(size)) for end in ends}
        got = {end: bytearray() for end in ends}
        at = dict.fromkeys(ends, 0)
        for end in ends:
            end.setblocking(False)
        while any(len(each) < size for each in got.values()):
            writers = [end for end in ends if at[end] < size]
            readable, writable, _ = select.select(list(ends), writers, [], 0.05)
            for end in writable:
                with contextlib.suppress(BlockingIOError):  # there is less room than poll() said
                    at[end] += end.send(sent[end][at[end]:at[end] + CHUNK])
            for end in readable:
                if not (data := end.recv(CHUNK)):
                    raise Failed("the connection has ended")
                got[end] += data
            meanwhile(sum(map(len, got.values())))
        for end in ends:
            end.setblocking(True)
        return {other: (sent[end], got[other]) for end, other in ends.items()}

    def transfer(self, size, meanwhile=lambda: None):
        """The same. Failed unless all arrive right."""
        for sent, got in self.exchange(size, lambda _count: meanwhile()).values():
            if got != sent:
                raise Failed("what arrived is not what was sent")

    def close(self):
        self.client.close()
        self.server.close()


@dataclasses.dataclass
class Scene:
    """All of it, with daemons that run."""
    lab: object
    real: object
    daemon: object  # the client's
    far: object  # the server's
    attacker: object
    tap: object
    key: str | None  # the file
    listeners: list

    def open(self, target=SERVICE4):
        """A connection, and what the tap has of it."""
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        listener = next((each for each in self.listeners if each.family == family), None)
        if listener is None:
            listener = self.listen(family)
        pair = Pair(listener, target)
        return pair, self.tap.victim(*pair.names())

    def listen(self, family=socket.AF_INET, port=PORT):
        """At all addresses of the server."""
        listener = mptcp(self.real.netns, family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", port))
        listener.listen(64)
        self.listeners.append(listener)
        return listener

    def joins(self):
        """Those that the server's kernel has completed: MP_JOIN's third ACK with a right HMAC."""
        return self.lab.joined(self.real.netns)

    def rules(self, at_client=False):
        """The gate's table, as nft tells it; [] if there is none."""
        with sandbox.inside(None if at_client else self.real.netns):
            try:
                text = command("nft", "--json", "list", "table", *TABLE)
            except Failed:
                return []
        return json.loads(text)["nftables"]

    def client_is_guarded(self):
        """The client's gate drops joins of one connection at least."""
        sets = [row["set"] for row in self.rules(at_client=True) if "set" in row]
        return any(row["name"] == "guarded" and row.get("elem") for row in sets)

    def dropped(self):
        """SYNs that the gate has dropped."""
        return sum(map(_dropped, self.rules()))

    def repel(self, victim, count, **more):
        """That many joins of the attacker's, each of which has to die in the gate."""
        before = self.dropped()
        self.attacker.join(victim, count, **more)
        self.attacker.until(lambda: self.dropped() >= before + count, f"{count} SYNs die")
        self.repelled()

    def repelled(self):
        """Nothing of the attacker's is established, nor was answered at all."""
        check_equal(self.attacker.answered(), 0, "answers that the attacker got")
        check_equal(self.strangers(), [], "subflows of the attacker's that the kernel has")

    def strangers(self, at_client=False):
        """The attacker's ends of subflows that the server's kernel has, or the client's."""
        with sandbox.inside(None if at_client else self.real.netns):
            rows = command("ss", "-Htn", "state", "established", "state", "syn-recv", "dst",
                           f"{NET4}.0.0/16", "or", "dst", f"[{NET6}/64]").splitlines()
        return [row.split()[-1] for row in rows]

    def keys(self, victim):
        """What the ends of that connection make of the key."""
        return Keys.shared(self.key, victim)

    def lose(self, which, count=None):
        """The router loses daemons' messages that match, as nft says it; the first ones, or all.

        Not those of an earlier call any more. None: nothing is lost.
        """
        rules = "table inet losses\ndelete table inet losses\n"
        if which is not None:
            first = f"limit rate 1/day burst {count} packets" if count else ""
            rules += ("table inet losses { chain lost { type filter hook forward priority 0; "
                      f"udp dport {DAEMONS} {which} {first} counter drop; }}\n}}\n")
        nets.nft(SERVER, rules)

    @staticmethod
    def lost():
        """How many messages lose() has lost since."""
        with sandbox.inside(SERVER):
            rules = json.loads(command("nft", "--json", "list", "table", "inet", "losses"))
        return sum(map(_dropped, rules["nftables"]))

    def wait_for_state(self, client, server):
        """Until the only connection is in that state at each end."""
        for daemon, word in ((self.daemon, client), (self.far, server)):
            wait_for_state(daemon, word)

    def confirmed(self):
        """Until both ends have proved to each other that they hold the key."""
        self.wait_for_state("confirmed", "confirmed")


def _dropped(each):
    """Packets of the counter of a rule that drops, or of a counter of its own."""
    if "counter" in each:
        return each["counter"]["packets"] if "drop" in each["counter"]["name"] else 0
    parts = each.get("rule", {}).get("expr", [])
    if not any("drop" in part for part in parts):
        return 0
    return sum(part["counter"]["packets"] for part in parts
               if isinstance(part.get("counter"), dict))


def wait_for_state(daemon, word):
    """Until the only connection has that state of authentication."""
    def there():
        found = daemon.connection()
        if found["authentication"] != word:
            raise Failed(f"{found['authentication']}: {found['authentication_reason']}")
        return True

    wait_for(there, f"authentication is {word} at {daemon.name}")


def auth_counter(daemon, name):
    return daemon.query("status")["counters"][f"auth_{name}"]


def make_daemon(lab, netns, conf, rules):
    """Not yet started: mptcpized in a namespace, with this policy, or none."""
    bus = f"bus-{netns}" if netns else "bus"
    start_bus(lab, bus)
    name = f"mptcpized-{netns}" if netns else "mptcpized"
    daemon = Daemon(lab, conf, name, netns, bus if netns else None)
    if rules:
        daemon.policy("guarded", rules)
    return daemon


def stage_guarded(lab, client="require", server="require", **more):
    """The scene, with a key that both ends have. client, server: the mode of each."""
    key = psk()
    return stage(lab, policy(client, key), policy(server, key, [f"*:{PORT}"]), key=key, **more)


def stage(lab, client=None, server=None, conf=None, key=None, reals=1):
    """The scene. client, server: the policy of each end, None: no authentication.

    conf: the configuration of the server's daemon. key: the file of the key, for who writes
    messages. reals: servers, of which the first one is the one.
    """
    real = nets.route(lab, reals)[0]
    with sandbox.inside(SERVER):
        ip_batch([f"route add {SERVICE4}/32 via {real.address4}"]
                 + ([f"route add {SERVICE6}/128 via {real.address6}"] if have_ipv6() else []))
    daemons = [make_daemon(lab, None, None, client), make_daemon(lab, real.netns, conf, server)]
    for daemon in daemons:
        daemon.start()
    scene = Scene(lab, real, *daemons, Attacker(lab), Tap(), key, [])
    scene.listen()
    return scene


def remotes(daemon):
    """Addresses that the established subflows of the only connection go to or come from."""
    return sorted(row["remote"].rsplit(":", 1)[0].strip("[]") for row in daemon.subflows())


def wait_for_own_paths(scene):
    """Until the client has a subflow on each of its paths, and the server has the same."""
    wanted = sorted(path.client4 for path in scene.lab.paths)

    def there():
        if (found := remotes(scene.far)) != wanted:
            raise Failed(f"the server has those of {found}")
        return True

    wait_for(there, f"subflows of {wanted} at the server")
