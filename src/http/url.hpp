// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_URL_HPP
#define SERIN_SRC_HTTP_URL_HPP

#include <serin/core/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace serin {

// Where requests go: a base URL taken apart.
struct origin
{
    bool tls = false;
    std::string host;   // A name or an IP literal, without brackets.
    bool is_ip = false; // The host is an IP literal.
    std::uint16_t port = 0;
    std::string host_header; // Value of the Host field: with brackets, and with the port if it is not the default.
    std::string path;        // Path of the base URL without its last slash; may be empty.

    // Whether the host is this machine by its name alone: "localhost", 127.0.0.0/8 or ::1.
    bool is_loopback() const;
};

// Takes a base URL apart. On failure errc::invalid_url, and `why` says what is wrong without repeating
// user information that the URL may hold.
error_code parse_base_url(std::string_view url, origin& out, std::string& why);

} // namespace serin

#endif
