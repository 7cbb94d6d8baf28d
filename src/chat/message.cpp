// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/message.hpp>

namespace serin {

message::message(message const&) = default;
message::message(message&&) noexcept = default;
message& message::operator=(message const&) = default;
message& message::operator=(message&&) noexcept = default;
message::~message() = default;

} // namespace serin
