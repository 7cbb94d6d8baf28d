// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_POOL_STATE_HPP
#define SERIN_SRC_HTTP_POOL_STATE_HPP

#include "../core/fiber.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace serin {

// Decides which call gets which connection of one host. Every live connection is idle, in use, or being made, and
// they are `max_live` at most. Who finds none idle queues, and a connection is made for him if there may be one
// more; the queue is served in order with whatever becomes free first. No I/O, no clock, no lock.
template <class Connection>
class pool_state
{
public:
    using waiter_id = std::uint64_t;

    struct grant
    {
        waiter_id waiter;
        Connection connection;
    };

    // What a change asks the driver to do.
    struct actions
    {
        std::optional<grant> give;         // Hand this connection to that waiter.
        std::optional<waiter_id> make_for; // Begin a connection on behalf of that waiter.
        bool stop_making = false;          // No call is left: nobody needs the connections under way.
    };

    explicit pool_state(std::size_t max_live) : max_live_(max_live) {}

    // The most recently used idle connection. The caller looks at it and then calls took() or lost().
    std::optional<Connection> pop_idle()
    {
        if (idle_.empty())
            return std::nullopt;
        std::optional<Connection> c(std::move(idle_.back().connection));
        idle_.pop_back();
        return c;
    }

    // Queues. The caller has found no idle connection.
    waiter_id enqueue(actions& todo)
    {
        waiter_id const id = ++last_id_;
        queue_.push_back({id, false});
        make_if_needed(todo);
        return id;
    }

    // Queues before all others: the connection that he was given is gone, and another may take its place.
    waiter_id enqueue_again(actions& todo)
    {
        waiter_id const id = ++last_id_;
        queue_.push_front({id, false});
        lost(todo);
        return id;
    }

    // A waiter gives up. False: he is not in the queue any more, he has been given a connection or an error.
    bool abandon(waiter_id id, actions& todo)
    {
        auto const at = find(id);
        if (at == queue_.end())
            return false;
        // A connection that is being made for him keeps its name. It serves the first in the queue when it is there.
        // If it fails nobody is told, and failed() begins another one if somebody has none under way.
        queue_.erase(at);
        stop_if_unused(todo);
        return true;
    }

    // A connection in use, or one just made, is free.
    void freed(Connection c, steady_time now, actions& todo)
    {
        if (queue_.empty())
        {
            idle_.push_back({std::move(c), now});
            stop_if_unused(todo);
            return;
        }
        todo.give = grant{queue_.front().id, std::move(c)};
        queue_.pop_front();
    }

    // A connection that was being made on behalf of `id` is there.
    void made(waiter_id id, Connection c, steady_time now, actions& todo)
    {
        --making_;
        if (auto const at = find(id); at != queue_.end())
            at->making = false;
        freed(std::move(c), now, todo);
        if (!todo.make_for)
            make_if_needed(todo);
    }

    // Making a connection on behalf of `id` has failed. True: he still waits, and is out of the queue now: tell him.
    bool failed(waiter_id id, actions& todo)
    {
        --making_;
        --live_;
        auto const at = find(id);
        bool const waits = at != queue_.end();
        if (waits)
            queue_.erase(at);
        make_if_needed(todo);
        stop_if_unused(todo);
        return waits;
    }

    // A connection in use, or an idle one that was popped, is gone.
    void lost(actions& todo)
    {
        --live_;
        make_if_needed(todo);
        stop_if_unused(todo);
    }

    // Takes out idle connections that match; the caller closes them.
    template <class Predicate>
    void remove_idle(Predicate matches, std::vector<Connection>& out)
    {
        auto const keep = std::stable_partition(
            idle_.begin(), idle_.end(), [&](idle_entry const& e) { return !matches(e.connection, e.since); });
        live_ -= static_cast<std::size_t>(idle_.end() - keep);
        for (auto it = keep; it != idle_.end(); ++it)
            out.push_back(std::move(it->connection));
        idle_.erase(keep, idle_.end());
    }

    // Takes out the idle connection that was used least recently.
    void remove_oldest_idle(std::vector<Connection>& out)
    {
        out.push_back(std::move(idle_.front().connection));
        idle_.erase(idle_.begin());
        --live_;
    }

    // When the idle connection that was used least recently became idle.
    steady_time oldest_idle_since() const { return idle_.empty() ? steady_time::max() : idle_.front().since; }

    std::size_t live() const noexcept { return live_; }
    std::size_t idle() const noexcept { return idle_.size(); }
    std::size_t making() const noexcept { return making_; }
    std::size_t waiting() const noexcept { return queue_.size(); }

private:
    struct waiter
    {
        waiter_id id;
        bool making; // A connection is being made on his behalf.
    };

    struct idle_entry
    {
        Connection connection;
        steady_time since;
    };

    auto find(waiter_id id)
    {
        return std::find_if(queue_.begin(), queue_.end(), [id](waiter const& w) { return w.id == id; });
    }

    auto first_without_making()
    {
        return std::find_if(queue_.begin(), queue_.end(), [](waiter const& w) { return !w.making; });
    }

    void make_if_needed(actions& todo)
    {
        if (live_ >= max_live_ || queue_.size() <= making_)
            return;
        auto const at = first_without_making();
        if (at == queue_.end())
            return;
        at->making = true;
        ++making_;
        ++live_;
        todo.make_for = at->id;
    }

    // While there are calls a connection under way is of use to the next one, and the server has perhaps accepted it
    // already. Without calls it would hold the context's work.
    void stop_if_unused(actions& todo)
    {
        todo.stop_making = making_ != 0 && queue_.empty() && live_ == making_ + idle_.size();
    }

    std::size_t max_live_;
    std::size_t live_ = 0;
    std::size_t making_ = 0;
    waiter_id last_id_ = 0;
    std::deque<waiter> queue_;
    std::vector<idle_entry> idle_; // Oldest first
};

} // namespace serin

#endif
