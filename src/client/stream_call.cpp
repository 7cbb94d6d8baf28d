// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "stream_call.hpp"

#include "../chat/wire_read.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
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

// Waits until the user wants the next delta. The user's handle owns the fiber meanwhile, and a cancellation is only
// noted: the user's thread may be inside try_next().
class stream_call::rest final : public suspension
{
    stream_call& call_;

public:
    explicit rest(stream_call& c) noexcept : call_(c) {}

    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> h) noexcept
    {
        call_.suspend(h, *this);
        call_.resting_ = true;
        call_.group().rest(call_);
    }

    void await_resume() const noexcept {}
    void cancel() noexcept override {}
};

stream_call::stream_call(
    std::shared_ptr<client_impl> client, chat_request request, diagnostics* diag, any_handler<chat_stream> handler)
    : call(std::move(client), diag),
      asked_(std::move(request)),
      opened_handler_(std::move(handler), client_->executor),
      events_(sse_limits{client_->params.limits.event, client_->params.limits.event}),
      sum_(client_->params.limits.body)
{}

void stream_call::launch(
    std::shared_ptr<client_impl> client, chat_request request, diagnostics* diag, any_handler<chat_stream> handler)
{
    auto const self = std::make_shared<stream_call>(std::move(client), std::move(request), diag, std::move(handler));
    self->opened_handler_.connect_slot(self);
    self->start(self->run());
}

task<void> stream_call::run()
{
    call_request to_send;
    error_code ec = write_chat(*client_, std::move(asked_), true, to_send, detail_);
    if (!ec)
        begin(std::move(to_send));
    while (!ec)
    {
        begin_attempt();
        ec = co_await open();
        if (!ec)
            ec = co_await read_stream();
        end_attempt(ec);
        // After the first token the user has seen a part of the answer: it is never begun anew.
        if (!ec || is_open_ || fsm_.attempt_ended(ec) == call_fsm::action::finish)
            break;
    }
    if (!is_over_)
        over(ec);
    if (result_)
        keep_fields();
    exchange_.reset();
}

task<error_code> stream_call::read_stream()
{
    phase_ = call_phase::stream;
    sum_.set_source(upstream_name(), request_id());
    last_byte_ = std::chrono::steady_clock::now();
    if (is_json(exchange_->fields().find("content-type")))
    {
        error_code const ec = co_await read_whole();
        if (ec)
        {
            over(ec);
            co_return ec;
        }
    }
    for (;;)
    {
        progress const p = advance();
        if (p == progress::delta)
        {
            announce();
            co_await rest(*this);
            continue;
        }
        if (p == progress::over)
        {
            if (exchange_ && !result_)
                co_await drain();
            co_return result_;
        }

        set_stream_deadline();
        error_code const ec = co_await exchange_->fill();
        if (!ec)
            last_byte_ = std::chrono::steady_clock::now();
        else
            end_of_input(ec);
    }
}

// The next wait calls the user's handler: with the stream if he does not have it yet, else with what he waits for.
void stream_call::announce() noexcept
{
    (is_open_ ? deliver_next_ : deliver_open_) = true;
    is_open_ = true;
}

// Sets the deadline that comes first. Nothing runs while the user does not wait.
void stream_call::set_stream_deadline()
{
    timeout_params const& t = client_->params.timeouts;
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
    set_deadline(at, why);
}

// Looks for the next delta among what was received. Waits for nothing: try_next() calls it too.
stream_call::progress stream_call::advance()
{
    if (ready_)
        return progress::delta;
    if (is_over_)
        return progress::over;
    if (whole_)
    {
        if (whole_deltas_.empty())
            return over({});
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
        case response_parser::step::end: return end_of_input({});
        case response_parser::step::failed: return over(sum_.finished() ? error_code() : ec);
        case response_parser::step::body:
            ec = events_.put(piece);
            if (ec)
                return over(ec);
            if (!exchange_->memory().set(events_.buffered()))
                return over(errc::memory_limit);
            break;
        }
    }
}

stream_call::progress stream_call::take_events()
{
    for (;;)
    {
        while (auto delta = sum_.next())
        {
            bool const token = delta->has_token();
            if (token)
            {
                has_token_ = true;
                last_token_ = last_byte_;
            }
            if (token || (is_open_ && !delta->finish_reason.empty()))
            {
                ready_ = *delta;
                return progress::delta;
            }
        }
        if (sum_.done())
            return over({});
        auto const event = events_.next();
        if (!event)
            return progress::need_more;
        error_code const ec =
            event->complete ? sum_.put(event->type, event->data) : sum_.put_last(event->type, event->data);
        if (ec)
        {
            refused(ec, sum_.error());
            return over(ec);
        }
        if (finished_at_ == steady_time::max() && sum_.finished())
            finished_at_ = std::chrono::steady_clock::now();
    }
}

// There will be no more bytes: `ec` is empty if the response has ended as HTTP says, else why not.
stream_call::progress stream_call::end_of_input(error_code ec)
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
        return over({});
    if (interrupted())
        return over(interrupted());
    if (ec == asio::error::no_buffer_space || ec == errc::response_too_large)
        return over(errc::response_too_large);
    return over(errc::stream_truncated);
}

stream_call::progress stream_call::over(error_code ec)
{
    is_over_ = true;
    result_ = ec;
    return progress::over;
}

// Reads the few bytes that may follow [DONE]. The user does not wait for them.
task<void> stream_call::drain()
{
    announce();
    if (finished_at_ != steady_time::max() && !sum_.done() && interrupted())
    {
        exchange_.reset(); // The grace was over: the server may hold the socket for ever
        co_return;
    }
    set_total_deadline(steady_time::max());
    set_deadline(std::chrono::steady_clock::now() + drain_time, errc::idle_timeout);
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
    exchange_.reset();
}

// The server was asked for a stream and answers with a whole completion: deliver it as a stream of one piece.
task<error_code> stream_call::read_whole()
{
    error_code ec = co_await exchange_->read_body(client_->params.limits.body, false, client_->params.timeouts.idle);
    if (ec)
        co_return ec;
    whole_.emplace();
    server_error err;
    auto reader = client_->take_reader();
    ec = read_response(*reader, exchange_->body(), *whole_, err);
    client_->put_reader(std::move(reader));
    whole_->upstream = upstream_name();
    whole_->request_id = request_id();
    if (ec)
    {
        exchange_->end();
        exchange_.reset();
        co_return refused(ec, std::move(err));
    }
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
    co_return error_code();
}

// ---------------------------------------------------------------------------------------------------------

void stream_call::next(diagnostics* diag, any_handler<std::optional<chat_delta>> handler)
{
    completion<std::optional<chat_delta>> pending(std::move(handler), client_->executor);
    pending.connect_slot(weak_from_this());
    next_is_outstanding_ = true;
    // Through the executor even if a delta is there already: completing inline would recurse without bound.
    asio::post(
        get_executor(), [self = std::static_pointer_cast<stream_call>(shared_from_this()), diag,
                            pending = std::move(pending)]() mutable { self->begin_next(diag, std::move(pending)); });
}

void stream_call::begin_next(diagnostics* diag, completion<std::optional<chat_delta>> handler)
{
    if (next_handler_)
    {
        handler(*this, asio::error::already_started, std::nullopt);
        return;
    }
    diag_ = diag;
    next_handler_ = std::move(handler);
    if (!resting_)
    {
        // The coroutine has ended, or reads the rest of a response nobody waits for.
        deliver_end();
        return;
    }
    if (interrupted())
    {
        ready_.reset();
        exchange_.reset();
        over(interrupted());
    }
    resting_ = false;
    if (ready_)
    {
        // Nothing to do for the coroutine.
        resting_ = true;
        deliver_next_ = true;
        on_suspended();
        return;
    }
    last_byte_ = last_token_ = std::chrono::steady_clock::now();
    group().wake(*this);
    resume();
}

// Calls handlers whose turn it is, outside of the coroutine: they may throw, and destroy the stream.
void stream_call::on_suspended()
{
    if (std::exchange(deliver_open_, false))
    {
        outlive_group_owner();
        if (diag_)
            keep_fields();
        report({}, nullptr);
        diag_ = nullptr;
        opened_handler_(*this, {}, chat_stream(std::static_pointer_cast<stream_call>(shared_from_this())));
    }
    else if (std::exchange(deliver_next_, false))
    {
        if (is_over_ && !ready_)
        {
            deliver_end();
            return;
        }
        diag_ = nullptr;
        next_is_outstanding_ = false;
        next_handler_(*this, {}, std::exchange(ready_, std::nullopt));
    }
}

void stream_call::deliver_end()
{
    report(result_, &response());
    diag_ = nullptr;
    next_is_outstanding_ = false;
    next_handler_(*this, result_, std::nullopt);
}

void stream_call::on_finished(std::exception_ptr error)
{
    if (error)
        over(make_error_code(boost::system::errc::not_enough_memory));
    if (deliver_open_)
    {
        on_suspended();
    }
    else if (!is_open_)
    {
        bool const anything = sum_.response().first() != nullptr;
        report(result_, anything ? &sum_.response() : nullptr);
        diag_ = nullptr;
        if (result_)
            opened_handler_(*this, result_, chat_stream());
        else
            opened_handler_(*this, {}, chat_stream(std::static_pointer_cast<stream_call>(shared_from_this())));
    }
    else if (next_handler_)
    {
        deliver_end();
    }
}

void stream_call::abandoned() noexcept
{
    destroy_coroutine();
    // The handler may hold the coroutine that holds the stream that holds this.
    auto const opened = std::exchange(opened_handler_, completion<chat_stream>());
    auto const next = std::exchange(next_handler_, completion<std::optional<chat_delta>>());
}

std::optional<chat_delta> stream_call::try_next()
{
    if (next_is_outstanding_ || !resting_)
        return std::nullopt;
    if (advance() != progress::delta)
        return std::nullopt;
    return std::exchange(ready_, std::nullopt);
}

chat_response const& stream_call::response() noexcept
{
    return whole_ ? *whole_ : sum_.response();
}

void stream_call::abandon()
{
    if (next_is_outstanding_)
        interrupt(asio::error::operation_aborted);
}

} // namespace serin
