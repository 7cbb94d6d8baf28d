// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Whatever goes away, and however far a call has come: nothing leaks and nothing is touched afterwards. Meant for the
// address sanitizer, which sees both.

#include "catch.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

enum class ending
{
    destroy_client,
    destroy_stream,
    destroy_context,
    cancel_client,
    cancel_slot,
};

// A call under way, on a context of its own.
struct scene
{
    std::unique_ptr<asio::io_context> context = std::make_unique<asio::io_context>();
    std::optional<serin::client> client;
    std::optional<serin::chat_stream> stream;
    asio::cancellation_signal signal;
    bool over = false;

    explicit scene(serin::client_params p) { client.emplace(context->get_executor(), std::move(p)); }

    void chat()
    {
        client->async_chat(ask(), asio::bind_cancellation_slot(
                                      signal.slot(), [this](serin::error_code, serin::chat_response) { over = true; }));
    }

    void open_stream()
    {
        client->async_stream(
            ask(), asio::bind_cancellation_slot(signal.slot(), [this](serin::error_code ec, serin::chat_stream s) {
                if (ec)
                {
                    over = true;
                    return;
                }
                stream.emplace(std::move(s));
                next();
            }));
    }

    void next()
    {
        stream->async_next(asio::bind_cancellation_slot(
            signal.slot(), [this](serin::error_code ec, std::optional<serin::chat_delta> d) {
                if (ec || !d)
                    over = true;
                else if (stream)
                    next();
            }));
    }

    void end(ending how)
    {
        switch (how)
        {
        case ending::destroy_client: client.reset(); break;
        case ending::destroy_stream: stream.reset(); break;
        case ending::destroy_context: break;
        case ending::cancel_client: client->cancel(); break;
        case ending::cancel_slot: signal.emit(asio::cancellation_type::terminal); break;
        }
        if (how != ending::destroy_context)
        {
            // What was ended completes, and then nothing is left.
            context->restart();
            context->run_for(20s);
            CHECK(context->stopped());
            if (how == ending::cancel_client || how == ending::cancel_slot)
                CHECK(over);
        }
    }

    // The context goes last, with every handler that did not run.
    ~scene()
    {
        client.reset();
        stream.reset();
        context.reset();
    }
};

// Lets the call run for `steps` handlers, then ends it. False: the call was over before.
template <class Start>
bool end_after(int steps, ending how, serin::client_params const& p, Start start)
{
    scene s(p);
    start(s);
    int done = 0;
    while (done < steps && !s.over)
    {
        if (s.context->run_one_for(2s) == 0)
            break;
        ++done;
    }
    bool const was_over = s.over;
    s.end(how);
    return !was_over;
}

template <class Start>
void end_everywhere(serin::client_params const& p, Start start)
{
    for (ending const how : {ending::destroy_client, ending::destroy_stream, ending::destroy_context,
             ending::cancel_client, ending::cancel_slot})
    {
        CAPTURE(static_cast<int>(how));
        int steps = 0;
        while (end_after(steps, how, p, start))
        {
            ++steps;
            REQUIRE(steps < 2000);
        }
        CHECK(steps > 3);
    }
}

} // namespace

TEST_CASE("a chat can be ended after any number of handlers")
{
    serin::mock::provider server;
    end_everywhere(params_for(server.base_url()), [](scene& s) { s.chat(); });
}

TEST_CASE("a stream can be ended after any number of handlers")
{
    serin::mock::provider server;
    end_everywhere(params_for(server.base_url()), [](scene& s) { s.open_stream(); });
}

TEST_CASE("a TLS chat to a name can be ended after any number of handlers")
{
    serin::mock::provider_params mp;
    mp.tls = true;
    serin::mock::provider server(mp);
    auto p = params_for("https://localhost:" + std::to_string(server.port()) + "/v1");
    p.tls.ca_pem = server.ca_pem();
    end_everywhere(p, [](scene& s) { s.chat(); });
}

TEST_CASE("calls that queue for a connection can be ended after any number of handlers")
{
    serin::mock::provider server;
    auto p = params_for(server.base_url());
    p.pool.max_per_host = 1;
    end_everywhere(p, [](scene& s) {
        s.client->async_chat(ask(), [](serin::error_code, serin::chat_response) {});
        s.client->async_chat(ask(), [](serin::error_code, serin::chat_response) {});
        s.chat();
    });
}

TEST_CASE("a context that is destroyed takes the coroutines that use the client with it")
{
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().stall_after(2));
    auto context = std::make_unique<asio::io_context>();
    auto body = [](asio::io_context& ctx, serin::client_params p) -> asio::awaitable<void> {
        serin::client c(ctx.get_executor(), std::move(p));
        serin::chat_stream stream = co_await c.async_stream(ask());
        for (;;)
        {
            auto delta = co_await stream.async_next();
            if (!delta)
                break;
        }
    };
    asio::co_spawn(*context, body(*context, params_for(server.base_url())), asio::detached);
    context->run_for(100ms);
    CHECK(server.connections_open() == 1);
    context.reset();
    CHECK(server.wait_until([&] { return server.connections_open() == 0; }));
}
