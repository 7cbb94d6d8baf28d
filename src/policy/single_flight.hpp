// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_SINGLE_FLIGHT_HPP
#define SERIN_SRC_POLICY_SINGLE_FLIGHT_HPP

#include <cstddef>
#include <map>
#include <memory>
#include <utility>

namespace serin {

// Who waits for which work, so that the same work is done once for all who want it. The work belongs to nobody among
// them: whoever leaves, also the one who began it, the others still get what it comes to, and only when the last one
// has left is it in vain. No lock.
template <class Key, class Work>
class single_flight
{
public:
    struct joined
    {
        std::shared_ptr<Work> work;
        bool is_first; // Who has to begin it
    };

    // Waits for the work of this key, which `make` makes if it is not under way.
    template <class Make>
    joined join(Key const& key, Make make)
    {
        auto const found = flights_.find(key);
        if (found != flights_.end())
        {
            ++found->second.members;
            return {found->second.work, false};
        }
        std::shared_ptr<Work> work = make();
        flights_.emplace(key, flight{work, 1});
        return {std::move(work), true};
    }

    // One waits no longer. True if nobody does now and the work goes on: it is to be stopped.
    bool leave(Key const& key, Work const& work)
    {
        auto const found = flights_.find(key);
        if (found == flights_.end() || found->second.work.get() != &work || --found->second.members != 0)
            return false;
        flights_.erase(found);
        return true;
    }

    // The work has come to its end: who comes now begins it anew.
    void land(Key const& key, Work const& work)
    {
        auto const found = flights_.find(key);
        if (found != flights_.end() && found->second.work.get() == &work)
            flights_.erase(found);
    }

    std::size_t size() const noexcept { return flights_.size(); }

private:
    struct flight
    {
        std::shared_ptr<Work> work;
        std::size_t members;
    };
    std::map<Key, flight> flights_;
};

} // namespace serin

#endif
