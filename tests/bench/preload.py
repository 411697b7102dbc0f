#!/usr/bin/python3
"""What the preload library costs where it has nothing to give: starting programs, and loopback.

    start      fork, exec and wait of a small program, with the library and databases of 20 and 200
               policies, against an empty preload library
    loopback   throughput, round trips and connect() of an established loopback connection, which
               stays TCP, with the library in both ends and without

All ways take turns, and medians are compared. Reports and asserts nothing.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "net"))
# pylint: disable=wrong-import-position
import lab  # noqa: E402
import programs  # noqa: E402
from report import Report, arguments, bench_main, table  # noqa: E402

EMPTY = "void mptcpize_bench_empty(void);\nvoid mptcpize_bench_empty(void) {}\n"
PROGRAM = "/bin/true"
CHUNK = 1 << 16
PORT = 5002


def compile_empty():
    """A library with nothing in it: what any preload library costs."""
    path = f"{lab.WORK}/empty.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", path, "-x", "c", "-"], input=EMPTY,
                   text=True, check=True)
    return path


def database(build, n):
    """A database of n policies, none of which is that of PROGRAM but the last."""
    files = []
    directory = f"{lab.WORK}/apps-{n}"
    os.makedirs(directory)
    for i in range(n):
        name = f"program-{i}" if i else "true"
        policy = {"match": {"app": name},
                  "socket": {"except": [{"to": f"10.{i}.0.0/16", "port": "22,8000-8010"}]}}
        lab.write(f"{directory}/{name}.json", json.dumps(policy))
        files.append(name)
    path = f"{lab.WORK}/policy-{n}.db"
    lab.command(build.ctl, "policy", "compile", "--output", path, directory)
    return path


def start_once(env):
    began = time.perf_counter_ns()
    pid = os.posix_spawn(PROGRAM, [PROGRAM], env)
    os.waitpid(pid, 0)
    return time.perf_counter_ns() - began


def bench_start(build, report, rounds):
    """Microseconds a start takes more than with an empty library."""
    ways = {"no library": {}, "empty library": {"LD_PRELOAD": compile_empty()},
            "no database": {"LD_PRELOAD": build.preload()}}
    for n in (20, 200):
        ways[f"{n} policies"] = {"LD_PRELOAD": build.preload(),
                                 "MPTCPIZE_POLICY": database(build, n)}
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, env in ways.items():
            times[name].append(start_once(env))
    medians = {name: statistics.median(values) / 1000 for name, values in times.items()}
    base = medians["empty library"]
    table(("start of", PROGRAM, "us", "more than empty"),
          [(name, "", f"{value:.1f}", f"{value - base:+.1f}") for name, value in medians.items()])
    report.add({"what": "start", "rounds": rounds, "usec": medians})


def serve(connections):
    """The far end: reads and counts, or answers byte by byte, as the first byte says."""
    listener = socket.create_server(("127.0.0.1", PORT), backlog=64)
    print("ready", flush=True)
    for _ in range(connections):
        conn = listener.accept()[0]
        what = conn.recv(1)
        while True:
            data = conn.recv(CHUNK) if what != b"p" else conn.recv(1)
            if not data:
                break
            if what == b"p":
                conn.send(data)
        conn.close()


def measure(megabytes, pings, connects):
    """The near end: prints bytes per second, seconds per round trip and per connect()."""
    def connected(what):
        sock = socket.create_connection(("127.0.0.1", PORT))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.send(what)
        return sock

    data = bytes(CHUNK)
    with connected(b"b") as sock:
        began = time.perf_counter()
        for _ in range(megabytes * (1 << 20) // CHUNK):
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)
        rate = megabytes * (1 << 20) / (time.perf_counter() - began)
    trips = []
    with connected(b"p") as sock:
        for _ in range(pings):
            began = time.perf_counter()
            sock.send(b"x")
            sock.recv(1)
            trips.append(time.perf_counter() - began)
    opens = []
    for _ in range(connects):
        with socket.socket() as sock:
            began = time.perf_counter()
            sock.connect(("127.0.0.1", PORT))
            opens.append(time.perf_counter() - began)
    print(json.dumps({"rate": rate, "trip": statistics.median(trips),
                      "connect": statistics.median(opens)}))


def loopback_once(env, sizes):
    environ = {**os.environ, **env}
    me = [sys.executable, os.path.abspath(__file__)]
    server = subprocess.Popen([*me, "serve", str(sizes[2] + 2)], env=environ, text=True,
                              stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        done = subprocess.run([*me, "measure", *map(str, sizes)], env=environ, text=True,
                              capture_output=True, check=True)
        server.wait(10)
    finally:
        server.kill()
        server.wait()
    return json.loads(done.stdout)


def bench_loopback(build, report, rounds, sizes):
    ways = {"TCP": {}, "library": build.preload_environ()}
    results = {name: [] for name in ways}
    for _ in range(rounds):
        for name, env in ways.items():
            results[name].append(loopback_once(env, sizes))
    medians = {name: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
               for name, rows in results.items()}
    plain, ours = medians["TCP"], medians["library"]
    table(("loopback", "", "TCP", "library", "ratio"),
          [("throughput", "Gbit/s", f"{plain['rate'] * 8e-9:.2f}", f"{ours['rate'] * 8e-9:.2f}",
            f"{ours['rate'] / plain['rate']:.3f}"),
           ("round trip", "us", f"{plain['trip'] * 1e6:.1f}", f"{ours['trip'] * 1e6:.1f}",
            f"{ours['trip'] / plain['trip']:.3f}"),
           ("connect()", "us", f"{plain['connect'] * 1e6:.1f}", f"{ours['connect'] * 1e6:.1f}",
            f"{ours['connect'] / plain['connect']:.3f}")])
    report.add({"what": "loopback", "rounds": rounds, "medians": medians})


def bench(options):
    os.makedirs(lab.WORK, exist_ok=True)
    lab.command("ip", "link", "set", "lo", "up")
    build = programs.Build.find()
    report = Report(options, "preload", {})
    bench_start(build, report, 50 if options.quick else 3000)
    print()
    bench_loopback(build, report, 1 if options.quick else 9,
                   (64, 500, 100) if options.quick else (1024, 20000, 5000))
    report.write()
    return 0


if len(sys.argv) > 1 and sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
elif len(sys.argv) > 1 and sys.argv[1] == "measure":
    measure(*map(int, sys.argv[2:5]))
else:
    bench_main(arguments(__doc__), bench)
