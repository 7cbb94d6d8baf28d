// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/observer.hpp>

#include "catch.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using serin::observer_list;

namespace {

class counting final : public serin::observer
{
public:
    bool throws = false;
    bool content = false;
    bool chunks = false;
    bool times = false;
    int seen = 0;

    bool wants_content() const noexcept override { return content; }
    bool wants_chunks() const noexcept override { return chunks; }
    bool wants_token_times() const noexcept override { return times; }
    void on_client(std::weak_ptr<serin::client_state_source const> const&) override { note(); }
    void on_call_started(serin::call_started const&) override { note(); }
    void on_attempt_started(serin::attempt_started const&) override { note(); }
    void on_attempt_ended(serin::attempt_ended const&) override { note(); }
    void on_first_token_received(serin::first_token_received const&) override { note(); }
    void on_chunk_received(serin::chunk_received const&) override { note(); }
    void on_tokens_timed(serin::tokens_timed const&) override { note(); }
    void on_retry_planned(serin::retry_planned const&) override { note(); }
    void on_failover_planned(serin::failover_planned const&) override { note(); }
    void on_key_rotated(serin::key_rotated const&) override { note(); }
    void on_circuit_changed(serin::circuit_changed const&) override { note(); }
    void on_rollout_changed(serin::rollout_changed const&) override { note(); }
    void on_budget_reached(serin::budget_reached const&) override { note(); }
    void on_cache_looked_up(serin::cache_looked_up const&) override { note(); }
    void on_call_ended(serin::call_ended const&) override { note(); }

private:
    void note()
    {
        ++seen;
        if (throws)
            throw std::runtime_error("an observer that fails");
    }
};

constexpr int kinds_of_events = 15;

void tell_all(serin::observer& o)
{
    serin::call_info const call;
    o.on_client({});
    o.on_call_started({call, {}, {}});
    o.on_attempt_started({.call = call, .upstream = {}, .model = {}, .at = {}, .waited_before = {}});
    o.on_attempt_ended({.call = call, .upstream = {}, .model = {}, .key = {}, .error = {}, .at = {}, .tokens = {}});
    o.on_first_token_received({.call = call, .upstream = {}, .model = {}, .at = {}});
    o.on_chunk_received({.call = call, .upstream = {}, .model = {}, .content = {}});
    o.on_tokens_timed({.call = call, .upstream = {}, .model = {}, .between = {}});
    o.on_retry_planned({.call = call, .upstream = {}, .error = {}, .delay = {}});
    o.on_failover_planned({.call = call, .from = {}, .to = {}, .error = {}, .delay = {}});
    o.on_key_rotated({.upstream = {}, .key = {}});
    o.on_circuit_changed({.upstream = {}, .model = {}});
    o.on_rollout_changed({.model = {}, .candidate = {}, .what = {}, .why = {}});
    o.on_budget_reached({.budget = {}});
    o.on_cache_looked_up({});
    o.on_call_ended({.call = call,
        .upstream = {},
        .model = {},
        .error = {},
        .at = {},
        .first_token = {},
        .tokens = {},
        .content = {}});
}

} // namespace

TEST_CASE("observer: what is not overridden does nothing")
{
    serin::observer o;
    tell_all(o);
    CHECK_FALSE(o.wants_content());
    CHECK_FALSE(o.wants_chunks());
    CHECK_FALSE(o.wants_token_times());
}

TEST_CASE("observer_list: everybody hears everything, also after one that throws")
{
    auto const failing = std::make_shared<counting>();
    auto const other = std::make_shared<counting>();
    failing->throws = true;
    observer_list list({failing, nullptr, other});
    tell_all(list);
    CHECK(failing->seen == kinds_of_events);
    CHECK(other->seen == kinds_of_events);
}

TEST_CASE("observer_list: wants what one of its observers wants")
{
    auto const plain = std::make_shared<counting>();
    auto const curious = std::make_shared<counting>();
    observer_list list({plain, curious});
    CHECK_FALSE(list.wants_content());
    CHECK_FALSE(list.wants_chunks());
    curious->content = true;
    CHECK(list.wants_content());
    CHECK_FALSE(list.wants_chunks());
    curious->chunks = true;
    CHECK(list.wants_chunks());
    CHECK_FALSE(list.wants_token_times());
    curious->times = true;
    CHECK(list.wants_token_times());
    CHECK_FALSE(observer_list({}).wants_content());
}

TEST_CASE("event: every name is that of the enumerator")
{
    CHECK(serin::operation_name(serin::call_operation::embeddings) == "embeddings");
    CHECK(serin::circuit_state_name(serin::circuit_state::half_open) == "half_open");
    CHECK(serin::key_change_name(serin::key_change::quarantined) == "quarantined");
}
