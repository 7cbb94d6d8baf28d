// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "key_keeper.hpp"

#include "../core/timer_wait.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace serin {
namespace {

// While there is no key, calls have the source read again this often, besides after each refusal.
constexpr auto look_interval = std::chrono::seconds(1);

// A source that has something new whenever it is asked must not keep a call for ever.
constexpr int most_changes = 100;

} // namespace

struct key_keeper::waiter
{
    explicit waiter(fiber::executor_type const& ex) : executor(ex), timer(ex) {}

    fiber::executor_type const executor;
    asio::steady_timer timer; // Touched on the fiber's executor only
    bool woken = false;       // Under the keeper's mutex: there may be news since it was last set to false
};

// One who waits for news, until his fiber ends, however it does.
class key_keeper::waiter_guard
{
public:
    waiter_guard(key_keeper& k, fiber& f) : keeper_(k), waiter_(std::make_shared<waiter>(f.get_executor()))
    {
        std::lock_guard const lock(keeper_.mutex_);
        at_ = keeper_.waiters_.insert(keeper_.waiters_.end(), waiter_);
    }
    waiter_guard(waiter_guard const&) = delete;
    waiter_guard& operator=(waiter_guard const&) = delete;

    ~waiter_guard()
    {
        std::lock_guard const lock(keeper_.mutex_);
        keeper_.waiters_.erase(at_);
    }

    // From here on news wake the waiter.
    void look() noexcept
    {
        std::lock_guard const lock(keeper_.mutex_);
        waiter_->woken = false;
    }

    // Sets the timer, unless there have been news since look().
    bool sleep_for(steady_time::duration d)
    {
        std::lock_guard const lock(keeper_.mutex_);
        if (waiter_->woken)
            return false;
        waiter_->timer.expires_at(add_saturated(std::chrono::steady_clock::now(), d));
        return true;
    }

    asio::steady_timer& timer() noexcept { return waiter_->timer; }

private:
    key_keeper& keeper_;
    std::shared_ptr<waiter> const waiter_;
    std::list<std::shared_ptr<waiter>>::iterator at_;
};

// ---------------------------------------------------------------------------------------------------------

key_use& key_use::operator=(key_use&& other) noexcept
{
    if (this != &other)
    {
        reset();
        keeper_ = std::move(other.keeper_);
        key_ = std::move(other.key_);
        ticket_ = other.ticket_;
        reserved_ = std::move(other.reserved_);
        pass_ = std::move(other.pass_);
    }
    return *this;
}

void key_use::accepted() noexcept
{
    if (!key_)
        return;
    std::lock_guard const lock(keeper_->mutex_);
    keeper_->ring_.accepted(ticket_);
}

void key_use::turned_away(key_fate fate, std::optional<steady_time::duration> retry_after)
{
    if (!key_)
        return;
    std::shared_ptr<limit_gate> gate;
    auto const now = keeper_->clock_();
    {
        std::lock_guard const lock(keeper_->mutex_);
        keeper_->ring_.turned_away(ticket_, fate, retry_after, now);
        keeper_->refusals_ += fate == key_fate::quarantine ? 1 : 0;
    }
    if (fate == key_fate::rest && retry_after)
        gate = keeper_->gate_of(key_);
    if (gate)
        gate->cool(add_saturated(now, *retry_after));
}

void key_use::reset() noexcept
{
    pass_.reset();
    reserved_.reset();
    auto const keeper = std::move(keeper_);
    auto const key = std::move(key_);
    if (!key)
        return;
    std::lock_guard const lock(keeper->mutex_);
    keeper->ring_.checkin(ticket_);
}

// ---------------------------------------------------------------------------------------------------------

key_keeper::key_keeper(std::shared_ptr<key_source> source, key_choice how, rate_limit_params const& per_key,
    asio::any_io_executor ex, clock now)
    : source_(std::move(source)),
      per_key_(per_key),
      has_limits_(serin::has_limits(per_key)),
      executor_(std::move(ex)),
      clock_(std::move(now)),
      ring_(how),
      seen_(std::make_shared<key_set const>())
{}

key_keeper::~key_keeper() = default;

// Takes over what the source has now.
std::shared_ptr<key_set const> key_keeper::sync()
{
    std::shared_ptr<key_set const> set;
    try
    {
        set = source_->snapshot();
    }
    catch (std::exception const& e)
    {
        auto none = std::make_shared<key_set>();
        none->problem = std::string("the key source threw: ") + e.what();
        set = std::move(none);
    }
    std::lock_guard const lock(mutex_);
    // Another thread may have seen a newer one meanwhile.
    if (set == seen_ || set->version < seen_->version)
        return set;
    ring_.update(set->keys);
    if (has_limits_)
    {
        std::erase_if(gates_, [&](auto const& g) { return !holds_key(set->keys, *g.first); });
        for (auto const& key : set->keys)
            if (std::none_of(gates_.begin(), gates_.end(), [&](auto const& g) { return same_key(*g.first, *key); }))
                gates_.emplace_back(key, std::make_shared<limit_gate>(per_key_, executor_, clock_));
    }
    seen_ = set;
    return set;
}

std::shared_ptr<limit_gate> key_keeper::gate_of(key_pointer const& key)
{
    std::lock_guard const lock(mutex_);
    for (auto const& [whose, gate] : gates_)
        if (same_key(*whose, *key))
            return gate;
    return nullptr;
}

task<error_code> key_keeper::enter(fiber& f, key_span refused, std::uint64_t estimate_tokens, steady_time deadline,
    key_use& out, steady_time::duration& retry_after)
{
    auto const self = shared_from_this();
    out.reset();
    retry_after = retry_after.zero();
    sync();
    std::vector<key_pointer> candidates;
    {
        std::lock_guard const lock(mutex_);
        candidates = ring_.candidates(refused, clock_());
    }
    // The first with room, or else the one that has room soonest.
    key_pointer best;
    auto soonest = steady_time::duration::max();
    for (auto const& key : candidates)
    {
        auto const gate = gate_of(key);
        if (!gate)
            continue;
        error_code const ec = co_await gate->enter(f, estimate_tokens, steady_time::min(), out.pass_, retry_after);
        if (ec != errc::rate_limited)
        {
            if (!ec)
                out.reserved_ = key;
            co_return ec;
        }
        // Zero: nobody knows.
        if (!best || (retry_after != retry_after.zero() && retry_after < soonest))
        {
            best = key;
            soonest = retry_after == retry_after.zero() ? soonest : retry_after;
        }
    }
    if (!best)
        co_return error_code();
    auto const gate = gate_of(best);
    if (!gate)
        co_return error_code();
    error_code const ec = co_await gate->enter(f, estimate_tokens, deadline, out.pass_, retry_after);
    if (!ec)
        out.reserved_ = best;
    co_return ec;
}

bool key_keeper::try_take(key_span refused, key_use& out)
{
    auto const reserved = std::move(out.reserved_);
    auto pass = std::move(out.pass_);
    out.reset();
    sync();
    auto const now = clock_();
    std::unique_lock lock(mutex_);
    auto taken = ring_.checkout(refused, now, reserved.get());
    lock.unlock();
    if (!taken)
        return false;
    out.keeper_ = shared_from_this();
    out.key_ = std::move(taken->key);
    out.ticket_ = taken->t;
    // A reservation with a key that cannot be had any more is given back. The limits of the new one are not waited for,
    // now that there is a connection: it is one request, and the server has the last word.
    if (reserved && same_key(*reserved, *out.key_))
        out.pass_ = std::move(pass);
    return true;
}

task<error_code> key_keeper::take(fiber& f, key_span refused, key_use& out, no_key& why)
{
    if (f.interrupted())
        co_return f.interrupted();
    if (try_take(refused, out))
        co_return error_code();
    bool const found = co_await seek(f, refused, false, &out);
    if (found)
        co_return error_code();
    if (f.interrupted())
        co_return f.interrupted();
    describe(refused, why);
    co_return why.ec;
}

task<bool> key_keeper::force_reload(fiber& f, key_span refused)
{
    bool const found = co_await seek(f, refused, true, nullptr);
    co_return found;
}

// Waits for a key, and takes it if there is a place for it. `ask`: the source is to be asked in any case, unless there
// is a key.
task<bool> key_keeper::seek(fiber& f, key_span refused, bool ask, key_use* out)
{
    auto const self = shared_from_this();
    waiter_guard guard(*this, f);
    bool asked = false;
    int changes = 0;
    while (!f.interrupted())
    {
        guard.look();
        auto const set = sync();
        bool const found = out ? try_take(refused, *out) : has_key(refused);
        if (found)
            co_return true;
        auto const left = pending();
        if (needs_look() || (!asked && (ask || left != left.zero())))
        {
            asked = true;
            refresh();
        }
        else if (left != left.zero())
        {
            if (guard.sleep_for(left))
                co_await timer_wait(f, guard.timer());
        }
        else if (sync()->version == set->version || ++changes == most_changes)
        {
            co_return false; // No news while we looked
        }
    }
    co_return false;
}

error_code key_keeper::reload(std::string& why)
{
    error_code ec;
    try
    {
        ec = source_->reload(why);
    }
    catch (std::exception const& e)
    {
        ec = errc::invalid_key;
        why = std::string("the key source threw: ") + e.what();
    }
    sync();
    std::lock_guard const lock(mutex_);
    ring_.pardon();
    return ec;
}

void key_keeper::append_live(std::vector<key_pointer>& out) const
{
    {
        std::lock_guard const lock(mutex_);
        ring_.append_live(out);
    }
    try
    {
        source_->append_live(out);
    }
    catch (std::exception const&)
    {
        // Those in the ring are what it can tell.
    }
}

std::vector<key_health> key_keeper::states()
{
    sync();
    std::lock_guard const lock(mutex_);
    return ring_.states(clock_());
}

std::shared_ptr<void> key_keeper::watch(logger log)
{
    return source_->watch(executor_, std::move(log));
}

bool key_keeper::has_key(key_span refused) const
{
    std::lock_guard const lock(mutex_);
    return ring_.has_key(refused, clock_());
}

bool key_keeper::has_dropped(secret const& key)
{
    auto const set = sync();
    return !holds_key(set->keys, key);
}

// Whether the source may have keys that nobody has looked for yet: the server has refused one since the last look, or
// there is none for some time now.
bool key_keeper::needs_look() const
{
    std::lock_guard const lock(mutex_);
    auto const ec = ring_.missing({}).ec;
    return (ec == errc::authentication || ec == errc::invalid_key) &&
           (looked_after_ != refusals_ || clock_() >= next_look_);
}

void key_keeper::refresh()
{
    std::uint64_t refusals = 0;
    {
        std::lock_guard const lock(mutex_);
        refusals = refusals_;
    }
    try
    {
        source_->refresh([weak = weak_from_this()] {
            if (auto const self = weak.lock())
                self->wake_all();
        });
    }
    catch (std::exception const&)
    {
        // The snapshot is as it was, and a source that cannot fetch is not waited for.
    }
    std::lock_guard const lock(mutex_);
    looked_after_ = std::max(looked_after_, refusals);
    next_look_ = clock_() + look_interval;
}

steady_time::duration key_keeper::pending() const noexcept
{
    try
    {
        return std::max(source_->pending(), steady_time::duration::zero());
    }
    catch (std::exception const&)
    {
        return {};
    }
}

// Through the plain executor: what is posted to a strand while the context is being destroyed would own the strand that
// owns it.
void key_keeper::wake_all()
{
    std::lock_guard const lock(mutex_);
    for (auto const& w : waiters_)
    {
        if (std::exchange(w->woken, true))
            continue;
        asio::post(executor_, [w] { asio::dispatch(w->executor, [w] { w->timer.cancel(); }); });
    }
}

void key_keeper::describe(key_span refused, no_key& why)
{
    auto const set = sync();
    std::lock_guard const lock(mutex_);
    auto const now = clock_();
    auto const s = ring_.missing(refused);
    why.ec = s.ec;
    why.retry_after = s.until == steady_time::max() ? steady_time::duration::zero()
                                                    : std::max(s.until - now, steady_time::duration::zero());
    why.why = ring_.explain(refused, now);
    if (!set->problem.empty())
        why.why += (why.why.empty() ? "" : "; ") + set->problem;
    else if (why.why.empty())
        why.why = "there is no key";
}

} // namespace serin
