#!/usr/bin/python3
"""What the preload library costs where it has nothing to give: starting programs, and loopback.

    start      fork, exec and wait of a small program, with the library and databases of 20 and 200
               policies, against an empty preload library and libmptcpwrap
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
import peers  # noqa: E402
import programs  # noqa: E402
from report import Report, arguments, bench_main  # noqa: E402

EMPTY = "void mptcpize_bench_empty(void);\nvoid mptcpize_bench_empty(void) {}\n"
PROGRAM = "/bin/true"
START_BAR = 100  # microseconds more than with an empty library
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


def bench_start(build, report, rounds, starts):
    """Microseconds of a start, the median of each round of so many."""
    wrap = peers.find(peers.WRAP)
    ways = {"nothing": {}, "an empty library": {"LD_PRELOAD": compile_empty()},
            "no database": {"LD_PRELOAD": build.preload()}}
    for n in (20, 200):
        ways[f"{n} policies"] = {"LD_PRELOAD": build.preload(),
                                 "MPTCPIZE_POLICY": database(build, n)}
    if "missing" not in wrap:
        ways[peers.WRAP] = {"LD_PRELOAD": wrap["library"]}
    times = {name: [] for name in ways}
    for _ in range(rounds):
        single = {name: [] for name in ways}
        for _ in range(starts):
            for name, env in ways.items():
                single[name].append(start_once(env) / 1000)
        for name, values in single.items():
            times[name].append(statistics.median(values))
    empty = ("an empty library", times["an empty library"])
    report.compare(f"start of {PROGRAM}, 20 policies", "us", times["20 policies"], empty,
                   (peers.WRAP, times.get(peers.WRAP) or wrap["missing"]),
                   ("nothing", times["nothing"]), bar={"difference": START_BAR}, key=True)
    for name in ("200 policies", "no database"):
        report.compare(f"start of {PROGRAM}, {name}", "us", times[name], empty)
    report.add({"what": "start", "starts": starts, "usec": times})


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
    for number in range(rounds):
        for name in list(ways)[::(-1) ** number]:
            results[name].append(loopback_once(ways[name], sizes))
    for key, name, unit, factor in (("rate", "throughput", "Gbit/s", 8e-9),
                                    ("trip", "round trip of a byte", "us", 1e6),
                                    ("connect", "connect()", "us", 1e6)):
        ours, plain = ([row[key] * factor for row in results[way]] for way in ("library", "TCP"))
        report.compare(f"loopback, both ends with the library: {name}", unit, ours,
                       ("plain TCP", plain), better="higher" if key == "rate" else "lower",
                       key=True)
    report.add({"what": "loopback", "rounds": rounds, "runs": results})


def bench(options):
    os.makedirs(lab.WORK, exist_ok=True)
    lab.command("ip", "link", "set", "lo", "up")
    build = programs.Build.find()
    report = Report(options, "preload", {})
    bench_start(build, report, 3 if options.quick else 20, 20 if options.quick else 100)
    bench_loopback(build, report, 3 if options.quick else 7,
                   (64, 500, 100) if options.quick else (512, 10000, 3000))
    report.finish()
    return 0


if len(sys.argv) > 1 and sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
elif len(sys.argv) > 1 and sys.argv[1] == "measure":
    measure(*map(int, sys.argv[2:5]))
else:
    bench_main(arguments(__doc__), bench)
