// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Calls a port on which nobody listens, and expects to be told so: all of the library is linked, and runs.

#include <serin/client.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <iostream>
#include <string>
#include <utility>

int main()
{
    serin::asio::io_context ctx;
    using tcp = serin::asio::ip::tcp;
    // Bound but not listening: nobody else gets the port meanwhile.
    tcp::socket reserved(ctx, tcp::endpoint(serin::asio::ip::address_v4::loopback(), 0));

    serin::client_params params;
    params.upstreams.emplace_back();
    params.upstreams.back().base_url = "http://127.0.0.1:" + std::to_string(reserved.local_endpoint().port()) + "/v1";
    params.retry.max_attempts = 1;
    serin::client client(ctx.get_executor(), std::move(params));

    serin::error_code result;
    client.async_chat(serin::chat_request("any").user("Say hi"),
        [&result](serin::error_code ec, serin::chat_response) { result = ec; });
    ctx.run();

    std::cout << serin::kind_name(result) << '\n';
    return result == serin::errc::connect_failed ? 0 : 1;
}
