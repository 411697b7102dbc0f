"""What the tests of keys run: servers and clients that speak TLS, as argument vectors."""

import os
import subprocess

BODY = b"protected by its own key\n"
REQUEST = b"GET /body HTTP/1.0\r\n\r\n"
PYTHON = "/usr/bin/python3"


class Files:
    """Where their files are."""
    directory = None

    def make(self, directory):
        """A certificate, and something to serve."""
        self.directory = directory
        os.chmod(directory, 0o755)  # also for servers that become another user
        os.mkdir(f"{directory}/www")
        with open(f"{directory}/www/body", "wb") as body:
            body.write(BODY)
        key = f"{directory}/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1", "-keyout", key,
                        "-out", cert()], check=True, capture_output=True)
        with open(pem(), "w", encoding="ascii") as both:
            for path in (key, cert()):
                with open(path, encoding="ascii") as file:
                    both.write(file.read())


FILES = Files()


def file_of(name, text, mode=0o644):
    path = f"{FILES.directory}/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def cert():
    return f"{FILES.directory}/cert.pem"


def pem():
    """Certificate and key in one file."""
    return f"{FILES.directory}/both.pem"


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
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: {len(BODY)}\\r\\n\\r\\n")
    writer.write({BODY!r})
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
daemon off; pid {FILES.directory}/nginx.pid; error_log stderr;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 2;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {FILES.directory}/t1; proxy_temp_path {FILES.directory}/t2;
  fastcgi_temp_path {FILES.directory}/t3; uwsgi_temp_path {FILES.directory}/t4;
  scgi_temp_path {FILES.directory}/t5;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {pem()}; ssl_certificate_key {pem()};
    location / {{ root {FILES.directory}/www; }}
  }}
}}
""")
    return ["nginx", "-c", conf, "-p", FILES.directory]


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
ServerRoot {FILES.directory}
ServerName localhost
PidFile {FILES.directory}/apache.pid
ErrorLog /dev/stderr
DefaultRuntimeDir {FILES.directory}
{load}
User www-data
Group www-data
Listen 127.0.0.1:{port} https
StartServers 1
ServerLimit 1
DocumentRoot {FILES.directory}/www
<Directory {FILES.directory}/www>
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
  http-request return status 200 content-type text/plain file {FILES.directory}/www/body
""")
    return ["haproxy", "-db", "-f", conf]


def redis_server(port):
    return ["redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1",
            "--tls-cert-file", cert(), "--tls-key-file", pem(), "--tls-ca-cert-file", cert(),
            "--tls-auth-clients", "no", "--save", "", "--dir", FILES.directory]


def stunnel_server(port):
    """In front of a server that speaks in clear, at the port behind."""
    conf = file_of("stunnel.conf", f"""
foreground = yes
pid =
[https]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{port + 1000}
cert = {pem()}
""")
    return ["stunnel4", conf]


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


# Programs of one run each: {port} is the server's, where nobody else connects meanwhile.

STARTTLS_SERVER = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2])
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
conn = listener.accept()[0]
conn.sendall(b"220 hello\\r\\n")
conn.recv(100)
conn.sendall(b"220 go\\r\\n")
with context.wrap_socket(conn, server_side=True) as tls:
    tls.sendall(b"OK")
    tls.recv(1)
"""

STARTTLS_CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
conn.recv(100)
conn.sendall(b"STARTTLS\\r\\n")
conn.recv(100)
with context.wrap_socket(conn, server_hostname="127.0.0.1") as tls:
    sys.stdout.buffer.write(tls.recv(2))
"""

# Each connection is served by a child; sessions are made in it, or before it.
FORKING_SERVER = """
import os, socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2])
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
early = sys.argv[3] == "early"
while True:
    conn = listener.accept()[0]
    if early:
        conn = context.wrap_socket(conn, server_side=True)
    if os.fork() == 0:
        if not early:
            conn = context.wrap_socket(conn, server_side=True)
        conn.sendall(b"OK")
        conn.recv(1)
        os._exit(0)
    conn.close() if not early else os.close(conn.detach())
"""

# Reads and writes records before the handshake is complete, as a program with one loop for all may.
EAGER_SERVER = """
import ctypes, select, socket, sys
gnutls = ctypes.CDLL("libgnutls.so.30", ctypes.RTLD_GLOBAL)
hooked = ctypes.CDLL(None)
for function in (hooked.gnutls_record_recv, hooked.gnutls_record_send):
    function.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    function.restype = ctypes.c_ssize_t
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
credentials = ctypes.c_void_p()
gnutls.gnutls_certificate_allocate_credentials(ctypes.byref(credentials))
pem = sys.argv[2].encode()
assert gnutls.gnutls_certificate_set_x509_key_file(credentials, pem, pem, 1) == 0
while True:
    conn = listener.accept()[0]
    conn.setblocking(False)
    session = ctypes.c_void_p()
    gnutls.gnutls_init(ctypes.byref(session), 1 | 8)  # GNUTLS_SERVER | GNUTLS_NONBLOCK
    assert gnutls.gnutls_priority_set_direct(session, sys.argv[3].encode(), None) == 0
    gnutls.gnutls_credentials_set(session, 1, credentials)
    gnutls.gnutls_transport_set_int2(session, conn.fileno(), conn.fileno())
    data = ctypes.create_string_buffer(4096)
    early = 0
    while (result := hooked.gnutls_handshake(session)) < 0:
        assert not gnutls.gnutls_error_is_fatal(result)
        try:
            conn.recv(1, socket.MSG_PEEK)
            continue  # of the handshake, which would be lost to it
        except BlockingIOError:
            pass
        assert hooked.gnutls_record_recv(session, data, 4096) < 0
        assert hooked.gnutls_record_send(session, b"x", 1) < 0
        early += 1
        select.select([conn], [], [])
    assert early
    assert hooked.gnutls_record_send(session, b"OK", 2) == 2
    select.select([conn], [], [])
    gnutls.gnutls_deinit(session)
    conn.close()
"""

# Many sessions, one after the other, whose memory and descriptors are used again.
REPEATING_CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
for i in range(int(sys.argv[3])):
    conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    with context.wrap_socket(conn, server_hostname="127.0.0.1") as tls:
        tls.recv(2)
print("OK")
"""

# Many at the same time, which end together.
CROWDED_CLIENT = """
import asyncio, ssl, sys
async def main():
    context = ssl.create_default_context(cafile=sys.argv[2])
    ends = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", int(sys.argv[1]),
                                  ssl=context) for _ in range(int(sys.argv[3]))))
    for reader, _ in ends:
        await reader.readexactly(2)
    print("OK", flush=True)
    sys.stdin.read()
asyncio.run(main())
"""

# Says that the handshake is over, and reads on when it is told to.
PAUSING_CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
with context.wrap_socket(conn, server_hostname="127.0.0.1") as tls:
    print("ready", flush=True)
    sys.stdin.readline()
    tls.recv(2)
    print("OK", flush=True)
    sys.stdin.readline()
"""

CROWDED_SERVER = """
import asyncio, ssl, sys
async def serve(reader, writer):
    writer.write(b"OK")
    await reader.read()
    writer.close()
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), ssl=context,
                                        backlog=256)
    await server.serve_forever()
asyncio.run(main())
"""

# mptcpize_set_key(): what it says of each descriptor and key.
SET_KEY = """
import ctypes, errno, os, socket, sys
library = ctypes.CDLL(None, use_errno=True)
def set_key(fd, key):
    ctypes.set_errno(0)
    if library.mptcpize_set_key(fd, key, len(key) if key else 32) == 0:
        return "0"
    return errno.errorcode[ctypes.get_errno()]
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
fresh = socket.socket()
tcp = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
near = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
far = listener.accept()[0]
pair = socket.socketpair()
key = bytes(range(32))
print(set_key(near.fileno(), key), set_key(far.fileno(), key), set_key(near.fileno(), key[1:]),
      set_key(near.fileno(), key * 2), set_key(near.fileno(), None), set_key(-1, key),
      set_key(os.open("/", os.O_RDONLY), key), set_key(fresh.fileno(), key),
      set_key(tcp.fileno(), key), set_key(pair[0].fileno(), key))
"""
