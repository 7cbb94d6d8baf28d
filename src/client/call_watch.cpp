// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "call_watch.hpp"

#include "client_impl.hpp"
#include "request_attempt.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace serin {
namespace {

call_operation operation_of(call_request const& asked) noexcept
{
    if (!asked.path)
        return call_operation::raw;
    if (asked.path == &dialect::embeddings_path)
        return call_operation::embeddings;
    if (asked.path == &dialect::moderations_path)
        return call_operation::moderations;
    if (asked.path == &dialect::models_path)
        return call_operation::models;
    return call_operation::chat;
}

} // namespace

token_counts counts_of(token_usage const& used) noexcept
{
    return {used.prompt_tokens, used.cached_tokens, used.completion_tokens, used.reasoning_tokens};
}

call_watch::call_watch(client_impl& client, routing const& config, call_request const& asked, bool copy)
    : client_(client),
      config_(config),
      copy_(copy),
      began_(std::chrono::steady_clock::now())
{
    info_.id = client_.next_call_id();
    info_.operation = operation_of(asked);
    info_.stream = asked.streams;
    info_.model = asked.model;
    info_.tag = asked.tag;
    if (!copy_ && config_.told)
        client_.tell(config_, &observer::on_call_started,
            call_started{info_, now(), config_.wants_content ? std::string_view(asked.body) : std::string_view()});
}

call_watch::~call_watch()
{
    end(asio::error::operation_aborted, give_up::none, nullptr);
}

steady_time call_watch::now() const noexcept
{
    return client_.clock->now();
}

void call_watch::attempt_begins(request_attempt const& which, bool hedge, steady_time::duration waited)
{
    ++attempts_;
    if (config_.told)
        client_.tell(config_, &observer::on_attempt_started,
            attempt_started{
                info_, which.trail_place() + 1, which.upstream_name(), which.model(), hedge, now(), waited});
}

std::int64_t call_watch::book(
    upstream_state const& upstream, std::string_view model, std::string_view key, token_usage const& used)
{
    price const* p = &upstream.params.price;
    if (is_free(*p))
        p = config_.params.prices.find(model);
    std::int64_t const cost = p ? cost_of(used, *p) : 0;
    cost_ = add_costs(cost_, cost);
    if (config_.books && p)
        client_.book({upstream.params.name, model, key, info_.tag, info_.model}, used, cost, config_);
    return cost;
}

void call_watch::attempt_ends(attempt_ended const& event)
{
    tell_times();
    if (config_.told)
        client_.tell(config_, &observer::on_attempt_ended, event);
}

void call_watch::token(request_attempt const& from, steady_time at, steady_time attempt_began,
    std::optional<steady_time> last, std::string_view text)
{
    if (!config_.told)
        return;
    if (!last)
    {
        if (!first_token_)
            first_token_ = at - began_;
        client_.tell(config_, &observer::on_first_token_received,
            first_token_received{info_, from.upstream_name(), from.model(), now(), at - attempt_began, at - began_});
    }
    else
    {
        auto const since = std::max(at - *last, steady_time::duration::zero());
        if (config_.wants_token_times)
            time_token(from, since);
        if (config_.wants_chunks)
            client_.tell(config_, &observer::on_chunk_received,
                chunk_received{info_, from.upstream_name(), from.model(), since,
                    config_.wants_content ? text : std::string_view()});
    }
}

// Many at once: telling of each would cost a stream a tenth more.
void call_watch::time_token(request_attempt const& from, steady_time::duration since)
{
    constexpr std::size_t most_at_once = 64;

    if (timed_ != &from || between_.size() == most_at_once)
        tell_times();
    if (between_.capacity() == 0)
        between_.reserve(most_at_once);
    timed_ = &from;
    between_.push_back(since);
}

void call_watch::tell_times()
{
    if (between_.empty())
        return;
    client_.tell(
        config_, &observer::on_tokens_timed, tokens_timed{info_, timed_->upstream_name(), timed_->model(), between_});
    between_.clear();
}

void call_watch::goes_on(
    request_attempt const& failed, error_code ec, std::string_view next, steady_time::duration delay)
{
    if (!config_.told)
        return;
    if (next == failed.upstream_name())
        client_.tell(config_, &observer::on_retry_planned,
            retry_planned{info_, failed.upstream_name(), ec, failed.status(), delay});
    else
        client_.tell(config_, &observer::on_failover_planned,
            failover_planned{info_, failed.upstream_name(), next, ec, failed.status(), delay});
}

void call_watch::end(error_code ec, give_up why, request_attempt* last)
{
    if (std::exchange(ended_, true) || copy_ || !config_.told)
        return;
    call_ended event{info_, {}, {}, ec, 0, ec ? why : give_up::none, attempts_, now(),
        std::chrono::steady_clock::now() - began_, first_token_, std::nullopt, cost_, {}};
    if (last)
    {
        event.upstream = last->upstream_name();
        event.model = last->model();
        event.status = last->status();
        event.tokens = last->tokens();
        if (config_.wants_content && !ec)
            event.content = last->answer_text();
    }
    client_.tell(config_, &observer::on_call_ended, event);
}

} // namespace serin
