// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_KEYS_HPP
#define SERIN_POLICY_KEYS_HPP

#include <serin/core/error.hpp>
#include <serin/core/secret.hpp>

#include <memory>
#include <string>
#include <vector>

namespace serin {

/// Where an upstream's keys come from. All functions may be called from any thread. Several clients and upstreams may
/// share one source.
class key_source
{
public:
    virtual ~key_source() = default;

    /// The key for the next attempt, which stays as it is while the attempt uses it. Null if there is no usable key;
    /// `why` then says what is missing, without any part of a key.
    virtual std::shared_ptr<secret const> current(std::string& why) = 0;

    /// Reads the keys again from where they come from. On failure the last good keys stay, and `why` says what is
    /// wrong.
    virtual error_code reload(std::string& why) = 0;

    /// Appends every key that may be in use now, so that server text can be scrubbed of them.
    virtual void append_live(std::vector<std::shared_ptr<secret const>>& out) const = 0;
};

/// A key given in the program.
std::shared_ptr<key_source> fixed_key(secret key);

/// The key in an environment variable. Read now and on every reload; reloading while another thread calls `setenv`
/// is undefined behaviour, as with every reader of the environment.
std::shared_ptr<key_source> env_key(std::string variable);

/// The key in a file, blanks and line ends around it removed. Read now and on every reload.
std::shared_ptr<key_source> file_key(std::string path);

/// Several sources, used in turn; one that has no key is passed over.
std::shared_ptr<key_source> rotating_keys(std::vector<std::shared_ptr<key_source>> sources);

} // namespace serin

#endif
