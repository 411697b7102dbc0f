#!/usr/bin/python3
"""What it costs to give the daemon a key, with OpenSSL and with GnuTLS: see bench-tls.c.

    bench-tls.py PRELOAD SHIM MAKE_POLICY RUNTIME PROGRAM

See keylab.py for the others. Somebody receives the keys meanwhile, as the daemon does.
"""

import subprocess
import sys
import tempfile
import threading

import keylab
import tlsends as ends


def receive(receiver, stop):
    while not stop.is_set():
        receiver.take(0.1)


def main():
    keylab.enter_namespaces()
    receiver, stop = keylab.Receiver(), threading.Event()
    keylab.set_policy(keylab.AUTH_REQUIRE)
    thread = threading.Thread(target=receive, args=(receiver, stop))
    thread.start()
    try:
        with tempfile.TemporaryDirectory() as directory:
            ends.FILES.make(directory)
            for library in ("openssl", "gnutls"):
                subprocess.run(keylab.preloaded(sys.argv[5], library, ends.cert(), ends.pem()),
                               check=True)
    finally:
        stop.set()
        thread.join()


main()
