// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_MODEL_LIST_WIRE_HPP
#define SERIN_SRC_CHAT_MODEL_LIST_WIRE_HPP

#include "errors.hpp"
#include "json_reader.hpp"

#include <serin/chat/model_list.hpp>
#include <serin/core/error.hpp>

#include <string_view>

namespace serin {

/// Reads a list of models, which may lack the object around it. Errors: the cause of an error object inside it, with
/// `err` filled; malformed_response if it is no such list or a model has no name; response_too_large if there are more
/// than @ref max_answer_items.
error_code read_model_list(json_reader& reader, std::string_view body, model_list& out, server_error& err);

} // namespace serin

#endif
