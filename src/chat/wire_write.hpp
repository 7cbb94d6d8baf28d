// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_WIRE_WRITE_HPP
#define SERIN_SRC_CHAT_WIRE_WRITE_HPP

#include <serin/chat/request.hpp>
#include <serin/core/error.hpp>

#include <string>
#include <string_view>

namespace serin {

/// Appends everything of a request but its beginning, which is a brace and mostly names the model: a call serialises
/// its request once and every attempt puts its own model in front. Errors: invalid_argument, with a sentence that names
/// the field in `why`; `out` is then as before.
error_code write_request_tail(std::string& out, chat_request const& request, bool stream, std::string& why);

/// Appends a whole request, to any endpoint, made of a model and a tail. An empty model is not sent. The tail may also
/// be appended afterwards.
void append_request(std::string& out, std::string_view model, std::string_view tail);

} // namespace serin

#endif
