// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "cached_stream.hpp"

#include "shared_fetch.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace serin {

// Waits until the user wants the next piece. His handle owns the fiber meanwhile.
class cached_stream::rest final : public suspension
{
    cached_stream& stream_;

public:
    explicit rest(cached_stream& s) noexcept : stream_(s) {}

    bool await_ready() const noexcept { return false; }

    void await_suspend(std::coroutine_handle<> h) noexcept
    {
        stream_.suspend(h, *this);
        stream_.resting_ = true;
        stream_.group().rest(stream_);
    }

    void await_resume() const noexcept {}
    void cancel() noexcept override {} // Only noted: the user's thread may be inside try_next()
};

cached_stream::cached_stream(std::shared_ptr<client_impl> client, cache_plan plan, request&& asked, diagnostics* diag,
    any_handler<chat_stream> handler)
    : fiber(make_fiber_executor(client->executor, client->params.thread_safe), client->group),
      client_(std::move(client)),
      plan_(std::move(plan)),
      request_(std::move(asked)),
      diag_(diag),
      opened_handler_(std::move(handler), client_->completion_executor)
{}

cached_stream::~cached_stream()
{
    destroy_coroutine();
}

void cached_stream::launch(std::shared_ptr<client_impl> client, cache_plan plan, request&& asked, diagnostics* diag,
    any_handler<chat_stream> handler)
{
    auto const self =
        std::make_shared<cached_stream>(std::move(client), std::move(plan), std::move(asked), diag, std::move(handler));
    self->opened_handler_.connect_slot(self);
    self->start(self->run());
}

task<void> cached_stream::run()
{
    co_await open();
    while (!is_over_)
    {
        if (interrupted())
        {
            is_over_ = true;
            result_ = interrupted();
        }
        else if (seat_.fetch().piece(taken_))
        {
            announce();
            co_await rest(*this);
        }
        else if (seat_.fetch().is_over())
        {
            end();
        }
        else
        {
            co_await seat_.fetch().wait(*this, taken_);
        }
    }
}

// To the first piece, or to the end.
task<void> cached_stream::open()
{
    // What is shared may be cancelled without this call: with the client, just before it came.
    constexpr int most_tries = 3;
    for (int n = 1;; ++n)
    {
        seat_ = std::visit([this](auto const& asked) { return client_->cache->join(client_, plan_, asked); }, request_);
        co_await seat_.fetch().wait(*this, 0);
        shared_fetch& fetch = seat_.fetch();
        if (interrupted())
            co_return;
        if (fetch.piece(0))
            break;
        if (fetch.is_over() && (n == most_tries || fetch.error() != asio::error::operation_aborted))
        {
            end();
            co_return;
        }
        seat_.leave();
    }
    sum_ = seat_.fetch().heading();
    account();
}

// The answer has begun to come.
void cached_stream::account()
{
    from_cache_ = seat_.account();
    sum_.from_cache = from_cache_ != cache_lookup::miss;
    if (sum_.from_cache)
        client_->tell_cache(from_cache_);
}

// Nothing more will come: what there is is final.
void cached_stream::end()
{
    is_over_ = true;
    result_ = seat_.fetch().error();
    bool const from_cache = sum_.from_cache;
    sum_ = seat_.fetch().response();
    sum_.from_cache = from_cache;
}

// The next piece, if it is there.
std::optional<chat_delta> cached_stream::take()
{
    delta_record const* const record = seat_.fetch().piece(taken_);
    if (!record)
        return std::nullopt;
    ++taken_;
    record->add_to(sum_);
    events_ += record->events();
    return record->view();
}

// The next wait calls the user's handler: with the stream if he does not have it yet, else with what he waits for.
void cached_stream::announce() noexcept
{
    (is_open_ ? deliver_next_ : deliver_open_) = true;
    is_open_ = true;
}

// ---------------------------------------------------------------------------------------------------------

void cached_stream::next(diagnostics* diag, any_handler<std::optional<chat_delta>> handler)
{
    completion<std::optional<chat_delta>> pending(std::move(handler), client_->completion_executor);
    pending.connect_slot(weak_from_this());
    next_is_outstanding_ = true;
    // Through the executor even if a piece is there already: completing inline would recurse without bound.
    asio::post(
        get_executor(), [self = std::static_pointer_cast<cached_stream>(shared_from_this()), diag,
                            pending = std::move(pending)]() mutable { self->begin_next(diag, std::move(pending)); });
}

void cached_stream::begin_next(diagnostics* diag, completion<std::optional<chat_delta>> handler)
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
        deliver_end(); // The coroutine has ended
        return;
    }
    if (!interrupted() && seat_.fetch().piece(taken_))
    {
        // Nothing to do for the coroutine.
        deliver_next_ = true;
        on_suspended();
        return;
    }
    resting_ = false;
    group().wake(*this);
    resume();
}

// Calls handlers whose turn it is, outside of the coroutine: they may throw, and destroy the stream.
void cached_stream::on_suspended()
{
    if (std::exchange(deliver_open_, false))
    {
        outlive_group_owner();
        report();
        diag_ = nullptr;
        opened_handler_(*this, {}, chat_stream(std::static_pointer_cast<cached_stream>(shared_from_this())));
    }
    else if (std::exchange(deliver_next_, false))
    {
        diag_ = nullptr;
        auto const delta = take();
        next_is_outstanding_ = false;
        next_handler_(*this, {}, delta);
    }
}

void cached_stream::report()
{
    if (!diag_ || (!result_ && diag_->for_failures_only()))
        return;
    *diag_ = diagnostics();
    if (seat_)
        *diag_ = seat_.fetch().is_over() ? seat_.fetch().diag() : seat_.fetch().opened_diag();
    if (!result_)
        return;
    if (diag_->message.empty())
        diag_->message = result_.message();
    if (!sum_.choices.empty())
        diag_->partial = std::make_shared<chat_response const>(sum_);
}

void cached_stream::deliver_end()
{
    report();
    diag_ = nullptr;
    next_is_outstanding_ = false;
    next_handler_(*this, result_, std::nullopt);
}

void cached_stream::on_finished(std::exception_ptr error)
{
    if (error)
        result_ = make_error_code(boost::system::errc::not_enough_memory); // Nothing else throws
    is_over_ = true;
    if (!is_open_)
    {
        report();
        diag_ = nullptr;
        if (!result_)
            account();
        if (result_)
            opened_handler_(*this, result_, chat_stream());
        else
            opened_handler_(*this, {}, chat_stream(std::static_pointer_cast<cached_stream>(shared_from_this())));
    }
    else if (next_handler_)
    {
        deliver_end();
    }
}

void cached_stream::abandoned() noexcept
{
    destroy_coroutine();
    seat_.vanish();
    // The handler may hold the coroutine that holds the stream that holds this.
    auto const opened = std::exchange(opened_handler_, completion<chat_stream>());
    auto const next = std::exchange(next_handler_, completion<std::optional<chat_delta>>());
}

std::optional<chat_delta> cached_stream::try_next()
{
    if (next_is_outstanding_ || !resting_ || interrupted())
        return std::nullopt;
    return take();
}

void cached_stream::take_events(std::string& out)
{
    out += std::exchange(events_, std::string());
}

void cached_stream::abandon()
{
    if (next_is_outstanding_)
        interrupt(asio::error::operation_aborted);
}

} // namespace serin
