#!/usr/bin/python3
"""A path is lost in the middle of a transfer, and comes back."""

import harness
from harness import check
from lab import SERVICE4, wait_for
from programs import Curl, stage, wait_for_subflows

SIZE = 80_000_000  # longer than the test needs; the throttle is opened at the end
SOME = 1_000_000


def progress(curl):
    goal = curl.received() + SOME
    wait_for(lambda: curl.received() >= goal, f"{SOME} more bytes arrive")


def lose_and_return(lab, index, lose, restore):
    """Takes path `index` away with lose(index), and gives it back with restore(index)."""
    daemon = stage(lab, size=SIZE)
    names = [path.name for path in lab.paths]
    rest = [name for name in names if name != names[index]]
    curl = Curl(lab, SERVICE4, "data")
    wait_for_subflows(daemon, names)
    curl.reaches(0.02)
    lab.note(f"{names[index]} goes")
    lose(index)
    wait_for_subflows(daemon, rest)
    progress(curl)
    check(True, f"the transfer goes on over {rest}")
    restore(index)
    wait_for_subflows(daemon, names)
    lab.note(f"{names[index]} is back, with a subflow")
    goal = lab.received()[names[index]] + SOME / 4
    wait_for(lambda: lab.received()[names[index]] >= goal, f"data on {names[index]} again")
    check(True, f"{names[index]} carries data again")
    lab.open_throttle()
    curl.finish()
    check(True, f"{SIZE} bytes arrived as they were sent")


def test_cut_initial_link_down_transfer_survives(lab):
    """The link that the connection was opened on goes down."""
    lose_and_return(lab, 0, lab.path_down, lab.path_up)


def test_cut_other_link_down_transfer_survives(lab):
    """The link of the second subflow goes down."""
    lose_and_return(lab, 1, lab.path_down, lab.path_up)


def test_cut_initial_carrier_lost_transfer_survives(lab):
    """The cable of the first link is pulled: it stays up, without a carrier."""
    lose_and_return(lab, 0, lab.carrier_off, lab.carrier_on)


def test_cut_initial_address_removed_transfer_survives(lab):
    """The first link loses its addresses, as when a lease ends."""
    lose_and_return(lab, 0, lab.addr_del, lab.addr_add)


harness.main([test_cut_initial_link_down_transfer_survives,
              test_cut_other_link_down_transfer_survives,
              test_cut_initial_carrier_lost_transfer_survives,
              test_cut_initial_address_removed_transfer_survives])
