// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Holds a conversation of two answers, printed as they arrive: with exceptions, and without.
//
// Asks a mock provider in this process, unless SERIN_BASE_URL says where a real one is. Then OPENAI_API_KEY holds the
// key, if one is needed, and SERIN_MODEL names the model.

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdlib>
#include <iostream>

namespace asio = serin::asio;

// Prints the answer as it arrives, and adds it to the conversation. Throws serin::api_error.
asio::awaitable<void> answer(serin::client& client, serin::chat_request& conversation)
{
    // Completes with the first token: every retry is over by then.
    serin::chat_stream stream = co_await client.async_stream(conversation);
    while (auto delta = co_await stream.async_next())
        std::cout << delta->text << std::flush; // A view, valid until the next async_next
    std::cout << '\n';
    conversation.add(stream.response().reply()); // The pieces, added up
}

// The same without exceptions: errors are returned, and what is known about them is in the diagnostics.
asio::awaitable<serin::error_code> answer(
    serin::client& client, serin::chat_request& conversation, serin::diagnostics& diag)
{
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    auto [ec, stream] = co_await client.async_stream(conversation, diag, token);
    while (!ec)
    {
        auto [error, delta] = co_await stream.async_next(diag, token);
        if (!error && !delta)
        {
            std::cout << '\n';
            conversation.add(stream.response().reply());
            break;
        }
        if (delta)
            std::cout << delta->text << std::flush;
        ec = error;
    }
    co_return ec;
}

asio::awaitable<void> talk(serin::client& client, int& exit_code)
{
    serin::chat_request conversation("deepseek-v3.2");
    conversation.system("You are brief.").user("Name a colour of canaries.");
    try
    {
        co_await answer(client, conversation);
    }
    catch (serin::api_error const& e)
    {
        std::cerr << serin::describe(e.code(), e.diag()) << '\n';
        co_return;
    }

    conversation.user("And another one.");
    serin::diagnostics diag;
    serin::error_code const ec = co_await answer(client, conversation, diag);
    if (!ec)
        exit_code = 0;
    else
        std::cerr << serin::describe(ec, diag) << '\n';
}

int main()
{
    serin::mock::provider mock;
    serin::upstream provider;
    provider.base_url = mock.base_url();
    if (char const* url = std::getenv("SERIN_BASE_URL"))
        provider.base_url = url;
    if (std::getenv("SERIN_BASE_URL") && std::getenv("OPENAI_API_KEY"))
        provider.keys = serin::env_key("OPENAI_API_KEY");
    if (char const* model = std::getenv("SERIN_MODEL"))
        provider.model = model;

    int exit_code = 1;
    serin::client_params params;
    params.upstreams.push_back(provider);
    asio::io_context context;
    serin::client client(context.get_executor(), params);
    asio::co_spawn(context, talk(client, exit_code), asio::detached);
    context.run();
    return exit_code;
}
