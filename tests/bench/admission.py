#!/usr/bin/python3
"""How much later a join comes for being asked for: join authentication against none.

For every connection, with the time stamps of packet sockets at both ends:

    asked      from the client's JOIN_REQ to the SYN with MP_JOIN: what the question costs
    at server  from that JOIN_REQ's arrival to JOIN_OK: most of it is the gate's (nftables)
    hello      from the first HELLO to HELLO_ACK, once a connection
    all        from ESTABLISHED to the SYN of the join, and the same without authentication

Rounds of 20 connections alternate between the modes, so that both have the same weather; on paths
without a delay of their own, and with one. The gate's part is measured apart, too: one transaction
that lets a source in, by the same library. Reports and asserts nothing.
"""

import contextlib
import ctypes
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import joinlatency  # noqa: E402
import lab  # noqa: E402
import messages  # noqa: E402
import programs  # noqa: E402
import sandbox  # noqa: E402
from guarded import make_daemon, policy, psk  # noqa: E402
from report import Report, arguments, bench_main, percentile, table  # noqa: E402
from segments import MP_CAPABLE, MP_DSS, MP_JOIN, SYN, Capture, Datagram, token_of  # noqa: E402

ROUND = 20
MARGIN = 2000  # microseconds more than a round trip
MODES = ("require", "off")
WEATHERS = {"no delay": (), "5 ms each way": (5, 5)}
SPANS = {"asked": ("join_req", "joined"), "at server": ("arrived", "join_ok"),
         "hello": ("hello", "hello_ack"), "all": ("established", "joined"),
         "round trip": ("opened", "synack")}
NFT = "libnftables.so.1"
OFFSETS = range(20, 49)  # where MP_JOIN can begin in a TCP header


def table_like_ours():
    """As many chains, rules and sets as the gate has, and of the same kind."""
    rules = "\n".join(f"@th,{8 * at},20 0x1e0c1 @th,{8 * at + 32},32 . ip saddr != @admitted4 "
                      "counter drop" for at in OFFSETS)
    chains = "\n".join(f"chain scan_{number} {{ {rules}\n}}" for number in range(4))
    return f"""
table inet admission {{
  set admitted4 {{ typeof @nh,96,32 . ip saddr; flags timeout; }}
  set admitted6 {{ typeof @nh,96,32 . ip6 saddr; flags timeout; }}
  set guarded {{ typeof @nh,96,32; }}
  {chains}
}}
"""


class Connections:
    """Server's token -> name of a moment -> ns. It takes packets of both ends."""

    def __init__(self):
        self.moments = {}
        self.opened, self.tokens = {}, {}  # by the client's port
        self.kids = {}  # name of a key -> token

    def _note(self, token, name, packet):
        self.moments.setdefault(token, {}).setdefault(name, packet.time)

    def _segment(self, packet):
        options = packet.options
        if packet.opens() and MP_CAPABLE in options:
            self.opened[packet.sport] = packet
        elif packet.opens() and MP_JOIN in options:
            self._note(options[MP_JOIN][4:8], "joined", packet)
        elif packet.sport == joinlatency.PORT and packet.flags & SYN and MP_CAPABLE in options:
            token = self.tokens[packet.dport] = token_of(options[MP_CAPABLE][4:12])
            self._note(token, "synack", packet)
            if packet.dport in self.opened:
                self._note(token, "opened", self.opened[packet.dport])
        elif packet.sport == joinlatency.PORT and MP_DSS in options and \
                packet.dport in self.tokens:
            self._note(self.tokens[packet.dport], "established", packet)

    def _message(self, packet, arrived):
        data, body = packet.data, packet.data[messages.HEADER.size:]
        kind, kid = data[5], data[8:16]
        if kind == messages.HELLO_ACK:
            self.kids[kid] = body[8:12]
        names = {messages.JOIN_REQ: "arrived" if arrived else "join_req",
                 messages.JOIN_OK: "join_ok", messages.HELLO: "hello",
                 messages.HELLO_ACK: "hello_ack"}
        if kind in names:
            self._note(kid, names[kind], packet)

    def client(self, packets):
        """What was seen at the client."""
        for packet in packets:
            if not isinstance(packet, Datagram):
                self._segment(packet)
            elif packet.data[:4] == messages.MAGIC and packet.data[5] != messages.JOIN_OK:
                self._message(packet, False)

    def server(self, packets):
        """What was seen at the server: requests as they arrive, and answers as they leave."""
        for packet in packets:
            if isinstance(packet, Datagram) and packet.data[:4] == messages.MAGIC and \
                    packet.data[5] in (messages.JOIN_REQ, messages.JOIN_OK):
                self._message(packet, True)

    def rows(self):
        """Name of a span -> microseconds, for each connection that has joined."""
        for kid, token in self.kids.items():
            self.moments.setdefault(token, {}).update(self.moments.pop(kid, {}))
        return [{name: (at[end] - at[begin]) / 1000 for name, (begin, end) in SPANS.items()
                 if begin in at and end in at}
                for at in self.moments.values() if "joined" in at]


class Bench:
    """Two hosts, a daemon on each."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.captures = [Capture(), Capture(lab.SERVER)]
        key = psk()
        self.rules = {mode: policy(mode, key) for mode in MODES}
        self.rules["off"] = policy("off", None)
        self.daemons = [make_daemon(hosts, netns, None, None) for netns in (None, lab.SERVER)]
        joinlatency.start_server(hosts)

    @contextlib.contextmanager
    def managed(self, mode):
        for daemon in self.daemons:
            daemon.policy("guarded", self.rules[mode])
            daemon.start()
        yield
        for daemon in self.daemons:
            daemon.stop()

    def round(self, mode, count):
        """Rows of so many connections."""
        with self.managed(mode):
            joinlatency.connect_once()  # not counted: the first one after a start
            time.sleep(0.05)
            for capture in self.captures:
                capture.packets()
            for _ in range(count):
                joinlatency.connect_once()
                time.sleep(0.005)
        connections = Connections()
        connections.client(self.captures[0].packets())
        connections.server(self.captures[1].packets())
        return connections.rows()

    def run(self, total):
        """Mode -> rows. In turns; neither is always the first."""
        rows = {mode: [] for mode in MODES}
        for number, start in enumerate(range(0, total, ROUND)):
            for mode in MODES[::(-1) ** number]:
                rows[mode] += self.round(mode, min(ROUND, total - start))
        return rows


def gate_times(count):
    """Microseconds of a transaction each that adds an element, in the server's namespace."""
    try:
        nft = ctypes.CDLL(NFT)
    except OSError:
        return []
    nft.nft_ctx_new.restype = ctypes.c_void_p
    with sandbox.inside(lab.SERVER):
        context = ctypes.c_void_p(nft.nft_ctx_new(0))
        run = lambda text: nft.nft_run_cmd_from_buffer(context, text.encode())
        if run(table_like_ours()) != 0:
            return []
        times = []
        for i in range(count):
            began = time.perf_counter_ns()
            run(f"add element inet admission admitted4 {{ 0x{i:08x} . 192.0.2.1 timeout 5s }}")
            times.append((time.perf_counter_ns() - began) / 1000)
        run("delete table inet admission")
        nft.nft_ctx_free(context)
    return times


def summary(values):
    ordered = sorted(values)
    return {"min": ordered[0], "median": statistics.median(ordered),
            "p95": percentile(ordered, 0.95), "max": ordered[-1]}


def show(weather, rows, gate, report):
    """A table, and its part of the report."""
    lines = []
    for mode in MODES:
        for name in SPANS:
            values = span(rows, mode, name)
            if values:
                report.add({"weather": weather, "mode": mode, "span": name, "n": len(values),
                            **summary(values), "samples": values})
                lines.append((mode, name, str(len(values)), *(f"{each:.0f}" for each in
                                                              summary(values).values())))
    if gate:
        report.add({"weather": weather, "span": "nft", "n": len(gate), **summary(gate)})
        lines.append(("nft", "one element", str(len(gate)),
                      *(f"{each:.0f}" for each in summary(gate).values())))
    print(f"\n{weather}: microseconds")
    table(("", "span", "n", "min", "median", "p95", "max"), lines)


def span(rows, mode, name):
    """Microseconds of all connections that had it."""
    return [row[name] for row in rows[mode] if name in row]


def compare(weather, rows, report):
    trips = span(rows, "require", "round trip")
    report.compare(f"join that the server was asked for, {weather}: later by", "us",
                   span(rows, "require", "asked"), ("a round trip", trips),
                   bar={"difference": MARGIN}, key=True)
    report.compare(f"first join, required authentication, {weather}", "us",
                   span(rows, "require", "all"), ("none required", span(rows, "off", "all")))


def bench(options):
    """Inside the namespaces: everything. The exit status."""
    total = ROUND if options.quick else options.connections
    report = Report(options, "admission", {"connections": total, "round": ROUND})
    for weather, delays in WEATHERS.items():
        with lab.Lab(rates=(None, None), delays=delays) as hosts:
            rows = Bench(hosts).run(total)
            show(weather, rows, gate_times(total), report)
        if not span(rows, "require", "asked") or not span(rows, "off", "all"):
            print(f"no joins: {({mode: len(rows[mode]) for mode in MODES})}")
            return 1
        compare(weather, rows, report)
    report.finish()
    return 0


def main():
    parser = arguments(__doc__)
    parser.add_argument("--connections", type=int, default=200, help="of each mode")
    bench_main(parser, bench, ["nft"])


if __name__ == "__main__":
    main()
