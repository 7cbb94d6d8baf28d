// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The same call with Beast and nlohmann/json, as one would write it, for bench/compile_cost.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

asio::awaitable<void> run(asio::ssl::context& tls)
{
    std::string const host = "api.openai.com";
    auto const executor = co_await asio::this_coro::executor;
    asio::ip::tcp::resolver resolver(executor);
    auto const addresses = co_await resolver.async_resolve(host, "443", asio::use_awaitable);

    beast::ssl_stream<beast::tcp_stream> stream(executor, tls);
    SSL_set_tlsext_host_name(stream.native_handle(), host.c_str());
    stream.set_verify_callback(asio::ssl::host_name_verification(host));
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(30));
    co_await beast::get_lowest_layer(stream).async_connect(addresses, asio::use_awaitable);
    co_await stream.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);

    nlohmann::json asked;
    asked["model"] = "gpt-4.1-mini";
    asked["messages"] = nlohmann::json::array();
    asked["messages"].push_back(nlohmann::json{{"role", "user"}, {"content", "Say hi"}});
    http::request<http::string_body> request(http::verb::post, "/v1/chat/completions", 11);
    request.set(http::field::host, host);
    request.set(http::field::content_type, "application/json");
    if (char const* key = std::getenv("OPENAI_API_KEY"))
        request.set(http::field::authorization, "Bearer " + std::string(key));
    request.body() = asked.dump();
    request.prepare_payload();
    co_await http::async_write(stream, request, asio::use_awaitable);

    beast::flat_buffer buffer;
    http::response<http::string_body> response;
    co_await http::async_read(stream, buffer, response, asio::use_awaitable);
    auto const answer = nlohmann::json::parse(response.body());
    std::cout << answer["choices"][0]["message"]["content"].get<std::string>() << '\n';
}

int main()
{
    asio::io_context context;
    asio::ssl::context tls(asio::ssl::context::tls_client);
    tls.set_default_verify_paths();
    tls.set_verify_mode(asio::ssl::verify_peer);
    asio::co_spawn(context, run(tls), asio::detached);
    context.run();
}
