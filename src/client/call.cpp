// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "call.hpp"

#include "../chat/wire_write.hpp"
#include "mirror_call.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace serin {

call::call(std::shared_ptr<client_impl> client, diagnostics* diag) : call(client, client->current(), diag) {}

call::call(std::shared_ptr<client_impl> client, std::shared_ptr<routing const> config, diagnostics* diag)
    : fiber(make_fiber_executor(client->executor, client->params.thread_safe), client->group),
      client_(std::move(client)),
      diag_(diag),
      config_(std::move(config))
{}

call::~call()
{
    destroy_coroutine();
    recycle_text(std::move(request_.body));
}

void call::begin(call_request request)
{
    route const& r = request.model_in_body ? config_->of(request.model) : config_->routes.front();
    begin(std::move(request), r);
    if (r.mirror && request_.path == &dialect::chat_path)
        mirror_call::launch(client_, config_, r, request_);
}

void call::begin(call_request request, route const& through, bool copy)
{
    request_ = std::move(request);
    asked_for_ = route_ = &through;
    request_.recovery = through.recovery;
    if (request_.model_in_body)
        append_request(request_.model_member, request_.model, {});
    auto const total = request_.timeout.value_or(config_->params.timeouts.total);
    set_total_deadline(deadline_after(total));
    deadline_ = add_saturated(client_->clock->now(), total);
    if (config_->watched())
        watch_.emplace(*client_, *config_, request_, copy);
}

task<error_code> call::answer()
{
    if (error_code const ec = check_budgets())
        co_return ec;
    error_code const ec = co_await try_everybody(start_route());
    co_return ec;
}

// Those of a single upstream are the business of attempts at it.
error_code call::check_budgets()
{
    if (config_->params.budgets.empty())
        return {};
    auto const used_up = client_->forbids({{}, {}, {}, request_.tag, request_.model});
    if (!used_up)
        return {};
    detail_ = describe_budget(*used_up);
    return errc::budget_exceeded;
}

task<error_code> call::answer_once()
{
    last_ = next_attempt(0, duration());
    error_code const ec = co_await last_->run(*this, deadline_);
    note_end(*last_, ec);
    if (!ec)
        last_->accept_key();
    if (ec || last_->is_complete())
    {
        last_->settle(ec);
        last_->drop();
    }
    else
    {
        last_->answered(attempts_[last_->trail_place()].duration);
    }
    clear_deadline();
    co_return ec;
}

task<error_code> call::answer_again(error_code why, std::unique_ptr<request_attempt>& broken)
{
    call_fsm::step const next = decide(*last_, last_->failure(why));
    if (next.what == call_fsm::action::finish)
        co_return why;
    tell_goes_on(why, next);
    broken = std::move(last_);
    error_code const ec = co_await try_everybody(next);
    if (!last_)
        last_ = std::move(broken);
    co_return ec;
}

call_fsm::step call::start_route()
{
    routes_tried_.push_back(route_);
    fsm_.emplace(config_->params.retry, *route_->table, request_.sticky_key);
    return client_->start_call(*fsm_, *route_, request_.estimate());
}

// The attempts at one model have come to an end with `ec`. Whether another model is to be asked.
bool call::fall_back(error_code ec)
{
    verdict const v = judge(ec, {}, true);
    bool const of_upstreams = (v.same || v.other) && gave_up_ != give_up::deadline;
    auto const& lists = asked_for_->fallbacks;
    auto const& list = ec == errc::context_length_exceeded ? lists.on_context_length
                       : ec == errc::content_filtered      ? lists.on_content_filter
                                                           : lists.on_failure;
    if (list.empty() || interrupted() || (&list == &lists.on_failure && !of_upstreams))
        return false;
    for (std::string const& name : list)
    {
        route const* const next = config_->find(name);
        if (std::ranges::find(routes_tried_, next) != routes_tried_.end())
            continue;
        if (of_upstreams && !client_->pay_for_fallback())
        {
            gave_up_ = give_up::budget;
            return false;
        }
        if (client_->logs())
            client_->log(log_level::debug, "falls back on " + name + " after " + std::string(kind_name(ec)));
        route_ = next;
        return true;
    }
    return false;
}

// One model after another, as far as there are fallbacks.
task<error_code> call::try_everybody(call_fsm::step next)
{
    error_code ec = co_await try_until_done(next);
    while (ec && fall_back(ec))
    {
        next = start_route();
        tell_goes_on(ec, next);
        ec = co_await try_until_done(next);
    }
    co_return ec;
}

task<error_code> call::try_until_done(call_fsm::step next)
{
    for (;;)
    {
        // The last attempt's would shorten the wait; if one has ended the attempt there would be none at all.
        clear_deadline();
        duration waited{};
        if (next.delay != duration::zero())
        {
            steady_time const from = client_->clock->now();
            co_await client_->clock->wait_until(*this, add_saturated(from, next.delay));
            waited = client_->clock->now() - from;
        }
        if (interrupted())
            co_return interrupted();
        last_ = next_attempt(next.target, waited);
        error_code ec;
        duration const head_start = client_->hedge_after(*config_, *route_, next.target);
        if (head_start != duration::zero())
            ec = co_await race(head_start);
        else
            ec = co_await last_->run(*this, deadline_);
        note_end(*last_, ec);
        if (!ec)
        {
            last_->accept_key();
            duration const took = attempts_[last_->trail_place()].duration;
            client_->answered(*config_, *route_, last_->member(), took);
            if (last_->is_complete())
                last_->settle(ec);
            else
                last_->answered(took);
            co_return ec;
        }
        call_failure failed = last_->failure(ec);
        key_fate const fate = last_->settle(ec);
        last_->drop();
        clear_deadline();
        bool const new_key = co_await look_for_key(failed, fate);
        if (failed.ec == errc::rate_limited && failed.retry_after && !failed.another_key)
            client_->rest(*route_, last_->member(), *failed.retry_after);
        // What went wrong was the key that was read before: asking with a new one is no second try.
        next = new_key ? call_fsm::step{call_fsm::action::attempt, last_->member()} : decide(*last_, failed);
        if (next.what == call_fsm::action::finish)
            co_return ec;
        tell_goes_on(ec, next);
    }
}

// The server has not accepted a key, perhaps. Finds out whether the upstream has another one, and if it has not,
// whether its source has: then the result is true.
task<bool> call::look_for_key(call_failure& failed, key_fate fate)
{
    constexpr int max_reloads = 3; // Of a source that has a new key each time, and never a good one

    auto const& keys = last_->target().keys;
    if (!keys || !last_->key() || fate == key_fate::keep)
        co_return false;
    if (fate == key_fate::rest)
    {
        failed.another_key = keys->has_key(std::span(&last_->key(), 1));
        co_return false;
    }
    refused_keys_.push_back(last_->key());
    // One that the source has replaced meanwhile counts as if the reload came now.
    bool const replaced = keys->has_dropped(*last_->key());
    failed.another_key = keys->has_key(refused_keys_);
    if ((failed.another_key && !replaced) || fate != key_fate::quarantine || reloads_ == max_reloads)
        co_return false;
    ++reloads_;
    bool const found = co_await keys->force_reload(*this, refused_keys_);
    if (found)
        client_->tell(
            *config_, &observer::on_key_rotated, key_rotated{last_->upstream_name(), key_change::replaced, {}});
    co_return found;
}

void call::tell_goes_on(error_code ec, call_fsm::step const& next)
{
    if (watch_ && last_)
        watch_->goes_on(*last_, ec, route_->members[next.target].upstream->params.name, next.delay);
}

std::unique_ptr<request_attempt> call::next_attempt(std::size_t member, duration waited, bool hedge)
{
    attempts_.emplace_back();
    attempts_.back().upstream = route_->members[member].upstream->params.name;
    auto made = make_attempt({*client_, *config_, request_, *route_, member, refused_keys_, reports_success()});
    made->set_place(attempts_.size() - 1, waited);
    if (watch_)
        made->set_watch(*watch_, hedge);
    return made;
}

void call::note_end(request_attempt const& ended, error_code ec)
{
    attempts_[ended.trail_place()] = ended.trail_entry(ec);
    if (ec && client_->logs())
    {
        std::string line = ended.upstream_name() + ": " + std::string(kind_name(ec)) + " in phase " +
                           std::string(phase_name(ended.phase()));
        if (ended.status() != 0)
            line += ", status " + std::to_string(ended.status());
        if (!ended.detail().empty())
            line += ", " + ended.detail();
        client_->log(log_level::debug, line);
    }
}

void call::answer_ended(error_code ec)
{
    note_end(*last_, ec);
    last_->settle(ec);
}

call_fsm::step call::decide(request_attempt const& failed, call_failure failure)
{
    // Tokens that stop coming are a silence like any other, where the stream may be begun anew.
    if (failure.ec == errc::token_idle_timeout)
        failure.ec = errc::idle_timeout;
    call_fsm::step const next =
        client_->after_failure(*fsm_, *route_, request_.estimate(), failed.member(), failure, deadline_);
    gave_up_ = next.why;
    if (client_->logs())
    {
        std::string line = "attempt " + std::to_string(attempts_.size()) + " failed: ";
        if (next.what == call_fsm::action::finish)
            line += "given up (" + std::string(give_up_name(next.why)) + ")";
        else
            line += "next " + route_->members[next.target].upstream->params.name + " in " +
                    std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(next.delay).count()) + " ms";
        client_->log(log_level::debug, line);
    }
    return next;
}

// ---------------------------------------------------------------------------------------------------------

// Runs one attempt of a race, on the call's executor. Keeps the call alive, which keeps no racer.
class call::racer final : public fiber
{
public:
    racer(std::shared_ptr<call> of, std::unique_ptr<request_attempt> runs)
        : fiber(of->get_executor(), of->client_->group),
          call_(std::move(of)),
          race_(call_->race_number_),
          attempt_(std::move(runs))
    {
        if (call_->outlives_group_owner())
            outlive_group_owner();
    }

    ~racer() override { destroy_coroutine(); }

    task<void> run() { ec_ = co_await attempt_->run(*this, call_->deadline_); }

private:
    void on_finished(std::exception_ptr error) override
    {
        if (error)
            ec_ = make_error_code(boost::system::errc::not_enough_memory);
        call_->racer_ended(race_, std::move(attempt_), ec_);
    }

    void abandoned() noexcept override
    {
        destroy_coroutine();
        call_->abandoned();
    }

    std::shared_ptr<call> const call_;
    std::size_t const race_;
    std::unique_ptr<request_attempt> attempt_;
    error_code ec_;
};

// Waits until an attempt of the race has ended, or, unless that is all that is waited for, the call is interrupted. The
// racers own the call meanwhile.
class call::race_wait final : public suspension
{
    call& call_;
    bool ends_only_;

public:
    race_wait(call& c, bool ends_only) noexcept : call_(c), ends_only_(ends_only) {}

    bool await_ready() const noexcept { return !call_.finished_.empty() || (!ends_only_ && call_.interrupted()); }

    void await_suspend(std::coroutine_handle<> h) noexcept
    {
        call_.waits_for_race_ = this;
        call_.suspend(h, *this);
    }

    void await_resume() const noexcept { call_.waits_for_race_ = nullptr; }

    void cancel() noexcept override
    {
        if (!ends_only_)
            call_.resume();
    }
};

void call::start_racer(std::unique_ptr<request_attempt> runs)
{
    auto const r = std::make_shared<racer>(std::static_pointer_cast<call>(shared_from_this()), std::move(runs));
    racers_.push_back(r);
    r->start(r->run());
}

void call::racer_ended(std::size_t race, std::unique_ptr<request_attempt> ran, error_code ec)
{
    if (race != race_number_)
        return; // The race was over without it
    finished_.push_back({std::move(ran), ec});
    if (waits_for_race_)
        resume();
}

void call::stop_racers()
{
    for (auto const& r : racers_)
        if (auto const running = r.lock())
            running->interrupt(asio::error::operation_aborted);
}

// Runs the attempt in last_ and, if it has not ended after `head_start`, another one elsewhere beside it. The first
// success ends the race. last_ is then the winner, or the attempt that failed last.
task<error_code> call::race(duration head_start)
{
    std::size_t const first_place = last_->trail_place();
    std::size_t running = 1;
    error_code ec;
    set_deadline(deadline_after(head_start), asio::error::timed_out);
    start_racer(std::move(last_));
    for (;;)
    {
        co_await race_wait(*this, false);
        if (finished_.empty())
        {
            ec = interrupted();
            if (ec != asio::error::timed_out)
                break;
            clear_deadline();
            if (auto const beside = client_->hedge(*fsm_, *route_, request_.estimate()))
            {
                start_racer(next_attempt(*beside, duration(), true));
                ++running;
            }
            continue;
        }
        ec = finished_.front().ec;
        last_ = std::move(finished_.front().attempt);
        finished_.erase(finished_.begin());
        if (--running == 0 || !ec)
            break;
        last_->drop();
        note_end(*last_, ec);
        client_->failed_beside(*fsm_, last_->member(), last_->failure(ec));
        if (last_->settle(ec) == key_fate::quarantine)
            refused_keys_.push_back(last_->key());
    }
    if (running != 0)
        stop_racers();
    // A call that was interrupted can say how far its attempts came once they have ended.
    for (; ec && running != 0; --running)
    {
        co_await race_wait(*this, true);
        last_ = std::move(finished_.front().attempt);
        finished_.erase(finished_.begin());
        if (running > 1)
            note_end(*last_, ec);
    }
    if (running != 0)
        note_losers(first_place, last_->trail_place());
    ++race_number_;
    racers_.clear();
    last_->hand_to(*this);
    co_return ec;
}

// Attempts that were still running when another one had won.
void call::note_losers(std::size_t first_place, std::size_t winner)
{
    for (std::size_t place = first_place; place < attempts_.size(); ++place)
        if (place != winner && !attempts_[place].error)
            attempts_[place].error = asio::error::operation_aborted;
}

// ---------------------------------------------------------------------------------------------------------

void call::report(error_code ec, chat_response const* partial)
{
    if (!diag_ || (!ec && !reports_success()))
        return;
    // Copies, as a stream may have to report twice.
    diagnostics d;
    d.message = detail_;
    if (last_)
        last_->describe(d);
    if (d.message.empty() && ec)
        d.message = ec.message();
    d.attempts = attempts_;
    d.gave_up = ec ? gave_up_ : give_up::none;
    if (ec && partial)
        d.partial = std::make_shared<chat_response const>(*partial);

    // Servers echo keys, in 401 bodies above all. A good answer may hold the one that it was asked with.
    auto const clean = [&](std::string& text) {
        if (ec)
            client_->scrub(text);
        if (last_ && last_->key())
            scrub(text, *last_->key());
    };
    for (std::string* text : {&d.code, &d.type, &d.param, &d.message, &d.request_id, &d.body})
        clean(*text);
    for (header& h : d.headers)
    {
        clean(h.name);
        clean(h.value);
    }
    *diag_ = std::move(d);
}

} // namespace serin
