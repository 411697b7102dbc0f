"""redis, PostgreSQL and MariaDB, each as the user that its package makes."""

import glob
import hashlib
import os
import shutil
import signal

from apps.case import DATA, SIZE, case, check_same, folder, path
from harness import check, check_equal
from lab import command, wait_for

POSTGRES = max(glob.glob("/usr/lib/postgresql/*/bin/postgres"), default="postgres")
INITDB = os.path.join(os.path.dirname(POSTGRES), "initdb")
PGBENCH = ("--client=4", "--jobs=2", "--transactions=25", "--no-vacuum")
LONG_TEXT = SIZE // 32  # times 32 characters


def set_up(directory, user, argv):
    """Lets a database prepare its directory, before its first run only. The directory."""
    data = folder(directory, user)
    if not os.listdir(data):
        command("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", *argv)
    return data


def long_text():
    return hashlib.md5(b"x").hexdigest() * LONG_TEXT


@case("redis-server", "redis-cli", "redis-benchmark", connections=43)
def test_redis_benchmarked_answers_all(run):
    """redis-benchmark: SET and GET by 20 clients each; redis-cli: a long value there and back."""
    run.serve(["redis-server", "--save", "", "--loglevel", "warning", "--protected-mode", "no",
               "--port", "6379", "--bind", "*", "--dir", folder("redis", "redis")], 6379,
              user="redis")
    report = run.client(["redis-benchmark", "-h", run.address, "-c", "20", "-n", "1000", "-t",
                         "set,get", "-d", "500", "--csv"])
    rows = [row.split(",")[0].strip('"') for row in report.splitlines()[1:]]
    check_equal(rows, ["SET", "GET"], "what was measured")
    cli = ["redis-cli", "-h", run.address]
    with open(DATA, "rb") as data:
        check_equal(run.client([*cli, "-x", "SET", "data"], stdin=data), "OK\n", "the answer")
    got = run.client([*cli, "--raw", "GET", "data"], text=False)
    with open(DATA, "rb") as data:
        check(got == data.read() + b"\n", "the value came back as it was sent")


@case(POSTGRES, "psql", "pgbench", connections=7)
def test_postgresql_benchmarked_answers_all(run):
    """pgbench; psql with tcp_user_timeout, which both ends set, gets a long text."""
    data = set_up("postgres", "postgres", [INITDB, "--pgdata", path("postgres"), "--no-sync",
                                           "--auth=trust", "--username=postgres"])
    with open(f"{data}/pg_hba.conf", "w", encoding="ascii") as hba:
        hba.write("host all all 0.0.0.0/0 trust\nlocal all all trust\n")
    run.serve([POSTGRES, "-D", data, "-k", data, "-h", "*", "-p", "5432", "-c", "fsync=off",
               "-c", "log_checkpoints=off", "-c", "tcp_user_timeout=20000"], 5432, user="postgres")
    where = ["--host", run.address, "--username", "postgres"]
    run.client(["pgbench", *where, "--initialize", "--quiet", "postgres"])
    report = run.client(["pgbench", *where, *PGBENCH, "postgres"])
    for line in ("actually processed: 100/100", "number of failed transactions: 0 (0.000%)"):
        check(line in report, line)
    answer = run.client(["psql", "--no-psqlrc", "--tuples-only", "--no-align",
                         "--command", "SHOW tcp_user_timeout",
                         "--command", f"SELECT repeat(md5('x'), {LONG_TEXT})",
                         f"host={run.address} user=postgres tcp_user_timeout=30000"])
    limit, text = answer.split()
    check_equal(limit, "20000", "tcp_user_timeout of the server")
    check(text == long_text(), "the text is right")


def mariadb(run):
    data = set_up("mariadb", "mysql", ["mariadb-install-db", "--no-defaults", "--skip-test-db",
                                       f"--datadir={path('mariadb')}"])
    run.serve(["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={data}/socket",
               f"--pid-file={data}/pid", "--bind-address=*", "--port=3306",
               "--skip-grant-tables", "--innodb-flush-log-at-trx-commit=0"], 3306, user="mysql")
    return ["mariadb", "--no-defaults", f"--host={run.address}", "--skip-column-names", "--batch",
            "--skip-ssl"]


@case("mariadbd", "mariadb", "mariadb-install-db", full=True, connections=2)
def test_mariadb_queried_uses_both_paths(run):
    """Rows inserted over the network, and a long text back."""
    client = mariadb(run)
    rows = ",".join(f"({n}, MD5({n}))" for n in range(20_000))
    run.client([*client, "--execute", "CREATE OR REPLACE DATABASE lab; CREATE TABLE lab.t "
                                      "(n INT PRIMARY KEY, h CHAR(32))"])
    answer = run.client([*client, "lab"], stdin=None, input=f"INSERT INTO t VALUES {rows}; SELECT "
                        f"COUNT(*) FROM t WHERE h = MD5(n); SELECT REPEAT(MD5('x'), {LONG_TEXT})")
    check(answer.split() == ["20000", long_text()], "the answers are right")


@case("mariadbd", "mariadb", "mariadb-install-db", full=True, spread=False, connections=None)
def test_mariadb_client_killed_query_ends(run):
    """The query of a client that was killed ends on the server, as soon as with TCP."""
    client = mariadb(run)
    query = "SELECT SLEEP(3600)"

    def running():
        rows = run.client([*client, "--execute", "SHOW FULL PROCESSLIST"]).splitlines()
        return any(query in row for row in rows)

    sleeper = run.start([*client, "--execute", query])
    wait_for(running, "the query runs")
    sleeper.stop(signal.SIGKILL)
    wait_for(lambda: not running(), "the query ends")
