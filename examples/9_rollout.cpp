// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Shifts traffic to a new model, step by step. At the second step the new model begins to fail now and then: the
// rollout takes its traffic away, and no caller has seen a failure.
//
//     9_rollout [SECONDS]      how long each step lasts; 1 by default, so that it can be watched. In a service: hours.
//
// Asks two mock providers in this process. Needs no key.

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string_view>

namespace asio = serin::asio;

// What the callers count.
struct tally
{
    bool stop = false;
    int of_stable = 0;
    int of_canary = 0;
    int failed = 0;
};

// Somebody who asks one thing after another.
asio::awaitable<void> call(serin::client& client, tally& count)
{
    while (!count.stop)
    {
        try
        {
            serin::chat_request request("fast");
            request.user("Name a colour of canaries.");
            serin::chat_response const response = co_await client.async_chat(request);
            ++(response.upstream == "canary" ? count.of_canary : count.of_stable);
        }
        catch (serin::api_error const& e)
        {
            ++count.failed;
            std::cerr << serin::describe(e.code(), e.diag()) << '\n';
        }
    }
}

// Prints how it goes, makes the canary fail at its second stage, and ends when the rollout has.
asio::awaitable<void> watch(serin::client& client, serin::mock::provider& canary, tally& count)
{
    asio::steady_timer timer(co_await asio::this_coro::executor);
    tally before;
    bool failing = false;
    for (int tick = 1; client.rollouts().front().status == serin::rollout_status::running; ++tick)
    {
        timer.expires_after(std::chrono::milliseconds(100));
        co_await timer.async_wait(asio::use_awaitable);
        serin::rollout_report const report = client.rollouts().front();
        if (tick % 5 == 0)
        {
            std::cout << "stage " << report.stage + 1 << " of " << report.stages << ": "
                      << count.of_canary - before.of_canary << " answers of the canary, "
                      << count.of_stable - before.of_stable << " of the other\n";
            before = count;
        }
        if (report.stage == 1 && !failing)
        {
            failing = true;
            canary.set_function([n = std::make_shared<int>()](serin::mock::request_view const&) {
                return ++*n % 5 == 0 ? serin::mock::behavior().with_status(500) : serin::mock::behavior();
            });
        }
    }
    count.stop = true;
}

int main(int argc, char** argv)
{
    double const seconds = argc > 1 ? std::atof(argv[1]) : 1;
    auto const hold = std::chrono::milliseconds(static_cast<long>(seconds * 1000));

    serin::mock::provider stable;
    serin::mock::provider canary;

    serin::client_params params;
    params.upstreams = {
        {.name = "stable", .base_url = stable.base_url()},
        {.name = "canary", .base_url = canary.base_url()},
    };
    params.models = {{.name = "fast", .upstreams = {{.upstream = "stable"}, {.upstream = "canary"}}}};
    params.rollouts = {{.model = "fast",
        .candidate = "canary",
        .stages = {0.10, 0.30, 1.00},
        .hold = hold,
        .gates = {.error_rate = 0.01, .min_requests = 20, .window = hold}}};
    params.log = [](serin::log_level level, std::string_view line) {
        if (level != serin::log_level::debug)
            std::cout << "log: " << line << '\n';
    };

    tally count;
    asio::io_context context;
    serin::client client(context.get_executor(), params);
    for (int i = 0; i < 4; ++i)
        asio::co_spawn(context, call(client, count), asio::detached);
    asio::co_spawn(context, watch(client, canary, count), asio::detached);
    context.run();

    serin::rollout_report const report = client.rollouts().front();
    std::cout << "The rollout is " << serin::rollout_status_name(report.status) << ": " << report.why << '\n'
              << count.of_stable + count.of_canary << " answers, " << count.failed << " failed calls\n";
    return report.status == serin::rollout_status::rolled_back && count.failed == 0 ? 0 : 1;
}
