// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Streams an answer with callbacks instead of coroutines, and stops it when enough has arrived.
//
// Asks a mock provider in this process, unless SERIN_BASE_URL says where a real one is. Then OPENAI_API_KEY holds the
// key, if one is needed, and SERIN_MODEL names the model.

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

namespace asio = serin::asio;

// Prints the first tokens of an answer. Lives as long as a callback refers to it.
class reader : public std::enable_shared_from_this<reader>
{
    static constexpr std::size_t enough = 5;

    serin::chat_stream stream_;
    serin::diagnostics diag_; // Must live until the completion
    std::size_t tokens_ = 0;
    bool& failed_;

public:
    explicit reader(bool& failed) : failed_(failed) {}

    void start(serin::client& client)
    {
        client.async_stream(serin::chat_request("deepseek-v3.2").user("Count to a thousand"), diag_,
            [self = shared_from_this()](serin::error_code ec, serin::chat_stream stream) {
                if (ec)
                    return self->finish(ec);
                self->stream_ = std::move(stream);
                self->next();
            });
    }

private:
    void next()
    {
        stream_.async_next(
            diag_, [self = shared_from_this()](serin::error_code ec, std::optional<serin::chat_delta> delta) {
                if (ec || !delta)
                    return self->finish(ec);
                std::cout << delta->text << std::flush;
                self->tokens_ += delta->has_token() ? 1 : 0;
                if (self->tokens_ == enough)
                {
                    // Closes the connection: the server need not go on.
                    self->stream_ = serin::chat_stream();
                    return self->finish({});
                }
                self->next();
            });
    }

    void finish(serin::error_code ec)
    {
        std::cout << '\n';
        failed_ = ec.failed();
        if (ec)
            std::cerr << serin::describe(ec, diag_) << '\n';
    }
};

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

    bool failed = true;
    serin::client_params params;
    params.upstreams.push_back(provider);
    asio::io_context context;
    serin::client client(context.get_executor(), params);
    std::make_shared<reader>(failed)->start(client);
    context.run(); // Returns when nothing is left to do
    return failed ? 1 : 0;
}
