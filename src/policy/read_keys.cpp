// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "read_keys.hpp"

#include <utility>

namespace serin {

std::shared_ptr<key_set const> read_keys::snapshot()
{
    std::lock_guard const lock(mutex_);
    return store_.set();
}

error_code read_keys::reload(std::string& why)
{
    std::uint64_t before = 0;
    {
        std::lock_guard const lock(mutex_);
        before = reads_;
    }
    std::lock_guard const one_at_a_time(reading_);
    bool needed = false;
    {
        // Whoever had to wait may find that somebody has read on his behalf.
        std::lock_guard const lock(mutex_);
        needed = reads_ == before;
        reads_ += needed ? 1 : 0;
    }
    std::vector<key_pointer> keys;
    std::string problem;
    if (needed)
        read(keys, problem);

    std::lock_guard const lock(mutex_);
    if (needed && problem.empty())
        store_.replace(std::move(keys), {}, std::chrono::steady_clock::now());
    else if (needed)
        store_.report(std::move(problem), std::chrono::steady_clock::now());
    why = store_.set()->problem;
    return why.empty() ? error_code() : make_error_code(errc::invalid_key);
}

void read_keys::append_live(std::vector<key_pointer>& out) const
{
    std::lock_guard const lock(mutex_);
    store_.append_live(out, std::chrono::steady_clock::now());
}

} // namespace serin
