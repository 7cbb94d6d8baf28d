// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "url.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/core/detail/string_view.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>

namespace serin {

bool origin::is_loopback() const
{
    if (!is_ip)
        return host == "localhost";
    boost::system::error_code ec;
    auto const address = asio::ip::make_address(host, ec);
    return !ec && address.is_loopback();
}

error_code parse_base_url(std::string_view url, origin& out, std::string& why)
{
    auto const refuse = [&why](char const* text) {
        why = text;
        return make_error_code(errc::invalid_url);
    };

    auto const parsed = boost::urls::parse_uri(boost::core::string_view(url.data(), url.size()));
    if (!parsed)
        return refuse("the base URL is not a URL such as https://api.example.com/v1");
    boost::urls::url_view const& u = *parsed;

    if (u.scheme_id() != boost::urls::scheme::http && u.scheme_id() != boost::urls::scheme::https)
        return refuse("the base URL must begin with https:// or http://");
    if (u.has_userinfo())
        return refuse("the base URL must not hold a user name or a password: give keys to the upstream");
    if (u.has_query() || u.has_fragment())
        return refuse("the base URL must not hold a query or a fragment");
    if (u.host().empty())
        return refuse("the base URL names no host");

    out = origin();
    out.tls = u.scheme_id() == boost::urls::scheme::https;
    out.is_ip = u.host_type() != boost::urls::host_type::name;
    if (u.host_type() == boost::urls::host_type::ipvfuture)
        return refuse("the host of the base URL is neither a name nor an IP address");
    out.host = out.is_ip ? std::string(u.host_address()) : std::string(u.encoded_host_name());
    std::transform(out.host.begin(), out.host.end(), out.host.begin(),
        [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    // A name may hold percent-encoded bytes: they would break out of the Host field, or look like an address. They stay
    // encoded, so that they are refused.
    bool const plain = std::all_of(out.host.begin(), out.host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == ':';
    });
    if (!plain)
        return refuse("the host of the base URL holds characters that a host name cannot have");

    std::uint16_t const default_port = out.tls ? 443 : 80;
    if (u.has_port() && !u.port().empty())
    {
        out.port = u.port_number();
        if (out.port == 0)
            return refuse("the port of the base URL is not between 1 and 65535");
    }
    else
    {
        out.port = default_port;
    }

    bool const v6 = u.host_type() == boost::urls::host_type::ipv6;
    out.host_header = v6 ? "[" + out.host + "]" : out.host;
    if (out.port != default_port)
        out.host_header += ":" + std::to_string(out.port);

    out.path = std::string(u.encoded_path());
    // Boost.URL 1.81 takes "127.0.0.1.example" for an address with a path: what follows the host must be a path.
    if (!out.path.empty() && out.path.front() != '/')
        return refuse("the host or the port of the base URL is malformed");
    while (!out.path.empty() && out.path.back() == '/')
        out.path.pop_back();
    return {};
}

} // namespace serin
