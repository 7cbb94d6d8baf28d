// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// One call with Serin, for bench/compile_cost.

#include <serin/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <iostream>

namespace asio = boost::asio;

asio::awaitable<void> run(serin::client& client)
{
    serin::chat_response reply = co_await client.async_chat(serin::chat_request("gpt-4.1-mini").user("Say hi"));
    std::cout << reply.text() << '\n';
}

int main()
{
    serin::client_params params;
    params.upstreams.emplace_back();
    asio::io_context context;
    serin::client client(context.get_executor(), params);
    asio::co_spawn(context, run(client), asio::detached);
    context.run();
}
