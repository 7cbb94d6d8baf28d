// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_RAW_HPP
#define SERIN_RAW_HPP

#include <serin/core/headers.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace serin {

/// A request to an endpoint that the library has no types for.
class raw_request
{
public:
    std::string method = "GET"; ///< Upper case.
    std::string path;           ///< Appended to the base URL; begins with a slash, percent-encoded, may have a query.
    std::string body;           ///< JSON text; empty: none is sent.

    /// Replaces the client's deadline for everything.
    std::optional<std::chrono::steady_clock::duration> timeout;

    raw_request() {}

    /// With this method, this path and this body.
    raw_request(std::string m, std::string p, std::string json = std::string())
        : method(std::move(m)),
          path(std::move(p)),
          body(std::move(json))
    {}
};

/// An answer with a status from 200 to 299; others are errors, with the body in the diagnostics.
class raw_response
{
public:
    int status = 0;         ///< HTTP status.
    serin::headers headers; ///< Header fields.
    std::string body;       ///< The body as it came.
    std::string upstream;   ///< The upstream that answered.
    std::string request_id; ///< The server's name for the request.

    raw_response() {}
};

} // namespace serin

#endif
