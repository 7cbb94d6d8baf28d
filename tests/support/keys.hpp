// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_KEYS_HPP
#define SERIN_TESTS_SUPPORT_KEYS_HPP

#include "catch.hpp"

#include <serin/core/headers.hpp>
#include <serin/core/secret.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <stdlib.h>

// A file with keys in a directory of its own. Putting keys there replaces it by rename.
class key_file
{
    std::filesystem::path directory_;

public:
    explicit key_file(std::string_view text)
    {
        std::string name = (std::filesystem::temp_directory_path() / "serin-keys-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        directory_ = name;
        put(text);
    }
    key_file(key_file const&) = delete;
    key_file& operator=(key_file const&) = delete;
    ~key_file()
    {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    void put(std::string_view text) const
    {
        auto const fresh = directory_ / "fresh";
        std::ofstream(fresh, std::ios::binary) << text;
        std::filesystem::rename(fresh, path());
    }

    std::filesystem::path const& directory() const noexcept { return directory_; }
    std::string path() const { return (directory_ / "key").string(); }
};

// The key that a request carries as a bearer token; "not one key" if there are two or it is something else.
inline std::string key_in(serin::headers const& fields)
{
    std::string_view const prefix = "Bearer ";
    std::string found;
    for (serin::header const& h : fields)
    {
        if (!serin::header_names_equal(h.name, "authorization"))
            continue;
        if (!found.empty() || h.value.substr(0, prefix.size()) != prefix)
            return "not one key";
        found = h.value.substr(prefix.size());
    }
    return found;
}

inline std::string fingerprint_of_key(std::string_view key)
{
    return serin::secret(key).fingerprint();
}

// Runs a context until something has happened. False if that takes too long.
template <class Predicate>
bool run_until(
    boost::asio::io_context& context, Predicate happened, std::chrono::seconds patience = std::chrono::seconds(20))
{
    auto const give_up_at = std::chrono::steady_clock::now() + patience;
    while (!happened())
    {
        if (std::chrono::steady_clock::now() >= give_up_at)
            return false;
        if (context.stopped())
            context.restart();
        context.run_one_for(std::chrono::milliseconds(10));
    }
    return true;
}

#endif
