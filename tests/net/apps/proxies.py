"""haproxy, socat and stunnel. Their ends on loopback are plain; backends are local sockets."""

import os

from apps.case import DATA, case, check_same, file, path
from apps.web import certificate
from lab import wait_for
from programs import nginx_argv

BACKEND = path("backend.sock")
BACKEND_SERVER = "  server {{ listen unix:{0}; root {1}; }}".format(BACKEND, path("www"))
HAPROXY_CONF = """global
  stats socket {work}/haproxy-{name}.sock
defaults
  mode {mode}
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen lab
  bind {bind}
  server there {server}
"""
STUNNEL_CONF = """foreground = yes
pid =
debug = err
syslog = no
[lab]
{options}
"""


def haproxy(name, mode, bind, server):
    """Arguments of a haproxy with one listener and one server behind it."""
    conf = HAPROXY_CONF.format(work=path(""), name=name, mode=mode, bind=bind, server=server)
    return ["haproxy", "-q", "-db", "-f", file(f"haproxy-{name}.conf", conf)]


@case("haproxy", "curl", "nginx", full=True, connections=3)
def test_haproxy_both_ways_uses_both_paths(run):
    """A haproxy on each side, with time limits for unacknowledged data; curl to the far one too."""
    run.serve(nginx_argv(BACKEND_SERVER), BACKEND, upgraded=False)
    run.serve(haproxy("far", "http", ":8080 tcp-ut 30s defer-accept", f"unix@{BACKEND}"), 8080)
    run.serve(haproxy("near", "tcp", "127.0.0.1:8081", f"{run.address}:8080 tcp-ut 30s"), 8081,
              here=True)
    run.fetch(f"http://{run.address}:8080/data")
    for _ in range(2):
        run.fetch("http://127.0.0.1:8081/data", upgraded=False)


@case("socat")
def test_socat_to_file_uses_both_paths(run):
    """socat sends a file into a listening socat, which writes it.

    It forks: without a listener on the port, which socat would close, Linux refuses joins.
    """
    got = path("socat")
    run.serve(["socat", "-u", "TCP-LISTEN:7000,fork,reuseaddr,keepalive,nodelay", f"CREATE:{got}"],
              7000)
    run.client(["socat", "-u", f"OPEN:{DATA}", f"TCP:{run.address}:7000"])
    size = os.stat(DATA).st_size
    wait_for(lambda: os.stat(got).st_size == size, "socat has written it all")
    check_same(got)


def stunnel(name, options):
    conf = STUNNEL_CONF.format(options="\n".join(options))
    return ["stunnel4", file(f"stunnel-{name}.conf", conf)]


@case("stunnel4", "curl", "nginx", "openssl", connections=2)
def test_stunnel_both_ends_uses_both_paths(run):
    """stunnel on both sides, each download a TLS connection with a verified certificate."""
    cert, key = certificate()
    run.serve(nginx_argv(BACKEND_SERVER), BACKEND, upgraded=False)
    run.serve(stunnel("far", ["accept = 0.0.0.0:8443", f"connect = {BACKEND}", f"cert = {cert}",
                              f"key = {key}"]), 8443)
    run.serve(stunnel("near", ["client = yes", "accept = 127.0.0.1:8082",
                               f"connect = {run.address}:8443", f"CAfile = {cert}",
                               "verifyChain = yes", f"checkIP = {run.address}"]), 8082, here=True)
    for _ in range(2):
        run.fetch("http://127.0.0.1:8082/data", upgraded=False)
