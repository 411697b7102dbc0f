"""Networks behind the paths of a lab: its server becomes a router, and others are the servers.

                                +---------+   to1  up0
    client  wifi0 ======== r0   | server, |  ===========  real1  10.200.1.1   2001:db8:c801::1
            lte0  ======== r1   | routes  |   to2  up0
                                +---------+  ===========  real2  10.200.2.1   2001:db8:c802::1

Each real server has a default route back, and SERVICE4 and SERVICE6 on lo if it is told so.
"""

import dataclasses
import subprocess

import sandbox
from lab import (SERVER, SERVICE4, SERVICE6, Failed, Lab, command, have_ipv6, ip_batch, read,
                 write)

ALL_JOINS = "mptcp limits set subflows 8 add_addr_accepted 8"


@dataclasses.dataclass(frozen=True)
class Real:
    """A namespace behind the router, at its link number `number`."""
    number: int

    @property
    def netns(self):
        return f"real{self.number}"

    @property
    def device(self):
        return f"to{self.number}"

    @property
    def address4(self):
        return f"10.200.{self.number}.1"

    @property
    def address6(self):
        return f"2001:db8:{0xc800 + self.number:x}::1"

    def build(self, service):
        near = [f"addr add 10.200.{self.number}.254/24 dev {self.device}",
                f"addr add 2001:db8:{0xc800 + self.number:x}::fe/64 dev {self.device} nodad"]
        far = [f"addr add {self.address4}/24 dev up0", f"addr add {self.address6}/64 dev up0 nodad",
               f"route add default via 10.200.{self.number}.254",
               f"route add default via 2001:db8:{0xc800 + self.number:x}::fe", ALL_JOINS]
        if service:
            far += [f"addr add {SERVICE4}/32 dev lo", f"addr add {SERVICE6}/128 dev lo nodad"]
        ip_batch([f"netns add {self.netns}"])
        with sandbox.inside(self.netns):
            Lab.set_sysctls()
            ip_batch(["link set lo up"])
        with sandbox.inside(SERVER):
            ip_batch([f"link add {self.device} type veth peer name up0 netns {self.netns}",
                      f"link set {self.device} up", *near])
        with sandbox.inside(self.netns):
            ip_batch(["link set up0 up", *far])

    def end(self):
        with sandbox.inside(SERVER):
            subprocess.run(["ip", "link", "del", self.device], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", self.netns], capture_output=True, check=False)


def shape(netns, device, mbit):
    with sandbox.inside(netns):
        command("tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", f"{mbit}mbit",
                "burst", "16k", "latency", "40ms")


BYTES, PACKETS = 8, 9  # columns of /proc/net/dev


def sent(netns, device, what=BYTES):
    """What it has sent."""
    with sandbox.inside(netns):
        for line in read("/proc/thread-self/net/dev").splitlines()[2:]:
            name, numbers = line.split(":", 1)
            if name.strip() == device:
                return int(numbers.split()[what])
    raise Failed(f"no device {device}")


def route(lab, count, service=True):
    """The server becomes a router, with that many real servers behind it; they are returned.

    service: the reals have the address of the service; otherwise the router keeps it.
    """
    with sandbox.inside(SERVER):
        write("/proc/sys/net/ipv4/ip_forward", "1")
        if have_ipv6():
            write("/proc/sys/net/ipv6/conf/all/forwarding", "1")
        if service:
            ip_batch([f"addr del {SERVICE4}/32 dev lo", f"addr del {SERVICE6}/128 dev lo"])
    reals = [Real(number) for number in range(1, count + 1)]
    for real in reals:
        lab.networks.append(real)
        real.build(service)
    return reals


def nft(netns, rules):
    """Adds rules, as text, to a namespace."""
    with sandbox.inside(netns):
        command("nft", "-f", "-", stdin=rules)


def translate(real):
    """The real server is known by the router's SERVICE4 only, and doesn't know of it."""
    nft(SERVER, f"""
table ip translation {{
  chain in {{ type nat hook prerouting priority -100;
              ip daddr {SERVICE4} dnat to {real.address4}; }}
  chain out {{ type nat hook postrouting priority 100;
               ip saddr 10.200.0.0/16 oifname != "to*" snat to {SERVICE4}; }}
}}
""")


def balance(reals, ports):
    """SERVICE4 is at the one real server for client ports below `ports`, else at the other.

    By routes alone: both have the address, and answer directly, as behind balancers that hash.
    """
    ranges = (f"1-{ports - 1}", f"{ports}-65534")  # 65535 is no end of a range
    with sandbox.inside(SERVER):
        for real, ports_of in zip(reals, ranges):
            ip_batch([f"route add {SERVICE4}/32 via {real.address4} table {real.number}",
                      f"rule add to {SERVICE4}/32 ipproto tcp sport {ports_of} "
                      f"lookup {real.number} pref {real.number}"])


def refuse_private(lab):
    """What clients send to a private address is dropped: nobody out there knows the way."""
    devices = ", ".join(path.far for path in lab.paths)
    nft(SERVER, f"""
table ip private {{
  chain forward {{ type filter hook prerouting priority -150;
                  iifname {{ {devices} }} ip daddr 10.200.0.0/16 drop; }}
}}
""")


def drop_foreign_sources(lab):
    """Each path's provider takes the addresses that it gave out itself, and no others."""
    with sandbox.inside(SERVER):
        for path in lab.paths:
            write(f"/proc/sys/net/ipv4/conf/{path.far}/rp_filter", "1")


class Bundle:
    """One real server with two equal links to the router, each of that rate, chosen by flow."""

    LINKS = ((1, "up0"), (2, "up1"))

    def __init__(self, lab, mbit):
        self.real = route(lab, 1)[0]
        with sandbox.inside(SERVER):
            write("/proc/sys/net/ipv4/fib_multipath_hash_policy", "1")
            ip_batch([f"link add to2 type veth peer name up1 netns {self.real.netns}",
                      "link set to2 up", "addr add 10.200.2.254/24 dev to2"])
        with sandbox.inside(self.real.netns):
            write("/proc/sys/net/ipv4/fib_multipath_hash_policy", "1")
            ip_batch(["link set up1 up", "addr add 10.200.2.1/24 dev up1",
                      "route replace default nexthop via 10.200.1.254 nexthop via 10.200.2.254"])
        with sandbox.inside(SERVER):
            ip_batch([f"route add {SERVICE4}/32 nexthop via 10.200.1.1 nexthop via 10.200.2.1"])
        for number, far in self.LINKS:
            shape(SERVER, f"to{number}", mbit)
            shape(self.real.netns, far, mbit)

    def down(self):
        """Bytes on each link from the server."""
        return [sent(self.real.netns, far) for _number, far in self.LINKS]

    def up(self):
        """Bytes on each link to the server."""
        return [sent(SERVER, f"to{number}") for number, _far in self.LINKS]
