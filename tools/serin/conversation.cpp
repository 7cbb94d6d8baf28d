// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "conversation.hpp"

#include <serin/policy/cost.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <tuple>
#include <utility>

namespace serin::tools {
namespace {

std::string seconds_text(std::chrono::steady_clock::duration d)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.2f s", std::chrono::duration<double>(d).count());
    return text;
}

std::map<std::string, price> prices_of(client_params const& params)
{
    std::map<std::string, price> prices;
    for (upstream const& u : params.upstreams)
        prices.emplace(u.name, u.price);
    return prices;
}

} // namespace

conversation::conversation(output& out, output& err, chat_options const& options, client_params params)
    : out_(out),
      err_(err),
      options_(options),
      prices_(prices_of(params)),
      client_(context_.get_executor(), std::move(params))
{}

chat_outcome conversation::hold(chat_request request, bool stream)
{
    request_ = std::move(request);
    stream_ = stream;
    outcome_ = chat_outcome();
    interrupted_ = false;
    printed_ = false;
    context_.restart();

    asio::signal_set signals(context_, SIGINT, SIGTERM);
    signals.async_wait([this, &signals](boost::system::error_code ec, int) {
        if (ec)
            return;
        // Whoever insists ends the program in the usual way.
        signals.clear();
        interrupted_ = true;
        client_.cancel();
    });

    std::exception_ptr thrown;
    auto const start = std::chrono::steady_clock::now();
    asio::co_spawn(context_, ask(), [&](std::exception_ptr e) {
        thrown = e;
        outcome_.latency = std::chrono::steady_clock::now() - start;
        boost::system::error_code ignored;
        signals.cancel(ignored);
    });
    context_.run();
    if (thrown)
        std::rethrow_exception(thrown);
    if (interrupted_ && outcome_.ec == asio::error::operation_aborted)
        outcome_.diag.message = "interrupted";
    if (options_.verbose && outcome_.response)
        print_summary();
    return std::move(outcome_);
}

asio::awaitable<void> conversation::ask()
{
    if (stream_)
        co_await ask_for_stream();
    else
        co_await ask_for_whole();
    if (!options_.json && printed_)
        out_.write("\n");
}

asio::awaitable<void> conversation::ask_for_whole()
{
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    auto answer = co_await client_.async_chat(std::move(request_), outcome_.diag, token);
    outcome_.ec = std::get<0>(answer);
    if (outcome_.ec)
    {
        take_partial();
        co_return;
    }
    outcome_.response = std::move(std::get<1>(answer));
    print_reasoning(outcome_.response->reasoning());
    print(outcome_.response->text());
    print(outcome_.response->refusal());
    print_tool_calls();
    printed_ = true;
}

asio::awaitable<void> conversation::ask_for_stream()
{
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    auto const start = std::chrono::steady_clock::now();
    auto opened = co_await client_.async_stream(std::move(request_), outcome_.diag, token);
    auto const first_token = std::chrono::steady_clock::now();
    outcome_.ec = std::get<0>(opened);
    if (outcome_.ec)
    {
        take_partial();
        co_return;
    }
    auto const attempts = outcome_.diag.attempts;
    chat_stream stream = std::move(std::get<1>(opened));
    for (;;)
    {
        auto next = co_await stream.async_next(outcome_.diag, token);
        outcome_.ec = std::get<0>(next);
        if (outcome_.ec || !std::get<1>(next))
            break;
        chat_delta const& delta = *std::get<1>(next);
        if (delta.has_token() && !outcome_.time_to_token)
            outcome_.time_to_token = first_token - start;
        print_delta(delta);
        if (out_.error() != 0)
            co_return;
    }
    outcome_.response = stream.response();
    if (outcome_.diag.attempts.empty())
        outcome_.diag.attempts = attempts;
    if (!outcome_.ec)
    {
        print_tool_calls();
        printed_ = true;
    }
}

void conversation::take_partial()
{
    if (outcome_.diag.partial)
        outcome_.response = *outcome_.diag.partial;
}

void conversation::print_delta(chat_delta const& delta)
{
    if (delta.index != 0)
        return;
    print_reasoning(delta.reasoning);
    print(delta.text);
    print(delta.refusal);
}

void conversation::print(std::string_view text)
{
    if (options_.json || text.empty())
        return;
    out_.write_foreign(text);
    printed_ = true;
}

void conversation::print_tool_calls()
{
    for (tool_call const& call : outcome_.response->tool_calls())
    {
        if (printed_)
            print("\n");
        print(call.name + " " + call.arguments);
    }
}

// Not a part of the answer: only for those who want to know.
void conversation::print_reasoning(std::string_view text)
{
    if (!options_.verbose || text.empty())
        return;
    err_.write(err_.styled(style::faint, err_.is_terminal() ? for_terminal(text) : std::string(text)));
}

// One line of what the call used, and took.
void conversation::print_summary()
{
    chat_response const& r = *outcome_.response;
    std::string line = "serin: " + (r.model.empty() ? std::string("an answer") : r.model);
    if (!r.upstream.empty())
        line += " from " + r.upstream;
    if (r.usage)
    {
        line += ": " + std::to_string(r.usage->prompt_tokens) + " tokens in, " +
                std::to_string(r.usage->completion_tokens) + " out";
        auto const price = prices_.find(r.upstream);
        if (price != prices_.end() && !is_free(price->second))
            line += ", $" + to_dollars(cost_of(*r.usage, price->second));
    }
    if (outcome_.time_to_token)
        line += ", the first after " + seconds_text(*outcome_.time_to_token);
    line += ", " + seconds_text(outcome_.latency) + " in all";
    err_.write(err_.styled(style::faint, one_line(line)) + "\n");
}

} // namespace serin::tools
