// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_ERRORS_HPP
#define SERIN_SRC_CHAT_ERRORS_HPP

#include "json_reader.hpp"

#include <serin/core/error.hpp>

#include <string>
#include <string_view>

namespace serin {

/// What a server says about an error, in whichever of the known shapes.
class server_error
{
public:
    std::string code;            ///< As sent; a number as its digits.
    bool code_is_number = false; ///< The code was a JSON number.
    std::string type;            ///< As sent.
    std::string param;           ///< The parameter that is wrong.
    std::string message;         ///< Cut off at 16 KiB.
    int status = 0;              ///< The HTTP status that the error itself names; 0 if none.

    server_error() {}

    /// Whether nothing is known.
    bool empty() const noexcept { return code.empty() && type.empty() && message.empty() && status == 0; }
};

/// Reads the body of an error answer: JSON in any of the known shapes, or plain text, which becomes the message.
/// HTML and empty bodies leave `err` empty. Never fails.
void read_error_body(json_reader& reader, std::string_view body, server_error& err);

/// Reads an error from JSON: an object that holds an error, or is one.
void read_error_object(json_value root, server_error& err);

/// Whether an answer's or a chunk's object says that it is an error: it has a member "error" that is neither null,
/// false nor empty, or its "object" is "error".
bool holds_error(json_value root) noexcept;

/// Whether an error says that the key is not accepted, whatever its status.
bool names_key(server_error const& err);

/// The cause of an error. `status` is the HTTP status; 200 stands for an error inside an answer, which only its own
/// codes can classify; one that they do not is `errc::stream_error`.
errc classify(int status, server_error const& err);

} // namespace serin

#endif
