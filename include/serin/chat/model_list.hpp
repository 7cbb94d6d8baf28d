// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_MODEL_LIST_HPP
#define SERIN_CHAT_MODEL_LIST_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace serin {

/// Asks for the models of an upstream.
class model_list_request
{
public:
    /// Replaces the client's deadline for everything.
    std::optional<std::chrono::steady_clock::duration> timeout;

    model_list_request() {}
};

/// A model that a server offers.
class model_info
{
public:
    std::string id;           ///< Its name in requests. Never empty.
    std::string owned_by;     ///< Whose it is; empty if the server does not say.
    std::int64_t created = 0; ///< Since when, Unix time in seconds; 0 if the server does not say.
    std::string extra;        ///< Other members, a JSON object or empty.

    model_info() {}
};

/// The models that a server offers.
class model_list
{
public:
    std::vector<model_info> models; ///< In the server's order.
    std::string upstream;           ///< The upstream that answered. Filled by the client.
    std::string request_id;         ///< The server's name for the request. Filled by the client.
    std::string extra;              ///< Other members, a JSON object or empty.

    model_list() {}
};

} // namespace serin

#endif
