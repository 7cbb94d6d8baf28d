// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// One whole and one streamed chat with a mock provider in this process.

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <utility>

namespace {

serin::asio::awaitable<bool> chat(serin::client& client)
{
    serin::chat_response reply = co_await client.async_chat(serin::chat_request("mock").user("Say hi"));
    std::cout << "whole: " << reply.text() << '\n';

    std::string text;
    serin::chat_stream stream = co_await client.async_stream(serin::chat_request("mock").user("Say hi"));
    for (;;)
    {
        auto delta = co_await stream.async_next();
        if (!delta)
            break;
        text += delta->text;
    }
    std::cout << "streamed: " << text << '\n';
    co_return !text.empty() && text == reply.text();
}

} // namespace

int main()
{
    serin::mock::provider provider;
    serin::asio::io_context ctx;

    serin::client_params params;
    params.upstreams.emplace_back();
    params.upstreams.back().base_url = provider.base_url();
    serin::client client(ctx.get_executor(), std::move(params));

    bool answered = false;
    serin::asio::co_spawn(ctx, chat(client), [&answered](std::exception_ptr error, bool result) {
        if (error)
            std::rethrow_exception(error);
        answered = result;
    });
    ctx.run();
    return answered ? 0 : 1;
}
