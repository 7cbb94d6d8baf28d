// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Asks one question, with a coroutine, and prints the whole answer.
//
// Asks a mock provider in this process, unless SERIN_BASE_URL says where a real one is. Then OPENAI_API_KEY holds the
// key, if one is needed, and SERIN_MODEL names the model.

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <exception>
#include <iostream>

namespace asio = serin::asio;

asio::awaitable<void> ask(serin::client& client)
{
    serin::chat_response reply = co_await client.async_chat(serin::chat_request("deepseek-v3.2").user("Say hi"));
    std::cout << reply.text() << '\n';
    if (reply.usage)
        std::cout << "(" << reply.usage->total_tokens << " tokens, from " << reply.model << ")\n";
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

    try
    {
        serin::client_params params;
        params.upstreams.push_back(provider);
        asio::io_context context;
        serin::client client(context.get_executor(), params);
        asio::co_spawn(context, ask(client), [](std::exception_ptr e) {
            if (e)
                std::rethrow_exception(e);
        });
        context.run();
    }
    catch (serin::api_error const& e)
    {
        // Everything that the server said is in e.diag().
        std::cerr << serin::describe(e.code(), e.diag()) << '\n';
        return 1;
    }
}
