// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_REDIS_REPLY_QUEUE_HPP
#define SERIN_SRC_REDIS_REPLY_QUEUE_HPP

#include "../core/fiber.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace serin {

// Who waits for which reply of a server that answers in order. One whose time is over is told so and its reply, which
// still comes, is passed over. No clock, no lock.
template <class Done>
class reply_queue
{
public:
    // Behind all others, whose deadlines are not later.
    void push(Done done, steady_time deadline)
    {
        entries_.push_back({std::move(done), deadline, true});
        ++waiting_;
    }

    // Before all others: what is sent first on a new connection.
    void push_front(Done done, steady_time deadline)
    {
        entries_.push_front({std::move(done), deadline, true});
        ++waiting_;
    }

    // A reply has come. Whose it is; nothing if nobody waits for it any more. There must be an entry.
    std::optional<Done> take()
    {
        entry first = std::move(entries_.front());
        entries_.pop_front();
        if (!first.waits)
            return std::nullopt;
        --waiting_;
        return std::move(first.done);
    }

    // Those whose time is over.
    std::vector<Done> expire(steady_time now)
    {
        std::vector<Done> late;
        for (entry& e : entries_)
        {
            if (e.waits && now >= e.deadline)
            {
                e.waits = false;
                --waiting_;
                late.push_back(std::move(e.done));
            }
        }
        return late;
    }

    // There will be no replies. All who still wait.
    std::vector<Done> clear()
    {
        std::vector<Done> all;
        for (entry& e : entries_)
            if (e.waits)
                all.push_back(std::move(e.done));
        entries_.clear();
        waiting_ = 0;
        return all;
    }

    // When expire() will find somebody next. steady_time::max(): nobody waits.
    steady_time next_deadline() const noexcept
    {
        for (entry const& e : entries_)
            if (e.waits)
                return e.deadline;
        return steady_time::max();
    }

    // By when the reply that comes next should have come. steady_time::max(): there is none to come.
    steady_time oldest_deadline() const noexcept
    {
        return entries_.empty() ? steady_time::max() : entries_.front().deadline;
    }

    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }
    std::size_t waiting() const noexcept { return waiting_; }

private:
    struct entry
    {
        Done done;
        steady_time deadline;
        bool waits;
    };
    std::deque<entry> entries_;
    std::size_t waiting_ = 0;
};

} // namespace serin

#endif
