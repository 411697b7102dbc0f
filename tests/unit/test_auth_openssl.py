#!/usr/bin/python3
"""The keys and MACs of join authentication, computed by openssl as well: random inputs, and edges.

Environment: AUTH_DERIVE, the program auth-derive. AUTH_SEED repeats a run.
"""

import os
import random
import shutil
import subprocess
import sys
import unittest

DERIVE = os.environ["AUTH_DERIVE"]
SEED = os.environ.get("AUTH_SEED") or str(random.SystemRandom().getrandbits(32))
CASES = 25
SKIPPED = 77


def openssl(*args, data=b""):
    """What openssl prints in hex, as lower case without colons."""
    done = subprocess.run(["openssl", *args], input=data, capture_output=True, check=True)
    return done.stdout.decode().strip().replace(":", "").lower()


def hkdf(mode, key, length, *options):
    args = ["kdf", "-keylen", str(length), "-kdfopt", "digest:SHA256", "-kdfopt", f"mode:{mode}",
            "-kdfopt", f"hexkey:{key}"]
    for option in options:
        args += ["-kdfopt", option]
    return openssl(*args, "HKDF")


def expand(prk, label, length):
    return hkdf("EXPAND_ONLY", prk, length, f"info:{label}")


def hmac(key, data):
    return openssl("mac", "-digest", "SHA256", "-macopt", f"hexkey:{key}", "HMAC", data=data)


def ours(*lines):
    done = subprocess.run([DERIVE], input="\n".join(lines) + "\n", capture_output=True, text=True,
                          check=True)
    return done.stdout.splitlines()


def hexes(count, length):
    return [random.randbytes(length).hex() for _ in range(count)]


class Keys(unittest.TestCase):
    def test_derive_as_openssl(self):
        secrets = hexes(CASES, 32) + ["00" * 32, "ff" * 32]
        for secret, line in zip(secrets, ours(*(f"derive {i}" for i in secrets)), strict=True):
            prk = hkdf("EXTRACT_ONLY", secret, 32, "salt:mptcpize join v1")
            want = [expand(prk, "c2s", 32), expand(prk, "s2c", 32), expand(prk, "kid", 8)]
            self.assertEqual(line.split(), want, f"secret {secret}, AUTH_SEED={SEED}")

    def test_share_as_openssl(self):
        lengths = [32, 33, 64, 65, 4096] + [random.randint(32, 200) for _ in range(CASES)]
        inputs = [(random.randbytes(n).hex(), *hexes(2, 8)) for n in lengths]
        lines = ours(*(f"share {psk} {client} {server}" for psk, client, server in inputs))
        for (psk, client, server), line in zip(inputs, lines, strict=True):
            prk = hmac(client + server, bytes.fromhex(psk))
            self.assertEqual(line, expand(prk, "psk v1", 32), f"psk {psk}, AUTH_SEED={SEED}")

    def test_mac_as_openssl(self):
        lengths = [0, 1, 36, 40, 55, 56, 63, 64, 65, 188] + \
            [random.randint(0, 300) for _ in range(CASES)]
        inputs = [(random.randbytes(32).hex(), random.randbytes(n)) for n in lengths]
        lines = ours(*(f"mac {key} {data.hex() or '-'}" for key, data in inputs))
        for (key, data), line in zip(inputs, lines, strict=True):
            self.assertEqual(line, hmac(key, data)[:32], f"key {key}, AUTH_SEED={SEED}")


def why_not():
    """Why this can't run, or None."""
    if not shutil.which("openssl"):
        return "there is no openssl"
    try:
        hkdf("EXPAND_ONLY", "00" * 32, 32, "info:x")
        hmac("00", b"")
    except subprocess.CalledProcessError as error:
        return f"openssl has no HKDF or HMAC: {error.stderr.decode().splitlines()[:1]}"
    return None


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"SKIP: {reason}")
        sys.exit(SKIPPED)
    random.seed(SEED)
    unittest.main()
