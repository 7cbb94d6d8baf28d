// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_SECRET_HPP
#define SERIN_CORE_SECRET_HPP

#include <serin/core/error.hpp>

#include <iosfwd>
#include <string>
#include <string_view>

namespace serin {

/// A key. Its bytes are wiped when it is destroyed, assigned to or moved from; it cannot be printed or
/// compared. Its fingerprint stands for it in logs and metrics. Distinct objects may be used from distinct threads.
class secret
{
    std::string bytes_;
    std::string fingerprint_;

    void wipe() noexcept;

public:
    /// An empty secret: no key.
    secret() noexcept {}

    /// Takes over the key and wipes the argument. Any bytes are taken: see @ref check.
    explicit secret(std::string&& key);

    /// Copies the key; the caller's copy stays as it is.
    explicit secret(std::string_view key);

    /// @copydoc secret(std::string_view)
    explicit secret(char const* key) : secret(std::string_view(key)) {}

    /// A copy is wiped on its own.
    secret(secret const& other) = default;

    /// Wipes the other.
    secret(secret&& other) noexcept;

    /// Wipes what it held.
    secret& operator=(secret const& other);

    /// Wipes what it held, and the other.
    secret& operator=(secret&& other) noexcept;
    ~secret();

    /// Whether there is no key.
    bool empty() const noexcept { return bytes_.empty(); }

    /// The key itself, to be put into a request and nowhere else.
    std::string_view reveal() const noexcept { return bytes_; }

    /// The first 8 hexadecimal digits of the key's SHA-256; empty for an empty secret.
    std::string const& fingerprint() const noexcept { return fingerprint_; }

    /// `errc::invalid_key` if the key is empty or holds a byte that is not visible ASCII: line ends and
    /// NUL would break out of the header.
    error_code check() const noexcept;

    /// What check() finds wrong, in words that tell where and hold nothing of the key: "has a line feed at byte 17 of
    /// 52". Empty if nothing is.
    std::string problem() const;

    friend std::ostream& operator<<(std::ostream&, secret const&) = delete;
    friend bool operator==(secret const&, secret const&) = delete;
};

/// Replaces every occurrence of `key` in `text` by "[key FINGERPRINT]", and where `text` ends within one and holds its
/// first 8 bytes at least, that too: long texts are cut off. Servers echo keys in error answers.
void scrub(std::string& text, secret const& key);

} // namespace serin

#endif
