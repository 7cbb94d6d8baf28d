// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Two upstreams answer for one model. One of them fails: its calls go to the other, it is left alone for a while, and
// gets its share again when it has recovered. The callers see answers only.
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
#include <iostream>
#include <map>
#include <string>
#include <string_view>

namespace asio = serin::asio;

// Asks a number of times, and prints who has answered.
asio::awaitable<void> ask(serin::client& client, std::string_view when)
{
    constexpr int calls = 200;
    std::map<std::string, int> answers;
    std::size_t attempts = 0;
    for (int i = 0; i < calls; ++i)
    {
        serin::chat_request request("fast"); // The name in client_params::models, which no provider knows
        request.user("Name a colour of canaries.");
        serin::diagnostics diag;
        serin::chat_response const response = co_await client.async_chat(request, diag);
        ++answers[response.upstream];
        attempts += diag.attempts.size();
    }
    std::cout << when << ": ";
    for (auto const& [upstream, count] : answers)
        std::cout << count << " answers of " << upstream << ", ";
    std::cout << attempts << " attempts\n";
}

asio::awaitable<void> pause(std::chrono::milliseconds time)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> fail_over(serin::client& client, serin::mock::provider& second, int& exit_code)
{
    try
    {
        co_await ask(client, "Both are well       ");

        second.set_default(serin::mock::behavior().with_status(503));
        co_await ask(client, "The second one fails");
        for (serin::upstream_status const& u : client.upstreams())
            std::cout << "  " << u.name << " is " << (u.circuit == serin::circuit_state::closed ? "asked" : "ejected")
                      << '\n';

        second.set_default(serin::mock::behavior().with_text("Green."));
        co_await pause(std::chrono::milliseconds(500)); // Longer than an ejection takes here
        co_await ask(client, "It has recovered    ");
        exit_code = 0;
    }
    catch (serin::api_error const& e)
    {
        std::cerr << serin::describe(e.code(), e.diag()) << '\n';
    }
}

int main()
{
    serin::mock::provider first;
    serin::mock::provider second;
    first.set_default(serin::mock::behavior().with_text("Yellow."));
    second.set_default(serin::mock::behavior().with_text("Green."));

    serin::client_params params;
    params.upstreams = {
        {.name = "first", .base_url = first.base_url(), .weight = 80},
        {.name = "second", .base_url = second.base_url(), .weight = 20},
    };
    params.models = {{.name = "fast", .upstreams = {{.upstream = "first"}, {.upstream = "second"}}}};
    params.health.ejection = std::chrono::milliseconds(300); // Seconds by default
    params.log = [](serin::log_level level, std::string_view line) {
        if (level != serin::log_level::debug)
            std::cout << "  log: " << line << '\n';
    };

    int exit_code = 1;
    asio::io_context context;
    serin::client client(context.get_executor(), params);
    asio::co_spawn(context, fail_over(client, second, exit_code), asio::detached);
    context.run();
    return exit_code;
}
