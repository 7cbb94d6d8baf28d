// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "function_keys.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <iterator>
#include <utility>

namespace serin {
namespace {

// Text of the user's, which may be that of a server: one short line.
std::string one_short_line(std::string_view text)
{
    constexpr std::size_t most = 200;
    std::string line(text.substr(0, most));
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = ' ';
    return line;
}

} // namespace

// The way back of one call of the function.
class key_reply::channel
{
public:
    channel(std::weak_ptr<function_keys> source, function_keys::fetch_id id) : source_(std::move(source)), id_(id) {}
    channel(channel const&) = delete;
    channel& operator=(channel const&) = delete;

    ~channel() { fail("gave no answer"); }

    void fail(std::string why)
    {
        function_keys::outcome o;
        o.why = std::move(why);
        answer(std::move(o));
    }

    void give(secret key, std::optional<steady_time::duration> valid_for)
    {
        function_keys::outcome o;
        if (auto const wrong = key.problem(); !wrong.empty())
            o.why = "gave a key that " + wrong;
        else if (valid_for && *valid_for <= valid_for->zero())
            o.why = "gave a key that has expired";
        else
            o.key = std::make_shared<secret const>(std::move(key));
        o.valid_for = valid_for;
        answer(std::move(o));
    }

private:
    void answer(function_keys::outcome o)
    {
        if (answered_.exchange(true))
            return;
        if (auto const source = source_.lock())
            source->finish(id_, std::move(o));
    }

    std::weak_ptr<function_keys> const source_;
    function_keys::fetch_id const id_;
    std::atomic<bool> answered_{false};
};

void key_reply::operator()(secret key, std::optional<std::chrono::steady_clock::duration> valid_for) const
{
    channel_->give(std::move(key), valid_for);
}

void key_reply::fail(std::string_view why) const
{
    channel_->fail("failed: " + one_short_line(why));
}

// ---------------------------------------------------------------------------------------------------------

function_keys::function_keys(std::function<void(key_reply)> fetch, function_key_params const& params, clock now)
    : fetch_(std::move(fetch)),
      params_(params),
      clock_(std::move(now))
{
    store_.report("no key has been fetched yet", clock_());
}

std::shared_ptr<key_set const> function_keys::snapshot()
{
    chores left;
    {
        std::lock_guard const lock(mutex_);
        auto const now = clock_();
        look_at_clock(now, left);
        if (fetching_ == 0 && now >= refresh_at_ && now >= retry_at_)
            begin(now, left);
        if (left.fetch == 0 && left.tell.empty())
            return store_.set();
    }
    carry_out(left);
    std::lock_guard const lock(mutex_);
    return store_.set();
}

// The next one who needs the key has it fetched.
error_code function_keys::reload(std::string&)
{
    std::lock_guard const lock(mutex_);
    refresh_at_ = steady_time::min();
    retry_at_ = steady_time::min();
    return {};
}

void function_keys::append_live(std::vector<key_pointer>& out) const
{
    std::lock_guard const lock(mutex_);
    store_.append_live(out, clock_());
}

void function_keys::refresh(std::function<void()> done)
{
    chores left;
    {
        std::lock_guard const lock(mutex_);
        auto const now = clock_();
        look_at_clock(now, left);
        if (fetching_ != 0)
        {
            late_.push_back(std::move(done));
        }
        else if (now >= retry_at_)
        {
            begin(now, left);
            waiting_.push_back(std::move(done));
        }
    }
    carry_out(left);
}

std::chrono::steady_clock::duration function_keys::pending() const
{
    std::lock_guard const lock(mutex_);
    auto const now = clock_();
    if (fetching_ == 0 || is_overdue(now))
        return {};
    return began_ + params_.timeout - now;
}

bool function_keys::is_overdue(steady_time now) const noexcept
{
    return now - began_ >= params_.timeout;
}

// What time has brought about since somebody looked last.
void function_keys::look_at_clock(steady_time now, chores& left)
{
    if (fetching_ != 0 && is_overdue(now))
    {
        outcome o;
        o.why = "did not answer within " + std::to_string(params_.timeout.count()) + " ms";
        settle(std::move(o), now, left);
    }
    if (now >= expires_at_)
    {
        std::string const& problem = store_.set()->problem;
        store_.replace({}, problem.empty() ? "the key has expired" : "the key has expired, and " + problem, now);
        expires_at_ = steady_time::max();
    }
}

void function_keys::begin(steady_time now, chores& left)
{
    fetching_ = ++last_id_;
    began_ = now;
    left.fetch = fetching_;
}

// The fetch under way is over.
void function_keys::settle(outcome o, steady_time now, chores& left)
{
    fetching_ = 0;
    bool const known = o.key && holds_key(store_.set()->keys, *o.key);
    if (o.key)
    {
        failures_ = 0;
        retry_at_ = steady_time::min();
        expires_at_ = steady_time::max();
        refresh_at_ = steady_time::max();
        if (o.valid_for)
        {
            steady_time::duration const early =
                std::min<steady_time::duration>(params_.refresh_before, *o.valid_for / 2);
            expires_at_ = add_saturated(now, *o.valid_for);
            refresh_at_ = expires_at_ - std::max(early, early.zero());
        }
        std::vector<key_pointer> keys;
        keys.push_back(std::move(o.key));
        store_.replace(std::move(keys), {}, now);
    }
    else
    {
        std::vector<key_pointer> live;
        store_.append_live(live, now);
        for (auto const& key : live)
            scrub(o.why, *key);
        store_.report("the key function " + o.why, now);
        auto pause = params_.retry_delay;
        for (unsigned i = 0; i < failures_ && pause < params_.max_retry_delay; ++i)
            pause *= 2;
        ++failures_;
        retry_at_ = now + std::min(pause, params_.max_retry_delay);
    }
    // Who came because the server had refused a key, while one was being fetched that turns out to be the same, wants
    // one that is newer. That is no worse for the others.
    bool const once_more = known && !late_.empty();
    std::move(late_.begin(), late_.end(), std::back_inserter(waiting_));
    late_.clear();
    if (once_more)
        return begin(now, left);
    std::move(waiting_.begin(), waiting_.end(), std::back_inserter(left.tell));
    waiting_.clear();
}

// The function has answered, perhaps too late.
void function_keys::finish(fetch_id id, outcome o)
{
    chores left;
    {
        std::lock_guard const lock(mutex_);
        auto const now = clock_();
        if (id == fetching_ && !is_overdue(now))
            settle(std::move(o), now, left);
        else
            look_at_clock(now, left);
    }
    carry_out(left);
}

void function_keys::carry_out(chores const& left)
{
    for (auto const& done : left.tell)
        if (done)
            done();
    if (left.fetch != 0)
        call(left.fetch);
}

void function_keys::call(fetch_id id)
{
    auto const way_back = std::make_shared<key_reply::channel>(weak_from_this(), id);
    try
    {
        fetch_(key_reply(way_back));
    }
    catch (std::exception const& e)
    {
        way_back->fail("threw an exception: " + one_short_line(e.what()));
    }
    catch (...)
    {
        way_back->fail("threw an exception");
    }
}

std::shared_ptr<key_source> function_key(std::function<void(key_reply)> fetch, function_key_params params)
{
    return std::make_shared<function_keys>(std::move(fetch), params);
}

} // namespace serin
