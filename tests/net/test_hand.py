#!/usr/bin/python3
"""What an operator orders by hand stays so, but costs no connection."""

import harness
from harness import check, check_equal
from lab import SERVICE4, wait_for
from programs import Curl, stage, wait_for_subflows

SIZE = 80_000_000  # longer than the test needs; the throttle is opened at the end
SOME = 1_000_000


def begin(lab):
    """A transfer over both paths: the daemon, curl and the token."""
    daemon = stage(lab, size=SIZE)
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, [path.name for path in lab.paths])
    curl.reaches(0.02)
    return daemon, curl, daemon.connection()["token"]


def order(daemon, *args):
    done = daemon.ctl(*args)
    check_equal((done.returncode, done.stderr), (0, ""), " ".join(args))


def progress(curl):
    goal = curl.received() + SOME
    wait_for(lambda: curl.received() >= goal, f"{SOME} more bytes arrive")


def usable(daemon, name):
    return {row["name"]: row["usable"] for row in daemon.query("interface")["interfaces"]}[name]


def flap(lab, daemon, index):
    name = lab.paths[index].name
    lab.path_down(index)
    wait_for(lambda: not usable(daemon, name), f"{name} is gone")
    lab.path_up(index)
    wait_for(lambda: usable(daemon, name), f"{name} is back")


def test_hand_removed_subflow_stays_away_while_there_is_another(lab):
    """Neither a link that comes back nor a reload brings it; the loss of the other path does."""
    first, second = (path.name for path in lab.paths)
    daemon, curl, token = begin(lab)
    order(daemon, "subflow", "remove", token, second)
    wait_for_subflows(daemon, [first])
    flap(lab, daemon, 1)
    order(daemon, "reload")
    progress(curl)
    check_equal([row["interface"] for row in daemon.connection()["subflows"]], [first],
                "subflows after a flap and a reload")
    lab.path_down(0)
    wait_for_subflows(daemon, [second])
    progress(curl)
    check(True, f"{second} is used again when there is nothing else")
    lab.path_up(0)
    wait_for_subflows(daemon, [first, second])
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


def test_hand_removed_first_subflow_is_added_again(lab):
    """The one that opened the connection can be closed, and joined anew under its id."""
    first, second = (path.name for path in lab.paths)
    daemon, curl, token = begin(lab)
    order(daemon, "subflow", "remove", token, first)
    wait_for_subflows(daemon, [second])
    refused = daemon.ctl("subflow", "remove", token, second)
    check_equal(refused.returncode, 1, "exit code of removing the last one")
    check("no other subflow carries the connection" in refused.stderr, "it says why")
    progress(curl)
    order(daemon, "subflow", "add", token, first)
    wait_for_subflows(daemon, [first, second])
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


def test_hand_backup_outlives_flaps_of_others_and_a_reload(lab):
    """The plugin's opinion, by the role of the interface, does not count any more."""
    first, second = (path.name for path in lab.paths)
    daemon, curl, token = begin(lab)

    def backups():
        return {row["interface"]: row["backup"] for row in daemon.subflows()}

    order(daemon, "subflow", "backup", token, second)
    wait_for(lambda: backups() == {first: False, second: True}, f"{second} is backup")
    order(daemon, "interface", second, "master")
    order(daemon, "reload")
    progress(curl)
    check_equal(backups(), {first: False, second: True}, "backups after a reload")
    check("the operator's word stands" in daemon.ctl("show", token).stdout, "the log says why")
    order(daemon, "subflow", "backup", token, second, "off")
    wait_for(lambda: backups() == {first: False, second: False}, f"{second} is normal again")
    lab.open_throttle()
    curl.finish()


harness.main([test_hand_removed_subflow_stays_away_while_there_is_another,
              test_hand_removed_first_subflow_is_added_again,
              test_hand_backup_outlives_flaps_of_others_and_a_reload])
