# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

"""docs/benchmarks.md, its charts, and the table on the terminal, from the results of a run."""

from . import charts

SCENARIOS = {
    1: ("Sequential", "One call after the other on one connection."),
    2: ("Concurrent", "Calls that wait at the same time; the processor is full, so its time is what decides."),
    3: ("Streaming", "Streams of 256 tokens."),
    4: ("Retry under faults", "Of the server's answers 1.25 % each are a 503, a 429 with `Retry-After: 1`, a reset "
        "connection, and a body that is cut. Every client has up to five attempts with delays from 0.5 s on, doubled, "
        "with its own jitter; async-openai has its own policy of four attempts. Which of these a client retries is up "
        "to its retry library."),
}


def ratio(result, figure):
    low, middle, high = result[figure]["ratio"]
    if low == middle == high == 1:
        return "1"
    digits = 2 if middle < 10 else 1 if middle < 100 else 0
    return f"{middle:.{digits}f} [{low:.{digits}f}-{high:.{digits}f}]"


def has(result, figure):
    return figure in result and "ratio" in result[figure]


def middle(result, figure):
    return result[figure]["value"][1]


def columns_of(item):
    """(title, figure, how it is shown)"""
    shown = [("CPU per " + ("stream" if item["mode"] == "stream" else "call"), "cpu_us", ratio)]
    if item["mode"] == "faults":
        return shown + [
            ("success", "success", lambda r, f: f"{100 * middle(r, f):.2f} %"),
            ("attempts a call", "attempts", lambda r, f: f"{middle(r, f):.3f}"),
            ("total time", "wall_s", ratio), ("p50", "p50_us", ratio), ("p99", "p99_us", ratio)]
    if item["key"] == "paced":
        shown += [("first token, p50", "ttft_p50_us", ratio), ("p99", "ttft_p99_us", ratio),
                  ("token interval, p50, ms", "interval_p50_us", lambda r, f: f"{middle(r, f) / 1000:.1f}"),
                  ("p99, ms", "interval_p99_us", lambda r, f: f"{middle(r, f) / 1000:.1f}")]
    elif item["mode"] == "stream":
        shown += [("streams a second", "per_second", ratio), ("first token, p50", "ttft_p50_us", ratio),
                  ("p99", "ttft_p99_us", ratio), ("token interval, p50", "interval_p50_us", ratio)]
    else:
        shown += [("calls a second", "per_second", ratio), ("p50", "p50_us", ratio), ("p99", "p99_us", ratio)]
    shown.append(("peak memory, MB", "max_rss_kb", lambda r, f: f"{middle(r, f) / 1024:.0f}"))
    shown.append(("connections", "connections", lambda r, f: f"{middle(r, f):,.0f}"))
    return shown


def order(results, names):
    """Serin first, then by processor time."""
    def place(name):
        r = results.get(name, {})
        return (name != "serin", r["cpu_us"]["ratio"][1] if has(r, "cpu_us") else 1e9)
    return sorted((n for n in names if n in results), key=place)


def table(all_results, item):
    results = all_results["results"].get(item["key"], {})
    instructions = all_results["instructions"].get(item["key"], {})
    names = order(results, all_results["peers"])
    columns = [c for c in columns_of(item) if any(c[1] in results[n] for n in names)]
    counted = any("instructions" in instructions.get(n, {}) for n in names)
    head = ["client"] + [c[0] for c in columns] + (["user instructions"] if counted else [])
    rows = []
    for name in names:
        r = results[name]
        row = [all_results["peers"][name]["title"]]
        if "error" in r:
            rows.append(row + ["failed: " + r["error"].split("\n")[0][:80]] + [""] * (len(head) - 2))
            continue
        for _, figure, show in columns:
            row.append(show(r, figure) if figure in r and (show is not ratio or has(r, figure)) else "")
        if counted:
            own = instructions.get(name, {})
            row.append(charts.short(own["instructions"]) if "instructions" in own else "")
        rows.append(row)
    return head, rows


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    for row in rows:
        cells = [cell.replace("|", "\\|") for cell in row]
        if cells[0] == "Serin":
            cells = [f"**{cell}**" if cell else "" for cell in cells]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table_text(results):
    """For the terminal."""
    out = []
    for item in results["items"]:
        head, rows = table(results, item)
        widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
        out.append(item["title"])
        for row in [head, *rows]:
            cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
            out.append("  " + "  ".join(cells).rstrip())
        out.append("")
    return "\n".join(out)


def kind(name):
    return name if name in ("serin", "floor") else "peer"


def bar_chart(results, title, note, items, figure):
    groups = []
    for item in items:
        r = results["results"].get(item["key"], {})
        rows = [(results["peers"][n]["title"].split(":")[0], *r[n][figure]["ratio"], kind(n))
                for n in order(r, results["peers"]) if has(r[n], figure)]
        if rows:
            groups.append((item["title"], rows))
    return charts.bars(title, groups, note) if groups else None


def instructions_chart(results):
    groups = []
    for item in results["items"]:
        counted = results["instructions"].get(item["key"], {})
        rows = sorted(((results["peers"][n]["title"].split(":")[0], r["instructions"], kind(n))
                       for n, r in counted.items() if "instructions" in r), key=lambda row: row[1])
        if rows:
            groups.append((item["title"], [(label, v, v, v, k) for label, v, k in rows]))
    note = "Per call or stream, counted by callgrind; less is better"
    return charts.bars("User instructions", groups, note) if groups else None


SCALE = {
    "connections": ("connections, one call on each at a time", "per call", "connections"),
    "history": ("earlier turns of the conversation, 1.9 KB each", "per call", "turns in every request"),
    "chunks": ("chunks of a stream", "per stream", "chunks"),
    "upstreams": ("upstreams of one client", "per call", "upstreams"),
}


def shape(points, figure):
    """Flat, linear, or more than that. Linear: one more costs the same in the last step as on average."""
    xy = [(p["x"], p[figure][1] if isinstance(p[figure], list) else p[figure]) for p in points if figure in p]
    if len(xy) < 3:
        return "not enough points"
    (first_x, first), (last_x, last) = xy[0], xy[-1]
    if last <= 1.25 * first:
        return f"flat: the last is {100 * (last / first - 1):+.0f} % of the first"
    mean = (last - first) / (last_x - first_x)
    end = (last - xy[-2][1]) / (last_x - xy[-2][0])
    costs = f"one more costs {charts.short(mean)} on average, {charts.short(end)} at the end"
    return ("linear or less: " if end <= 1.3 * mean else "MORE THAN LINEAR: ") + costs


def scale_section(results, folder):
    scale = results["scale"]
    if not scale:
        return []
    out = ["## As things grow", "",
           "Serin alone. Instructions are user instructions under callgrind, which repeat to a percent; processor time "
           "is the median, with system calls.", ""]
    for name, (title, per, x_title) in SCALE.items():
        points = [p for p in scale.get(name, []) if "cpu_us" in p]
        if len(points) < 2:
            continue
        counted = [(p["x"], p["instructions"]) for p in points if "instructions" in p]
        measured = [(p["x"], p["cpu_us"][1]) for p in points]
        note = f"User instructions {per} (left), processor time in µs {per} (right, dashed)" if counted else \
            f"Processor time in µs {per}"
        first, second = (counted, measured) if counted else (measured, None)
        drawing = charts.lines(f"Cost {per} by {title}", note, first, x_title, second, log=name == "connections")
        (folder / f"scale-{name}.svg").write_text(drawing)
        out += [f"### By {title}", "", f"![Cost {per}](benchmarks/scale-{name}.svg)", ""]
        rows = [[f"{p['x']:,}", charts.short(p["instructions"]) if "instructions" in p else "",
                 f"{p['cpu_us'][1] / points[0]['cpu_us'][1]:.2f}", f"{p['max_rss_kb'] / 1024:.0f}"] for p in points]
        head = [x_title, f"user instructions {per}", "processor time, first = 1", "peak memory, MB"]
        out += [markdown(head, rows), "",
                f"Instructions: {shape(points, 'instructions')}. Processor time: {shape(points, 'cpu_us')}.", ""]
    threads = scale.get("threads", [])
    if threads:
        base = {t["concurrency"]: t for t in threads if t["threads"] == 1}
        rows = [[str(t["threads"]), f"{t['concurrency']:,}",
                 f"{t['per_second'][1] / base[t['concurrency']]['per_second'][1]:.2f}",
                 f"{t['cpu_us'][1] / base[t['concurrency']]['cpu_us'][1]:.2f}"]
                for t in threads if t["concurrency"] in base]
        out += ["### By threads", "",
                "Here the client may use the server's processor, too: with two processors in all, two threads and the "
                "server share them.", "",
                markdown(["threads", "at once", "calls a second, 1 thread = 1", "processor time a call, 1 thread = 1"],
                         rows), ""]
    return out


# From `bench/guard` and `bench/guard --profile "plain c64" --inclusive` (or "TLS c64", or stream), with GCC 12.2, Boost
# 1.81 and OpenSSL 3.0. To be brought up to date with the guard's baseline.
WHERE_IT_GOES = [
    "The floor does little but the system calls. Where it, too, is above the limit, no client can be below it on that "
    "machine: the aims in processor time were set when the floor took 0.36 of what hyper 0.14 took.", "",
    "What keeps the instructions above what was aimed at is mostly the work on the bytes of the call, and not the "
    "transport. Of the 44,700 of a plain call with 64 at once (`bench/guard --profile \"plain c64\" --inclusive`):", "",
    "| part | user instructions |",
    "|---|--:|",
    "| reading the answer: JSON into nodes, 6,800; UTF-8, 2,100; nodes into the types, 3,800 | 12,700 |",
    "| writing the request: escaping 1.8 KB with 66 escapes, 5,000; the rest, 1,600 | 6,600 |",
    "| the benchmark's own code that fills in the request | 2,400 |",
    "| memory, allocated 15 times: most of it texts and vectors of the request and of the answer | 3,300 |",
    "| the strand of `thread_safe`: without it a call takes 42,400 | 2,300 |",
    "| moving and destroying the request and the answer on their way through the handlers | 3,300 |",
    "| parsing the answer's head | 2,300 |",
    "| mutexes, Asio's too | 1,300 |",
    "| all else: the attempt loop, pool, keys, circuits, deadlines, Asio, coroutines | 10,500 |", "",
    "The parts overlap a little. Reading and writing JSON take 19,300 by themselves, of the 30,000 that were aimed at. "
    "A direct reader without nodes, a lighter serializer than Asio's strand, and requests and answers that are never "
    "moved would be next.", "",
    "TLS adds 24,600 to a call. The cipher (`EVP_CipherUpdate`) is 12,200 of them; most of the rest is what OpenSSL "
    "3.0 does around each record, one sent and one received. Its buffers are freed after each record: that costs "
    "instructions, and saves some 33 KB for each idle connection.", "",
    "A chunk of a stream takes 3,550: 1,100 are JSON, 900 adding up what it says, 400 the framing of HTTP, 400 the "
    "event stream, and the rest the way to the user. A chunk that begins like the one before is read from its choices on; "
    "one of a server that changes `created` or `id` in each takes 1,100 more.",
]


def bars_section(results):
    """What was aimed at, and what came of it."""
    measured, counted = results["results"], results["instructions"]

    def share(item, peer):
        r = measured.get(item, {}).get(peer, {})
        return 1 / r["cpu_us"]["ratio"][1] if has(r, "cpu_us") and r["cpu_us"]["ratio"][1] else None

    def of_serin(item, figure, scale=1):
        r = measured.get(item, {}).get("serin", {})
        return middle(r, figure) / scale if figure in r else None

    def instructions(item):
        return counted.get(item, {}).get("serin", {}).get("instructions")

    bars = [("user instructions a call, 64 at once", instructions("c64"), 30000, ",.0f"),
            ("user instructions a call, 64 at once, TLS", instructions("c64tls"), 65000, ",.0f")]
    floors = {}
    for peer, limit in (("floor", 1.6), ("hyper", 0.55), ("reqwest", 0.5), ("libcurl", 0.45), ("nethttp", 0.25)):
        title = results["peers"].get(peer, {}).get("title", peer).split(":")[0]
        for item, at_once in (("c64", "64"), ("c1000", "1,000")):
            bars.append((f"processor time against {title}, {at_once} at once", share(item, peer), limit, ".2f"))
            if peer != "floor" and share(item, peer) and share(item, "floor"):
                floors[bars[-1][0]] = f"{share(item, peer) / share(item, 'floor'):.2f}"
    bars += [("processor time of a stream of 256 tokens, µs", of_serin("stream", "cpu_us"), 150, ".0f"),
             ("processor time of such a stream against hyper + serde", share("stream", "hyper"), 0.6, ".2f"),
             ("peak memory with 1,000 connections, MB", of_serin("c1000", "max_rss_kb", 1024), 40, ".0f")]
    rows = [[what, format(limit, "," if limit > 100 else ""), format(value, shown),
             "yes" if value <= limit else "**no**", floors.get(what, "")]
            for what, value, limit, shown in bars if value is not None]
    if not rows:
        return []
    return ["## What was aimed at", "",
            "Set before the library was written, from throwaway clients that did less. Microseconds and megabytes are "
            "those of this machine.", "",
            markdown(["figure of Serin", "at most", "is", "holds", "the floor's"], rows), "", *WHERE_IT_GOES, ""]


def absolute(results):
    rows = []
    for item in results["items"]:
        r = results["results"].get(item["key"], {}).get("serin", {})
        if "cpu_us" in r:
            cells = [item["title"]]
            for figure, digits in (("cpu_us", 1), ("per_second", 0), ("p50_us", 0), ("p99_us", 0)):
                cells.append(" / ".join(f"{v:,.{digits}f}" for v in r[figure]["value"]))
            rows.append(cells)
    return markdown(["Serin: minimum / median / maximum", "CPU, µs", "a second", "p50, µs", "p99, µs"], rows)


def write(results, docs):
    folder = docs / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    m = results["machine"]
    command = "bench/run" + (" --quick" if results["quick"] else "")
    out = ["<!-- Written by bench/run. -->", "", "# Benchmarks", ""]
    if results["quick"]:
        out += [f"> Made by `bench/run --quick`: few rounds ({results['rounds']}, and one where it takes long) and few "
                "calls. Run `bench/run` for "
                "figures to rely on.", ""]
    if results["partial"]:
        out += ["> A part of the scenarios or clients only.", ""]
    out += [
        "Serin beside what one would use instead, on one machine and in one run. **Every figure is a ratio to Serin's in "
        f"the same round: 2.0 is twice Serin's.** It is the median of the rounds ({results['rounds']}), in brackets the "
        "least and the most; the clients take turns within a round. Processor time (user and system) is what compares: "
        "throughput and latency depend on the server, too, and no client is faster than the server lets it be.", "",
        f"To reproduce: `{command}` (needs nginx, valgrind, and for each client its toolchain; what is missing is "
        "skipped).", ""]

    by = {}
    for item in results["items"]:
        by.setdefault(item["scenario"], []).append(item)
    for number, items in sorted(by.items()):
        title, about = SCENARIOS[number]
        note = "Per call or stream, Serin = 1; less is better"
        drawing = bar_chart(results, title + ": processor time", note, items, "cpu_us")
        out += [f"## {title}", "", about, ""]
        if drawing:
            name = title.lower().replace(" ", "-") + ".svg"
            (folder / name).write_text(drawing)
            out += [f"![{title}](benchmarks/{name})", ""]
        for item in items:
            out += [f"### {item['title']}", "", markdown(*table(results, item)), ""]
    drawing = instructions_chart(results)
    if drawing:
        (folder / "instructions.svg").write_text(drawing)
        out += ["## User instructions", "",
                "What a busy machine cannot blur: instructions in user mode for each call, counted by callgrind as the "
                "difference of two runs. `bench/guard` keeps Serin's from growing.", "",
                "![User instructions](benchmarks/instructions.svg)", ""]
    out += bars_section(results)
    out += scale_section(results, folder)
    out += [
        "## How it was measured", "",
        "- The work is the same for all: a request of 2 KB is built from typed fields for every call, an answer of 1.5 KB "
        "is parsed into typed fields, connections are kept. Before a run every client asks a server that compares what "
        "arrives, key by key.",
        "- Every client has its pool, time limits and retries on. Serin runs `async_chat` and `async_stream` with its "
        "defaults.",
        "- The floor is no client: it sends bytes made once, and looks for the end of the answer. It shows what system "
        "calls alone cost.",
        "- C++ is compiled with `-O3`, Rust with link-time optimisation; each has one thread. isahc and surf add one of "
        "their own.",
        "- Servers: nginx for whole answers and streams as fast as they come, `bench/support/server.cpp` for one write a "
        "token, Serin's mock provider for paced streams and faults. One processor for the client, another for the server.",
        "- Instructions under callgrind are of the client process only. Go, Node and Python are not counted.",
        "- The first item of the first scenario includes connecting; the others begin on open connections, but for the "
        "paced streams and the faults.",
        "- There is no published HTTP client named \"wagon\", so it is not here.", "",
        f"{results['date']}; {m['processor']}, {m['processors']} processors, {m['memory_gib']} GiB, "
        f"{m['architecture']}; "
        f"{m['system']}, Linux {m['kernel']}; nginx {m['nginx']}; load average {m['load_before']:.1f} before and "
        f"{m['load_after']:.1f} after; {results['seconds'] // 60} min.", "",
        markdown(["client", "version"], [[p["title"], p["version"] if not p["skipped"] else f"skipped: {p['skipped']}"]
                                         for p in results["peers"].values()]), "",
        "<details><summary>Absolute figures of Serin, for this machine alone</summary>", "", absolute(results), "",
        "</details>", ""]
    (docs / "benchmarks.md").write_text("\n".join(out))
