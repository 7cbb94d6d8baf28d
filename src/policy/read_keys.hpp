// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_READ_KEYS_HPP
#define SERIN_SRC_POLICY_READ_KEYS_HPP

#include "key_store.hpp"

#include <serin/policy/keys.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace serin {

// A source whose keys are there as soon as it reads them.
class read_keys : public key_source
{
public:
    std::shared_ptr<key_set const> snapshot() final;
    error_code reload(std::string& why) final;
    void append_live(std::vector<key_pointer>& out) const final;

protected:
    // Reads the keys as they are now; one call at a time. `problem` says what is wrong with them, without any part of
    // a key; they are not used then.
    virtual void read(std::vector<key_pointer>& keys, std::string& problem) = 0;

private:
    std::mutex reading_; // Held while read() runs, so that nothing newer is overwritten
    mutable std::mutex mutex_;
    key_store store_;
    std::uint64_t reads_ = 0; // That have begun
};

} // namespace serin

#endif
