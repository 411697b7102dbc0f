#!/usr/bin/python3
"""Congestion control by policy: every subflow has it, at both ends; what a program sets itself
counts more; and what can't be had is told.
"""

import os
import re

import harness
import sandbox
from doctor import finds
from harness import check, check_equal
from lab import SERVER, SERVICE4, command, read, wait_for
from programs import Build, Curl, Daemon, Nginx, Process, start_bus, wait_for_subflows
from protect import RUNTIME

EXE = os.path.realpath("/proc/self/exe")
SYSCTL = "/proc/sys/net/ipv4/tcp_{}congestion_control"
SIZE = 30_000_000  # longer than the tests need
BOTH = ["wifi0", "lte0"]

# Downloads, with a congestion control that it has chosen itself.
CHOOSY = """
import socket, sys
client = socket.socket()
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, sys.argv[2].encode())
client.connect((sys.argv[1], 80))
client.sendall(b"GET /data HTTP/1.0\\r\\n\\r\\n")
while client.recv(65536):
    pass
"""


def choices():
    """The congestion control of new sockets, and others that there are."""
    default = read(SYSCTL.format("")).strip()
    names = read(SYSCTL.format("available_")).split()
    return default, [name for name in names if name != default]


def needs_another(function):
    """Decorator: the test is skipped where there is only one."""
    function.obstacle = lambda: "" if _has_another() else "this kernel has one congestion control"
    return function


def _has_another():
    return len(read(SYSCTL.format("available_")).split()) > 1


def used(netns):
    """Those of the established subflows of port 80, in order of the other end's address."""
    with sandbox.inside(netns):
        lines = command("ss", "-Htni", "state", "established", "( sport = :80 or dport = :80 )")
    return re.findall(r"^\t.*?\b(reno|cubic|bbr|\w+) wscale:", lines, re.M)


def wait_for_use(near, far):
    """Until both subflows have those, seen from each end."""
    wait_for(lambda: (used(None), used(SERVER)) == ([near] * 2, [far] * 2),
             f"both subflows have {near} here and {far} there")
    check(True, f"subflows have {near} at the client and {far} at the server")


def stage(lab, **policies):
    start_bus(lab)
    os.makedirs(RUNTIME)
    daemon = Daemon(lab)
    daemon.runtime = RUNTIME
    for name, (match, congestion) in policies.items():
        daemon.policy(name, {"match": match, "socket": {"congestion": congestion}})
    daemon.start()
    Nginx(lab)
    Nginx.file("data", SIZE)
    return daemon


@needs_another
def test_congestion_of_policy_is_every_subflows(lab):
    """Of curl and of nginx, whose accepted sockets have the listener's; and of a later join."""
    _default, others = choices()
    near, far = others[0], others[-1]
    daemon = stage(lab, curl=({"app": "curl"}, near), nginx=({"app": "nginx"}, far))
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, BOTH)
    wait_for_use(near, far)
    lab.path_down(1)
    wait_for_subflows(daemon, ["wifi0"])
    lab.path_up(1)
    wait_for_subflows(daemon, BOTH)
    wait_for_use(near, far)
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


@needs_another
def test_congestion_of_the_program_counts_more(lab):
    """What it sets itself is on all its subflows, whatever the policy says."""
    default, others = choices()
    daemon = stage(lab, own=({"exe": EXE}, others[0]))
    lab.add(Process([EXE, "-c", CHOOSY, SERVICE4, default], "choosy",
                    env=Build.find().preload_environ()))
    wait_for_subflows(daemon, BOTH)
    wait_for_use(default, default)


def test_congestion_that_is_not_there_is_told(lab):
    """The connection is MPTCP, with what sockets have anyway; and the doctor says why."""
    default, _others = choices()
    daemon = stage(lab, curl=({"app": "curl"}, "nosuch"))
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, BOTH)
    wait_for_use(default, default)
    lab.open_throttle()
    curl.finish()
    file = f"{daemon.policy_dirs[1]}/curl.json"
    finds("policies", file, "warning", "modprobe tcp_nosuch")
    allowed = read(SYSCTL.format("allowed_")).split()
    for name in [each for each in choices()[1] if each not in allowed][:1]:
        daemon.policy("curl", {"match": {"app": "curl"}, "socket": {"congestion": name}})
        check_equal(daemon.ctl("reload").returncode, 0, "exit code of a reload")
        finds("policies", file, "note", "sysctl -w net.ipv4.tcp_allowed_congestion_control="
                                        f"'{' '.join([*allowed, name])}'")


harness.main([test_congestion_of_policy_is_every_subflows,
              test_congestion_of_the_program_counts_more,
              test_congestion_that_is_not_there_is_told])
