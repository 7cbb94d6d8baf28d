// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_ADMIN_ACCESS_HPP
#define SERIN_SRC_GATEWAY_ADMIN_ACCESS_HPP

#include "../http/server_exchange.hpp"
#include "token_set.hpp"

#include <serin/core/secret.hpp>

#include <string>
#include <string_view>

namespace serin::gateway {

// Who may administrate: who has the token, or the cookie that is given for it. What another web page makes a browser
// send is told by its Host and its Origin.
class admin_access
{
public:
    enum class verdict
    {
        allowed,
        unknown, // Neither token nor cookie.
        foreign, // Sent for another host, or by another page.
    };

    // `session`: the value of the cookie, drawn at random.
    admin_access(secret const& token, std::string session);

    // The port is known once it is bound.
    void set_port(unsigned short port) { port_ = std::to_string(port); }

    verdict judge(http_server_request const& request) const;

    // Whether it is meant for us and comes from a page of ours, or from none.
    bool is_own(http_server_request const& request) const;

    bool knows(std::string_view token) const { return token_.contains(token); }

    // The header field that gives the cookie.
    std::string set_cookie() const;

private:
    bool is_host(std::string_view host) const;
    bool has_cookie(std::string_view cookies) const;

    token_set token_;
    token_set session_digest_;
    std::string session_;
    std::string port_;
};

// The value of a member of a form, or of a query; decoded.
std::string form_value(std::string_view form, std::string_view name);

// 32 random bytes, as hexadecimal digits.
std::string random_token();

} // namespace serin::gateway

#endif
