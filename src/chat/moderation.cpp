// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "request_check.hpp"

#include <serin/chat/moderation.hpp>

namespace serin {

error_code moderation_request::validate(std::string& why) const
{
    request_check check(why);
    check.input(input, extra);
    check.require(!timeout || timeout->count() > 0, "timeout", "must be positive");
    return check.error();
}

} // namespace serin
