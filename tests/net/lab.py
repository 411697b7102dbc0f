"""Two hosts joined by several paths, in namespaces that vanish with the program.

The client is the network namespace that the program itself runs in (see sandbox.run); the server
is a second one. Path N is a pair of interfaces, shaped by TBF in both directions:

    client                                            server
    wifi0  192.0.2.1/24     2001:db8:1::1/64  ======  r0   .254  ::fe   \\
    lte0   198.51.100.1/24  2001:db8:2::1/64  ======  r1   .254  ::fe    203.0.113.1 on lo
    path2  10.2.0.1/24      2001:db8:3::1/64  ======  r2   .254  ::fe   /  2001:db8:ffff::1

The client has a default route by each path, metric 100, 200, ...; the server's kernel takes all
joins. Client interfaces are never called veth*, since the daemon leaves those alone by default.
A path that has a delay or losses is a pair of TUN devices with a program between them (tunlink.py):
the same names, addresses and routes, but it can also do what middleboxes do.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import re
import shutil
import subprocess
import time

import joincount
import sandbox
import tunlink

SERVER = "server"  # name of the server's network namespace
SERVICE4 = "203.0.113.1"
SERVICE6 = "2001:db8:ffff::1"
WORK = "/run/lab"
NAMES = ("wifi0", "lte0", "path2", "path3", "path4", "path5", "path6", "path7")
PROGRAMS = ("ip", "tc", "dbus-daemon", "nginx", "curl")
SYSCTL_MPTCP = "/proc/sys/net/mptcp"
SANITIZER_REPORT = re.compile(r"(ERROR|WARNING): \w+Sanitizer|: runtime error: ")
SLOW = 1000  # Mbit/s; above it, a bucket of 16 kB would be the limit and not the rate
UNLIMITED = 10000
# How many times slower than usual this machine is. Paths are so, too, or else transfers would have
# ended before anybody looks at them.
SLOWER = float(os.environ.get("MPTCPIZE_SLOWER", "1"))
PATIENCE = 20.0 * SLOWER  # seconds that wait_for() waits; long, because it's spent on failure only


class Missing(Exception):
    """This machine can't run the lab: what is wrong, and what to do about it."""

    def __init__(self, what, remedy):
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


class Failed(Exception):
    """Something that had to happen did not."""


def _kernel():
    return os.uname().release


def require_mptcp():
    if not os.path.exists(f"{SYSCTL_MPTCP}/enabled"):
        raise Missing(f"this kernel ({_kernel()}) has no MPTCP: {SYSCTL_MPTCP} does not exist",
                      "boot a kernel built with CONFIG_MPTCP, such as Debian's own "
                      "(apt-get install linux-image-amd64)")
    managers = read(f"{SYSCTL_MPTCP}/available_path_managers", "").split()
    old_style = os.path.exists(f"{SYSCTL_MPTCP}/pm_type")
    if "userspace" not in managers and not old_style:
        raise Missing(f"this kernel ({_kernel()}) has MPTCP, but not its user-space path manager",
                      "boot Linux 5.19 or later, such as Debian 12's 6.1")


def require(programs=PROGRAMS):
    """Raises Missing, with the first thing that this machine lacks."""
    if os.geteuid() != 0:
        raise Missing("network namespaces need root", "run it as root, for example with sudo")
    require_mptcp()
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"the program {program} is not installed", "run ./setup deps")


def run_sandboxed(body):
    """sandbox.run() with Missing instead of its exception."""
    try:
        return sandbox.run(body)
    except sandbox.Refused as error:
        raise Missing(f"the kernel refuses new namespaces ({error})",
                      "run it on the machine itself or in a virtual machine, "
                      "not in a container or chroot") from error


def read(path, default=None):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        if default is None:
            raise
        return default


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def command(*argv, stdin=None):
    """Runs a tool that has to work; returns its stdout."""
    done = subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)} {stdin or ''}: {done.stderr.strip()}")
    return done.stdout


def have_ipv6():
    return os.path.exists("/proc/sys/net/ipv6")


def ip_batch(lines):
    """One ip command per line. Without IPv6 in the kernel, lines about it are left out."""
    if not have_ipv6():
        lines = [line for line in lines if "2001:" not in line]
    command("ip", "-batch", "-", stdin="\n".join(lines) + "\n")


def _kernel_counters(group="MPTcpExt"):
    """Those of that group in the namespace that this thread is in."""
    lines = read("/proc/thread-self/net/netstat").splitlines()
    names, values = (line.split()[1:] for line in lines if line.startswith(f"{group}:"))
    return dict(zip(names, map(int, values)))


def wait_for(predicate, what, timeout=PATIENCE):
    """Polls until predicate() is true and returns that value; Failed after timeout seconds.

    What the predicate raised last is part of the message, so predicates need no error handling.
    """
    end = time.monotonic() + timeout
    while True:
        last = None
        try:
            if value := predicate():
                return value
        except (Failed, OSError, LookupError, ValueError) as error:
            last = error
        if time.monotonic() > end:
            raise Failed(f"not within {timeout:.0f} s: {what}" + (f" ({last})" if last else ""))
        time.sleep(0.01)


@dataclasses.dataclass(frozen=True)
class Path:
    """One way from the client to the server."""
    index: int
    name: str
    rate: float | None  # Mbit/s; None: not shaped
    delay: float | None = None  # ms one way; None: no TUN device, and no losses
    loss: float = 0  # percent, each way
    last: int = 1  # number of the client's addresses

    @property
    def far(self):
        return f"r{self.index}"

    @property
    def net4(self):
        return {0: "192.0.2", 1: "198.51.100"}.get(self.index, f"10.{self.index}.0")

    @property
    def net6(self):
        return f"2001:db8:{self.index + 1:x}::"

    @property
    def client4(self):
        return f"{self.net4}.{self.last}"

    @property
    def client6(self):
        return f"{self.net6}{self.last:x}"

    @property
    def metric(self):
        return 100 * (self.index + 1)

    def addresses(self):
        return [f"addr replace {self.client4}/24 dev {self.name}",
                f"addr replace {self.client6}/64 dev {self.name} nodad"]

    def routes(self):
        return [f"route replace default via {self.net4}.254 dev {self.name} metric {self.metric}",
                f"route replace default via {self.net6}fe dev {self.name} metric {self.metric}"]

    def far_addresses(self):
        return [f"addr replace {self.net4}.254/24 dev {self.far}",
                f"addr replace {self.net6}fe/64 dev {self.far} nodad"]


class Lab:
    """The topology and the processes that run in it. Needs to be inside run_sandboxed()."""

    def __init__(self, names=NAMES[:2], rates=(20, 20), delays=(), losses=()):
        more = itertools.zip_longest(delays, losses, fillvalue=0)
        self.paths = [Path(i, *each) for i, each in enumerate(zip(names, rates))]
        for i, (delay, loss) in enumerate(more):
            self.paths[i] = dataclasses.replace(self.paths[i], delay=delay, loss=loss)
        self.links = {}  # those of paths with a delay, by index
        self.networks = []  # what is behind the server (nets.py), to be ended
        self.processes = []
        self.opened = time.monotonic()

    def __enter__(self):
        os.makedirs(WORK, exist_ok=True)
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        for process in reversed(self.processes):
            process.end()
        for link in self.links.values():
            link.end()
        for network in self.networks:
            network.end()
        # Links first: those of a deleted namespace go later, and then their names are in the way.
        for argv in ([["ip", "link", "del", path.name] for path in self.paths]
                     + [["ip", "netns", "del", SERVER]]):
            subprocess.run(argv, capture_output=True, check=False)

    # building

    def _build(self):
        ip_batch([f"netns add {SERVER}"])
        for netns in (None, SERVER):
            with sandbox.inside(netns):
                self.set_sysctls()
                if joincount.NAME not in _kernel_counters():
                    joincount.start()
        for path in self.paths:
            self._build_path(path)
        with sandbox.inside(SERVER):
            self._build_server()
        ip_batch(["link set lo up"] + [f"link set {p.name} up" for p in self.paths]
                 + [line for p in self.paths for line in p.addresses() + p.routes()])
        for path in self.paths:
            if path.rate is not None:
                self.set_rate(path.index, path.rate)

    def _build_path(self, path):
        if path.delay is None:
            ip_batch([f"link add {path.name} type veth peer name {path.far} netns {SERVER}"])
            return
        self.links[path.index] = tunlink.Link(path.name, path.far, SERVER, path.index)
        for key, value in (("delay", path.delay), ("loss", path.loss)):
            self.links[path.index].do(key, value)

    @staticmethod
    def set_sysctls():
        """Answers may leave by another path than the question came; addresses work at once."""
        for key, value in (("ipv4/conf/all/rp_filter", 0), ("ipv4/conf/default/rp_filter", 0),
                           ("ipv6/conf/all/disable_ipv6", 0), ("ipv6/conf/default/disable_ipv6", 0),
                           ("ipv6/conf/all/accept_dad", 0), ("ipv6/conf/default/accept_dad", 0),
                           ("ipv6/conf/default/router_solicitations", 0)):
            if key.startswith("ipv4") or have_ipv6():
                write(f"/proc/sys/net/{key}", str(value))
        Lab._set_congestion_control()

    @staticmethod
    def _set_congestion_control():
        """Debian's default, or reno where that may not be chosen in a namespace.

        Not whatever the machine has: BBR, which some prefer, takes a path without any delay of
        its own for an empty one, and leaves up to a seventh of it idle under MPTCP.
        """
        for name in ("cubic", "reno"):
            with contextlib.suppress(OSError):
                write("/proc/sys/net/ipv4/tcp_congestion_control", name)
                return

    def _build_server(self):
        ip_batch(["link set lo up", f"addr add {SERVICE4}/32 dev lo",
                  f"addr add {SERVICE6}/128 dev lo nodad"]
                 + [f"link set {p.far} up" for p in self.paths]
                 + [line for p in self.paths for line in p.far_addresses()])
        ip_batch(["mptcp limits set subflows 8 add_addr_accepted 8"])

    # paths

    def set_rate(self, index, mbit):
        """Shapes both directions of a path; what waits in its queues stays there."""
        path = self.paths[index]
        if mbit < UNLIMITED:
            mbit /= SLOWER
        if index in self.links:
            self.links[index].do("rate", mbit)
            return
        for netns, device in ((None, path.name), (SERVER, path.far)):
            with sandbox.inside(netns):
                command("tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate",
                        f"{mbit}mbit", "burst", "16k" if mbit <= SLOW else "1m", "latency", "40ms")

    def open_throttle(self):
        """Lets a transfer that has served its purpose finish at once, without delay and losses."""
        for path in self.paths:
            self.set_rate(path.index, UNLIMITED)
        for link in self.links.values():
            link.do("delay", 0)
            link.do("loss", 0)

    def path_down(self, index):
        ip_batch([f"link set {self.paths[index].name} down"])

    def path_up(self, index):
        """Up, with the addresses and routes that the kernel dropped when it went down."""
        path = self.paths[index]
        ip_batch([f"link set {path.name} up"] + path.addresses() + path.routes())

    def carrier_off(self, index):
        """The far end goes down: the client's interface stays up, but without a carrier."""
        if index in self.links:
            self.links[index].do("carrier", "up")
            return
        with sandbox.inside(SERVER):
            ip_batch([f"link set {self.paths[index].far} down"])

    def carrier_on(self, index):
        path = self.paths[index]
        if index in self.links:
            self.links[index].do("carrier", "both")
        with sandbox.inside(SERVER):
            ip_batch([f"link set {path.far} up"] + path.far_addresses())
        ip_batch(path.routes())

    def addr_del(self, index):
        path = self.paths[index]
        ip_batch([f"addr del {path.client4}/24 dev {path.name}",
                  f"addr del {path.client6}/64 dev {path.name}"])

    def addr_add(self, index):
        path = self.paths[index]
        ip_batch(path.addresses() + path.routes())

    def new_address(self, index, last):
        """The client's addresses of that path become others: a new lease instead of the old."""
        old = self.paths[index]
        self.paths[index] = new = dataclasses.replace(old, last=last)
        ip_batch([f"addr del {old.client4}/24 dev {old.name}",
                  f"addr del {old.client6}/64 dev {old.name}"] + new.addresses() + new.routes())

    def blackhole(self, index, which):
        """Swallows what goes up, to the server, or down, or both, or none; nobody is told."""
        path = self.paths[index]
        if index in self.links:
            self.links[index].do("blackhole", which)
            return
        for netns, device, way in ((SERVER, path.far, "up"), (None, path.name, "down")):
            table = f"netdev swallow_{device}"
            rules = [f"add table {table}", f"delete table {table}"]
            if which in (way, "both"):
                rules += [f"add table {table}",
                          f"add chain {table} drop_all {{ type filter hook ingress device {device} "
                          "priority 0; policy drop; }"]
            with sandbox.inside(netns):
                command("nft", "-f", "-", stdin="\n".join(rules) + "\n")

    def strip(self, index, what, which="both"):
        """MPTCP's options go: none, all, joins only, or all but those of SYNs ("data").

        The path needs a delay, if only 0.
        """
        self.links[index].do("strip", what, which)

    def corrupt(self, index, which):
        """Changes all payload that goes that way, as the TCP checksum can't tell."""
        self.links[index].do("corrupt", which)

    # numbers

    @staticmethod
    def counters(netns=None, group="MPTcpExt"):
        """All counters of that group in a namespace (what nstat shows, without the prefix)."""
        with sandbox.inside(netns):
            found = _kernel_counters(group)
            if group == "MPTcpExt" and joincount.NAME not in found:
                found[joincount.NAME] = joincount.count()
        return found

    def joined(self, netns=SERVER):
        """Joins that the kernel there has taken, but for those that come as backup.

        Such ask whether a quiet path is alive, and on a machine that stalls there may be some.
        """
        counters = self.counters(netns)
        return counters["MPJoinAckRx"] - counters["MPJoinSynBackupRx"]

    def received(self, columns=(0,)):
        """Bytes that each client interface has received, by name."""
        table = {}
        for line in read("/proc/thread-self/net/dev").splitlines()[2:]:
            name, numbers = line.split(":", 1)
            fields = numbers.split()
            table[name.strip()] = sum(int(fields[column]) for column in columns)
        return {path.name: table[path.name] for path in self.paths}

    def carried(self):
        """Bytes that each client interface has received and sent, by name."""
        return self.received((0, 8))

    @staticmethod
    def listeners(netns=None):
        """TCP ports with a listening socket, MPTCP ones included."""
        with sandbox.inside(netns):
            rows = read("/proc/thread-self/net/tcp").splitlines()[1:]
            rows += read("/proc/thread-self/net/tcp6", "").splitlines()[1:]
        fields = [row.split() for row in rows]
        return {int(row[1].rsplit(":", 1)[1], 16) for row in fields if row[3] == "0A"}

    # the kernel's own path manager, to compare with

    def kernel_endpoints(self):
        """Every path but the first becomes a subflow endpoint of the client's kernel."""
        ip_batch(["mptcp limits set subflows 8 add_addr_accepted 8"]
                 + [f"mptcp endpoint add {p.client4} dev {p.name} subflow" for p in self.paths[1:]])

    @staticmethod
    def kernel_endpoints_flush():
        ip_batch(["mptcp endpoint flush"])

    # processes

    def add(self, process):
        self.processes.append(process)
        return process

    def end_well(self):
        """At the end of a test: the daemon has to stop without a fault, and so had all others."""
        for process in self.processes:
            if process.ends_with is not None and process.running():
                code = process.stop()
                if code != process.ends_with:
                    raise Failed(f"{process.name} ended with {code} at SIGTERM")
        for process in self.processes:
            if SANITIZER_REPORT.search(process.log_text()):
                raise Failed(f"{process.name}: a sanitizer has found something")

    def note(self, text):
        print(f"# {time.monotonic() - self.opened:6.2f} s  {text}", flush=True)

    def print_logs(self):
        """Everything that could explain a failure."""
        for process in self.processes:
            print(f"# --- {process.name}: {process.state()}")
            for line in process.log_text().splitlines()[-200:]:
                print(f"#     {line}")
        for netns in (None, SERVER):
            moved = {name: n for name, n in self.counters(netns).items() if n}
            print(f"# --- counters of the {netns or 'client'}: {json.dumps(moved)}")
