#!/usr/bin/python3
"""A path swallows everything while its link stays up: nobody but the daemon notices."""

import os
import signal
import socket

import harness
from harness import check, check_equal, topology
from lab import NAMES, SERVER, SERVICE4, read, wait_for
from programs import Curl, daemon_at, stage, wait_for_subflows
from transfers import Upload, progress

SIZE = 100_000_000  # longer than the tests need; the throttle is opened at the end
IPPROTO_MPTCP = 262
DELAYED = topology(NAMES[:2], (20, 20), delay=(20, 20))  # 40 ms there and back


def notes(daemon, word):
    """Reasons in the log of the only connection."""
    return [line["reason"] for line in daemon.connection()["log"] if word in line["reason"]]


def note_of(daemon, word):
    return wait_for(lambda: notes(daemon, word), word)[-1]


def counter(daemon, name):
    return daemon.query("status")["counters"][name]


def finish(lab, transfer):
    lab.open_throttle()
    transfer.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


def swallow(lab, judge, transfer, word):
    """Path 0 dies below a transfer, and judge is the daemon that has to say why it is given up."""
    progress(transfer, 3_000_000)
    lab.note("wifi0 swallows everything")
    lab.blackhole(0, "both")
    check(True, note_of(judge, word))
    lab.note("it is given up")
    progress(transfer)
    check(True, "the transfer goes on over lte0")


def come_back(lab, daemon, transfer):
    lab.blackhole(0, "none")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    check(True, "wifi0 is joined again when it works again")
    finish(lab, transfer)


@DELAYED
def test_blackhole_upload_path_is_given_up(lab):
    """The sender is ours: what it sends stays unacknowledged."""
    daemon = stage(lab, size=SIZE)
    upload = Upload(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    swallow(lab, daemon, upload, "path lost: nothing acknowledged for")
    wait_for_subflows(daemon, ["lte0"])
    come_back(lab, daemon, upload)


@DELAYED
def test_blackhole_download_sender_gives_up_path(lab):
    """The sender is the server, with a daemon of its own: it aborts what the client opened."""
    server = daemon_at(lab, SERVER)
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    swallow(lab, server, curl, "path lost: nothing acknowledged for")
    wait_for_subflows(daemon, ["lte0"])
    come_back(lab, daemon, curl)


@DELAYED
def test_blackhole_download_receiver_asks_and_gives_up_path(lab):
    """Only the client has a daemon: it sends joins, and nobody answers."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    swallow(lab, daemon, curl, "path lost: nothing arrived for")
    check(notes(daemon, "a probe: is the path alive?"), "it was asked first")
    wait_for_subflows(daemon, ["lte0"])
    come_back(lab, daemon, curl)


def worker_of(process):
    """The process that nginx's first one has started."""
    pid = process.popen.pid
    return int(read(f"/proc/{pid}/task/{pid}/children").split()[0])


@DELAYED
def test_quiet_sender_paths_are_kept(lab):
    """The server stops to send: both paths answer, and stay as they are."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    progress(curl, 3_000_000)
    pid = worker_of(next(process for process in lab.processes if process.name == "nginx"))
    os.kill(pid, signal.SIGSTOP)
    lab.note("nginx stops")
    wait_for(lambda: counter(daemon, "probes") == 2, "both paths are asked")
    wait_for(lambda: len(notes(daemon, "the probe has done its work")) == 2, "both answer")
    os.kill(pid, signal.SIGCONT)
    progress(curl)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    check_equal(counter(daemon, "subflows_dead"), 0, "paths given up")
    check_equal(counter(daemon, "subflows_created"), 1, "subflows asked for")
    finish(lab, curl)


def answered(host):
    """A connection on which a question was answered, and which is kept."""
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    client.settimeout(20)
    client.connect((host, 80))
    client.sendall(b"HEAD /data HTTP/1.1\r\nHost: server\r\n\r\n")
    check(client.recv(4096).startswith(b"HTTP/1.1 200"), "a question is answered")
    return client


@DELAYED
def test_blackhole_idle_connection_is_left_alone(lab):
    """A path dies below a connection on which nothing moves, and below one that sends."""
    daemon = stage(lab, size=SIZE)
    idle = answered(SERVICE4)
    wait_for_subflows(daemon, ["wifi0", "lte0"])
    token = daemon.connection()["token"]
    upload = Upload(lab, SERVICE4, "data")
    progress(upload, 3_000_000)
    lab.blackhole(0, "both")
    lab.note("wifi0 swallows everything")
    wait_for(lambda: counter(daemon, "subflows_dead") == 1, "the upload gives it up")
    progress(upload, 3_000_000)
    shown = daemon.query("show", token)
    check_equal(sorted(row["interface"] for row in shown["subflows"]
                       if row["state"] == "established"), ["lte0", "wifi0"], "idle subflows")
    check_equal(counter(daemon, "probes"), 0, "probes")
    lab.blackhole(0, "none")
    idle.close()
    finish(lab, upload)


harness.main([test_blackhole_upload_path_is_given_up,
              test_blackhole_download_sender_gives_up_path,
              test_blackhole_download_receiver_asks_and_gives_up_path,
              test_quiet_sender_paths_are_kept,
              test_blackhole_idle_connection_is_left_alone])
