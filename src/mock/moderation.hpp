// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_MOCK_MODERATION_HPP
#define SERIN_SRC_MOCK_MODERATION_HPP

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace serin::mock {

// The answer to a request for a moderation. Returns what is wrong with the request, or an empty string.
std::string answer_moderation(nlohmann::json const& request, std::string& out);

} // namespace serin::mock

#endif
