// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What peers in JavaScript share: the command line, what is asked, and what is measured and printed.

import { readFileSync } from "node:fs";

export const KEY = "sk-bench-0123456789abcdef";
export const MAX_RETRIES = 4;
export const TIMEOUT_MS = 600_000;

// The same texts as in bench/harness/data.py.
const SYSTEM = "You are a careful assistant of a shipping company and answer briefly. ".repeat(4);
const USER = 'She wrote: "the crate no. 42 arrives on Monday" - what do I answer?\n'.repeat(22);

export const options = { baseUrl: "", scenario: "chat", ca: "", calls: 100, warmup: 0, concurrency: 1, threads: 1, history: 0 };
for (let i = 2; i < process.argv.length; ++i) {
    const name = process.argv[i].replace(/^--/, "").replace("base-url", "baseUrl");
    if (name === "json") continue;
    if (!(name in options)) throw new Error(`unknown option ${process.argv[i]}`);
    const value = process.argv[++i];
    options[name] = typeof options[name] === "number" ? Number(value) : value;
}

export const ca = () => (options.ca ? readFileSync(options.ca, "utf8") : undefined);

export function messages() {
    const all = [{ role: "system", content: SYSTEM }];
    for (let i = 0; i < options.history; ++i)
        all.push({ role: "user", content: USER }, { role: "assistant", content: SYSTEM });
    all.push({ role: "user", content: USER });
    return all;
}

function quantile(values, q) {
    if (values.length === 0) return 0;
    const sorted = Float64Array.from(values).sort();
    return sorted[Math.round(q * (sorted.length - 1))];
}

const now = () => performance.now() * 1000;

// chat() gives {characters, stopped}; stream(token) calls token(text) for each and gives whether it stopped.
export async function run(name, { chat, stream }) {
    async function calls(count) {
        const f = { latencies: [], firstTokens: [], intervals: [], ok: 0, failed: 0, chunks: 0, characters: 0 };
        async function worker() {
            while (count-- > 0) {
                const begin = now();
                try {
                    let stopped;
                    if (options.scenario === "stream") {
                        let tokens = 0;
                        let first = 0;
                        stopped = await stream((text) => {
                            if (!text) return;
                            if (tokens++ === 0) first = now() - begin;
                            f.characters += text.length;
                        });
                        f.firstTokens.push(first);
                        if (tokens > 1) f.intervals.push((now() - begin - first) / (tokens - 1));
                        f.chunks += tokens;
                    } else {
                        const answer = await chat();
                        f.characters += answer.characters;
                        stopped = answer.stopped;
                    }
                    ++f[stopped ? "ok" : "failed"];
                } catch (e) {
                    if (f.failed++ === 0) console.error(`${name}: ${e}`);
                }
                f.latencies.push(now() - begin);
            }
        }
        await Promise.all(Array.from({ length: options.concurrency }, worker));
        return f;
    }

    if (options.warmup > 0) await calls(options.warmup);
    const before = process.resourceUsage();
    const begin = now();
    const f = await calls(options.calls);
    const wall = now() - begin;
    const after = process.resourceUsage();
    console.log(JSON.stringify({
        peer: name, scenario: options.scenario, calls: options.calls, ok: f.ok, failed: f.failed, chunks: f.chunks,
        characters: f.characters, wall_s: wall / 1e6, user_s: (after.userCPUTime - before.userCPUTime) / 1e6,
        sys_s: (after.systemCPUTime - before.systemCPUTime) / 1e6, max_rss_kb: after.maxRSS,
        p50_us: quantile(f.latencies, 0.5), p99_us: quantile(f.latencies, 0.99),
        ttft_p50_us: quantile(f.firstTokens, 0.5), ttft_p99_us: quantile(f.firstTokens, 0.99),
        interval_p50_us: quantile(f.intervals, 0.5), interval_p99_us: quantile(f.intervals, 0.99),
    }));
    process.exit(0);
}
