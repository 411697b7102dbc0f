"""More than one download by curl: uploads, both ways at once, and hundreds at a time."""

import contextlib
import glob
import os
import signal
import time

from lab import SERVER, WORK, Failed, command, wait_for
from programs import Build, Curl, Nginx, Process

MAPPED4 = "::ffff:203.0.113.1"  # SERVICE4, from a socket of the other family
SOME = 500_000


def _size(path):
    with contextlib.suppress(OSError):
        return os.stat(path).st_size
    return 0


class Upload:
    """The file of that name, sent to nginx. Only one at a time."""

    def __init__(self, lab, host, name, more=()):
        self.sent = f"{WORK}/www/{name}"
        self.target = f"{WORK}/www/up/{name}"
        bracketed = f"[{host}]" if ":" in host else host
        self.process = lab.add(Process(
            ["curl", "--silent", "--show-error", "--fail", "--globoff", "--noproxy", "*",
             "--header", "Expect:", "--upload-file", self.sent, *more,
             f"http://{bracketed}/up/{name}"], "curl-upload",
            env=Build.find().preload_environ()))

    def received(self):
        """Bytes that nginx has got so far."""
        if self.process.popen.poll():
            raise Failed(f"upload {self.process.state()}: {self.process.log_text().strip()}")
        return max(map(_size, [self.target, *glob.glob(f"{WORK}/nginx/*")]))

    def finish(self):
        """Waits for the end. Failed unless every byte is right."""
        if self.process.wait() != 0:
            raise Failed(f"upload {self.process.state()}: {self.process.log_text().strip()}")
        command("cmp", self.sent, self.target)
        os.unlink(self.target)


def progress(transfer, count=SOME):
    """Waits until that many more bytes have arrived at the application."""
    goal = transfer.received() + count
    wait_for(lambda: transfer.received() >= goal, f"{count} more bytes arrive")


class BothWays:
    """A download and an upload at once, each over a connection of its own."""

    def __init__(self, lab, host, name):
        self.transfers = [Curl(lab, host, name), Upload(lab, host, name)]

    def progress(self):
        for transfer in self.transfers:
            progress(transfer)

    def finish(self):
        for transfer in self.transfers:
            transfer.finish()


# A web server that knows one file, and sends it slowly until SIGUSR1.
PACER = """
import asyncio, signal, socket, sys

hurry = asyncio.Event()

async def serve(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(data))
    for at in range(0, len(data), 4096):
        writer.write(data[at:at + 4096])
        await writer.drain()
        if not hurry.is_set():
            await asyncio.wait([asyncio.ensure_future(hurry.wait())], timeout=0.4)
    writer.close()

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, hurry.set)
    dual = sys.argv[1] == "::"
    listener = socket.create_server((sys.argv[1], 80), backlog=1000, dualstack_ipv6=dual,
                                    family=socket.AF_INET6 if dual else socket.AF_INET)
    async with await asyncio.start_server(serve, sock=listener, backlog=1000) as server:
        await server.serve_forever()

data = open(sys.argv[2], "rb").read()
asyncio.run(main())
"""


class Pacer:
    """Serves a file of that size as "data", 10 kB a second to each connection, until hurry().

    So that hundreds of transfers go on for as long as they have to, and none of them starves.
    """

    def __init__(self, lab, size, dual=False):
        os.makedirs(f"{WORK}/www", exist_ok=True)
        path = Nginx.file("data", size)
        self.process = lab.add(Process(
            ["/usr/bin/python3", "-c", PACER, "::" if dual else "0.0.0.0", path], "pacer",
            netns=SERVER, env=Build.find().preload_environ()))
        wait_for(lambda: 80 in lab.listeners(SERVER), "the pacer listens")

    def hurry(self):
        self.process.send(signal.SIGUSR1)


class Downloads:
    """One curl with that many connections, a file each."""

    def __init__(self, lab, host, name, count):
        self.expected = f"{WORK}/www/{name}"
        self.paths = [f"{WORK}/got-{name}-{i}-{time.monotonic_ns()}" for i in range(count)]
        bracketed = f"[{host}]" if ":" in host else host
        conf = f"{WORK}/downloads-{time.monotonic_ns()}"
        with open(conf, "w", encoding="ascii") as file:
            for path in self.paths:
                file.write(f'url = "http://{bracketed}/{name}"\noutput = "{path}"\n')
        self.process = lab.add(Process(
            ["curl", "--silent", "--show-error", "--no-progress-meter", "--fail", "--globoff",
             "--noproxy", "*", "--parallel", "--parallel-immediate", "--parallel-max",
             str(count), "--config", conf], "curl-downloads", env=Build.find().preload_environ()))

    def finish(self):
        if self.process.wait() != 0:
            raise Failed(f"curl {self.process.state()}: {self.process.log_text().strip()}")
        for path in self.paths:
            command("cmp", path, self.expected)
            os.unlink(path)


def wait_for_interfaces(daemon, count, interfaces):
    """Until there are that many connections with established subflows on just these interfaces."""
    def there():
        found = [sorted(str(row["interface"]) for row in each["subflows"]
                        if row["state"] == "established") for each in daemon.shown().values()]
        if found != [sorted(interfaces)] * count:
            raise Failed(f"now {found}")
        return True

    wait_for(there, f"{count} connections with established subflows on {sorted(interfaces)}")


def joins(lab, daemon):
    """Joins sent by the client, but for those that only ask whether a quiet path is alive."""
    return lab.counters()["MPJoinSynTx"] - daemon.query("status")["counters"]["probes"]


def wait_for_joins(lab, daemon, count, what):
    """Until there are just that many: questions are counted a moment before they are sent.

    One is not sent if the connection ends in that moment: with questions it's that many at most.
    """
    def there():
        if not joins(lab, daemon) <= count <= lab.counters()["MPJoinSynTx"]:
            raise Failed(f"{joins(lab, daemon)}")
        return True

    wait_for(there, f"{what}: {count}")
    print(f"#           ok: {what} is {count}", flush=True)
