// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_BASE64_HPP
#define SERIN_SRC_CHAT_BASE64_HPP

#include <string>
#include <string_view>

namespace serin {

/// Decodes base64 with the alphabet and the padding of RFC 4648, and nothing else between the characters. False if it
/// is not that; `out` then holds anything.
bool decode_base64(std::string_view text, std::string& out);

} // namespace serin

#endif
