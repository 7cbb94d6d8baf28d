// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/secret.hpp>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

namespace serin {
namespace {

// Less of a key says nothing.
constexpr std::size_t shortest_cut_key = 8;

std::string fingerprint_of(std::string_view key)
{
    if (key.empty())
        return {};
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<unsigned char const*>(key.data()), key.size(), digest);
    constexpr char hex[] = "0123456789abcdef";
    std::string text;
    for (unsigned char byte : {digest[0], digest[1], digest[2], digest[3]})
    {
        text += hex[byte >> 4];
        text += hex[byte & 15];
    }
    return text;
}

bool is_visible(char c) noexcept
{
    return c > 0x20 && c < 0x7f;
}

// What kind of byte it is. Not which one: it may be part of a key.
std::string_view name_of_invisible(char c) noexcept
{
    switch (c)
    {
    case '\n': return "a line feed";
    case '\r': return "a carriage return";
    case '\0': return "a NUL";
    case ' ': return "a blank";
    case '\t': return "a tab";
    default: return static_cast<unsigned char>(c) < 0x80 ? "a control byte" : "a byte that is not ASCII";
    }
}

void cleanse(std::string& s) noexcept
{
    // Short strings keep bytes beyond their size: wipe all of it.
    s.resize(s.capacity());
    OPENSSL_cleanse(s.data(), s.size());
    s.clear();
}

} // namespace

secret::secret(std::string&& key) : secret(std::string_view(key))
{
    cleanse(key);
}

secret::secret(std::string_view key) : bytes_(key), fingerprint_(fingerprint_of(key)) {}

secret::secret(secret&& other) noexcept : bytes_(std::move(other.bytes_)), fingerprint_(std::move(other.fingerprint_))
{
    other.wipe();
}

secret& secret::operator=(secret const& other)
{
    if (this != &other)
    {
        secret copy(other);
        *this = std::move(copy);
    }
    return *this;
}

secret& secret::operator=(secret&& other) noexcept
{
    if (this != &other)
    {
        wipe();
        bytes_ = std::move(other.bytes_);
        fingerprint_ = std::move(other.fingerprint_);
        other.wipe();
    }
    return *this;
}

secret::~secret()
{
    wipe();
}

void secret::wipe() noexcept
{
    cleanse(bytes_);
    fingerprint_.clear();
}

error_code secret::check() const noexcept
{
    bool const visible = std::all_of(bytes_.begin(), bytes_.end(), is_visible);
    return bytes_.empty() || !visible ? make_error_code(errc::invalid_key) : error_code();
}

std::string secret::problem() const
{
    if (bytes_.empty())
        return "is empty";
    auto const bad = std::find_if_not(bytes_.begin(), bytes_.end(), is_visible);
    if (bad == bytes_.end())
        return {};
    return "has " + std::string(name_of_invisible(*bad)) + " at byte " + std::to_string(bad - bytes_.begin() + 1) +
           " of " + std::to_string(bytes_.size());
}

void scrub(std::string& text, secret const& key)
{
    if (key.empty())
        return;
    std::string_view const bytes = key.reveal();
    auto const mark = [&key] { return "[key " + key.fingerprint() + "]"; };
    if (text.size() >= bytes.size())
        for (auto at = text.find(bytes); at != std::string::npos;)
        {
            std::string const instead = mark();
            text.replace(at, bytes.size(), instead);
            at = text.find(bytes, at + instead.size());
        }
    // The longest part of the key that the text ends with.
    std::string_view end = text;
    end.remove_prefix(end.size() - std::min(end.size(), bytes.size() - 1));
    for (; end.size() >= shortest_cut_key; end.remove_prefix(1))
        if (end.front() == bytes.front() && bytes.starts_with(end))
        {
            text.replace(text.size() - end.size(), end.size(), mark());
            return;
        }
}

} // namespace serin
