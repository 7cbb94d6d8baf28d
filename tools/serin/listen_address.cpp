// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "listen_address.hpp"

#include <charconv>
#include <system_error>

namespace serin::tools {

bool split_address(std::string const& text, std::string& host, unsigned short& port)
{
    std::size_t const colon = text.rfind(':');
    if (colon == std::string::npos)
        return false;
    host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string::npos)
        return false;
    if (host == "localhost")
        host = "127.0.0.1";
    char const* const last = text.data() + text.size();
    auto const parsed = std::from_chars(text.data() + colon + 1, last, port);
    return parsed.ec == std::errc() && parsed.ptr == last;
}

std::string joined_address(std::string const& host, unsigned short port)
{
    bool const v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

} // namespace serin::tools
