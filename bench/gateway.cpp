// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What a gateway adds to the time of a request: the same is asked of a server directly and through a gateway, by turns,
// at a fixed rate whatever the answers take; then many streams are opened through each, every four milliseconds and all
// at the same moment. The server must know a model "paced", whose streams last longer than it takes to open them all.
// bench/gateway starts all that.
//
//     bench_gateway DIRECT_URL GATEWAY_URL [REQUESTS_PER_SECOND [SECONDS [STREAMS]]]      default: 100 10 1000

#include <serin/client.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;

struct series
{
    std::vector<double> milliseconds;
    std::size_t failed = 0;

    double quantile(double q)
    {
        if (milliseconds.empty())
            return 0;
        std::sort(milliseconds.begin(), milliseconds.end());
        return milliseconds[static_cast<std::size_t>(q * static_cast<double>(milliseconds.size() - 1))];
    }
};

serin::chat_request question(char const* model = "mock")
{
    serin::chat_request r(model);
    r.user("Say hi");
    return r;
}

double since(clock_type::time_point from)
{
    return std::chrono::duration<double, std::milli>(clock_type::now() - from).count();
}

asio::awaitable<void> ask(serin::client& client, series& out)
{
    auto const from = clock_type::now();
    serin::diagnostics diag;
    auto const answer = co_await client.async_chat(question(), diag, asio::as_tuple(asio::use_awaitable));
    if (std::get<0>(answer))
        ++out.failed;
    else
        out.milliseconds.push_back(since(from));
}

asio::awaitable<void> ask_at_rate(
    serin::client& direct, serin::client& gateway, int rate, int seconds, series& of_direct, series& of_gateway)
{
    asio::steady_timer timer(direct.get_executor(), clock_type::now());
    auto const step = std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>(0.5 / rate));
    for (int i = 0; i < 2 * rate * seconds; ++i)
    {
        bool const through = i % 2 != 0;
        asio::co_spawn(
            direct.get_executor(), through ? ask(gateway, of_gateway) : ask(direct, of_direct), asio::detached);
        timer.expires_at(timer.expiry() + step);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> read_stream(serin::client& client, char const* model, series& first_token, series& whole)
{
    auto const from = clock_type::now();
    serin::diagnostics diag;
    auto opened = co_await client.async_stream(question(model), diag, asio::as_tuple(asio::use_awaitable));
    if (std::get<0>(opened))
    {
        ++whole.failed;
        co_return;
    }
    first_token.milliseconds.push_back(since(from));
    serin::chat_stream& stream = std::get<1>(opened);
    for (;;)
    {
        auto const next = co_await stream.async_next(diag, asio::as_tuple(asio::use_awaitable));
        if (std::get<0>(next))
        {
            ++whole.failed;
            co_return;
        }
        if (!std::get<1>(next))
            break;
    }
    whole.milliseconds.push_back(since(from));
}

// The streams begin `step` after one another.
asio::awaitable<void> open_streams(serin::client& client, int count, std::chrono::microseconds step, char const* model,
    series& first_token, series& whole)
{
    asio::steady_timer timer(client.get_executor(), clock_type::now());
    for (int i = 0; i < count; ++i)
    {
        asio::co_spawn(client.get_executor(), read_stream(client, model, first_token, whole), asio::detached);
        timer.expires_at(timer.expiry() + step);
        if (step.count() != 0)
            co_await timer.async_wait(asio::use_awaitable);
    }
}

serin::client make_client(asio::io_context& context, std::string url)
{
    serin::client_params p;
    serin::upstream u;
    u.base_url = std::move(url);
    p.upstreams.push_back(u);
    p.retry.max_attempts = 1;
    p.pool.max_per_host = 5000;
    p.pool.max_idle_per_host = 5000;
    p.pool.max_idle = 10000;
    p.thread_safe = false;
    return serin::client(context.get_executor(), std::move(p));
}

void print(char const* what, series& s)
{
    std::printf("%-22s %7zu answers, %zu failed; median %8.3f ms, 95 %% %8.3f ms, 99 %% %8.3f ms\n", what,
        s.milliseconds.size(), s.failed, s.quantile(0.50), s.quantile(0.95), s.quantile(0.99));
}

} // namespace

int main(int argc, char* argv[])
{
    if (argc < 3)
    {
        std::fprintf(stderr, "usage: bench_gateway DIRECT_URL GATEWAY_URL [REQUESTS_PER_SECOND [SECONDS [STREAMS]]]\n");
        return 2;
    }
    int const rate = argc > 3 ? std::atoi(argv[3]) : 100;
    int const seconds = argc > 4 ? std::atoi(argv[4]) : 10;
    int const streams = argc > 5 ? std::atoi(argv[5]) : 1000;

    asio::io_context context(1);
    serin::client direct = make_client(context, argv[1]);
    serin::client gateway = make_client(context, argv[2]);
    series warm;
    series of_direct;
    series of_gateway;
    asio::co_spawn(context, ask_at_rate(direct, gateway, rate, 1, warm, warm), asio::detached);
    context.run();
    context.restart();
    asio::co_spawn(context, ask_at_rate(direct, gateway, rate, seconds, of_direct, of_gateway), asio::detached);
    context.run();
    std::printf("%d requests/s to each, %d s\n", rate, seconds);
    print("direct", of_direct);
    print("through the gateway", of_gateway);
    std::printf("added: median %.3f ms, 95 %% %.3f ms, 99 %% %.3f ms\n",
        of_gateway.quantile(0.50) - of_direct.quantile(0.50), of_gateway.quantile(0.95) - of_direct.quantile(0.95),
        of_gateway.quantile(0.99) - of_direct.quantile(0.99));

    std::size_t failed = of_direct.failed + of_gateway.failed;
    struct
    {
        char const* name;
        char const* model;
        std::chrono::microseconds step;
    } const openings[] = {{"one opened every 4 ms", "paced", std::chrono::milliseconds(4)},
        {"all opened at the same moment", "mock", {}}};
    for (auto const& opening : openings)
    {
        std::printf("%d streams at once, %s\n", streams, opening.name);
        series first_token[2];
        series whole[2];
        for (int through = 0; through < 2; ++through)
        {
            context.restart();
            asio::co_spawn(context,
                open_streams(through ? gateway : direct, streams, opening.step, opening.model, first_token[through],
                    whole[through]),
                asio::detached);
            context.run();
            print(through ? "gateway, first token" : "direct, first token", first_token[through]);
            print(through ? "gateway, whole" : "direct, whole", whole[through]);
            failed += whole[through].failed;
        }
        std::printf("added: first token, median %.3f ms; whole, median %.3f ms\n",
            first_token[1].quantile(0.50) - first_token[0].quantile(0.50),
            whole[1].quantile(0.50) - whole[0].quantile(0.50));
    }
    return failed == 0 ? 0 : 1;
}
