// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_LATENCY_WINDOW_HPP
#define SERIN_SRC_POLICY_LATENCY_WINDOW_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace serin {

// How long the latest answers took.
class latency_window
{
public:
    using duration = std::chrono::steady_clock::duration;

    void add(duration took) noexcept
    {
        latest_[at_] = took;
        at_ = (at_ + 1) % latest_.size();
        known_ = std::min(known_ + 1, latest_.size());
    }

    // What a share `q`, from 0 to 1, of them took at most. Nothing while too few are known.
    std::optional<duration> quantile(double q) const
    {
        constexpr std::size_t enough = 20;
        if (known_ < enough)
            return std::nullopt;
        auto sorted = latest_;
        auto const rank = static_cast<std::size_t>(q * static_cast<double>(known_));
        auto const at = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(rank, known_ - 1));
        std::nth_element(sorted.begin(), at, sorted.begin() + static_cast<std::ptrdiff_t>(known_));
        return *at;
    }

private:
    std::array<duration, 256> latest_{};
    std::size_t at_ = 0;
    std::size_t known_ = 0;
};

} // namespace serin

#endif
