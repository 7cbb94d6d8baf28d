// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "relay.hpp"

#include "../chat/wire_read.hpp"
#include "cached_call.hpp"
#include "cached_stream.hpp"
#include "endpoints.hpp"
#include "stream_call.hpp"
#include "whole_call.hpp"

namespace serin {
namespace {

void fill_relayed(relay_request&& asked, call_request& out)
{
    out.path = asked.chat ? &dialect::chat_path : &dialect::embeddings_path;
    out.streams = asked.body.stream;
    out.accept = asked.body.stream ? "text/event-stream" : "application/json";
    out.model = std::move(asked.body.model);
    out.body = std::move(asked.body.tail);
    out.inputs = asked.body.inputs;
    out.max_answer = asked.body.max_answer;
    out.timeout = asked.timeout;
    out.sticky_key = std::move(asked.body.sticky_key);
    out.streams = out.keep_events = asked.body.stream;
    out.show_usage = asked.body.asks_for_usage;
}

// What whole relayed calls share.
struct relay_endpoint
{
    using request = relay_request;
    using response = relay_answer;

    static error_code write(routing const&, request&& asked, call_request& out, std::string&)
    {
        fill_relayed(std::move(asked), out);
        return {};
    }

    static token_usage const* usage(response const& r) noexcept { return r.usage ? &*r.usage : nullptr; }
    static std::string_view text(response const& r) noexcept { return r.body; }
};

struct relay_chat_endpoint : relay_endpoint
{
    static error_code read(json_reader& reader, exchange const& from, std::size_t, response& out, server_error& err)
    {
        chat_response parsed;
        if (error_code const ec = read_response(reader, from.body(), parsed, err))
            return ec;
        out.usage = std::move(parsed.usage);
        out.body = from.body();
        return {};
    }
};

struct relay_embedding_endpoint : relay_endpoint
{
    static error_code read(
        json_reader& reader, exchange const& from, std::size_t inputs, response& out, server_error& err)
    {
        json_value root;
        if (!reader.parse(from.body(), root))
            return errc::malformed_response;
        json_value data;
        token_usage usage;
        for (json_member const m : root.members())
        {
            if (key_is(m.key, "data"))
                data = m.value;
            else if (key_is(m.key, "usage") && read_usage(m.value, usage))
                out.usage = usage;
        }
        if (!data.is_array() || holds_error(root))
            return error_in_answer(root, err);
        std::size_t vectors = 0;
        for ([[maybe_unused]] json_value const item : data.items())
            ++vectors;
        if (inputs != 0 && vectors != inputs)
            return errc::malformed_response;
        out.body = from.body();
        return {};
    }
};

} // namespace

error_code relay::read(client& c, std::string_view body, relay_request& out, server_error& why)
{
    auto const& impl = client_access::impl(c);
    auto reader = impl->take_reader();
    error_code const ec = read_relayed_body(*reader, body, out.chat, out.body, why);
    impl->put_reader(std::move(reader));
    return ec;
}

void relay::start_whole(
    std::shared_ptr<client_impl> client, relay_request&& request, diagnostics* diag, any_handler<relay_answer> handler)
{
    if (auto plan = client->plan_cache(request))
        cached_relay::launch(std::move(client), std::move(*plan), std::move(request), diag, std::move(handler));
    else
        ask_whole(std::move(client), std::move(request), diag, std::move(handler));
}

void relay::start_stream(
    std::shared_ptr<client_impl> client, relay_request&& request, diagnostics* diag, any_handler<chat_stream> handler)
{
    if (auto plan = client->plan_cache(request))
        cached_stream::launch(std::move(client), std::move(*plan), std::move(request), diag, std::move(handler));
    else
        ask_stream(std::move(client), std::move(request), diag, std::move(handler));
}

std::weak_ptr<fiber> relay::ask_whole(
    std::shared_ptr<client_impl> client, relay_request&& request, diagnostics* diag, any_handler<relay_answer> handler)
{
    if (request.chat)
        return whole_call<relay_chat_endpoint>::launch(std::move(client), std::move(request), diag, std::move(handler));
    return whole_call<relay_embedding_endpoint>::launch(
        std::move(client), std::move(request), diag, std::move(handler));
}

std::weak_ptr<fiber> relay::ask_stream(
    std::shared_ptr<client_impl> client, relay_request&& request, diagnostics* diag, any_handler<chat_stream> handler)
{
    call_request to_send;
    fill_relayed(std::move(request), to_send);
    return stream_call::launch(std::move(client), std::move(to_send), diag, std::move(handler));
}

void relay::take_events(chat_stream& stream, std::string& out)
{
    stream.impl_->take_events(out);
}

cache_lookup relay::from_cache(chat_stream const& stream)
{
    return stream.impl_->from_cache();
}

} // namespace serin
