// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "stream_attempt.hpp"

#include "../chat/relay_wire.hpp"
#include "../chat/wire_read.hpp"
#include "endpoints.hpp"

#include <boost/asio/error.hpp>

#include <utility>

namespace serin {
namespace {

// How long a server may take from the last finish reason to [DONE] or the end.
constexpr auto finish_grace = std::chrono::seconds(8);

// How long the few bytes after [DONE] are waited for, so that the connection can be used again.
constexpr auto drain_time = std::chrono::milliseconds(500);

bool is_json(std::string_view content_type) noexcept
{
    return header_names_equal(content_type.substr(0, 16), "application/json");
}

} // namespace

stream_attempt::stream_attempt(attempt_start start)
    : request_attempt(std::move(start)),
      events_(sse_limits{client_.params.limits.event, client_.params.limits.event}),
      sum_(client_.params.limits.body, config_.params.stream.skip_malformed_chunks)
{}

task<error_code> stream_attempt::run(fiber& f, steady_time give_up_at)
{
    error_code ec = co_await open(f, give_up_at);
    if (ec)
        co_return ec;
    phase_ = call_phase::stream;
    if (keep_fields_)
        keep_fields();
    sum_.set_source(upstream_name(), request_id());
    restart_clocks();
    if (is_json(exchange_->fields().find("content-type")))
    {
        ec = co_await read_whole(f);
        if (ec)
        {
            end(ec);
            co_return ec;
        }
    }
    bool const to_the_end = asked_.recovery == stream_recovery::buffer && !whole_;
    for (;;)
    {
        progress const p = advance(f.interrupted());
        if (p == progress::over)
            break;
        if (p == progress::need_more)
            co_await read(f);
        else if (to_the_end)
            take_delta();
        else
            co_return error_code();
    }
    if (!result_ && to_the_end)
    {
        whole_ = sum_.take();
        deliver_whole();
        is_over_ = false;
    }
    co_return result_;
}

task<void> stream_attempt::read(fiber& f)
{
    set_stream_deadline(f);
    error_code const ec = co_await exchange_->fill();
    if (!ec)
        last_byte_ = std::chrono::steady_clock::now();
    else
        end_of_input(ec, f.interrupted());
}

// Sets the deadline that comes first. Nothing runs while the user does not wait.
void stream_attempt::set_stream_deadline(fiber& f) const
{
    timeout_params const& t = config_.params.timeouts;
    steady_time at = steady_time::max();
    error_code why;
    auto const consider = [&](steady_time from, duration d, errc reason) {
        if (d != duration::zero() && add_saturated(from, d) < at)
        {
            at = add_saturated(from, d);
            why = reason;
        }
    };
    if (finished_at_ != steady_time::max())
        consider(finished_at_, finish_grace, errc::idle_timeout);
    consider(last_byte_, t.idle, errc::idle_timeout);
    if (has_token_)
        consider(last_token_, t.token_idle, errc::token_idle_timeout);
    else
        consider(exchange_->sent_at(), t.first_token, errc::first_token_timeout);
    f.set_deadline(at, why);
}

stream_attempt::progress stream_attempt::advance(error_code const& interrupted)
{
    if (ready_)
        return progress::delta;
    if (is_over_)
        return progress::over;
    if (whole_)
    {
        if (whole_deltas_.empty())
            return end({});
        ready_ = whole_deltas_.front();
        whole_deltas_.pop_front();
        return progress::delta;
    }
    for (;;)
    {
        if (progress const p = take_events(); p != progress::need_more)
            return p;
        std::string_view piece;
        error_code ec;
        switch (exchange_->next_piece(piece, ec))
        {
        case response_parser::step::head: break;
        case response_parser::step::need_more: return progress::need_more;
        case response_parser::step::end: return end_of_input({}, interrupted);
        case response_parser::step::failed: return end(sum_.finished() ? error_code() : ec);
        case response_parser::step::body:
            ec = events_.put(piece);
            if (ec)
                return end(ec);
            if (!exchange_->memory().set(events_.buffered() + kept_events_.size()))
                return end(errc::memory_limit);
            break;
        }
    }
}

stream_attempt::progress stream_attempt::take_events()
{
    for (;;)
    {
        while (auto delta = sum_.next())
        {
            bool const token = delta->has_token();
            if (token)
            {
                token_came(last_byte_, has_token_ ? std::optional(last_token_) : std::nullopt, delta->text);
                has_token_ = opened_ = true;
                last_token_ = last_byte_;
            }
            if (token || (opened_ && !delta->finish_reason.empty()))
            {
                kept_more_ = false;
                ready_ = *delta;
                return progress::delta;
            }
        }
        if (opened_ && std::exchange(kept_more_, false))
        {
            ready_.emplace();
            return progress::delta;
        }
        if (sum_.done())
            return end({});
        auto const event = events_.next();
        if (!event)
            return progress::need_more;
        std::size_t const skipped = sum_.skipped();
        error_code const ec =
            event->complete ? sum_.put(event->type, event->data) : sum_.put_last(event->type, event->data);
        if (ec)
        {
            refused(ec, sum_.error());
            return end(ec);
        }
        if (sum_.skipped() != skipped)
            client_.log(log_level::warning, upstream_name() + ": passing over a chunk that is malformed");
        else if (asked_.keep_events)
            keep_event(event->data);
        if (is_over_)
            return progress::over;
        if (finished_at_ == steady_time::max() && sum_.finished())
            finished_at_ = std::chrono::steady_clock::now();
    }
}

// Keeps an event for whoever sends it on. He wants to have it at once, whatever it holds.
void stream_attempt::keep_event(std::string_view data)
{
    if (sum_.done() || data.empty() || (sum_.only_usage() && !asked_.show_usage))
        return;
    append_event(kept_events_, data);
    kept_more_ = true;
    if (kept_events_.size() > client_.params.limits.body)
        end(errc::response_too_large);
    else if (!exchange_->memory().set(events_.buffered() + kept_events_.size()))
        end(errc::memory_limit);
}

void stream_attempt::take_kept_events(std::string& out)
{
    out += kept_events_;
    kept_events_.clear();
}

// There will be no more bytes: `ec` is empty if the response has ended as HTTP says, else why not.
stream_attempt::progress stream_attempt::end_of_input(error_code ec, error_code const& interrupted)
{
    bool const cancelled = ec == asio::error::operation_aborted;
    if (ec == asio::error::eof)
        ec = exchange_->on_end();
    // What came last may still make it whole.
    if (!cancelled && !is_over_)
    {
        events_.finish();
        if (take_events() == progress::delta || is_over_)
            return is_over_ ? progress::over : progress::delta;
    }
    if (!cancelled && (sum_.finished() || sum_.done()))
        return end({});
    if (interrupted)
        return end(interrupted);
    if (ec == asio::error::no_buffer_space || ec == errc::response_too_large)
        return end(errc::response_too_large);
    return end(errc::stream_truncated);
}

stream_attempt::progress stream_attempt::end(error_code ec)
{
    is_over_ = true;
    result_ = ec;
    if (ec)
        keep_fields();
    used(chat_endpoint::usage(response()), ec);
    return progress::over;
}

task<void> stream_attempt::drain(fiber& f)
{
    if (!exchange_)
        co_return;
    if (finished_at_ != steady_time::max() && !sum_.done() && f.interrupted())
    {
        drop(); // The grace was over: the server may hold the socket for ever
        co_return;
    }
    f.set_total_deadline(steady_time::max());
    f.set_deadline(std::chrono::steady_clock::now() + drain_time, errc::idle_timeout);
    for (;;)
    {
        std::string_view ignored;
        error_code ec;
        auto const step = exchange_->next_piece(ignored, ec);
        if (step == response_parser::step::end || step == response_parser::step::failed)
            break;
        if (step != response_parser::step::need_more)
            continue;
        if (!exchange_->worth_draining())
            break;
        ec = co_await exchange_->fill();
        if (ec)
            break;
    }
    exchange_->end();
    drop();
}

// The server was asked for a stream and answers with a whole completion.
task<error_code> stream_attempt::read_whole(fiber& f)
{
    error_code ec = co_await exchange_->read_body(client_.params.limits.body, false, config_.params.timeouts.idle);
    if (ec)
        co_return ec;
    f.clear_deadline();
    whole_.emplace();
    server_error err;
    auto reader = client_.take_reader();
    ec = read_response(*reader, exchange_->body(), *whole_, err);
    json_value root;
    if (!ec && asked_.keep_events && reader->parse(exchange_->body(), root))
        append_as_stream(root, asked_.show_usage, kept_events_);
    client_.put_reader(std::move(reader));
    whole_->upstream = upstream_name();
    whole_->request_id = request_id();
    if (ec)
        keep_fields();
    exchange_->end();
    drop();
    if (ec)
        co_return refused(ec, std::move(err));
    deliver_whole();
    co_return error_code();
}

void stream_attempt::deliver_whole()
{
    std::size_t calls = 0;
    for (chat_choice const& choice : whole_->choices)
        calls += choice.message.tool_calls.size();
    whole_calls_.reserve(calls);
    for (chat_choice const& choice : whole_->choices)
    {
        chat_delta delta;
        delta.index = choice.index;
        delta.text = choice.message.content;
        delta.reasoning = choice.message.reasoning;
        delta.refusal = choice.message.refusal;
        delta.finish_reason = choice.finish_reason;
        std::size_t const first = whole_calls_.size();
        for (tool_call const& made : choice.message.tool_calls)
        {
            tool_call_delta part;
            part.index = whole_calls_.size() - first;
            part.id = made.id;
            part.name = made.name;
            part.arguments = made.arguments;
            whole_calls_.push_back(part);
        }
        delta.tool_calls = std::span<tool_call_delta const>(whole_calls_).subspan(first);
        whole_deltas_.push_back(delta);
    }
}

} // namespace serin
