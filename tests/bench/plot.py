#!/usr/bin/python3
"""Draws throughput over time through the loss of a path, out of what outage.py has measured.

    plot.py REPORT SVG

REPORT is the JSON of outage.py, or that of `./setup bench`. A line is the median of the runs at
each time, and the band around it has all of them. The colours (after Okabe and Ito) differ for the
colour-blind, too, on light and on dark, and the lines are labelled and dashed besides.
"""

import json
import math
import statistics
import sys
import textwrap

WIDTH, HEIGHT = 720, 330
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 46, 48
STYLES = {"mptcpized": ("mptcpize", "#0072b2", ""),
          "kernel": ("the kernel's own path manager", "#d55e00", "7 4")}
CSS = """
text { font: 13px sans-serif; fill: #222 }
.paper { fill: #fff }
.frame { stroke: #777; fill: none }
.grid { stroke: #ddd }
.away { fill: #888; opacity: 0.16 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd }
  .paper { fill: #14171c }
  .grid { stroke: #333 }
}
"""


def find_series(path):
    """The series in a report."""
    with open(path, encoding="ascii") as file:
        report = json.load(file)
    for result in report.get("series", report.get("results", [])):
        if result.get("what") == "series":
            return result
    raise SystemExit(f"{path} has no series: run ./setup bench outage")


def outline(points):
    """Of a path, in lines that are not too long."""
    return textwrap.fill("M" + " L".join(points), 90)


class Plot:
    """The elements of an SVG, as they are drawn."""

    def __init__(self, series):
        self.series = series
        self.steps = len(series["runs"]["kernel"][0])
        self.begin = series["begin_s"]
        self.end = self.begin + self.steps * series["step_s"]
        highest = max(max(self.medians(mode)) for mode in series["runs"])
        self.top = 10 * math.ceil(1.2 * highest / 10)  # a band may go beyond it
        self.parts = []

    def medians(self, mode):
        return [statistics.median(column) for column in zip(*self.series["runs"][mode])]

    def x(self, seconds):
        share = (seconds - self.begin) / (self.end - self.begin)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, mbit):
        return round(HEIGHT - BOTTOM - mbit / self.top * (HEIGHT - TOP - BOTTOM), 1)

    def text(self, x, y, text, anchor="middle", more=""):
        self.parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}"{more}>{text}</text>')

    def rectangle(self, name, begin, end):
        self.parts.append(f'<rect class="{name}" x="{begin}" y="{TOP}" width="{end - begin:.1f}" '
                          f'height="{HEIGHT - TOP - BOTTOM}"/>')

    def axes(self):
        lost, back = self.series["lost_s"], self.series["back_s"]
        self.rectangle("away", self.x(lost), self.x(back))
        self.text(self.x((lost + back) / 2), TOP + 16, "the first of two paths is away")
        for mbit in range(0, self.top + 1, 10):
            self.parts.append(f'<path class="grid" d="M{LEFT} {self.y(mbit)}H{WIDTH - RIGHT}"/>')
            self.text(LEFT - 8, self.y(mbit) + 4, mbit, "end")
        for second in range(math.ceil(self.begin), math.floor(self.end) + 1):
            self.text(self.x(second), HEIGHT - BOTTOM + 18, second)
        self.rectangle("frame", LEFT, WIDTH - RIGHT)
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "seconds since the path was lost")
        middle = (TOP + HEIGHT - BOTTOM) / 2
        self.text(16, middle, f"download, {self.series['unit']}",
                  more=f' transform="rotate(-90 16 {middle})"')

    def points(self, values):
        """A point in the middle of each step."""
        step = self.series["step_s"]
        return [f"{self.x(self.begin + (i + 0.5) * step)} {self.y(min(value, self.top))}"
                for i, value in enumerate(values)]

    def line(self, mode, legend_x):
        name, colour, dashes = STYLES[mode]
        columns = list(zip(*self.series["runs"][mode]))
        band = self.points(map(max, columns)) + self.points(map(min, columns))[::-1]
        median = self.points(self.medians(mode))
        stroke = (f'\nstroke="{colour}" stroke-width="2.2" stroke-dasharray="{dashes}" '
                  'fill="none"')
        self.parts += [f'<path d="{outline(band)}Z"\nfill="{colour}" opacity="0.2"/>',
                       f'<path d="{outline(median)}"{stroke}/>',
                       f'<path d="M{legend_x} 24h34"{stroke}/>']
        self.text(legend_x + 42, 28, name, "start")

    def svg(self):
        runs = len(self.series["runs"]["kernel"])
        self.axes()
        self.line("kernel", LEFT + 150)
        self.line("mptcpized", LEFT)
        self.text(WIDTH - RIGHT, 28, f"median and range of {runs}" if runs > 1 else "one run",
                  "end")
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                f'width="{WIDTH}" height="{HEIGHT}">\n<title>Throughput over time while one of two '
                f"paths is lost</title>\n<style>{CSS}</style>\n"
                f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def draw(series, path):
    with open(path, "w", encoding="ascii") as file:
        file.write(Plot(series).svg())


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: plot.py REPORT SVG")
    draw(find_series(sys.argv[1]), sys.argv[2])


if __name__ == "__main__":
    main()
