// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The work of the benchmark with Serin, as its users write it: pool, deadlines and retries on.

#include "../measure/measure.hpp"

#include <serin/client.hpp>
#include <serin/core/config.hpp>
#include <serin/observe/metrics.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/version.hpp>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace asio = serin::asio;

namespace {

// More scenarios than measure.hpp names: next, a stream without try_next; build, which makes requests and sends none.

serin::chat_request make_request(bench::prompt const& p, long history)
{
    serin::chat_request request("bench-model");
    request.temperature = 0.5;
    request.max_tokens = 512;
    request.system(p.system);
    for (long i = 0; i < history; ++i)
    {
        request.user(p.user);
        request.assistant(p.system);
    }
    request.user(p.user);
    return request;
}

struct run_state
{
    serin::client& client;
    bench::options const& opt;
    bench::prompt const text;
    std::atomic<long> left{0};

    bool take() { return left.fetch_sub(1, std::memory_order_relaxed) > 0; }
};

asio::awaitable<void> chat_worker(run_state& run, bench::figures& out)
{
    while (run.take())
    {
        auto const begin = bench::clock_type::now();
        try
        {
            auto request = make_request(run.text, run.opt.history);
            auto const response = co_await run.client.async_chat(std::move(request));
            out.characters += response.text().size() + (response.usage ? response.usage->total_tokens : 0);
            ++(response.finish_reason() == "stop" ? out.ok : out.failed);
        }
        catch (serin::api_error const& e)
        {
            if (out.failed++ == 0)
                std::fprintf(stderr, "serin: %s\n", e.what());
        }
        out.latencies.push_back(bench::since(begin));
    }
}

asio::awaitable<void> stream_worker(run_state& run, bench::figures& out)
{
    bool const try_first = run.opt.scenario != "next";
    while (run.take())
    {
        auto const begin = bench::clock_type::now();
        try
        {
            auto request = make_request(run.text, run.opt.history);
            auto stream = co_await run.client.async_stream(std::move(request));
            auto const first = bench::since(begin);
            long tokens = 0;
            for (;;)
            {
                std::optional<serin::chat_delta> delta;
                if (try_first)
                    delta = stream.try_next();
                if (!delta)
                    delta = co_await stream.async_next();
                if (!delta)
                    break;
                tokens += delta->has_token();
                out.characters += delta->text.size();
            }
            out.add_stream(first, bench::since(begin), tokens);
            ++(stream.response().finish_reason() == "stop" ? out.ok : out.failed);
        }
        catch (serin::api_error const& e)
        {
            if (out.failed++ == 0)
                std::fprintf(stderr, "serin: %s\n", e.what());
        }
        out.latencies.push_back(bench::since(begin));
    }
}

asio::awaitable<void> build_worker(run_state& run, bench::figures& out)
{
    while (run.take())
    {
        auto const request = make_request(run.text, run.opt.history);
        out.characters += request.messages.size();
        ++out.ok;
    }
    co_return;
}

std::vector<bench::figures> run_calls(asio::io_context& ctx, run_state& run, long calls)
{
    auto const& opt = run.opt;
    std::vector<bench::figures> all(static_cast<std::size_t>(opt.concurrency));
    run.left = calls;
    for (auto& out : all)
    {
        out.latencies.reserve(static_cast<std::size_t>(calls / opt.concurrency + 16));
        asio::any_io_executor ex = ctx.get_executor();
        if (opt.threads > 1)
            ex = asio::make_strand(ctx);
        auto worker = opt.scenario == "build"                              ? build_worker(run, out)
                      : opt.scenario == "stream" || opt.scenario == "next" ? stream_worker(run, out)
                                                                           : chat_worker(run, out);
        asio::co_spawn(ex, std::move(worker), asio::detached);
    }
    ctx.restart();
    std::vector<std::thread> threads;
    for (int i = 1; i < opt.threads; ++i)
        threads.emplace_back([&] { ctx.run(); });
    ctx.run();
    for (auto& thread : threads)
        thread.join();
    return all;
}

} // namespace

int main(int argc, char** argv)
{
    if (argc == 2 && std::string_view(argv[1]) == "--version")
    {
        std::printf("{\"peer\": \"serin\", \"version\": \"%s\", \"compiler\": \"%s\", \"boost\": \"%d.%d.%d\", "
                    "\"openssl\": \"%s\"}\n",
            SERIN_VERSION, bench::compiler().c_str(), BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
            BOOST_VERSION % 100, OpenSSL_version(OPENSSL_VERSION_STRING));
        return 0;
    }
    auto const opt = bench::parse(argc, argv);

    serin::client_params params;
    for (auto const& url : opt.base_urls)
    {
        serin::upstream u;
        u.name = "u" + std::to_string(params.upstreams.size());
        u.base_url = url;
        u.keys = serin::fixed_key(serin::secret(bench::key));
        params.upstreams.push_back(std::move(u));
    }
    params.tls.ca_file = opt.ca;
    params.thread_safe = opt.thread_safe;
    if (opt.metrics)
        params.observer = std::make_shared<serin::metrics>();

    asio::io_context ctx(opt.threads);
    serin::client client(ctx.get_executor(), std::move(params));
    run_state run{client, opt, {}, {}};

    if (opt.warmup > 0)
        run_calls(ctx, run, opt.warmup);

    bench::meter const meter;
    bench::figures sum;
    for (auto const& figures : run_calls(ctx, run, opt.calls))
        sum.add(figures);
    meter.report("serin", SERIN_VERSION, opt, sum);
    return 0;
}
