"""curl, wget, nginx, apache2 and ab."""

import os

from apps.case import DATA, SIZE, case, check_same, file, folder, path
from harness import check
from lab import SERVICE6, command, have_ipv6
from programs import nginx_argv

LISTEN = "listen 0.0.0.0:80{0}; " + ("listen [::]:80 ipv6only=on{0};" if have_ipv6() else "")
PLAIN_SERVER = "  server {{ {0} root {1}; }}".format(LISTEN.format(""), path("www"))
UPLOADS = """  server {{ {listen}
    root {root};
    location /put/ {{ dav_methods PUT; client_max_body_size 0; }}
  }}""".format(listen=LISTEN.format(""), root=path("www"))
BUSY_SERVER = """  tcp_nopush on; keepalive_requests 10000;
  server {{ {listen} root {root}; access_log {log} combined; }}"""
TLS_SERVER = """  server {{ listen 0.0.0.0:443 ssl http2; root {root};
    ssl_certificate {cert}; ssl_certificate_key {key}; }}"""
UPSTREAM_SERVER = """  upstream {pool} {{ server {address}:80; keepalive 4; }}
  server {{ listen 127.0.0.1:8080;
    location / {{
      proxy_pass http://{pool}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }} }}"""
APACHE_CONF = """ServerRoot {root}
ServerName lab
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
Listen 80
User www-data
Group www-data
PidFile {root}/pid
ErrorLog /dev/stderr
LogLevel error
KeepAlive On
MaxKeepAliveRequests 0
DocumentRoot {www}
"""
MODULES = "/usr/lib/apache2/modules"


def certificate():
    """Files of a certificate for the server's address, and of its key."""
    cert, key = path("cert.pem"), path("key.pem")
    if not os.path.exists(cert):
        command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days",
                "30", "-subj", "/CN=lab", "-addext", "subjectAltName=IP:203.0.113.1")
    return cert, key


def served(name, size):
    """A file of text that the web server has. Its path."""
    return file(f"www/{name}", f"{name}\n" * (size // (len(name) + 1)))


@case("curl", "nginx", connections=6)
def test_curl_up_and_download_uses_both_paths(run):
    """curl by HTTP: a download, an upload, and four downloads side by side."""
    folder("www/put", "www-data")
    run.serve(nginx_argv(UPLOADS), 80)
    run.fetch(f"http://{run.address}/data")
    run.client(["curl", "--silent", "--show-error", "--fail", "--upload-file", DATA,
                f"http://{run.address}/put/data"])
    check_same(path("www/put/data"))
    names = [f"part{number}" for number in range(4)]
    wanted = [served(name, SIZE // 4) for name in names]
    run.client(["curl", "--silent", "--show-error", "--fail", "--no-progress-meter",
                "--parallel", "--parallel-immediate"]
               + [word for name in names
                  for word in ("--output", path(name), f"http://{run.address}/{name}")])
    for name, each in zip(names, wanted):
        check_same(path(name), each)


@case("curl", "nginx", ipv6=True)
def test_curl_over_ipv6_uses_both_paths(run):
    """A download over IPv6."""
    run.serve(nginx_argv(PLAIN_SERVER), 80)
    run.fetch(f"http://[{SERVICE6}]/data")


@case("wget", "nginx")
def test_wget_recursive_download_uses_both_paths(run):
    """wget follows the links of a page: three files by one connection."""
    served("one", SIZE // 3)
    file("www/index.html", '<a href="data">data</a> <a href="one">one</a>')
    run.serve(nginx_argv(PLAIN_SERVER), 80)
    got = folder("wget")
    run.client(["wget", "--quiet", "--recursive", "--no-host-directories", "--execute",
                "robots=off", "--directory-prefix", got, f"http://{run.address}/index.html"])
    check_same(f"{got}/data")
    check_same(f"{got}/one", path("www/one"))


@case("curl", "nginx", connections=8)
def test_nginx_two_workers_with_reuseport_serve_all(run):
    """Two workers with a listening socket each, sendfile, nopush, options of listen."""
    log = path("nginx-access")
    listen = LISTEN.format(" reuseport backlog=512 so_keepalive=on")
    run.serve(nginx_argv(BUSY_SERVER.format(listen=listen, root=path("www"), log=log),
                         workers=2), 80)
    for _ in range(8):
        run.fetch(f"http://{run.address}/data", "--range", f"0-{SIZE // 4 - 1}",
                  wanted=_quarter())


def _quarter():
    with open(DATA, "rb") as data, open(path("quarter"), "wb") as out:
        out.write(data.read(SIZE // 4))
    return path("quarter")


@case("curl", "nginx", "openssl", connections=2)
def test_nginx_with_tls_uses_both_paths(run):
    """HTTP/2 and HTTP/1.1 over TLS; the certificate is verified."""
    cert, key = certificate()
    run.serve(nginx_argv(TLS_SERVER.format(root=path("www"), cert=cert, key=key)), 443)
    run.fetch(f"https://{run.address}/data", "--cacert", cert, "--http2")
    run.fetch(f"https://{run.address}/data", "--cacert", cert, "--http1.1")


@case("curl", "nginx")
def test_nginx_proxy_keeps_one_connection_upstream(run):
    """nginx as a client: its kept connection to the server carries all requests."""
    run.serve(nginx_argv(PLAIN_SERVER), 80)
    run.serve(nginx_argv(UPSTREAM_SERVER.format(pool="kept", address=run.address), name="proxy"),
              8080, here=True)
    for _ in range(3):
        run.fetch("http://127.0.0.1:8080/data", upgraded=False)


@case("apache2", "ab", "curl", full=True, connections=11)
def test_apache2_benchmarked_by_ab_serves_all(run):
    """ab: 300 requests by ten kept connections; one more download by curl."""
    conf = file("apache2.conf", APACHE_CONF.format(root=folder("apache2"), modules=MODULES,
                                                   www=path("www")))
    served("small", 10_000)
    run.serve(["apache2", "-DFOREGROUND", "-f", conf], 80)
    report = run.client(["ab", "-q", "-k", "-n", "300", "-c", "10",
                         f"http://{run.address}/small"])
    for line in ("Complete requests:      300", "Failed requests:        0",
                 "Keep-Alive requests:    300"):
        check(line in report, line)
    run.fetch(f"http://{run.address}/data")
