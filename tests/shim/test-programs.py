#!/usr/bin/python3
"""Real programs on loopback, in a network namespace of their own: what the kernel counted.

    test-programs.py PRELOAD SHIM MAKE_POLICY

PRELOAD is the script of that name; MAKE_POLICY makes a policy database in which loopback is MPTCP,
too. Starts itself again inside the namespaces; exits 77 with a reason where it can't run.
"""

import http.server
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

import loopback

IPPROTO_MPTCP = 262
BODY = b"mptcpize\n" * 4096
DEADLOCK_SEC = 60

PRELOAD, SHIM, MAKE_POLICY = map(os.path.abspath, sys.argv[1:4])

# POLICY_APP_CONNECT, _LISTEN, _LOOPBACK, _SOURCE: see policy/format.h.
EVERYWHERE = 0x01 | 0x02 | 0x04 | 0x08


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every request with BODY; the server keeps the protocols of accepted sockets."""

    def do_GET(self):
        protocol = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
        self.server.protocols.append(protocol)
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


class Server(http.server.HTTPServer):
    """A server in this process, which has no preload library: protocol is what it listens with."""

    def __init__(self, protocol, family=socket.AF_INET):
        self.protocols = []
        self.address_family = family
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        super().__init__((host, 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(family, socket.SOCK_STREAM, protocol)
        self.server_bind()
        self.server_activate()
        self.thread = threading.Thread(target=self.serve_forever)
        bracketed = f"[{host}]" if family == socket.AF_INET6 else host
        self.url = f"http://{bracketed}:{self.server_port}/"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()


def preloaded(*command, policy=True):
    """With the policy for loopback, or without any."""
    database = os.path.join(DIRECTORY, "policy.db" if policy else "none")
    return ["env", f"MPTCPIZE_POLICY={database}", PRELOAD, SHIM, "--", *command]


def curl(url):
    return ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", url]


def python_get(url):
    code = (
        "import sys, urllib.request as r;"
        "o = r.build_opener(r.ProxyHandler({}));"
        "sys.stdout.buffer.write(o.open(sys.argv[1]).read())"
    )
    return ["/usr/bin/python3", "-c", code, url]


class PreloadedServer:
    """python3 -m http.server with the preload library, in an empty directory but for one file."""

    def __init__(self, directory):
        # Says where it listens once it does, so nobody has to wait for a time.
        command = ["/usr/bin/python3", "-u", "-m", "http.server", "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(
            preloaded(*command, "--directory", directory, "0"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        words = self.process.stdout.readline().split()
        self.url = f"http://127.0.0.1:{int(words[words.index(b'port') + 1])}/body"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class TestPrograms(unittest.TestCase):
    def setUp(self):
        self.before = loopback.counters()

    def counted(self, name):
        return loopback.counters()[name] - self.before[name]

    def get(self, command):
        result = subprocess.run(command, capture_output=True, timeout=DEADLOCK_SEC, check=False)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        self.assertEqual(result.stderr, b"")
        self.assertEqual(result.stdout, BODY)

    def check_mptcp_server(self, client, family=socket.AF_INET):
        with Server(IPPROTO_MPTCP, family) as server:
            self.get(preloaded(*client(server.url)))
            self.assertEqual(server.protocols, [IPPROTO_MPTCP])
        self.assertEqual(self.counted("MPCapableSYNTX"), 1)
        self.assertEqual(self.counted("MPCapableSYNRX"), 1)
        self.assertEqual(self.counted("MPCapableACKRX"), 1)
        self.assertEqual(self.counted("MPCapableFallbackSYNACK"), 0)

    def check_tcp_server(self, client):
        with Server(socket.IPPROTO_TCP) as server:
            self.get(preloaded(*client(server.url)))
            self.assertEqual(server.protocols, [socket.IPPROTO_TCP])
        self.assertEqual(self.counted("MPCapableSYNTX"), 1)
        self.assertEqual(self.counted("MPCapableFallbackSYNACK"), 1)

    def test_curl_mptcp_server_is_mptcp(self):
        self.check_mptcp_server(curl)

    def test_curl_without_policy_loopback_is_tcp(self):
        with Server(IPPROTO_MPTCP) as server:
            self.get(preloaded(*curl(server.url), policy=False))
            self.assertEqual(server.protocols, [socket.IPPROTO_TCP])
        self.assertEqual(self.counted("MPCapableSYNTX"), 0)

    def test_curl_mptcp_server_over_ipv6_is_mptcp(self):
        self.check_mptcp_server(curl, socket.AF_INET6)

    def test_curl_tcp_server_falls_back(self):
        self.check_tcp_server(curl)

    def test_python_mptcp_server_is_mptcp(self):
        self.check_mptcp_server(python_get)

    def test_python_tcp_server_falls_back(self):
        self.check_tcp_server(python_get)

    def test_curl_without_library_is_tcp(self):
        """The control: whatever the counters say above is the library's doing."""
        with Server(IPPROTO_MPTCP) as server:
            self.get(curl(server.url))
            self.assertEqual(server.protocols, [socket.IPPROTO_TCP])
        self.assertEqual(self.counted("MPCapableSYNTX"), 0)
        self.assertEqual(self.counted("MPCapableSYNRX"), 0)

    def test_server_mptcp_client_is_mptcp(self):
        with PreloadedServer(DIRECTORY) as server:
            self.get(preloaded(*curl(server.url)))
        self.assertEqual(self.counted("MPCapableSYNRX"), 1)
        self.assertEqual(self.counted("MPCapableACKRX"), 1)

    def test_server_tcp_client_is_served(self):
        with PreloadedServer(DIRECTORY) as server:
            self.get(curl(server.url))
        self.assertEqual(self.counted("MPCapableSYNRX"), 0)


def check_requirements():
    if not shutil.which("curl"):
        loopback.skip("no curl")
    if "MPCapableSYNRX" not in loopback.counters():
        loopback.skip("this kernel has no MPTCP")
    for program in ("curl", "/usr/bin/python3"):
        probe = subprocess.run(preloaded(program, "--version"), capture_output=True, check=False)
        if probe.returncode == 77:
            loopback.skip(probe.stderr.decode().removeprefix("SKIP: ").strip())


if __name__ == "__main__":
    loopback.enter("--user", "--map-root-user")
    with tempfile.TemporaryDirectory() as DIRECTORY:
        check_requirements()
        subprocess.run([MAKE_POLICY, os.path.join(DIRECTORY, "policy.db"), str(EVERYWHERE)],
                       check=True)
        with open(os.path.join(DIRECTORY, "body"), "wb") as body:
            body.write(BODY)
        unittest.main(argv=sys.argv[:1])
