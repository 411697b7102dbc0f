#!/usr/bin/python3
"""Networks come and go under connections that require authentication: each join is asked for on
the path that is there by then, and no byte is lost."""

import time

import harness
from guarded import auth_counter, remotes, stage_guarded, wait_for_own_paths
from harness import check, check_equal, needs_program
from lab import PATIENCE, Failed

SIZE = 500_000  # bytes each way, again and again until all has happened
needs_nft = needs_program("nft")


def meanwhile(pair, story):
    """Moves data both ways while the story, a generator, goes on; it yields while it waits."""
    end = time.monotonic() + 3 * PATIENCE
    ended = []

    def go_on():
        if time.monotonic() > end:
            raise Failed(f"not within {3 * PATIENCE:.0f} s: {story.__name__}")
        if next(story, ended) is ended:
            ended.append(True)

    while not ended:
        pair.transfer(SIZE, go_on)
    pair.transfer(SIZE)
    check(True, "all that was sent has arrived as it was sent")


def has_only(scene, *paths):
    """Does the server have subflows of these paths of the client, and of no others?"""
    return remotes(scene.far) == sorted(path.client4 for path in paths)


def still_confirmed(scene, least):
    """Both ends are; so many joins at least were admitted, and none was a stranger's."""
    scene.confirmed()
    admitted = auth_counter(scene.far, "admitted")
    check(admitted >= least, f"{admitted} joins were admitted")
    check_equal(auth_counter(scene.far, "intruders"), 0, "subflows that nobody admitted")


@needs_nft
def test_handover_initial_path_cut_and_back(lab):
    """The path of the first handshake goes while data flows, and joins like any other later."""
    scene = stage_guarded(lab)
    pair, _victim = scene.open()
    wait_for_own_paths(scene)

    def cut():
        lab.path_down(0)
        while not has_only(scene, lab.paths[1]):
            yield
        lab.path_up(0)
        while not has_only(scene, *lab.paths):
            yield

    meanwhile(pair, cut())
    still_confirmed(scene, 2)
    pair.close()


@needs_nft
def test_handover_break_before_make(lab):
    """The only path goes before there is another one: nothing is left to join by but the new."""
    scene = stage_guarded(lab)
    lab.path_down(1)
    pair, _victim = scene.open()
    scene.confirmed()
    check(has_only(scene, lab.paths[0]), "there is one path")

    def move():
        for old, new in ((0, 1), (1, 0)):
            lab.path_down(old)
            while scene.daemon.subflows():
                yield
            lab.path_up(new)
            while not has_only(scene, lab.paths[new]):
                yield

    meanwhile(pair, move())
    still_confirmed(scene, 2)
    pair.close()


harness.main([test_handover_initial_path_cut_and_back,
              test_handover_break_before_make])
