"""More than one download by curl: uploads, both ways at once, and hundreds at a time."""

import contextlib
import glob
import os
import time

from lab import WORK, Failed, command, wait_for
from programs import Build, Curl, Process

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
            ["curl", "--silent", "--show-error", "--fail", "--globoff", "--noproxy", "*",
             "--parallel", "--parallel-immediate", "--parallel-max", str(count), "--config", conf],
            "curl-downloads", env=Build.find().preload_environ()))

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
