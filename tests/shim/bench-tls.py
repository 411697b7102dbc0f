#!/usr/bin/python3
"""What it costs to give the daemon a key, with OpenSSL and with GnuTLS: see bench-tls.c.

    bench-tls.py PRELOAD SHIM MAKE_POLICY RUNTIME PROGRAM

See keylab.py for the others. Somebody receives the keys, but not while a call is measured that it
would take the processor from: what a daemon does there is not the library's.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time

import keylab
import tlsends as ends


PAUSE_SEC = 0.02
ROUNDS = 3


def receive(receiver, stop):
    while not stop.is_set():
        time.sleep(PAUSE_SEC)
        receiver.drain()


def run(library, auth):
    """Microseconds: the first call, the second one, the handshake."""
    keylab.set_policy(auth)
    done = subprocess.run(
        keylab.preloaded(sys.argv[5], library, ends.cert(), ends.pem()), check=True,
        stdout=subprocess.PIPE)
    return [float(word) for word in done.stdout.split()]


def measure(library):
    rounds = [(run(library, keylab.AUTH_OFF), run(library, keylab.AUTH_REQUIRE))
              for _ in range(ROUNDS)]
    off, on = ([statistics.median(row) for row in zip(*rows)] for rows in zip(*rounds))
    print(f"{library:8} key {on[0] - off[0]:5.1f} us an end (call with it {on[0]:.1f}, without "
          f"{off[0]:.1f}); a call later {on[1] - off[1]:+.2f} us; handshake of both ends "
          f"{off[2]:.0f} us")


def main():
    keylab.enter_namespaces()
    receiver, stop = keylab.Receiver(), threading.Event()
    thread = threading.Thread(target=receive, args=(receiver, stop))
    thread.start()
    try:
        with tempfile.TemporaryDirectory() as directory:
            ends.FILES.make(directory)
            for library in ("openssl", "gnutls"):
                measure(library)
    finally:
        stop.set()
        thread.join()


main()
