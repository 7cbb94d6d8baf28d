// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_CACHE_KEY_HPP
#define SERIN_SRC_POLICY_CACHE_KEY_HPP

#include "../chat/json_reader.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace serin {

// A request as far as it matters which answer fits it.
struct cacheable_request
{
    std::string_view endpoint; // "chat"
    std::string_view group;    // Who may answer it
    std::string_view tenant;   // Who asks
    std::string_view body;     // As it is sent
};

// What of a request the cache wants to know.
struct cache_key
{
    std::string digest;     // 64 hexadecimal digits
    double temperature = 0; // 0 too if the request says nothing about it
};

// The one text of all JSON texts that mean the same: without blanks, members sorted by name, strings escaped in one
// way. Numbers stay as they are written: 1 and 1.0 are two. Members of one name stay in their order. Empty: it is not
// JSON.
std::string canonical_json(json_reader& reader, std::string_view text);

// The key of a request. Whether it asks for a stream does not count, as an answer can be given either way; but for one
// that does not tell what was used, as its answer is not complete for others. Nothing if the body is not a JSON object.
std::optional<cache_key> make_cache_key(json_reader& reader, cacheable_request const& request);

} // namespace serin

#endif
