// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_EMBEDDING_WIRE_HPP
#define SERIN_SRC_CHAT_EMBEDDING_WIRE_HPP

#include "errors.hpp"
#include "json_reader.hpp"

#include <serin/chat/embedding.hpp>
#include <serin/core/error.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace serin {

/// Appends everything of a request but its model; see @ref append_request. Errors: invalid_argument, with a sentence
/// that names the field in `why`; `out` is then as before.
error_code write_embedding_tail(std::string& out, embedding_request const& request, std::string& why);

/// Reads the answer to a request with that many texts; 0: nobody knows how many. Errors: the cause of an error object
/// inside it, with `err` filled; malformed_response if it is something else than one vector for each text;
/// response_too_large if there are more than @ref max_answer_items.
error_code read_embedding_response(
    json_reader& reader, std::string_view body, std::size_t inputs, embedding_response& out, server_error& err);

} // namespace serin

#endif
