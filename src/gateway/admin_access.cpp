// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "admin_access.hpp"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/rand.h>

#include <array>
#include <utility>
#include <vector>

namespace serin::gateway {
namespace {

constexpr std::string_view cookie_name = "serin_admin";

int form_digit(char c) noexcept
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

std::string form_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        int const high = text[i] == '%' && i + 2 < text.size() ? form_digit(text[i + 1]) : -1;
        int const low = high >= 0 ? form_digit(text[i + 2]) : -1;
        if (low >= 0)
        {
            out += static_cast<char>(high * 16 + low);
            i += 2;
        }
        else
            out += text[i] == '+' ? ' ' : text[i];
    }
    return out;
}

} // namespace

std::string form_value(std::string_view form, std::string_view name)
{
    while (!form.empty())
    {
        std::string_view const part = form.substr(0, form.find('&'));
        std::size_t const equals = part.find('=');
        if (equals != std::string_view::npos && part.substr(0, equals) == name)
            return form_decoded(part.substr(equals + 1));
        form.remove_prefix(part.size() == form.size() ? form.size() : part.size() + 1);
    }
    return {};
}

std::string random_token()
{
    std::array<unsigned char, 32> bytes;
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
        throw boost::system::system_error(make_error_code(boost::system::errc::io_error), "no random numbers");
    std::string text;
    for (unsigned char const byte : bytes)
    {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

admin_access::admin_access(secret const& token, std::string session)
    : token_(std::vector<secret>(1, token)),
      session_digest_(std::vector<secret>(1, secret(std::string_view(session)))),
      session_(std::move(session))
{}

bool admin_access::is_host(std::string_view host) const
{
    std::size_t const colon = host.rfind(':');
    if (colon == std::string_view::npos || host.substr(colon + 1) != port_)
        return false;
    std::string_view const name = host.substr(0, colon);
    // Another name that resolves to this machine is not enough: anyone can have one.
    if (name == "localhost" || name == "[::1]")
        return true;
    error_code ec;
    auto const ip = asio::ip::make_address_v4(std::string(name), ec);
    return !ec && ip.is_loopback();
}

bool admin_access::is_own(http_server_request const& request) const
{
    if (!is_host(request.headers.find("Host")))
        return false;
    std::string_view const origin = request.headers.find("Origin");
    constexpr std::string_view scheme = "http://";
    return origin.empty() ||
           (origin.starts_with(scheme) && origin.substr(scheme.size()) == request.headers.find("Host"));
}

bool admin_access::has_cookie(std::string_view cookies) const
{
    while (!cookies.empty())
    {
        std::string_view part = cookies.substr(0, cookies.find(';'));
        cookies.remove_prefix(part.size() == cookies.size() ? cookies.size() : part.size() + 1);
        while (part.starts_with(' '))
            part.remove_prefix(1);
        std::size_t const equals = part.find('=');
        if (equals != std::string_view::npos && part.substr(0, equals) == cookie_name &&
            session_digest_.contains(part.substr(equals + 1)))
            return true;
    }
    return false;
}

admin_access::verdict admin_access::judge(http_server_request const& request) const
{
    if (!is_own(request))
        return verdict::foreign;
    if (token_.contains(bearer_token(request.headers.find("Authorization"))))
        return verdict::allowed;
    if (!has_cookie(request.headers.find("Cookie")))
        return verdict::unknown;
    // Browsers name the page that makes them change something.
    bool const reads = request.method == "GET" || request.method == "HEAD";
    return reads || !request.headers.find("Origin").empty() ? verdict::allowed : verdict::foreign;
}

std::string admin_access::set_cookie() const
{
    return std::string(cookie_name) + "=" + session_ + "; Path=/; HttpOnly; SameSite=Strict";
}

} // namespace serin::gateway
