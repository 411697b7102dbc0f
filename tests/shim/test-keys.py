#!/usr/bin/python3
"""Real programs that speak TLS, and what the daemon is told of their connections.

    test-keys.py PRELOAD SHIM MAKE_POLICY RUNTIME

PRELOAD is the script of that name; MAKE_POLICY makes a policy database; RUNTIME is the directory
that the library was built for. Both ends of each connection run with the library, over loopback, in
network and mount namespaces of their own, where this program receives what the daemon would. With
MPTCPIZE_FULL=1 also what takes longer to start. Exits 77 with a reason where it can't run.
"""

import array
import contextlib
import dataclasses
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

INSIDE = "MPTCPIZE_TEST_INSIDE"
FULL = os.environ.get("MPTCPIZE_FULL") == "1"
DEADLOCK_SEC = 60
KEY_SEC = 20
POLL_SEC = 0.02

PRELOAD, SHIM, MAKE_POLICY = map(os.path.abspath, sys.argv[1:4])
RUNTIME = sys.argv[4]

# POLICY_APP_CONNECT, _LISTEN, _LOOPBACK, _SOURCE, _HINTS: see policy/format.h.
EVERYWHERE = 0x01 | 0x02 | 0x04 | 0x08 | 0x10
AUTH_OFF, AUTH_PREFER, AUTH_REQUIRE = range(3)

# struct hint: see policy/hint.h.
HINT = struct.Struct("=IIII64s64s256sB3x32s")
HINT_KEY = 6

BODY = b"protected by its own key\n"
PYTHON = "/usr/bin/python3"


def skip(reason):
    print("SKIP:", reason, file=sys.stderr)
    sys.exit(77)


@dataclasses.dataclass(frozen=True)
class Key:
    """A key that arrived, and the ports of the connection whose descriptor came with it."""
    local: int
    peer: int  # 0: closed meanwhile
    key: bytes


def peer_port(sock):
    try:
        return sock.getpeername()[1]
    except OSError:
        return 0


class Receiver:
    """In the place of the daemon."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(f"{RUNTIME}/hint")
        os.chmod(f"{RUNTIME}/hint", 0o666)  # as the daemon's: apache is www-data

    def take(self, timeout=0.0):
        """The next key within so many seconds, or None."""
        end = time.monotonic() + timeout
        while True:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data, control, _, _ = self.socket.recvmsg(
                    4096, socket.CMSG_SPACE(array.array("i").itemsize))
            except TimeoutError:
                return None
            descriptors = array.array("i", control[0][2])
            with socket.socket(fileno=descriptors[0]) as sock:
                fields = HINT.unpack(data)
                if fields[1] != HINT_KEY:
                    continue
                assert fields[7] == 32
                return Key(sock.getsockname()[1], peer_port(sock), fields[8])

    def drain(self):
        keys = []
        while key := self.take():
            keys.append(key)
        return keys


def counters():
    """The MPTcpExt counters of this network namespace."""
    with open("/proc/net/netstat", encoding="ascii") as file:
        lines = [line.split() for line in file if line.startswith("MPTcpExt:")]
    return {} if not lines else dict(zip(lines[0][1:], map(int, lines[1][1:])))


def preloaded(*command):
    return [PRELOAD, SHIM, "--", *command]


def listeners():
    """Ports on which somebody listens."""
    ports = set()
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        ports |= {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A"}
    return ports


class Process:
    """A program in a process group of its own, with what it says in a file."""

    def __init__(self, command, **popen):
        self.log = tempfile.TemporaryFile(dir=DIRECTORY)
        popen = {"stdout": self.log, "stdin": subprocess.DEVNULL, **popen}
        self.popen = subprocess.Popen(command, stderr=self.log, start_new_session=True, **popen)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self.log.close()

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def listens(self, port):
        """Waits until it does."""
        end = time.monotonic() + DEADLOCK_SEC
        while port not in listeners():
            if self.popen.poll() is not None:
                raise AssertionError(f"{self.popen.args} ended: {self.said()}")
            if time.monotonic() > end:
                raise AssertionError(f"{self.popen.args} does not listen: {self.said()}")
            time.sleep(POLL_SEC)
        return self


def file_of(name, text, mode=0o644):
    path = f"{DIRECTORY}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def cert():
    return f"{DIRECTORY}/cert.pem"


def pem():
    """Certificate and key in one file."""
    return f"{DIRECTORY}/both.pem"


# Servers: (command, port).

def python_server(port):
    """Blocking sockets; answers each request with BODY."""
    return [PYTHON, "-c", f"""
import http.server, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "{len(BODY)}")
        self.end_headers()
        self.wfile.write({BODY!r})
server = http.server.HTTPServer(("127.0.0.1", {port}), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain({pem()!r})
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""]


def asyncio_server(port):
    """Into memory: the library never sees a descriptor."""
    return [PYTHON, "-c", f"""
import asyncio, ssl
async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: {len(BODY)}\\r\\n\\r\\n" + {BODY!r})
    await writer.drain()
    writer.close()
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain({pem()!r})
    server = await asyncio.start_server(serve, "127.0.0.1", {port}, ssl=context)
    await server.serve_forever()
asyncio.run(main())
"""]


def nginx_server(port):
    conf = file_of("nginx.conf", f"""
daemon off; pid {DIRECTORY}/nginx.pid; error_log stderr;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 2;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {DIRECTORY}/t1; proxy_temp_path {DIRECTORY}/t2;
  fastcgi_temp_path {DIRECTORY}/t3; uwsgi_temp_path {DIRECTORY}/t4; scgi_temp_path {DIRECTORY}/t5;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {pem()}; ssl_certificate_key {pem()};
    location / {{ root {DIRECTORY}/www; }}
  }}
}}
""")
    return ["nginx", "-c", conf, "-p", DIRECTORY]


def openssl_server(port):
    return ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", pem(),
            "-key", pem(), "-rev"]


def gnutls_server(port):
    return ["gnutls-serv", "--http", "--disable-client-cert", "--port", str(port),
            "--x509certfile", cert(), "--x509keyfile", pem()]


def apache_server(port):
    modules = "/usr/lib/apache2/modules"
    load = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so"
                     for name in ("mpm_event", "authz_core", "ssl", "socache_shmcb"))
    conf = file_of("apache.conf", f"""
ServerRoot {DIRECTORY}
ServerName localhost
PidFile {DIRECTORY}/apache.pid
ErrorLog /dev/stderr
DefaultRuntimeDir {DIRECTORY}
{load}
User www-data
Group www-data
Listen 127.0.0.1:{port} https
StartServers 1
ServerLimit 1
DocumentRoot {DIRECTORY}/www
<Directory {DIRECTORY}/www>
  Require all granted
</Directory>
SSLEngine on
SSLCertificateFile {pem()}
""")
    return ["apache2", "-DFOREGROUND", "-f", conf]


def haproxy_server(port):
    conf = file_of("haproxy.conf", f"""
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend in
  bind 127.0.0.1:{port} ssl crt {pem()}
  http-request return status 200 content-type text/plain file {DIRECTORY}/www/body
""")
    return ["haproxy", "-db", "-f", conf]


def redis_server(port):
    return ["redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1",
            "--tls-cert-file", cert(), "--tls-key-file", pem(), "--tls-ca-cert-file", cert(),
            "--tls-auth-clients", "no", "--save", "", "--dir", DIRECTORY]


# Clients.

def url(port):
    return f"https://127.0.0.1:{port}/body"


def curl(port, *more):
    return ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--cacert", cert(),
            *more, url(port)]


def wget(port):
    return ["wget", "--quiet", "--no-proxy", "--tries=1", "--ca-certificate", cert(),
            "--output-document=-", url(port)]


def python_client(port):
    return [PYTHON, "-c", f"""
import ssl, sys, urllib.request as r
context = ssl.create_default_context(cafile={cert()!r})
opener = r.build_opener(r.ProxyHandler({{}}), r.HTTPSHandler(context=context))
sys.stdout.buffer.write(opener.open({url(port)!r}).read())
"""]


def asyncio_client(port):
    return [PYTHON, "-c", f"""
import asyncio, ssl, sys
async def main():
    context = ssl.create_default_context(cafile={cert()!r})
    reader, writer = await asyncio.open_connection("127.0.0.1", {port}, ssl=context)
    writer.write(b"GET /body HTTP/1.0\\r\\n\\r\\n")
    answer = await reader.read()
    sys.stdout.buffer.write(answer.split(b"\\r\\n\\r\\n", 1)[1])
asyncio.run(main())
"""]


def openssl_client(port, *more):
    return ["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", f"127.0.0.1:{port}",
            "-CAfile", cert(), *more]


def gnutls_client(port, *more):
    return ["gnutls-cli", "--no-ca-verification", "--port", str(port), *more, "127.0.0.1"]


REQUEST = b"GET /body HTTP/1.0\r\n\r\n"


class TestKeys(unittest.TestCase):
    port = 8442

    def setUp(self):
        TestKeys.port += 1
        self.policy(AUTH_REQUIRE)
        self.assertEqual(RECEIVER.drain(), [])

    def policy(self, auth, flags=EVERYWHERE):
        subprocess.run([MAKE_POLICY, f"{RUNTIME}/policy.db", str(flags), str(auth)], check=True)

    def serve(self, command):
        if not shutil.which(command[0]):
            self.skipTest(f"no {command[0]}")
        return Process(preloaded(*command)).listens(self.port)

    def run_client(self, command, request=b"", wanted=BODY):
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

    def check_clients(self, server, *clients):
        """Each of them, one after the other."""
        with self.serve(server(self.port)):
            for command, request in clients:
                with self.subTest(client=command[:2]):
                    self.run_client(command, request)
                    self.check_pair()

    def web_clients(self):
        return [(curl(self.port), b""), (curl(self.port, "--tls-max", "1.2"), b""),
                (wget(self.port), b""), (python_client(self.port), b""),
                (asyncio_client(self.port), b""), (openssl_client(self.port), REQUEST),
                (openssl_client(self.port, "-tls1_2"), REQUEST),
                (gnutls_client(self.port), REQUEST),
                (gnutls_client(self.port, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2"),
                 REQUEST)]

    def test_python_all_clients_send_the_same_key(self):
        self.check_clients(python_server, *self.web_clients())

    def test_asyncio_all_clients_send_the_same_key(self):
        self.check_clients(asyncio_server, *self.web_clients())

    def test_nginx_clients_send_the_same_key(self):
        self.check_clients(nginx_server, *self.web_clients()[:3])

    def test_gnutls_serv_clients_send_the_same_key(self):
        with self.serve(gnutls_server(self.port)):
            for command, request in self.web_clients()[:1] + self.web_clients()[5:]:
                with self.subTest(client=command[:2]):
                    self.run_client(command, request, b"HTTP")
                    self.check_pair()

    @unittest.skipUnless(FULL, "needs MPTCPIZE_FULL=1")
    def test_apache_clients_send_the_same_key(self):
        self.check_clients(apache_server, *self.web_clients())

    @unittest.skipUnless(FULL, "needs MPTCPIZE_FULL=1")
    def test_haproxy_clients_send_the_same_key(self):
        self.check_clients(haproxy_server, *self.web_clients())

    @unittest.skipUnless(FULL, "needs MPTCPIZE_FULL=1")
    def test_redis_client_sends_the_same_key(self):
        with self.serve(redis_server(self.port)):
            self.run_client(["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), "--tls",
                             "--cacert", cert(), "ping"], wanted=b"PONG")
            self.check_pair()


def enter_namespaces():
    """Starts this program again in namespaces of its own; as root, with all users in them."""
    if not shutil.which("unshare"):
        skip("no unshare (package util-linux)")
    inside = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0:
        inside += ["--user", "--map-root-user"]
    probe = subprocess.run([*inside, "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        skip("cannot enter a namespace: " + probe.stderr.decode().strip())
    os.environ[INSIDE] = "1"
    os.execvp(inside[0], [*inside, sys.executable, *sys.argv])


def bring_loopback_up():
    siocsifflags, iff_up = 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, siocsifflags, struct.pack("16sH22x", b"lo", iff_up))


def make_runtime():
    """Where the daemon's files would be, in this mount namespace only."""
    parent = os.path.dirname(RUNTIME)
    subprocess.run(["mount", "-t", "tmpfs", "none", parent], check=True)
    os.mkdir(RUNTIME)


def check_requirements():
    for program in ("openssl", "curl", PYTHON):
        if not shutil.which(program):
            skip(f"no {program}")
        probe = subprocess.run(preloaded(program, "version"), capture_output=True, check=False)
        if probe.returncode == 77:
            skip(probe.stderr.decode().removeprefix("SKIP: ").strip())
    if "MPCapableSYNRX" not in counters():
        skip("this kernel has no MPTCP")


def make_files():
    os.mkdir(f"{DIRECTORY}/www")
    with open(f"{DIRECTORY}/www/body", "wb") as body:
        body.write(BODY)
    key = f"{DIRECTORY}/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-days", "1", "-keyout", key, "-out", cert()],
                   check=True, capture_output=True)
    with open(pem(), "w", encoding="ascii") as both:
        for path in (key, cert()):
            with open(path, encoding="ascii") as file:
                both.write(file.read())
    os.chmod(DIRECTORY, 0o755)


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter_namespaces()
    bring_loopback_up()
    make_runtime()
    with tempfile.TemporaryDirectory() as DIRECTORY:
        check_requirements()
        make_files()
        RECEIVER = Receiver()
        unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
