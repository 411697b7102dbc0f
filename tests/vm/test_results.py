#!/usr/bin/python3
"""What is read from network tests, and the table of it: nothing that failed may look good there."""

import unittest

import results
import table

GOOD = """# script cut
1..2
ok 1 - test_one
ok 2 - test_two # SKIP no such thing
# ended with 0"""
FEATURE = '# features [{"name": "clock", "state": "%s", "reason": "it is late"}]'


def fed(*texts):
    found = results.Results("6.1.0", "old")
    for line in "\n".join(texts).splitlines():
        found.feed(line)
    return found


class ResultsTest(unittest.TestCase):
    """Lines that inside.py passes on."""

    def test_feed_cases_keeps_state_and_reason(self):
        self.assertEqual(fed(GOOD).cases, {"cut": {
            "test_one": ("passed", ""), "test_two": ("skipped", "no such thing")}})

    def test_feed_failed_case_fails(self):
        found = fed("# script cut", "not ok 1 - test_one", "# ended with 1")
        self.assertEqual(found.cases["cut"], {"test_one": ("failed", "")})

    def test_feed_script_that_ends_badly_fails(self):
        for text in ("# ended with 1", "# ended with -11", "# ended with a timeout, 3 s"):
            found = fed("# script cut", "ok 1 - test_one", text)
            self.assertEqual(found.cases["cut"]["(all)"][0], "failed", text)

    def test_feed_script_without_cases_fails_or_is_skipped(self):
        self.assertEqual(fed("# script cut", "# ended with 0").cases["cut"]["(all)"][0], "failed")
        found = fed("# script cut", "1..0 # SKIP no MPTCP", "# ended with 77")
        self.assertEqual(found.cases["cut"], {"(all)": ("skipped", "no MPTCP")})

    def test_feed_end_is_seen(self):
        self.assertFalse(fed(GOOD).complete)
        self.assertTrue(fed(GOOD, "# done").complete)


class TableTest(unittest.TestCase):
    """Cells, and the notes below."""

    def test_of_skipped_has_a_note(self):
        text = table.of([fed(GOOD)])
        self.assertIn("in the middle of a transfer, and comes back | works [1] |", text)
        self.assertIn("\n1. no such thing\n", text)

    def test_of_failed_is_loud(self):
        text = table.of([fed(GOOD, "not ok 3 - test_three")])
        self.assertIn("**1 of 2 fail**", text)

    def test_of_features_has_states_and_reasons(self):
        for state, cell in (("works", "works"), ("missing", "not there [1]"),
                            ("fallback", "our fallback [1]"), ("unknown", "not known [1]")):
            text = table.of([fed(FEATURE % state)])
            self.assertIn(f"| kernel: clock | {cell} |", text)
            self.assertEqual("1. it is late" in text, state != "works")

    def test_of_several_kernels_says_what_was_not_run(self):
        text = table.of([fed(GOOD), fed()])
        self.assertIn("| works [1] | - |", text)


unittest.main()
