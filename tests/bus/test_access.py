#!/usr/bin/python3
"""Who may change things: root, and whom polkit allows it; and what a bad polkit can't do."""

import os
import subprocess

import buscalls
import programs
from buscalls import CONNECTION_INTERFACE, MANAGER, MANAGER_INTERFACE, NOBODY, connections, stage
from harness import check, check_equal
from lab import Failed, command, wait_for
from programs import run

DENIED = "org.freedesktop.DBus.Error.AccessDenied"
TOO_MANY = "org.mptcpize1.Error.TooMany"
POLKITD = "/usr/lib/polkit-1/polkitd"
PKACTION = "/usr/bin/pkaction"
ACTIONS = "/usr/share/polkit-1/actions"
QUESTIONS = 16  # of one caller, see limits.h
ASKED_USER = 16  # of polkit, of one user
STRANGER = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups", "--"]


class Polkit:
    """One that always gives the same answer."""

    def __init__(self, lab, answer):
        path = f"{programs.Build.find().root}/tests/bus/fake-polkitd"
        self.process = lab.add(programs.Process([path, answer], "fake-polkitd",
                                                stdout=subprocess.PIPE))
        if self.line() != ["ready"]:
            raise Failed(f"no polkit: {self.process.log_text()}")

    def line(self):
        return self.process.popen.stdout.readline().decode().split()


def flood(number, answered, prefix=NOBODY):
    """A caller that wants that many Reloads at once; when so many are answered: the answers."""
    program = f"{programs.Build.find().root}/tests/bus/flood"
    return programs.Process([*prefix, program, "reload", str(number), str(answered)], "flood",
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def limit():
    return buscalls.get(MANAGER, MANAGER_INTERFACE, "MaxSubflows")[0]


def changed(lab, answer):
    """A daemon with another limit in its file than in force, and that polkit."""
    daemon = stage(lab)
    daemon.configure({"limits": {"max_subflows": 1}})
    return daemon, Polkit(lab, answer)


def test_polkit_allows_and_it_is_done(lab):
    """It is asked for our action, of that very caller; another one has no say."""
    _, polkit = changed(lab, "allow")
    buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload", prefix=NOBODY)
    action, flags, kind, key, name = polkit.line()
    check_equal((action, flags, kind, key), ("org.mptcpize1.manage", "1", "system-bus-name",
                                             "name"), "what it is asked (busctl can wait)")
    check(name.startswith(":1."), f"the caller is named: {name}")
    check_equal(limit(), 1, "limit")


def test_polkit_allows_a_connection_to_be_changed(lab):
    """Methods of connections, too."""
    _, _ = changed(lab, "allow")
    with connections(1):
        token = buscalls.list_rows(0, 1)[0][0]["Token"]
        path = buscalls.connection_path(token)
        buscalls.call(path, CONNECTION_INTERFACE, "SetMode", "s", "off", prefix=NOBODY)
        check_equal(buscalls.get(path, CONNECTION_INTERFACE, "Policy"), ["mode/off"], "policy")


def test_polkit_denies_and_nothing_is_done(lab):
    """An error that says so."""
    _, polkit = changed(lab, "deny")
    name, text = buscalls.error_of("Reload", prefix=NOBODY)
    check_equal(name, DENIED, "error")
    check("polkit does not allow" in text, f"it says why: {text}")
    check_equal(polkit.line()[1], "0", "flags: nobody can be asked for a password")
    check_equal(limit(), 4, "limit as before")


def test_polkit_wants_a_password_is_an_error_of_its_own(lab):
    """So that the caller may ask again, and wait."""
    changed(lab, "challenge")
    check_equal(buscalls.error_of("Reload", prefix=NOBODY)[0],
                "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "error")
    check_equal(limit(), 4, "limit as before")


def test_polkit_is_not_asked_about_root(lab):
    """Root may, whatever polkit says."""
    changed(lab, "deny")
    buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload")
    check_equal(limit(), 1, "limit")


def test_polkit_absent_only_root_may(lab):
    """And others are told why not."""
    stage(lab)
    name, text = buscalls.error_of("Reload", prefix=NOBODY)
    check_equal(name, DENIED, "error")
    check("only root" in text, f"it says so: {text}")


def test_polkit_dies_while_it_is_asked(lab):
    """As good as a no, at once."""
    changed(lab, "die")
    name, text = buscalls.error_of("Reload", prefix=NOBODY)
    check_equal(name, DENIED, "error")
    check("has not answered" in text, f"it says so: {text}")
    check_equal(limit(), 4, "limit as before")


def test_polkit_silent_callers_wait_and_others_do_not(lab):
    """One caller has only so many questions open; root and readers don't notice."""
    changed(lab, "silent")
    caller = lab.add(flood(QUESTIONS + 5, 5))
    answers = [caller.popen.stdout.readline().decode().strip() for _ in range(5)]
    check_equal(answers, [TOO_MANY] * 5, "what is more than may wait is refused at once")
    buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload")
    check_equal(limit(), 1, "limit, by root")


def test_polkit_silent_a_user_has_a_share(lab):
    """Of all callers of one user only so many are asked for; another user has places, too."""
    _, polkit = changed(lab, "silent")
    callers = [lab.add(flood(QUESTIONS, 0)) for _ in range(3)]
    for caller in callers:
        check_equal(caller.popen.stdout.readline().decode().strip(), "sent", "caller")
    asked = {polkit.line()[-1] for _ in range(ASKED_USER)}
    wait_for(lambda: buscalls.error_of("Reload", prefix=NOBODY)[0] == TOO_MANY, "refusal")
    stranger = lab.add(flood(1, 0, STRANGER))
    check(polkit.line()[-1] not in asked, "the next that polkit is asked for is the other user")
    check(stranger.running(), f"who waits: {stranger.log_text()}")
    buscalls.call(MANAGER, MANAGER_INTERFACE, "Reload")
    check_equal(limit(), 1, "limit, by root")


def test_polkit_silent_who_leaves_makes_room(lab):
    """What a caller has asked is taken back when it leaves the bus, and polkit is told."""
    _, polkit = changed(lab, "silent")
    for _ in range(2):
        caller = lab.add(flood(QUESTIONS, 0))
        check_equal({len(polkit.line()) for _ in range(QUESTIONS)}, {5}, "questions")
        caller.end()
        check_equal([polkit.line() for _ in range(QUESTIONS)], [["cancel"]] * QUESTIONS,
                    "when it leaves")


def test_arguments_are_bounded(lab):
    """They are kept while polkit is asked, so that they must not be large; those of root may."""
    stage(lab)
    long = "x" * 5000
    for args in ([f"string:{long}", "string:off", "boolean:false"],
                 ["string:lte0", f"string:{long}", "boolean:false"]):
        name, text = buscalls.error_of("SetRole", *args, prefix=NOBODY)
        check_equal(name, "org.freedesktop.DBus.Error.LimitsExceeded", "error")
        check("too long" in text, f"it says why: {text}")
    check_equal(buscalls.error_of("SetRole", "string:lte0", f"string:{long}", "boolean:false")[0],
                "org.mptcpize1.Error.BadRole", "error for root")
    many = ",".join(f"limit{i},{i}" for i in range(1000))
    check_equal(buscalls.error_of("SetLimits", f"dict:string:uint32:{many}", prefix=NOBODY)[0],
                "org.freedesktop.DBus.Error.LimitsExceeded", "error for a long list")


def test_polkit_itself_knows_the_action(lab):
    """The real one, with the file that is shipped: it wants an administrator to authenticate."""
    command("mount", "--bind", os.path.abspath(buscalls.DATA), ACTIONS)
    stage(lab)
    polkit = lab.add(programs.Process([POLKITD, "--no-debug"], "polkitd"))
    wait_for(lambda: "org.freedesktop.PolicyKit1" in buscalls.busctl("list").stdout or
             not polkit.running(), "polkitd")
    name, text = buscalls.error_of("Reload", prefix=NOBODY)
    check_equal(name, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                f"error: {text}")
    done = run([PKACTION, "--verbose", "--action-id", "org.mptcpize1.manage"])
    check("auth_admin_keep" in done.stdout, f"what pkaction shows: {done.stdout}{done.stderr}")


def no_polkit():
    """What is missing for that, or \"\"."""
    missing = [path for path in (POLKITD, PKACTION, ACTIONS) if not os.path.exists(path)]
    return f"{missing[0]} is not installed" if missing else ""


test_polkit_itself_knows_the_action.obstacle = no_polkit


buscalls.main([test_polkit_allows_and_it_is_done,
               test_polkit_allows_a_connection_to_be_changed,
               test_polkit_denies_and_nothing_is_done,
               test_polkit_wants_a_password_is_an_error_of_its_own,
               test_polkit_is_not_asked_about_root,
               test_polkit_absent_only_root_may,
               test_polkit_dies_while_it_is_asked,
               test_polkit_silent_callers_wait_and_others_do_not,
               test_polkit_silent_a_user_has_a_share,
               test_polkit_silent_who_leaves_makes_room,
               test_arguments_are_bounded,
               test_polkit_itself_knows_the_action])
