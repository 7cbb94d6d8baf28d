// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "program.hpp"

#include "page.hpp"

#include <string>

namespace doc {

// Replaced by the hidden code before a program, if there is any.
__attribute__((weak)) void prepare(serin::mock::provider&) {}

char const* url(char const*)
{
    static serin::mock::provider mock;
    static std::string const address = [] {
        prepare(mock);
        return mock.base_url();
    }();
    return address.c_str();
}

} // namespace doc
