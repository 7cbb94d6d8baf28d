// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "shared_fetch.hpp"

#include "../chat/wire_read.hpp"
#include "../core/timer_wait.hpp"
#include "../policy/cached_answer.hpp"
#include "client_impl.hpp"
#include "endpoints.hpp"
#include "stream_call.hpp"
#include "whole_call.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace serin {
namespace {

chat_response heading_of(chat_response const& answer)
{
    chat_response heading;
    heading.id = answer.id;
    heading.object = answer.object;
    heading.model = answer.model;
    heading.created = answer.created;
    heading.system_fingerprint = answer.system_fingerprint;
    heading.service_tier = answer.service_tier;
    heading.upstream = answer.upstream;
    heading.request_id = answer.request_id;
    return heading;
}

} // namespace

struct shared_fetch::reader
{
    explicit reader(fiber::executor_type const& ex) : executor(ex), timer(ex) {}

    fiber::executor_type const executor;
    asio::steady_timer timer; // Touched on the fiber's executor only
};

// One who waits, until his fiber goes on, however it does.
class shared_fetch::reader_guard
{
public:
    reader_guard(shared_fetch& of, fiber& f) : fetch_(of), reader_(std::make_shared<reader>(f.get_executor()))
    {
        std::lock_guard const lock(fetch_.mutex_);
        at_ = fetch_.readers_.insert(fetch_.readers_.end(), reader_);
    }
    reader_guard(reader_guard const&) = delete;
    reader_guard& operator=(reader_guard const&) = delete;

    ~reader_guard()
    {
        std::lock_guard const lock(fetch_.mutex_);
        fetch_.readers_.erase(at_);
    }

    asio::steady_timer& timer() noexcept { return reader_->timer; }

private:
    shared_fetch& fetch_;
    std::shared_ptr<reader> const reader_;
    std::list<std::shared_ptr<reader>>::iterator at_;
};

struct shared_fetch::whole_handler
{
    std::shared_ptr<shared_fetch> fetch;
    void operator()(error_code ec, chat_response answer) { fetch->answered(ec, std::move(answer)); }
};

struct shared_fetch::relay_handler
{
    std::shared_ptr<shared_fetch> fetch;
    void operator()(error_code ec, relay_answer answer) { fetch->relayed(ec, std::move(answer)); }
};

struct shared_fetch::stream_handler
{
    std::shared_ptr<shared_fetch> fetch;
    void operator()(error_code ec, chat_stream stream) { fetch->opened(ec, std::move(stream)); }
};

struct shared_fetch::next_handler
{
    std::shared_ptr<shared_fetch> fetch;
    void operator()(error_code ec, std::optional<chat_delta> delta) { fetch->read_next(ec, delta); }
};

// ---------------------------------------------------------------------------------------------------------

shared_fetch::shared_fetch(
    std::shared_ptr<response_cache> cache, std::shared_ptr<client_impl> client, cache_plan const& plan)
    : cache_(std::move(cache)),
      client_(std::move(client)),
      plan_(plan)
{}

void shared_fetch::begin(chat_request const& request)
{
    request_ = request;
    begin();
}

void shared_fetch::begin(relay_request const& request)
{
    relay_request_ = request;
    begin();
}

void shared_fetch::begin()
{
    if (plan_.key.refresh)
        ask();
    else
        look_up();
}

void shared_fetch::stop()
{
    std::weak_ptr<fiber> call;
    chat_stream stream;
    {
        std::lock_guard const lock(mutex_);
        if (phase_ == phase::over)
            return;
        phase_ = phase::stopped;
        call = call_;
        stream = std::exchange(stream_, chat_stream());
        if (store_timer_)
            store_timer_->cancel();
    }
    if (auto const running = call.lock())
        running->interrupt(asio::error::operation_aborted);
}

// ---------------------------------------------------------------------------------------------------------

void shared_fetch::look_up()
{
    {
        std::lock_guard const lock(mutex_);
        phase_ = phase::looks;
    }
    try
    {
        plan_.params.store->get(plan_.key.digest, [weak = weak_from_this()](cache_store::value text) {
            if (auto const self = weak.lock()) // A store may keep this for ever
                self->found(std::move(text));
        });
    }
    catch (...)
    {
        found(nullptr);
    }
    std::lock_guard const lock(mutex_);
    if (phase_ != phase::looks)
        return;
    store_timer_ = std::make_unique<asio::steady_timer>(client_->executor, plan_.params.store_timeout);
    store_timer_->async_wait([self = shared_from_this()](error_code ec) {
        if (!ec)
            self->found(nullptr);
    });
}

// The store's answer, if it is the first one; also what comes when it took too long.
void shared_fetch::found(cache_store::value text)
{
    {
        std::lock_guard const lock(mutex_);
        if (phase_ != phase::looks)
            return;
        phase_ = phase::asks;
        if (store_timer_)
            store_timer_->cancel();
    }
    chat_response answer;
    std::deque<delta_record> pieces;
    std::string as_sent;
    bool good = false;
    if (text)
    {
        auto json = client_->take_reader();
        good = read_cached_answer(*json, *text, answer, pieces, as_sent);
        client_->put_reader(std::move(json));
    }
    if (!good)
    {
        ask();
        return;
    }
    {
        std::lock_guard const lock(mutex_);
        origin_ = origin::store;
        pieces_ = std::move(pieces);
        as_sent_ = std::move(as_sent);
        heading_ = heading_of(answer);
        diag_.upstream = answer.upstream;
        diag_.model = answer.model;
        diag_.request_id = answer.request_id;
    }
    finish({}, std::move(answer));
}

void shared_fetch::ask()
{
    {
        std::lock_guard const lock(mutex_);
        if (phase_ == phase::stopped)
            return;
        phase_ = phase::asks;
        origin_ = origin::server;
    }
    cache_->count_miss();
    client_->tell_cache(cache_lookup::miss);
    auto const self = shared_from_this();
    std::weak_ptr<fiber> call;
    if (plan_.relayed && plan_.key.stream)
        call = relay::ask_stream(client_, std::move(relay_request_), &diag_, stream_handler{self});
    else if (plan_.relayed)
        call = relay::ask_whole(client_, std::move(relay_request_), &diag_, relay_handler{self});
    else if (plan_.key.stream)
        call = stream_call::launch(client_, std::move(request_), &diag_, stream_handler{self});
    else
        call = whole_call<chat_endpoint>::launch(client_, std::move(request_), &diag_, whole_handler{self});
    bool stopped = false;
    {
        std::lock_guard const lock(mutex_);
        call_ = call;
        stopped = phase_ == phase::stopped;
    }
    if (!stopped)
        return;
    if (auto const running = call.lock())
        running->interrupt(asio::error::operation_aborted);
}

void shared_fetch::answered(error_code ec, chat_response&& answer)
{
    if (!ec)
        keep(answer);
    finish(ec, std::move(answer));
}

void shared_fetch::relayed(error_code ec, relay_answer&& answer)
{
    chat_response whole;
    if (!ec)
    {
        // What was read of it is not kept by the call.
        server_error ignored;
        auto json = client_->take_reader();
        bool const good = !read_response(*json, answer.body, whole, ignored);
        client_->put_reader(std::move(json));
        as_sent_ = std::move(answer.body);
        whole.upstream = std::move(answer.upstream);
        whole.request_id = std::move(answer.request_id);
        if (good)
            keep(whole);
    }
    finish(ec, std::move(whole));
}

void shared_fetch::append_piece(std::deque<delta_record>& to, chat_stream& stream, chat_delta const& delta) const
{
    to.emplace_back(delta);
    if (!plan_.relayed)
        return;
    std::string events;
    relay::take_events(stream, events);
    to.back().keep_events(std::move(events));
}

void shared_fetch::opened(error_code ec, chat_stream&& stream)
{
    if (ec)
    {
        chat_response partial;
        if (diag_.partial)
            partial = *diag_.partial;
        finish(ec, std::move(partial));
        return;
    }
    std::deque<delta_record> pieces;
    while (auto const delta = stream.try_next())
        append_piece(pieces, stream, *delta);
    chat_response const& so_far = stream.response();
    bool stopped = false;
    {
        std::lock_guard const lock(mutex_);
        stopped = phase_ == phase::stopped;
        if (!stopped)
        {
            phase_ = phase::streams;
            pieces_ = std::move(pieces);
            heading_ = heading_of(so_far);
            opened_diag_ = diag_;
            stream_ = std::move(stream);
            if (pieces_.empty())
                pump_locked(); // An answer without a token: all that is left is its end
        }
    }
    wake_all();
}

// Asks the stream for its next piece.
void shared_fetch::pump_locked()
{
    if (phase_ != phase::streams || pumping_)
        return;
    pumping_ = true;
    stream_.async_next(diag_, next_handler{shared_from_this()});
}

void shared_fetch::read_next(error_code ec, std::optional<chat_delta> const& delta)
{
    chat_stream stream;
    {
        std::lock_guard const lock(mutex_);
        if (phase_ != phase::streams)
            return;
        stream = std::move(stream_); // Nobody else touches it while pumping_ is set
    }
    if (ec || !delta)
    {
        std::string rest; // After the last piece
        if (plan_.relayed)
            relay::take_events(stream, rest);
        if (!rest.empty())
        {
            delta_record last{chat_delta()};
            last.keep_events(std::move(rest));
            std::lock_guard const lock(mutex_);
            pieces_.push_back(std::move(last));
        }
        chat_response whole = stream.response();
        if (!ec)
            keep(whole);
        finish(ec, std::move(whole));
        return;
    }
    std::deque<delta_record> more;
    append_piece(more, stream, *delta);
    while (auto const next = stream.try_next())
        append_piece(more, stream, *next);
    {
        std::lock_guard const lock(mutex_);
        if (phase_ != phase::streams)
            return;
        for (delta_record& record : more)
            pieces_.push_back(std::move(record));
        stream_ = std::move(stream);
        pumping_ = false;
    }
    wake_all();
}

// Before finish(): who comes when the fetch is over finds the answer in the store.
void shared_fetch::keep(chat_response const& answer)
{
    auto const& members = plan_.upstreams;
    if (!may_be_cached(answer) || std::find(members.begin(), members.end(), answer.upstream) == members.end())
        return;
    // Nothing changes the pieces any more.
    bool const whole_as_sent = plan_.relayed && !plan_.key.stream;
    auto text = std::make_shared<std::string const>(
        whole_as_sent ? write_cached_text(answer, as_sent_) : write_cached_answer(answer, pieces_));
    if (text->empty() || text->size() > plan_.params.max_entry_bytes)
        return;
    try
    {
        plan_.params.store->put(plan_.key.digest, std::move(text), plan_.params.ttl);
        cache_->count_stored();
    }
    catch (...)
    {
        // Then it is not kept.
    }
}

void shared_fetch::finish(error_code ec, chat_response&& answer)
{
    {
        std::lock_guard const lock(mutex_);
        if (phase_ == phase::stopped)
            return;
        phase_ = phase::over;
        error_ = ec;
        response_ = std::move(answer);
    }
    cache_->landed(plan_.key, *this);
    wake_all();
}

// ---------------------------------------------------------------------------------------------------------

task<void> shared_fetch::wait(fiber& f, std::size_t have)
{
    auto const self = shared_from_this();
    reader_guard guard(*this, f);
    for (;;)
    {
        {
            std::lock_guard const lock(mutex_);
            if (phase_ == phase::over || phase_ == phase::stopped || pieces_.size() > have || f.interrupted())
                co_return;
            pump_locked();
            guard.timer().expires_at(steady_time::max());
        }
        co_await timer_wait(f, guard.timer());
    }
}

// Through the plain executor, as limit_gate does it.
void shared_fetch::wake_all()
{
    std::lock_guard const lock(mutex_);
    for (auto const& r : readers_)
        asio::post(client_->executor, [r] { asio::dispatch(r->executor, [r] { r->timer.cancel(); }); });
}

delta_record const* shared_fetch::piece(std::size_t have) const
{
    std::lock_guard const lock(mutex_);
    return have < pieces_.size() ? &pieces_[have] : nullptr;
}

bool shared_fetch::is_over() const
{
    std::lock_guard const lock(mutex_);
    return phase_ == phase::over;
}

shared_fetch::origin shared_fetch::where_from() const
{
    std::lock_guard const lock(mutex_);
    return origin_;
}

chat_response shared_fetch::heading() const
{
    std::lock_guard const lock(mutex_);
    return heading_;
}

diagnostics shared_fetch::opened_diag() const
{
    std::lock_guard const lock(mutex_);
    return opened_diag_;
}

} // namespace serin
