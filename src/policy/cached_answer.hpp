// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_CACHED_ANSWER_HPP
#define SERIN_SRC_POLICY_CACHED_ANSWER_HPP

#include "../chat/delta_record.hpp"
#include "../chat/json_reader.hpp"

#include <serin/chat/response.hpp>

#include <deque>
#include <string>
#include <string_view>

namespace serin {

// Whether the answer is one that somebody else can be given too: every choice has ended as the model wanted it.
bool may_be_cached(chat_response const& answer) noexcept;

// The text that a store keeps of an answer, and of the pieces that it came in: none if it came whole. Of pieces before
// the last restart nothing is kept. Empty: the answer has something that would not come back as it was.
std::string write_cached_answer(chat_response const& answer, std::deque<delta_record> const& pieces);

// The same for a whole answer that is to come back as the server has sent it.
std::string write_cached_text(chat_response const& answer, std::string_view as_sent);

// Reads such a text. False if it is none, which is no error: other programs may write to a store. `pieces` are then
// those that the answer came in, or one for each choice, and `as_sent` is what write_cached_text() was given.
bool read_cached_answer(json_reader& reader, std::string_view text, chat_response& answer,
    std::deque<delta_record>& pieces, std::string& as_sent);

} // namespace serin

#endif
