#!/usr/bin/python3
"""Inputs for fuzz-auth to begin with: seeds-auth.py DIRECTORY writes them there.

Each is a course of events that makes sense; see fuzz-auth.c and auth-host.c for the bytes.
"""

import os
import struct
import sys

RAW, CLIENT, SERVER, TIME, EVENT = range(5)
KEY, KEYLESS, ESTABLISHED, ASK, CANCEL, GUARDED, ADMITTED, SUBFLOW, OFFER, LIFE, OPEN = \
    0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
HELLO, ACK, REQUEST, YES, NO, ADDR, ADDR_OK, BYE = range(1, 9)


def step(what, data):
    return bytes((what, len(data))) + data


def said(side, kind, sequence, body, source=1):
    return step(side, bytes((kind, sequence, source, 0)) + body)


def happens(what, argument):
    return bytes((EVENT + 8 * what, argument))


def later(units):
    return bytes((TIME, units))


def request(sequence, nonce, source=1):
    return said(CLIENT, REQUEST, sequence, struct.pack(">IIBBH", 2, nonce, 1, 0, 443), source)


def answer(kind, sequence, nonce, code=0):
    return said(SERVER, kind, sequence, struct.pack(">IBBH", nonce, code, 5, 0))


KEYS = happens(KEY, 1) + happens(KEY, 0)
# Random bytes of the host count up: the protocol takes 8 first.
RANDOM = bytes(range(8, 16))
SHAKEN = KEYS + said(CLIENT, HELLO, 1, RANDOM + bytes(4)) + happens(GUARDED, 1) + \
    said(SERVER, ACK, 1, RANDOM + struct.pack(">IBBH", 2, 4, 1, 0), 2)
LIST = b"\1\0\0\0" + bytes((3, 1)) + struct.pack(">H", 443) + bytes(10) + b"\xff\xff\xc0\0\2\4"
NONCE = struct.unpack("=I", bytes(range(16, 20)))[0]

SEEDS = {
    "hello": SHAKEN,
    "held": said(CLIENT, HELLO, 1, RANDOM + bytes(4)) + later(2) + KEYS + happens(GUARDED, 1),
    "admit": SHAKEN + request(2, 7) + happens(ADMITTED, 0) + happens(SUBFLOW, 9) + later(120),
    "moved": SHAKEN + request(2, 7) + request(3, 7, 4) + happens(ADMITTED, 0) + request(4, 7, 6),
    "many": SHAKEN + b"".join(request(2 + i, i) + happens(ADMITTED, 0) for i in range(5)),
    "expires": SHAKEN + request(2, 7) + happens(ADMITTED, 0) + later(110) + request(3, 7),
    "ask": SHAKEN + happens(ASK, 2 << 3) + answer(YES, 2, NONCE),
    "refused": SHAKEN + happens(ASK, 2 << 3) + answer(NO, 2, NONCE, 3),
    "busy": SHAKEN + happens(ASK, 2 << 3) + answer(NO, 2, NONCE, 2) + later(20) + later(20),
    "silent": happens(ESTABLISHED, 0) + KEYS + later(30) + happens(ASK, 0) + later(255),
    "keyless": happens(ESTABLISHED, 0) + later(30) + happens(LIFE, 2) + happens(KEYLESS, 0),
    "list": SHAKEN + said(SERVER, ADDR, 2, LIST) + happens(ASK, 2) + happens(OFFER, 3) +
    later(4) + said(CLIENT, ADDR_OK, 2, struct.pack(">Q", 3)),
    "bye": SHAKEN + happens(ASK, 8) + said(SERVER, BYE, 3, struct.pack(">I", 1)) +
    said(CLIENT, BYE, 4, struct.pack(">I", 2)),
    "restart": SHAKEN + happens(LIFE, 2 | 4 << 2 | 16 << 2) + happens(LIFE, 2 | 5 << 2) +
    request(9, 1),
    "gate": SHAKEN + happens(LIFE, 0) + request(2, 1) + happens(LIFE, 1) + happens(OPEN, 1) +
    happens(LIFE, 0) + request(3, 2),
    "lure": KEYS + happens(SUBFLOW, 6) + later(4) + later(30),
    "joins": happens(SUBFLOW, 11) + happens(SUBFLOW, 19) + SHAKEN + happens(SUBFLOW, 9),
    "raw": SHAKEN + step(RAW, b"MPAH\1\1\0\x0d" + bytes(44)) + step(RAW, b"MPAH\1\6\1\x10"),
}


def main(directory):
    os.makedirs(directory, exist_ok=True)
    for name, data in SEEDS.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
