# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

"""Charts as SVG, readable on light and dark pages."""

import math

from html import escape

STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px } .note { font-size: 12px; fill: #57606a }
.serin { fill: #b58900 } .peer { fill: #8c959f } .floor { fill: #d0d7de }
.whisker, .grid { stroke: #57606a; stroke-width: 1 } .grid { stroke: #d0d7de }
.line { fill: none; stroke: #b58900; stroke-width: 2 } .second { stroke: #57606a; stroke-dasharray: 5 4 }
.dot { fill: #b58900 } .dot2 { fill: #57606a }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .note { fill: #9198a1 } .serin { fill: #e3b341 } .peer { fill: #656c76 } .floor { fill: #3d444d }
.whisker { stroke: #9198a1 } .grid { stroke: #3d444d } .line { stroke: #e3b341 } .second { stroke: #9198a1 }
.dot { fill: #e3b341 } .dot2 { fill: #9198a1 } }
</style>"""

WIDTH = 820
LABEL = 230


def svg(height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'role="img">\n{STYLE}\n' + "\n".join(parts) + "\n</svg>\n")


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(str(words))}</text>'


def short(value):
    for size, unit in ((1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def bars(title, groups, note, unit=""):
    """groups: [(heading, [(label, low, middle, high, kind)])]. A logarithmic axis where the bars differ a lot."""
    values = [bar[3] for _, rows in groups for bar in rows]
    lows = [bar[2] for _, rows in groups for bar in rows]
    if not values:
        return None
    most, least = max(values), min(lows)
    log = least > 0 and most / least > 12
    floor = 10 ** math.floor(math.log10(least)) if log else 0
    room = WIDTH - LABEL - 90

    def place(value):
        if log:
            return room * math.log(max(value, floor) / floor) / math.log(most / floor)
        return room * value / most

    parts = [text(10, 22, title, "title"), text(10, 40, note + (", logarithmic" if log else ""), "note")]
    y = 50
    for heading, rows in groups:
        y += 22
        parts.append(text(10, y, heading))
        y += 8
        for label, low, middle, high, kind in rows:
            parts.append(text(LABEL - 8, y + 12, label, "note", "end"))
            parts.append(f'<rect x="{LABEL}" y="{y}" width="{max(place(middle), 1):.1f}" height="15" class="{kind}"/>')
            if high > low:
                ends = f"M{LABEL + place(low):.1f} {y + 7.5}H{LABEL + place(high):.1f}"
                parts.append(f'<path d="{ends}" class="whisker"/>')
            parts.append(text(LABEL + place(max(high, middle)) + 6, y + 12, short(middle) + unit, "note"))
            y += 19
    return svg(y + 12, parts)


def lines(title, note, points, x_title, second=None, log=False):
    """points: [(x, y)]; second: the same on a scale of its own, to the right. The y axes begin at zero; log: of x."""
    left, right, top, bottom = 80, WIDTH - 80, 70, 320
    most_x = max(x for x, _ in points) or 1

    def across(x):
        return left + (right - left) * (math.log(x) / math.log(most_x) if log else x / most_x)

    parts = [text(10, 22, title, "title"), text(10, 40, note, "note"),
             f'<path d="M{left} {bottom}H{right}" class="grid"/>']

    def draw(series, line, dot, x_of_labels, anchor, grid):
        most = max(y for _, y in series) * 1.1 or 1
        step = 10 ** math.floor(math.log10(most))
        step = step if most / step > 4 else step / 2 if most / step > 2 else step / 5
        for i in range(1, int(most / step) + 1):
            y = bottom - (bottom - top) * i * step / most
            if grid:
                parts.append(f'<path d="M{left} {y:.1f}H{right}" class="grid"/>')
            parts.append(text(x_of_labels, y + 4, short(i * step), "note", anchor))
        at = [(across(x), bottom - (bottom - top) * y / most) for x, y in series]
        parts.append('<path d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in at) + f'" class="{line}"/>')
        parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="{dot}"/>' for x, y in at)

    draw(points, "line", "dot", left - 8, "end", True)
    if second:
        draw(second, "line second", "dot2", right + 8, "start", False)
    last = -100
    for x, _ in points:
        place = across(x)
        if place - last > 34:
            parts.append(text(place, bottom + 18, f"{x:,}", "note", "middle"))
            last = place
    parts.append(text((left + right) / 2, bottom + 38, x_title, "note", "middle"))
    return svg(bottom + 52, parts)
