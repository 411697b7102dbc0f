#!/usr/bin/python3
"""Real programs that speak TLS, and what the daemon is told of their connections.

    test-keys.py PRELOAD SHIM MAKE_POLICY RUNTIME

See keylab.py. Both ends of each connection run with the library, over loopback, in namespaces of
their own, where this program receives what the daemon would. With MPTCPIZE_FULL=1 each server has
all clients. Exits 77 with a reason where it can't run.
"""

import contextlib
import ctypes.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

import keylab
import loopback
import tlsends as ends
from keylab import AUTH_OFF, AUTH_PREFER, AUTH_REQUIRE, DEADLOCK_SEC, EVERYWHERE, Process, preloaded

FULL = os.environ.get("MPTCPIZE_FULL") == "1"
KEY_SEC = 20


class KeysCase(unittest.TestCase):
    """Each test has a port of its own, and keys are asked for."""
    port = 8442

    def setUp(self):
        KeysCase.port += 1
        keylab.set_policy(AUTH_REQUIRE)
        self.assertEqual(RECEIVER.drain(), [])

    def serve(self, command):
        if not shutil.which(command[0]):
            self.skipTest(f"no {command[0]}")
        return Process(preloaded(*command)).listens(self.port)

    def run_client(self, command, request=b"", wanted=ends.BODY):
        """Clients that pass a stream on are done when the answer is there."""
        if not shutil.which(command[0]):
            self.skipTest(f"no {command[0]}")
        with Process(preloaded(*command), stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE) as client:
            client.popen.stdin.write(request)
            client.popen.stdin.flush()
            got = b""
            while wanted not in got:
                more = client.popen.stdout.read1(4096)
                if not more:
                    self.fail(f"{command} has got {got!r}: {client.said()}")
                got += more
            client.popen.stdin.close()
            client.popen.stdout.close()

    def check_pair(self, said=lambda: ""):
        """Both ends of a connection to our server have sent the same key."""
        keys = [RECEIVER.take(KEY_SEC) for _ in range(2)]
        self.assertNotIn(None, keys, said())
        servers = [key for key in keys if key.local == self.port]
        self.assertEqual(len(servers), 1, keys)
        self.assertEqual(keys[0].key, keys[1].key)
        self.assertNotEqual(keys[0].key, bytes(32))
        self.assertEqual(RECEIVER.drain(), [])


class TestKeys(KeysCase):
    """Programs of all kinds."""

    def check_clients(self, server, *clients):
        """Each of them, one after the other."""
        with self.serve(server(self.port)):
            for command, request in clients:
                with self.subTest(client=command[:2]):
                    self.run_client(command, request)
                    self.check_pair()

    def web_clients(self):
        """The first two are of different libraries."""
        port = self.port
        tls_1_2 = "NORMAL:-VERS-ALL:+VERS-TLS1.2"
        return [(ends.curl(port), b""), (ends.wget(port), b""),
                (ends.curl(port, "--tls-max", "1.2"), b""), (ends.python_client(port), b""),
                (ends.asyncio_client(port), b""), (ends.openssl_client(port), ends.REQUEST),
                (ends.openssl_client(port, "-tls1_2"), ends.REQUEST),
                (ends.gnutls_client(port), ends.REQUEST),
                (ends.gnutls_client(port, "--priority", tls_1_2), ends.REQUEST)]

    def some_clients(self):
        return self.web_clients() if FULL else self.web_clients()[:2]

    def test_python_all_clients_send_the_same_key(self):
        self.check_clients(ends.python_server, *self.web_clients())

    def test_asyncio_all_clients_send_the_same_key(self):
        self.check_clients(ends.asyncio_server, *self.web_clients())

    def test_nginx_clients_send_the_same_key(self):
        self.check_clients(ends.nginx_server, *self.some_clients())

    def test_gnutls_serv_clients_send_the_same_key(self):
        clients = self.web_clients()
        with self.serve(ends.gnutls_server(self.port)):
            for command, request in [*clients[:1], *clients[5:]]:
                with self.subTest(client=command[:2]):
                    self.run_client(command, request, b"HTTP")
                    self.check_pair()

    def test_apache_clients_send_the_same_key(self):
        self.check_clients(ends.apache_server, *self.some_clients())

    def test_haproxy_clients_send_the_same_key(self):
        self.check_clients(ends.haproxy_server, *self.some_clients())

    def test_openssl_client_sends_the_same_key(self):
        with self.serve(ends.openssl_server(self.port)):
            for client in (ends.openssl_client(self.port), ends.gnutls_client(self.port)):
                self.run_client(client, b"desrever\n", b"reversed")
                self.check_pair()

    def test_stunnel_clients_send_the_same_key(self):
        with Process([ends.PYTHON, "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                      f"{DIRECTORY}/www", str(self.port + 1000)]).listens(self.port + 1000):
            self.check_clients(ends.stunnel_server, *self.some_clients())

    def test_redis_client_sends_the_same_key(self):
        with self.serve(ends.redis_server(self.port)):
            self.run_client(["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), "--tls",
                             "--cacert", ends.cert(), "ping"], wanted=b"PONG")
            self.check_pair()


class TestSituations(KeysCase):
    """One at a time, with Python at both ends."""

    def program(self, code, *more):
        return [ends.PYTHON, "-c", code, str(self.port), *more]

    def check_no_key(self, server, client, request=b"", wanted=ends.BODY):
        with self.serve(server):
            self.run_client(client, request, wanted)
        self.assertEqual(RECEIVER.drain(), [])

    def test_starttls_sends_the_same_key(self):
        with self.serve(self.program(ends.STARTTLS_SERVER, ends.pem())):
            self.run_client(self.program(ends.STARTTLS_CLIENT, ends.cert()), wanted=b"OK")
            self.check_pair()

    def test_fork_before_handshake_sends_the_same_key(self):
        with self.serve(self.program(ends.FORKING_SERVER, ends.pem(), "late")):
            for _ in range(3):
                self.run_client(self.program(ends.REPEATING_CLIENT, ends.cert(), "1"), wanted=b"OK")
                self.check_pair()

    def test_fork_after_handshake_sends_the_same_key_once(self):
        with self.serve(self.program(ends.FORKING_SERVER, ends.pem(), "early")):
            for _ in range(3):
                self.run_client(self.program(ends.REPEATING_CLIENT, ends.cert(), "1"), wanted=b"OK")
                self.check_pair()

    def test_sessions_one_after_the_other_each_send_their_key(self):
        n = 20
        with self.serve(self.program(ends.FORKING_SERVER, ends.pem(), "late")):
            self.run_client(self.program(ends.REPEATING_CLIENT, ends.cert(), str(n)),
                            wanted=b"OK")
            keys = [RECEIVER.take(KEY_SEC) for _ in range(2 * n)]
        self.assertNotIn(None, keys)
        near = {key.key: key.local for key in keys if key.local != self.port}
        far = {key.key: key.peer for key in keys if key.local == self.port}
        self.assertEqual(len(near), n)
        self.assertEqual(near.keys(), far.keys())
        self.assertEqual(RECEIVER.drain(), [])

    def test_sessions_at_once_each_have_their_socket(self):
        """As many handshakes at the same time, in memory: only the random number tells them."""
        n = 100
        with self.serve(self.program(ends.CROWDED_SERVER, ends.pem())), \
                Process(preloaded(*self.program(ends.CROWDED_CLIENT, ends.cert(), str(n))),
                        stdin=subprocess.PIPE) as client:
            keys = [RECEIVER.take(KEY_SEC) for _ in range(2 * n)]
            self.assertNotIn(None, keys, client.said())
            near = {key.local: key.key for key in keys if key.local != self.port}
            far = {key.peer: key.key for key in keys if key.local == self.port}
            client.popen.stdin.close()
        self.assertEqual(len(set(near.values())), n)
        self.assertEqual(near, far)
        self.assertEqual(RECEIVER.drain(), [])

    def test_records_before_the_handshake_is_complete_send_none_too_early(self):
        """GnuTLS then has a key for whoever asks, which anybody can know."""
        if not ctypes.util.find_library("gnutls"):
            self.skipTest("no GnuTLS")
        for version in ("1.2", "1.3"):
            with self.subTest(version=version), self.serve(self.program(
                    ends.EAGER_SERVER, ends.pem(), f"NORMAL:-VERS-ALL:+VERS-TLS{version}")) as it:
                self.run_client(self.program(ends.REPEATING_CLIENT, ends.cert(), "1"), wanted=b"OK")
                self.check_pair(it.said)
            self.port = KeysCase.port = KeysCase.port + 1

    def test_daemon_is_busy_key_is_sent_later(self):
        """The client's; the server may have a reason to try again at any time."""
        with self.serve(self.program(ends.CROWDED_SERVER, ends.pem())):
            RECEIVER.fill()
            with Process(preloaded(*self.program(ends.PAUSING_CLIENT, ends.cert())),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client, \
                    client.popen.stdin as tell, client.popen.stdout as said:
                self.assertEqual(said.readline(), b"ready\n", client.said())
                self.assertNotIn(self.port, [key.peer for key in RECEIVER.drain()])
                tell.write(b"\n")
                tell.flush()
                self.assertEqual(said.readline(), b"OK\n", client.said())
                self.assertIn(self.port, [key.peer for key in RECEIVER.drain()])
        RECEIVER.drain()

    def test_tls_1_2_without_extended_master_secret_sends_none(self):
        client = ends.gnutls_client(self.port, "--priority",
                               "NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_SESSION_HASH")
        if not shutil.which(client[0]):
            self.skipTest(f"no {client[0]}")
        self.check_no_key(ends.python_server(self.port), client, ends.REQUEST)

    def test_auth_off_sends_none(self):
        keylab.set_policy(AUTH_OFF)
        self.check_no_key(ends.python_server(self.port), ends.curl(self.port))

    def test_auth_prefer_sends_the_same_key(self):
        keylab.set_policy(AUTH_PREFER)
        with self.serve(ends.python_server(self.port)):
            self.run_client(ends.curl(self.port))
            self.check_pair()

    def test_hints_off_sends_none(self):
        keylab.set_policy(AUTH_REQUIRE, EVERYWHERE & ~0x10)
        self.check_no_key(ends.python_server(self.port), ends.curl(self.port))

    def test_loopback_is_tcp_sends_none(self):
        keylab.set_policy(AUTH_REQUIRE, EVERYWHERE & ~0x04)
        self.check_no_key(ends.python_server(self.port), ends.curl(self.port))

    def test_peer_without_mptcp_sends_none(self):
        with Process(ends.python_server(self.port)).listens(self.port):
            self.run_client(ends.curl(self.port))
        self.assertEqual(RECEIVER.drain(), [])

    def test_client_without_mptcp_sends_none(self):
        if not shutil.which("curl"):
            self.skipTest("no curl")
        with self.serve(ends.python_server(self.port)):
            subprocess.run(ends.curl(self.port), check=True, capture_output=True)
        self.assertEqual(RECEIVER.drain(), [])

    def test_set_key_tells_why_not(self):
        plain = socket.create_server(("127.0.0.1", 0))
        with plain, Process(preloaded(*self.program(ends.SET_KEY, str(plain.getsockname()[1]))),
                            stdout=subprocess.PIPE) as process, process.popen.stdout as said:
            answers = said.read().split()
            self.assertEqual(answers, b"0 0 EINVAL EINVAL EINVAL EBADF ENOTSOCK ENOTCONN "
                             b"ENOTSUP ENOTSUP".split(), process.said())
        keys = RECEIVER.drain()
        self.assertEqual([key.key for key in keys], [bytes(range(32))] * 2)
        self.assertEqual(keys[0].local, keys[1].peer)

    def test_set_key_auth_off_is_refused(self):
        keylab.set_policy(AUTH_OFF)
        plain = socket.create_server(("127.0.0.1", 0))
        with plain, Process(preloaded(*self.program(ends.SET_KEY, str(plain.getsockname()[1]))),
                            stdout=subprocess.PIPE) as process, process.popen.stdout as said:
            answers = said.read().split()
        self.assertEqual(answers[:2], [b"EACCES"] * 2)
        self.assertEqual(RECEIVER.drain(), [])


def check_requirements():
    for program in ("openssl", "curl", ends.PYTHON):
        if not shutil.which(program):
            loopback.skip(f"no {program}")
        probe = subprocess.run(preloaded(program, "version"), capture_output=True, check=False)
        if probe.returncode == 77:
            loopback.skip(probe.stderr.decode().removeprefix("SKIP: ").strip())
    if "MPCapableSYNRX" not in loopback.counters():
        loopback.skip("this kernel has no MPTCP")


if __name__ == "__main__":
    keylab.enter_namespaces()
    with tempfile.TemporaryDirectory() as DIRECTORY:
        check_requirements()
        ends.FILES.make(DIRECTORY)
        RECEIVER = keylab.Receiver()
        unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
