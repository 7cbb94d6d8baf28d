// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_SERIN_CHAT_PLAN_HPP
#define SERIN_TOOLS_SERIN_CHAT_PLAN_HPP

#include "chat_options.hpp"

#include <serin/chat/request.hpp>
#include <serin/client_params.hpp>
#include <serin/core/error.hpp>

#include <string>
#include <utility>

namespace serin::tools {

// A reason not to send anything.
class refusal
{
public:
    error_code ec;
    std::string why;

    refusal(errc cause, std::string text) : ec(cause), why(std::move(text)) {}
    refusal(error_code error, std::string text) : ec(error), why(std::move(text)) {}
};

// What to ask.
class chat_plan
{
public:
    chat_request request; // All but the messages that a conversation adds.
    std::string messages; // Those of a conversation, a JSON array; empty: they are in the request.
    bool stream = false;

    chat_plan() {}
};

// What the options ask for. Throws a refusal. Without a prompt or a request it is a conversation that begins.
chat_plan make_plan(chat_options const& options, bool to_terminal);

// Whom to ask. Throws a refusal.
client_params make_params(chat_options const& options, chat_plan const& plan);

// `messages`, a JSON array, and one more: of the user, or an answer.
std::string with_message(std::string const& messages, std::string const& role, std::string const& text);

// Writes the messages to a file, which is replaced as a whole. Throws a refusal.
void save_conversation(std::string const& path, std::string const& messages);

} // namespace serin::tools

#endif
