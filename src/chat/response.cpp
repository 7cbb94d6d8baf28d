// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/response.hpp>

namespace serin {

chat_response::chat_response(chat_response const&) = default;
chat_response::chat_response(chat_response&&) noexcept = default;
chat_response& chat_response::operator=(chat_response const&) = default;
chat_response& chat_response::operator=(chat_response&&) noexcept = default;
chat_response::~chat_response() = default;

serin::message const& chat_response::reply() const noexcept
{
    static serin::message const none;
    chat_choice const* const choice = first();
    return choice ? choice->message : none;
}

std::string const& chat_response::finish_reason() const noexcept
{
    static std::string const none;
    chat_choice const* const choice = first();
    return choice ? choice->finish_reason : none;
}

} // namespace serin
