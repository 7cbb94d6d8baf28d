// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_MEMORY_BUDGET_HPP
#define SERIN_SRC_HTTP_MEMORY_BUDGET_HPP

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace serin {

// Bytes that the calls of one client may hold together. Safe from any thread.
class memory_budget
{
public:
    explicit memory_budget(std::size_t limit) noexcept : limit_(limit) {}

    bool take(std::size_t bytes) noexcept
    {
        // Never more than the limit, not even for a moment: another call would be refused without need.
        std::size_t used = used_.load();
        do
        {
            if (bytes > limit_ - used)
                return false;
        }
        while (!used_.compare_exchange_weak(used, used + bytes));
        return true;
    }

    void give_back(std::size_t bytes) noexcept { used_.fetch_sub(bytes); }
    std::size_t used() const noexcept { return used_.load(); }

private:
    std::size_t const limit_;
    std::atomic<std::size_t> used_{0};
};

// The share of one call. Small amounts are not counted: they would cost more than they tell.
class memory_share
{
public:
    explicit memory_share(std::shared_ptr<memory_budget> budget) noexcept : budget_(std::move(budget)) {}
    memory_share(memory_share const&) = delete;
    memory_share& operator=(memory_share const&) = delete;
    ~memory_share() { budget_->give_back(held_); }

    // Sets what the call holds. False: the client holds too much already.
    bool set(std::size_t bytes) noexcept
    {
        constexpr std::size_t free_of_charge = 64 * 1024;
        std::size_t const wanted = bytes <= free_of_charge ? 0 : bytes;
        if (wanted > held_ && !budget_->take(wanted - held_))
            return false;
        if (wanted < held_)
            budget_->give_back(held_ - wanted);
        held_ = wanted;
        return true;
    }

private:
    std::shared_ptr<memory_budget> budget_;
    std::size_t held_ = 0;
};

} // namespace serin

#endif
