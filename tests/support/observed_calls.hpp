// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_OBSERVED_CALLS_HPP
#define SERIN_TESTS_OBSERVED_CALLS_HPP

#include <serin/observe/observer.hpp>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

namespace serin::test {

// Tells an observer of calls that nobody has made, each with one attempt. Time goes on by what they take.
class observed_calls
{
public:
    using duration = std::chrono::steady_clock::duration;

    explicit observed_calls(observer& o) : observer_(o) {}

    void whole(std::string const& upstream, std::string const& model, duration took, error_code ec = {})
    {
        call_info const call = begin(model, false);
        now += took;
        end(call, upstream, model, took, ec, std::nullopt);
    }

    void stream(
        std::string const& upstream, std::string const& model, duration first, std::initializer_list<duration> between)
    {
        call_info const call = begin(model, true);
        duration took = first;
        now += first;
        observer_.on_first_token_received({call, upstream, model, now, first, first});
        for (duration const d : between)
        {
            now += d;
            took += d;
        }
        observer_.on_tokens_timed({call, upstream, model, std::span(between.begin(), between.size())});
        end(call, upstream, model, took, {}, first);
    }

    void retry(std::string const& upstream)
    {
        call_info const call = begin("", false, false);
        observer_.on_retry_planned({call, upstream, errc::overloaded, 503, {}});
    }

    void failover(std::string const& from, std::string const& to)
    {
        call_info const call = begin("", false, false);
        observer_.on_failover_planned({call, from, to, errc::overloaded, 503, {}});
    }

    std::chrono::steady_clock::time_point now{std::chrono::seconds(10'000)};
    call_operation operation = call_operation::chat;
    std::string tag;
    std::optional<token_counts> tokens;
    std::int64_t cost = 0;
    duration waited_for_limit{};
    duration waited_for_connection{};
    connection_kind connection = connection_kind::none;
    bool hedge = false;

private:
    call_info begin(std::string const& model, bool stream, bool tell = true)
    {
        call_info call;
        call.id = ++last_id_;
        call.operation = operation;
        call.stream = stream;
        call.model = model;
        call.tag = tag;
        if (tell)
            observer_.on_call_started({call, now, {}});
        return call;
    }

    void end(call_info const& call, std::string const& upstream, std::string const& model, duration took, error_code ec,
        std::optional<duration> first)
    {
        int const status = ec ? 500 : 200;
        if (!upstream.empty())
            observer_.on_attempt_ended({call, 1, upstream, model, "0123abcd", hedge, ec, status, call_phase::body, now,
                took, waited_for_limit, waited_for_connection, connection, tokens, cost});
        observer_.on_call_ended(
            {call, upstream, model, ec, status, give_up::none, 1, now, took, first, tokens, cost, {}});
    }

    observer& observer_;
    std::uint64_t last_id_ = 0;
};

} // namespace serin::test

#endif
