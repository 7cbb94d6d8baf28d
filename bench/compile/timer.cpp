// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The same program with a timer in place of the call, for bench/compile_cost: what coroutines on Asio cost by
// themselves.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <iostream>

namespace asio = boost::asio;

asio::awaitable<void> run(asio::io_context& context)
{
    asio::steady_timer timer(context, std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    std::cout << "done\n";
}

int main()
{
    asio::io_context context;
    asio::co_spawn(context, run(context), asio::detached);
    context.run();
}
