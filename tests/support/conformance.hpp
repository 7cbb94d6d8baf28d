// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Access to the conformance data, which is not part of the project.

#ifndef SERIN_TESTS_SUPPORT_CONFORMANCE_HPP
#define SERIN_TESTS_SUPPORT_CONFORMANCE_HPP

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace serin::test {

/// Why a test that needs the data was skipped.
inline constexpr char no_conformance_data[] = "skipped: SERIN_CONFORMANCE_DIR is not set";

/// The directory with the data, or nothing if SERIN_CONFORMANCE_DIR is not set or empty.
inline std::optional<std::filesystem::path> conformance_dir()
{
    char const* const dir = std::getenv("SERIN_CONFORMANCE_DIR");
    if (dir == nullptr || *dir == '\0')
        return std::nullopt;
    return dir;
}

/// Reads one of its files. Throws if it is missing or not JSON: a set variable promises the data.
inline nlohmann::json load_json(std::filesystem::path const& path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error("cannot read " + path.string());
    return nlohmann::json::parse(file);
}

/// Decodes base64 with the standard alphabet and padding. Throws on anything else.
inline std::string base64_decode(std::string_view text)
{
    if (text.size() % 4 != 0)
        throw std::runtime_error("base64: length");
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=')
        ++padding;
    std::string out(text.size() / 4 * 3, '\0');
    int const size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
        reinterpret_cast<unsigned char const*>(text.data()), static_cast<int>(text.size()));
    if (size != static_cast<int>(out.size()))
        throw std::runtime_error("base64: character");
    out.resize(out.size() - padding);
    return out;
}

/// The SHA-256 of some bytes, in lower-case hexadecimal.
inline std::string sha256_hex(std::string_view bytes)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("sha256");
    std::string out;
    for (unsigned int i = 0; i < size; ++i)
    {
        constexpr char hex[] = "0123456789abcdef";
        out += hex[digest[i] >> 4];
        out += hex[digest[i] & 15];
    }
    return out;
}

} // namespace serin::test

#endif
