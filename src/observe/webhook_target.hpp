// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_WEBHOOK_TARGET_HPP
#define SERIN_SRC_OBSERVE_WEBHOOK_TARGET_HPP

#include "../http/url.hpp"

#include <serin/core/secret.hpp>

#include <string>

namespace serin {

// Where a webhook is.
struct webhook_target
{
    origin where;
    std::string path_and_query;
};

// Reads a webhook's URL. What is wrong with it, in words that quote nothing of it; empty if nothing is.
std::string read_webhook(secret const& url, webhook_target& out);

} // namespace serin

#endif
