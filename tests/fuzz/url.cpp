// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// libFuzzer target: the parts of a base URL can stand in a request as they are, and put together again they are the
// same URL.

#include "fuzz.hpp"

#include "../../src/http/url.hpp"

#include <algorithm>
#include <string>

using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size)
{
    fuzz::exact_copy const copy(fuzz::as_text(bytes, size));
    serin::origin to;
    std::string why;
    if (serin::parse_base_url(copy.view(), to, why))
    {
        require(!why.empty());
        return 0;
    }
    require(!to.host.empty() && !to.host_header.empty() && to.port != 0);
    require(to.path.empty() || (to.path.front() == '/' && to.path.back() != '/'));
    auto const visible = [](char c) { return c > 0x20 && c < 0x7f; };
    for (std::string const& part : {to.host, to.host_header, to.path})
        require(std::all_of(part.begin(), part.end(), visible));
    require(to.host_header.find_first_of("/@?#%") == std::string::npos);
    require(to.path.find_first_of("?#") == std::string::npos);

    serin::origin again;
    std::string const url = (to.tls ? "https://" : "http://") + to.host_header + to.path;
    require(!serin::parse_base_url(url, again, why));
    require(again.tls == to.tls && again.host == to.host && again.is_ip == to.is_ip && again.port == to.port &&
            again.host_header == to.host_header && again.path == to.path);
    require(again.is_loopback() == to.is_loopback());
    return 0;
}
