#!/usr/bin/python3
"""What becomes of figures: rows, the table of the README, and the plot."""

import importlib
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "net")]
# pylint: disable=wrong-import-position
import plot  # noqa: E402
import report  # noqa: E402

bench_all = importlib.import_module("all")

SERIES = {"what": "series", "step_s": 0.5, "begin_s": -1, "lost_s": 0, "back_s": 1,
          "unit": "Mbit/s", "runs": {"mptcpized": [[40, 39, 19, 20], [40, 41, 20, 20]],
                                     "kernel": [[40, 39, 1, 20], [39, 39, 2, 19]]}}


def row(ours, theirs, bar=None, better="lower"):
    made = report.row_of("what", "us", report.figures_of(ours),
                         ("peer", report.figures_of(theirs)), better, bar)
    made.update(benchmark="some", key=True)
    return made


class Rows(unittest.TestCase):
    def test_ratio_is_of_the_medians(self):
        made = row([1, 3, 100], [2, 2, 9])
        self.assertEqual(made["ours"], {"min": 1, "median": 3, "max": 100, "n": 3})
        self.assertEqual(made["ratio"], 1.5)
        self.assertIsNone(made["met"])

    def test_missing_peer_has_a_reason_and_no_figure(self):
        made = row([1], "not there: no apt-get here")
        self.assertIsNone(made["ratio"])
        self.assertNotIn("median", made["peer"])
        self.assertEqual(report.peer_text(made), "peer: not there: no apt-get here")

    def test_nothing_measured_meets_no_bar(self):
        for what in ("median", "max", "ratio", "difference"):
            self.assertFalse(row([], [1], {what: 100})["met"])
        self.assertFalse(row([1], "never", {"ratio": 100})["met"])

    def test_bars_at_their_edge(self):
        for bar, met in (({"median": 3}, True), ({"median": 2}, False), ({"max": 4}, True),
                         ({"median": 3, "max": 3}, False), ({"ratio": 1.5}, True),
                         ({"ratio": 1.4}, False), ({"difference": 1}, True),
                         ({"difference": 0.9}, False)):
            self.assertIs(row([2, 3, 4], [2], bar)["met"], met, bar)
        self.assertTrue(row([96], [97], {"median": 95}, "higher")["met"])
        self.assertFalse(row([94], [90], {"median": 95}, "higher")["met"])


class Readme(unittest.TestCase):
    results = {"cpu": "Some", "cpus": 2, "kernel": "6.1", "commit": "abc", "quick": False}

    def test_only_key_rows_and_missed_bars_are_told(self):
        other = {**row([1], [1]), "name": "other", "key": False}
        text = bench_all.markdown({**self.results, "rows": [row([3], [2], {"ratio": 1.4}), other]})
        self.assertIn("| what | us | 3 | peer | 2 | 1.50 | lower | ratio <= 1.40 (**missed**) | "
                      "`some` |", text)
        self.assertNotIn("other", text)

    def test_only_what_is_between_the_marks_is_replaced(self):
        with tempfile.NamedTemporaryFile("w+", encoding="utf-8") as file:
            file.write(f"before\n{bench_all.BEGIN}\nold\n{bench_all.END}\nafter\n")
            file.flush()
            bench_all.replace(file.name, "new\n")
            with open(file.name, encoding="utf-8") as again:
                self.assertEqual(again.read(), f"before\n{bench_all.BEGIN}\nnew\n{bench_all.END}\n"
                                               "after\n")

    def test_file_without_marks_is_left_alone(self):
        with tempfile.NamedTemporaryFile("w+", encoding="utf-8") as file:
            self.assertRaises(SystemExit, bench_all.replace, file.name, "new\n")


class Picture(unittest.TestCase):
    def test_is_xml_within_its_frame(self):
        drawn = plot.Plot(SERIES)
        xml.etree.ElementTree.fromstring(drawn.svg())
        self.assertEqual(drawn.top, 50)
        self.assertEqual((drawn.x(-1), drawn.x(1)), (plot.LEFT, plot.WIDTH - plot.RIGHT))
        self.assertEqual((drawn.y(0), drawn.y(50)), (plot.HEIGHT - plot.BOTTOM, plot.TOP))


if __name__ == "__main__":
    unittest.main()
