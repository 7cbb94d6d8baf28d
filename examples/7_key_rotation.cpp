// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Replaces the key of a running client: in a file that is watched, as that of a Kubernetes secret would be, and without
// watching, when the provider does not accept the old key any more.
//
// Asks a mock provider in this process, which can be told what keys it accepts. Needs no key.

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

namespace asio = serin::asio;

// Writes a key file the right way: whoever reads it at any moment finds the old key or the new one, and no half of it.
void replace_key(std::filesystem::path const& file, std::string_view key)
{
    std::filesystem::path fresh = file;
    fresh += ".new";
    std::ofstream(fresh) << key << '\n';
    std::filesystem::rename(fresh, file);
}

// Fingerprints stand for keys: nothing prints a key.
void print_keys(serin::client const& client)
{
    for (serin::upstream_keys const& of : client.keys())
        for (serin::key_health const& key : of.keys)
            std::cout << "  the key of " << of.upstream << " is " << key.fingerprint << ", "
                      << (key.state == serin::key_state::usable ? "usable" : "not usable") << '\n';
}

// Asks something. The attempts tell whether the provider refused a key on the way.
asio::awaitable<void> ask(serin::client& client)
{
    serin::chat_request request("deepseek-v3.2");
    request.user("Name a colour of canaries.");
    serin::diagnostics diag;
    serin::chat_response const response = co_await client.async_chat(request, diag);
    std::cout << "  \"" << response.text() << "\", attempts: " << diag.attempts.size()
              << ", status of the first: " << diag.attempts.front().status << '\n';
}

// Until the client has another key than this one. A program need not wait for that; an example wants to show it.
asio::awaitable<void> key_changed(serin::client& client, std::string fingerprint)
{
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (client.keys().front().keys.front().fingerprint == fingerprint)
    {
        timer.expires_after(std::chrono::milliseconds(10));
        co_await timer.async_wait(asio::use_awaitable);
    }
}

asio::awaitable<void> rotate(
    serin::client& client, serin::mock::provider& mock, std::filesystem::path const& file, int& exit_code)
{
    try
    {
        std::cout << "With the first key:\n";
        co_await ask(client);
        print_keys(client);

        client.start(); // Watches the file from here on
        std::string const first = client.keys().front().keys.front().fingerprint;
        replace_key(file, "sk-example-second");
        co_await key_changed(client, first);
        mock.set_keys({"sk-example-second"}); // The first one is revoked
        std::cout << "The file was replaced while it was watched:\n";
        co_await ask(client);
        print_keys(client);
        client.stop(); // Else the context would have work for ever

        replace_key(file, "sk-example-third");
        mock.set_keys({"sk-example-third"});
        std::cout << "And without watching, the old key already revoked:\n";
        co_await ask(client); // Refused, reads the file again, asks once more: the caller only sees the answer
        print_keys(client);
        exit_code = 0;
    }
    catch (serin::api_error const& e)
    {
        client.stop();
        std::cerr << serin::describe(e.code(), e.diag()) << '\n';
    }
}

int main()
{
    auto const file =
        std::filesystem::temp_directory_path() /
        ("serin-example-key-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
    replace_key(file, "sk-example-first");

    serin::mock::provider mock;
    mock.set_keys({"sk-example-first"});
    mock.set_default(serin::mock::behavior().with_text("Yellow."));

    serin::upstream provider;
    provider.base_url = mock.base_url();
    provider.keys = serin::file_key(file.string());

    int exit_code = 1;
    serin::client_params params;
    params.upstreams.push_back(provider);
    params.log = [](serin::log_level level, std::string_view line) {
        if (level != serin::log_level::debug)
            std::cout << "  log: " << line << '\n';
    };
    asio::io_context context;
    serin::client client(context.get_executor(), params);
    asio::co_spawn(context, rotate(client, mock, file, exit_code), asio::detached);
    context.run();
    std::filesystem::remove(file);
    return exit_code;
}
