"""Connections that somebody would like to join: the scene of the tests with an attacker.

                                         evil0
    client  wifi0 ======== r0  +--------+ ======  attacker
            lte0  ======== r1  | router | ======  real1, the server: SERVICE4, SERVICE6, port 80
                               +--------+  to1
                                 tap

Both ends have a daemon. The test's process itself is the program at both ends.
"""

import dataclasses
import json
import os
import select
import socket

import nets
import sandbox
from attacker import Attacker, Tap
from lab import SERVER, SERVICE4, SERVICE6, WORK, Failed, command, have_ipv6, ip_batch, wait_for
from programs import Daemon, start_bus

PORT = 80
CHUNK = 1 << 16
TABLE = ("inet", "mptcpize")


def mptcp(netns=None, family=socket.AF_INET):
    with sandbox.inside(netns):
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)


def psk(name="psk", owner=None):
    """A file with a key that both ends share. Its path."""
    path = f"{WORK}/{name}"
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(os.urandom(32))
    if owner is not None:
        os.chown(path, owner, owner)
    return path


def policy(mode, key, **paths):
    """For every program, whether it has the library or not."""
    return {"match": {"app": "*"}, "paths": {"mode": "aggregate", **paths},
            "auth": {"mode": mode, "psk": key}}


class Pair:
    """Both ends of a connection, with a byte from the server there: joins are possible."""

    def __init__(self, listener, target=SERVICE4, port=PORT):
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        self.client = mptcp(family=family)
        self.client.connect((target, port))
        self.server = listener.accept()[0]
        self.talk()

    def talk(self):
        """A byte there and back."""
        for sender, receiver in ((self.client, self.server), (self.server, self.client)):
            sender.sendall(b"!")
            if receiver.recv(1) != b"!":
                raise Failed("the connection has ended")

    @property
    def name(self):
        """The client's address and port."""
        return self.client.getsockname()[:2]

    def transfer(self, size, meanwhile=lambda: None):
        """Sends that many random bytes each way, both at once. Failed unless all arrive right."""
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
                at[end] += end.send(sent[end][at[end]:at[end] + CHUNK])
            for end in readable:
                if not (data := end.recv(CHUNK)):
                    raise Failed("the connection has ended")
                got[end] += data
            meanwhile()
        for end, other in ends.items():
            end.setblocking(True)
            if got[other] != sent[end]:
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
    listeners: list

    def open(self, target=SERVICE4):
        """A connection, and what the tap has of it."""
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        listener = next((each for each in self.listeners if each.family == family), None)
        if listener is None:
            listener = self.listen(family)
        pair = Pair(listener, target)
        return pair, self.tap.victim(pair.name)

    def listen(self, family=socket.AF_INET, port=PORT):
        listener = mptcp(self.real.netns, family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((SERVICE6 if family == socket.AF_INET6 else SERVICE4, port))
        listener.listen(64)
        self.listeners.append(listener)
        return listener

    def joins(self):
        """Those that the server's kernel has completed: MP_JOIN's third ACK with a right HMAC."""
        return self.lab.counters(self.real.netns)["MPJoinAckRx"]

    def rules(self):
        """The gate's table, as nft tells it; [] if there is none."""
        with sandbox.inside(self.real.netns):
            try:
                text = command("nft", "--json", "list", "table", *TABLE)
            except Failed:
                return []
        return json.loads(text)["nftables"]

    def dropped(self):
        """SYNs that the gate has dropped."""
        return sum(packets for packets in map(_dropped, self.rules()))


def _dropped(each):
    """Packets of the counter of a rule that drops, or of a counter of its own."""
    if "counter" in each:
        return each["counter"]["packets"] if "drop" in each["counter"]["name"] else 0
    parts = each.get("rule", {}).get("expr", [])
    if not any("drop" in part for part in parts):
        return 0
    return sum(part["counter"]["packets"] for part in parts
               if isinstance(part.get("counter"), dict))


def make_daemon(lab, netns, conf=None, **policies):
    """Not yet started: mptcpized in a namespace, with these policies."""
    bus = f"bus-{netns}" if netns else "bus"
    start_bus(lab, bus)
    name = f"mptcpized-{netns}" if netns else "mptcpized"
    daemon = Daemon(lab, conf, name, netns, bus if netns else None)
    for key, value in policies.items():
        daemon.policy(key, value)
    return daemon


def stage(lab, client=None, server=None, conf=None):
    """The scene. client, server: the policy of each end, None: no authentication."""
    real = nets.route(lab, 1)[0]
    with sandbox.inside(SERVER):
        ip_batch([f"route add {SERVICE4}/32 via {real.address4}"]
                 + ([f"route add {SERVICE6}/128 via {real.address6}"] if have_ipv6() else []))
    daemons = [make_daemon(lab, netns, conf, **({"all": each} if each else {}))
               for netns, each in ((None, client), (real.netns, server))]
    for daemon in daemons:
        daemon.start()
    scene = Scene(lab, real, *daemons, Attacker(lab), Tap(), [])
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
