// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "stream_call.hpp"

#include "endpoints.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace serin {

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

stream_call::stream_call(std::shared_ptr<client_impl> client, diagnostics* diag, any_handler<chat_stream> handler)
    : call(std::move(client), diag),
      opened_handler_(std::move(handler), client_->completion_executor)
{}

std::weak_ptr<fiber> stream_call::launch(
    std::shared_ptr<client_impl> client, chat_request&& request, diagnostics* diag, any_handler<chat_stream> handler)
{
    auto const self = std::allocate_shared<stream_call>(
        recycling_allocator<stream_call>(), std::move(client), diag, std::move(handler));
    call_request to_send;
    self->result_ = write_chat(self->config(), std::move(request), true, to_send, self->detail_);
    if (!self->result_)
        self->begin(std::move(to_send));
    self->opened_handler_.connect_slot(self);
    self->start(self->run());
    return self;
}

std::weak_ptr<fiber> stream_call::launch(
    std::shared_ptr<client_impl> client, call_request&& request, diagnostics* diag, any_handler<chat_stream> handler)
{
    auto const self = std::allocate_shared<stream_call>(
        recycling_allocator<stream_call>(), std::move(client), diag, std::move(handler));
    self->begin(std::move(request));
    self->opened_handler_.connect_slot(self);
    self->start(self->run());
    return self;
}

task<void> stream_call::run()
{
    if (!result_)
        result_ = co_await answer();
    if (!result_)
        co_await read_answers();
    is_over_ = true;
}

std::unique_ptr<request_attempt> stream_call::make_attempt(attempt_start start)
{
    return std::make_unique<stream_attempt>(std::move(start));
}

// From the first token to the end, and from anew if the answer breaks and may be restarted.
task<void> stream_call::read_answers()
{
    stream_recovery const recovery = request_.recovery;
    for (;;)
    {
        shown_ = current();
        broken_.reset();
        clear_deadline();
        co_await read_stream();
        error_code ec = shown_->result();
        answer_ended(ec);
        if (!ec)
        {
            is_over_ = true;
            announce();
            co_await shown_->drain(*this);
            co_return;
        }
        shown_->drop();
        if (recovery == stream_recovery::restart && !request_.keep_events)
            ec = co_await answer_again(ec, broken_);
        else
            stop_trying(give_up::token_seen);
        if (ec)
        {
            result_ = ec;
            co_return;
        }
        restarted_ = true;
        if (!current()->has_delta())
            current()->add_empty_delta(); // The user must learn that what he has is void
    }
}

task<void> stream_call::read_stream()
{
    for (;;)
    {
        switch (shown_->advance(interrupted()))
        {
        case stream_attempt::progress::delta:
            announce();
            co_await rest(*this);
            break;
        case stream_attempt::progress::need_more: co_await shown_->read(*this); break;
        case stream_attempt::progress::over: co_return;
        }
    }
}

// The next wait calls the user's handler: with the stream if he does not have it yet, else with what he waits for.
void stream_call::announce() noexcept
{
    (is_open_ ? deliver_next_ : deliver_open_) = true;
    is_open_ = true;
}

std::optional<chat_delta> stream_call::take_delta()
{
    auto delta = shown_->take_delta();
    if (delta)
        delta->restarted = std::exchange(restarted_, false);
    return delta;
}

// ---------------------------------------------------------------------------------------------------------

void stream_call::next(diagnostics* diag, any_handler<std::optional<chat_delta>> handler)
{
    completion<std::optional<chat_delta>> pending(std::move(handler), client_->completion_executor);
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
        shown_->take_delta();
        shown_->end(interrupted());
        shown_->drop();
    }
    resting_ = false;
    if (shown_->has_delta())
    {
        // Nothing to do for the coroutine.
        resting_ = true;
        deliver_next_ = true;
        on_suspended();
        return;
    }
    shown_->restart_clocks();
    group().wake(*this);
    resume();
}

// Calls handlers whose turn it is, outside of the coroutine: they may throw, and destroy the stream.
void stream_call::on_suspended()
{
    if (std::exchange(deliver_open_, false))
    {
        outlive_group_owner();
        report({}, nullptr);
        diag_ = nullptr;
        opened_handler_(*this, {}, chat_stream(std::static_pointer_cast<stream_call>(shared_from_this())));
    }
    else if (std::exchange(deliver_next_, false))
    {
        if (is_over_)
        {
            deliver_end();
            return;
        }
        diag_ = nullptr;
        next_is_outstanding_ = false;
        next_handler_(*this, {}, take_delta());
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
    is_over_ = true;
    if (error)
        result_ = make_error_code(boost::system::errc::not_enough_memory);
    tell_end(result_);
    if (deliver_open_)
    {
        on_suspended();
    }
    else if (!is_open_)
    {
        report(result_, current() && current()->has_anything() ? &current()->response() : nullptr);
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
    if (shown_->advance(interrupted()) != stream_attempt::progress::delta)
        return std::nullopt;
    return take_delta();
}

chat_response const& stream_call::response() noexcept
{
    return shown_->response();
}

void stream_call::take_events(std::string& out)
{
    shown_->take_kept_events(out);
}

void stream_call::abandon()
{
    if (next_is_outstanding_)
        interrupt(asio::error::operation_aborted);
}

} // namespace serin
