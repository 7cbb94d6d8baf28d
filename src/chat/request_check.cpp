// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "request_check.hpp"

namespace serin {

void request_check::input(std::vector<std::string> const& texts, std::string_view extra)
{
    json_value object;
    json(extra, "extra", &object);
    bool replaced = false;
    for (json_member const field : object.members())
    {
        replaced = replaced || field.key == "input";
        require(field.key != "model", "extra", "must not hold model");
    }
    require(!replaced || texts.empty(), "extra", "must not hold input beside the texts of the request");
    require(replaced || !texts.empty(), "input", "is empty");
}

} // namespace serin
