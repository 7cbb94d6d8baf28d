// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_BENCH_MEASURE_HPP
#define SERIN_BENCH_MEASURE_HPP

// What all peers in C++ share: the command line, what is asked, and what is measured and printed.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <vector>

namespace bench {

using clock_type = std::chrono::steady_clock;

// Scenarios: chat; faults, which is chat where calls may fail; stream. Serin has two more.
struct options
{
    std::vector<std::string> base_urls;
    std::string scenario = "chat";
    std::string ca;
    long calls = 100;
    long warmup = 0;
    long concurrency = 1;
    int threads = 1;
    long history = 0; // Earlier turns of the conversation in every request.
    bool thread_safe = true;
    bool metrics = false;
};

inline options parse(int argc, char** argv)
{
    options o;
    for (int i = 1; i < argc; ++i)
    {
        std::string_view const name = argv[i];
        if (name == "--json")
            continue;
        if (name == "--no-thread-safe")
        {
            o.thread_safe = false;
            continue;
        }
        if (name == "--metrics")
        {
            o.metrics = true;
            continue;
        }
        if (++i == argc)
            break;
        char const* const value = argv[i];
        if (name == "--base-url")
            o.base_urls.emplace_back(value);
        else if (name == "--scenario")
            o.scenario = value;
        else if (name == "--ca")
            o.ca = value;
        else if (name == "--calls")
            o.calls = std::atol(value);
        else if (name == "--warmup")
            o.warmup = std::atol(value);
        else if (name == "--concurrency")
            o.concurrency = std::atol(value);
        else if (name == "--threads")
            o.threads = std::atoi(value);
        else if (name == "--history")
            o.history = std::atol(value);
        else
        {
            std::fprintf(stderr, "unknown option %s\n", argv[i - 1]);
            std::exit(2);
        }
    }
    return o;
}

// The same texts as in bench/harness/data.py.
struct prompt
{
    std::string system;
    std::string user;

    prompt()
    {
        for (int i = 0; i < 4; ++i)
            system += "You are a careful assistant of a shipping company and answer briefly. ";
        for (int i = 0; i < 22; ++i)
            user += "She wrote: \"the crate no. 42 arrives on Monday\" - what do I answer?\n";
    }
};

inline constexpr char key[] = "sk-bench-0123456789abcdef";

// Microseconds.
inline double since(clock_type::time_point begin)
{
    return std::chrono::duration<double, std::micro>(clock_type::now() - begin).count();
}

// What one worker has measured. Microseconds.
struct figures
{
    std::vector<double> latencies;
    std::vector<double> first_tokens;
    std::vector<double> intervals; // Between the tokens of a stream: the mean of each.
    long ok = 0;
    long failed = 0;
    long chunks = 0;
    unsigned long characters = 0;

    void add_stream(double first, double total, long tokens)
    {
        first_tokens.push_back(first);
        if (tokens > 1)
            intervals.push_back((total - first) / static_cast<double>(tokens - 1));
        chunks += tokens;
    }

    void add(figures const& other)
    {
        latencies.insert(latencies.end(), other.latencies.begin(), other.latencies.end());
        first_tokens.insert(first_tokens.end(), other.first_tokens.begin(), other.first_tokens.end());
        intervals.insert(intervals.end(), other.intervals.begin(), other.intervals.end());
        ok += other.ok;
        failed += other.failed;
        chunks += other.chunks;
        characters += other.characters;
    }
};

inline double quantile(std::vector<double>& values, double q)
{
    if (values.empty())
        return 0;
    auto const at = static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5);
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
    return values[at];
}

// Time and processor time from its construction to report().
class meter
{
    clock_type::time_point begin_;
    rusage before_{};

    static double seconds(timeval const& t)
    {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    }

public:
    meter()
    {
        ::getrusage(RUSAGE_SELF, &before_);
        begin_ = clock_type::now();
    }

    void report(char const* peer, char const* version, options const& opt, figures& f) const
    {
        auto const wall = since(begin_);
        rusage after{};
        ::getrusage(RUSAGE_SELF, &after);
        std::printf("{\"peer\": \"%s\", \"version\": \"%s\", \"scenario\": \"%s\", \"calls\": %ld, \"ok\": %ld, "
                    "\"failed\": %ld, \"chunks\": %ld, \"characters\": %lu, \"wall_s\": %.6f, \"user_s\": %.6f, "
                    "\"sys_s\": %.6f, \"max_rss_kb\": %ld, \"p50_us\": %.1f, \"p99_us\": %.1f, \"ttft_p50_us\": %.1f, "
                    "\"ttft_p99_us\": %.1f, \"interval_p50_us\": %.1f, \"interval_p99_us\": %.1f}\n",
            peer, version, opt.scenario.c_str(), opt.calls, f.ok, f.failed, f.chunks, f.characters, wall / 1e6,
            seconds(after.ru_utime) - seconds(before_.ru_utime), seconds(after.ru_stime) - seconds(before_.ru_stime),
            after.ru_maxrss, quantile(f.latencies, 0.5), quantile(f.latencies, 0.99), quantile(f.first_tokens, 0.5),
            quantile(f.first_tokens, 0.99), quantile(f.intervals, 0.5), quantile(f.intervals, 0.99));
    }
};

inline std::string compiler()
{
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

} // namespace bench

#endif
