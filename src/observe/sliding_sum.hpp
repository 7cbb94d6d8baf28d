// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_SLIDING_SUM_HPP
#define SERIN_SRC_OBSERVE_SLIDING_SUM_HPP

#include "../core/fiber.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace serin {

// Figures of the latest time, in twelve slices of which the oldest is forgotten as a whole. `Figures` has
// subtract(Figures const&) and clear(). A `now` before the latest one counts as the latest.
template <class Figures>
class sliding_sum
{
public:
    // At least a millisecond for each slice.
    explicit sliding_sum(steady_time::duration length)
        : slice_length_(std::max<steady_time::duration>(length / slices_, std::chrono::milliseconds(1)))
    {}

    // `add` is called with every figure that counts what happens now.
    template <class Add>
    void add(steady_time now, Add add)
    {
        advance(now);
        add(slices_of_time_[place_of(latest_)]);
        add(sum_);
    }

    // Of at least eleven twelfths of the length, and all of it at most.
    Figures const& sum(steady_time now)
    {
        advance(now);
        return sum_;
    }

private:
    static constexpr std::int64_t slices_ = 12;

    static std::size_t place_of(std::int64_t slice) noexcept
    {
        return static_cast<std::size_t>((slice % slices_ + slices_) % slices_);
    }

    void advance(steady_time now)
    {
        std::int64_t const current = now.time_since_epoch() / slice_length_;
        if (current <= latest_)
            return;
        std::int64_t const oldest_kept = current - slices_;
        for (std::int64_t old = std::max(latest_, oldest_kept) + 1; old <= current; ++old)
        {
            Figures& slice = slices_of_time_[place_of(old)];
            sum_.subtract(slice);
            slice.clear();
        }
        latest_ = current;
    }

    steady_time::duration slice_length_;
    std::int64_t latest_ = std::numeric_limits<std::int64_t>::min();
    std::array<Figures, slices_> slices_of_time_{};
    Figures sum_{};
};

} // namespace serin

#endif
