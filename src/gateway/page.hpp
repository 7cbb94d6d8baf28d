// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_PAGE_HPP
#define SERIN_SRC_GATEWAY_PAGE_HPP

#include <string_view>

namespace serin::gateway {

// The live page: what the browser gets. It asks /api/events for the figures.
std::string_view page_html() noexcept;
std::string_view page_login() noexcept;
std::string_view page_style() noexcept;
std::string_view page_script() noexcept;

} // namespace serin::gateway

#endif
