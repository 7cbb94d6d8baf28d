# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

"""What peers in Python share: the command line, what is asked, and what is measured and printed."""

import argparse
import asyncio
import json
import resource
import sys
import time

KEY = "sk-bench-0123456789abcdef"
MAX_RETRIES = 4
TIMEOUT = 600.0

# The same texts as in bench/harness/data.py.
SYSTEM = "You are a careful assistant of a shipping company and answer briefly. " * 4
USER = 'She wrote: "the crate no. 42 arrives on Monday" - what do I answer?\n' * 22


def options():
    parser = argparse.ArgumentParser()
    for name, default in (("base-url", ""), ("scenario", "chat"), ("ca", ""), ("calls", 100), ("warmup", 0),
                          ("concurrency", 1), ("threads", 1), ("history", 0)):
        parser.add_argument("--" + name, type=type(default), default=default)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def messages(o):
    turns = [{"role": "system", "content": SYSTEM}]
    for _ in range(o.history):
        turns += [{"role": "user", "content": USER}, {"role": "assistant", "content": SYSTEM}]
    return turns + [{"role": "user", "content": USER}]


class Figures:
    def __init__(self):
        self.latencies, self.first_tokens, self.intervals = [], [], []
        self.ok = self.failed = self.chunks = self.characters = 0


def quantile(values, q):
    return sorted(values)[round(q * (len(values) - 1))] if values else 0


async def calls(name, o, count, chat, stream):
    f = Figures()

    async def worker():
        nonlocal count
        while count > 0:
            count -= 1
            begin = time.perf_counter()
            try:
                if o.scenario == "stream":
                    tokens, first = 0, 0.0

                    def token(text):
                        nonlocal tokens, first
                        if not text:
                            return
                        if tokens == 0:
                            first = time.perf_counter() - begin
                        tokens += 1
                        f.characters += len(text)

                    stopped = await stream(token)
                    f.first_tokens.append(first)
                    if tokens > 1:
                        f.intervals.append((time.perf_counter() - begin - first) / (tokens - 1))
                    f.chunks += tokens
                else:
                    characters, stopped = await chat()
                    f.characters += characters
                if stopped:
                    f.ok += 1
                else:
                    f.failed += 1
            except Exception as e:  # Whatever the SDK throws: the call has failed.
                if f.failed == 0:
                    print(f"{name}: {type(e).__name__}: {e}", file=sys.stderr)
                f.failed += 1
            f.latencies.append(time.perf_counter() - begin)

    await asyncio.gather(*(worker() for _ in range(o.concurrency)))
    return f


async def run(name, o, chat, stream):
    """chat() gives characters and whether it stopped; stream(token) calls token(text) and gives whether it stopped."""
    if o.warmup > 0:
        await calls(name, o, o.warmup, chat, stream)
    before = resource.getrusage(resource.RUSAGE_SELF)
    begin = time.perf_counter()
    f = await calls(name, o, o.calls, chat, stream)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "peer": name, "scenario": o.scenario, "calls": o.calls, "ok": f.ok, "failed": f.failed, "chunks": f.chunks,
        "characters": f.characters, "wall_s": wall, "user_s": after.ru_utime - before.ru_utime,
        "sys_s": after.ru_stime - before.ru_stime, "max_rss_kb": after.ru_maxrss,
        "p50_us": quantile(f.latencies, 0.5) * 1e6, "p99_us": quantile(f.latencies, 0.99) * 1e6,
        "ttft_p50_us": quantile(f.first_tokens, 0.5) * 1e6, "ttft_p99_us": quantile(f.first_tokens, 0.99) * 1e6,
        "interval_p50_us": quantile(f.intervals, 0.5) * 1e6, "interval_p99_us": quantile(f.intervals, 0.99) * 1e6,
    }))
