#!/usr/bin/python3
"""Programs, unmodified, whose joins both sides require to be authenticated.

Each moves a file, by TLS or with a shared key, and is looked at meanwhile: by both daemons it is
confirmed, it has two paths with data on both, every byte is right, and the server has admitted each
join, and no more. With MPTCPIZE_FULL=1 all of them, otherwise one of each kind.
"""

import os
import subprocess

import harness
from apps.case import DATA, beside, check_same, file, folder, obstacle, path
from apps.proxies import BACKEND, BACKEND_SERVER, stunnel
from apps.shells import sshd
from apps.web import MODULES, certificate
from harness import check, check_equal
from lab import PATIENCE, SERVICE6, command, wait_for
from programs import Process, nginx_argv
from protect import (PORT, PSK, SIZE, Hosts, Side, check_counters, listens, nginx,
                     readings)

PYTHON = "/usr/bin/python3"
TESTS = []
APACHE_CONF = """ServerRoot {root}
ServerName lab
LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule ssl_module {modules}/mod_ssl.so
Listen 443
User www-data
Group www-data
PidFile {root}/pid
ErrorLog /dev/stderr
LogLevel error
DocumentRoot {www}
SSLEngine on
SSLCertificateFile {cert}
SSLCertificateKeyFile {key}
"""
HAPROXY_CONF = """defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen lab
  bind {bind}
  server there {server}
"""


def pair(*needs, near, far, full=True, sanitized=True, ipv6=False):
    """Decorator for what a pair of programs does. near, far: their policies."""
    def decorate(function):
        def test(lab):
            hosts = Hosts(lab, near, far)
            before = readings(hosts)
            function(hosts)
            check_counters(hosts, before)
        test.__name__, test.__doc__ = function.__name__, function.__doc__
        test.obstacle = lambda: obstacle(needs, sanitized, ipv6)
        test.full = full
        TESTS.append(test)
        return function
    return decorate


def check_data(got, wanted=DATA):
    with open(wanted, "rb") as data:
        check(data.read() == got, f"{len(got)} bytes arrived as they were sent")


# servers

def apache(hosts, mpm):
    cert, key = certificate()
    conf = file("apache2.conf", APACHE_CONF.format(root=folder("apache2"), modules=MODULES,
                                                   mpm=mpm, www=path("www"), cert=cert, key=key))
    hosts.serve(["apache2", "-DFOREGROUND", "-f", conf], PORT)
    return cert


def python_server(hosts, program):
    cert, key = certificate()
    hosts.serve([PYTHON, beside(program), "serve", str(PORT), cert, key, DATA], PORT)
    return cert


def haproxy(name, bind, server):
    return ["haproxy", "-q", "-db", "-f",
            file(f"haproxy-{name}.conf", HAPROXY_CONF.format(bind=bind, server=server))]


def together(cert, key):
    """Certificate and key in one file."""
    with open(cert, encoding="ascii") as first, open(key, encoding="ascii") as second:
        return file("both.pem", first.read() + second.read())


# TLS

@pair("curl", "nginx", near=Side("curl"), far=listens("nginx", PORT), full=False)
def test_curl_from_nginx_is_confirmed(hosts):
    """OpenSSL on both sides, which curl gives no descriptor."""
    cert = nginx(hosts)
    hosts.fetch(f"https://{hosts.address}/data", "--cacert", cert)


@pair("curl", "nginx", near=Side("curl"), far=listens("nginx", PORT), ipv6=True)
def test_curl_over_ipv6_is_confirmed(hosts):
    """Datagrams, gate and joins by IPv6; the name is not in the certificate."""
    nginx(hosts)
    hosts.fetch(f"https://[{SERVICE6}]/data", "--insecure")


@pair("wget", "nginx", near=Side("wget"), far=listens("nginx", PORT), full=False)
def test_wget_from_nginx_is_confirmed(hosts):
    """GnuTLS at the client, OpenSSL at the server."""
    cert = nginx(hosts)
    got = path("wget")
    hosts.client(["wget", "--quiet", f"--ca-certificate={cert}", "--output-document", got,
                  f"https://{hosts.address}/data"])
    check_same(got)


@pair("wget", "apache2", near=Side("wget"), far=listens("apache2", PORT))
def test_wget_from_apache2_is_confirmed(hosts):
    """Connections that go from thread to thread."""
    cert = apache(hosts, "event")
    got = path("wget")
    hosts.client(["wget", "--quiet", f"--ca-certificate={cert}", "--output-document", got,
                  f"https://{hosts.address}/data"])
    check_same(got)


def repository():
    """Served as files: git fetches them with curl's library for GnuTLS."""
    environ = {"GIT_AUTHOR_NAME": "lab", "GIT_AUTHOR_EMAIL": "lab", "GIT_COMMITTER_NAME": "lab",
               "GIT_COMMITTER_EMAIL": "lab"}
    os.environ.update(environ)
    work = folder("work")
    bare = path("www/lab.git")
    command("cp", DATA, work)
    command("git", "-C", work, "init", "--quiet")
    command("git", "-C", work, "add", "data")
    command("git", "-C", work, "commit", "--quiet", "--message", "data")
    command("git", "clone", "--quiet", "--bare", work, bare)
    command("git", "-C", bare, "update-server-info")
    command("git", "-C", bare, "repack", "-a", "-d", "-q")


@pair("git", "apache2", near=Side("git-remote-http*"), far=listens("apache2", PORT))
def test_git_from_apache2_is_confirmed(hosts):
    """git, by curl's library for GnuTLS, from a server that forks for its connections."""
    repository()
    cert = apache(hosts, "prefork")
    hosts.client(["git", "clone", "--quiet", f"https://{hosts.address}/lab.git", path("clone")],
                 env={"GIT_SSL_CAINFO": cert})
    check_same(path("clone/data"))


@pair(PYTHON, near=Side("python3*"), far=listens("python3*", PORT), full=False)
def test_asyncio_from_blocking_python_is_confirmed(hosts):
    """asyncio's TLS never sees a socket; the server forks after the handshake."""
    cert = python_server(hosts, "tls_blocking.py")
    check_data(hosts.client([PYTHON, beside("tls_asyncio.py"), hosts.address, str(PORT), cert]))


@pair(PYTHON, near=Side("python3*"), far=listens("python3*", PORT))
def test_blocking_python_from_asyncio_is_confirmed(hosts):
    """A client that loads its TLS when it is connected."""
    cert = python_server(hosts, "tls_asyncio.py")
    check_data(hosts.client([PYTHON, beside("tls_blocking.py"), hosts.address, str(PORT), cert]))


@pair("redis-server", "redis-cli", near=Side("redis-cli"), far=listens("redis-*", 6380),
      full=False)
def test_redis_with_tls_is_confirmed(hosts):
    """A long value there, and back by another connection."""
    cert, key = certificate()
    command("chmod", "644", key)
    hosts.serve(["redis-server", "--save", "", "--protected-mode", "no", "--port", "0",
                 "--tls-port", "6380", "--tls-cert-file", cert, "--tls-key-file", key,
                 "--tls-auth-clients", "no", "--bind", "*", "--dir", folder("redis", "redis")],
                6380, user="redis")
    there_and_back(hosts, ["redis-cli", "-h", hosts.address, "-p", "6380", "--tls", "--cacert",
                           cert])


def there_and_back(hosts, cli):
    with open(DATA, "rb") as data:
        check_equal(hosts.client([*cli, "-x", "SET", "data"], stdin=data), b"OK\n", "the answer")
    got = hosts.client([*cli, "--raw", "GET", "data"])
    check_data(got[:-1])


@pair("curl", "haproxy", "nginx", near=Side("curl"), far=listens("haproxy", PORT))
def test_curl_from_haproxy_is_confirmed(hosts):
    """haproxy terminates TLS; what is behind it has no part in it."""
    pem = together(*certificate())
    hosts.serve(nginx_argv(BACKEND_SERVER), BACKEND, upgraded=False)
    hosts.serve(haproxy("far", f"0.0.0.0:{PORT} ssl crt {pem}", f"unix@{BACKEND}"), PORT)
    hosts.fetch(f"https://{hosts.address}/data", "--insecure")


@pair("curl", "haproxy", "nginx", near=Side("haproxy"), far=listens("nginx", PORT))
def test_haproxy_from_nginx_is_confirmed(hosts):
    """haproxy as the client, for a program without TLS."""
    cert = nginx(hosts)
    hosts.serve(haproxy("near", "127.0.0.1:8081", f"{hosts.address}:{PORT} ssl ca-file {cert}"),
                8081, here=True)
    hosts.fetch("http://127.0.0.1:8081/data")


@pair("openssl", "nginx", near=Side("openssl"), far=listens("nginx", PORT))
def test_s_client_from_nginx_is_confirmed(hosts):
    """A request by hand."""
    cert = nginx(hosts)
    with open(file("request", "GET /data HTTP/1.0\r\n\r\n"), "rb") as request:
        got = hosts.client(["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile",
                            cert, "-connect", f"{hosts.address}:{PORT}"], stdin=request)
    check_data(got.partition(b"\r\n\r\n")[2])


def has_all(got, wanted):
    """Waits until a program, which would go on, has got the whole of a file."""
    size = os.stat(wanted).st_size
    wait_for(lambda: os.stat(got).st_size >= size, f"{size} bytes", 3 * PATIENCE)
    command("cmp", f"--bytes={size}", got, wanted)


@pair("openssl", "gnutls-cli", near=Side("gnutls-cli"), far=listens("openssl", PORT))
def test_gnutls_cli_from_s_server_is_confirmed(hosts):
    """What s_server reads goes to its client, which writes it byte by byte."""
    cert, key = certificate()
    hosts.slow = 2
    command("dd", f"if={DATA}", f"of={path('part')}", f"bs={SIZE // 8}", "count=1", "status=none")
    with hosts.feeder() as (stdin, feed), open(path("got"), "wb") as got:
        hosts.serve(["openssl", "s_server", "-quiet", "-accept", str(PORT), "-cert", cert, "-key",
                     key], PORT, stdin=stdin)
        client = hosts.begin(["gnutls-cli", f"--logfile={path('gnutls-cli')}",
                              f"--x509cafile={cert}", f"--port={PORT}", hosts.address],
                             stdin=subprocess.PIPE, stdout=got)
        hosts.shows(client, "confirmed", "confirmed")
        feed(path("part"))
        hosts.watch(client)
        hosts.lab.open_throttle()
        has_all(path("got"), path("part"))


@pair("openssl", "gnutls-serv", near=Side("openssl"), far=listens("gnutls-serv", PORT))
def test_s_client_from_gnutls_serv_is_confirmed(hosts):
    """An echo of text, which begins when all of it is there; it leaves some line ends out."""
    cert, key = certificate()
    with open(DATA, "rb") as data:
        text = data.read(SIZE // 8).hex() + "\n"  # its server copies all for each piece
    hosts.serve(["gnutls-serv", "--quiet", "--echo", f"--port={PORT}", f"--x509certfile={cert}",
                 f"--x509keyfile={key}"], PORT)
    with hosts.feeder() as (stdin, feed), open(path("got"), "wb") as got:
        client = hosts.begin(["openssl", "s_client", "-quiet", "-CAfile", cert, "-connect",
                              f"{hosts.address}:{PORT}"], stdin=stdin, stdout=got)
        feed(file("question", text + "\r\n\r\n"))
        hosts.watch(client)
        hosts.lab.open_throttle()
        has_all(path("got"), file("text", text))


@pair("stunnel4", "curl", "nginx", "openssl", near=Side("stunnel*"), far=listens("stunnel*", PORT))
def test_stunnel_at_both_ends_is_confirmed(hosts):
    """Programs without TLS, whose ends are plain."""
    cert, key = certificate()
    hosts.serve(nginx_argv(BACKEND_SERVER), BACKEND, upgraded=False)
    hosts.serve(stunnel("far", [f"accept = 0.0.0.0:{PORT}", f"connect = {BACKEND}",
                                f"cert = {cert}", f"key = {key}"]), PORT)
    hosts.serve(stunnel("near", ["client = yes", "accept = 127.0.0.1:8082",
                                 f"connect = {hosts.address}:{PORT}", f"CAfile = {cert}",
                                 "verifyChain = yes", f"checkIP = {hosts.address}"]), 8082,
                here=True)
    hosts.fetch("http://127.0.0.1:8082/data")


# shared keys

@pair("redis-server", "redis-cli", near=Side("redis-cli", psk=PSK),
      far=listens("redis-*", 6379, psk=PSK), full=False)
def test_redis_with_a_shared_key_is_confirmed(hosts):
    """No TLS."""
    hosts.serve(["redis-server", "--save", "", "--protected-mode", "no", "--port", "6379",
                 "--bind", "*", "--dir", folder("redis", "redis")], 6379, user="redis")
    there_and_back(hosts, ["redis-cli", "-h", hosts.address])


@pair("/usr/sbin/sshd", "ssh", near=Side("ssh", psk=PSK), far=listens("sshd*", 22, psk=PSK))
def test_ssh_with_a_shared_key_is_confirmed(hosts):
    """scp, and sshd with its sandbox."""
    copy(hosts)


@pair("/usr/sbin/sshd", "ssh", near=Side("ssh", psk=PSK),
      far=listens("sshd*", 22, psk=PSK, hints=False))
def test_ssh_without_hints_of_sshd_is_confirmed(hosts):
    """As shipped, sshd sends no hints: its policy is known by the port."""
    copy(hosts)


def copy(hosts):
    options = sshd(hosts)
    got = path("scp")
    hosts.client(["scp", "-q", *options, f"root@{hosts.address}:{DATA}", got])
    check_same(got)


harness.main(TESTS)
