// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "webhook_target.hpp"

#include <algorithm>
#include <string_view>

namespace serin {

std::string read_webhook(secret const& url, webhook_target& out)
{
    std::string_view const text = url.reveal();
    auto const query = std::min(text.find('?'), text.size());
    std::string ignored; // May quote the URL
    if (parse_base_url(text.substr(0, query), out.where, ignored))
        return "has a webhook that is no http or https URL";
    if (!std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; }))
        return "has a webhook with characters that cannot stand in a URL";
    if (!out.where.tls && !out.where.is_loopback())
        return "has a webhook over plain http to another machine, where anyone on the way can read it";
    // As it was written: a slash at the end may matter to the receiver.
    auto const scheme_end = text.find("://") + 3;
    auto const path = std::min(text.find_first_of("/?", scheme_end), text.size());
    out.path_and_query = std::string(text.substr(path));
    if (out.path_and_query.empty() || out.path_and_query.front() != '/')
        out.path_and_query.insert(0, 1, '/');
    return {};
}

} // namespace serin
