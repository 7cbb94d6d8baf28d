// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// libFuzzer target: whatever the body of an error answer holds, what is read from it is short and valid UTF-8, and it
// has a cause that an answer can have. The first two bytes of the input are the status.

#include "fuzz.hpp"

#include "../../src/chat/errors.hpp"
#include "../../src/core/utf8.hpp"

#include <string>

namespace {

using fuzz::require;
using serin::errc;

bool can_be_answered(errc cause)
{
    return (cause >= errc::invalid_request && cause <= errc::request_timeout) || cause == errc::stream_error;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size)
{
    std::string_view input = fuzz::as_text(bytes, size);
    unsigned const high = fuzz::take_option(input);
    unsigned const low = fuzz::take_option(input);
    int const status = 300 + static_cast<int>((high << 8 | low) % 700);
    fuzz::exact_copy const body(input);

    serin::json_reader reader;
    serin::server_error err;
    serin::read_error_body(reader, body.view(), err);
    require(err.message.size() <= 16384 && serin::is_valid_utf8(err.message));
    for (std::string const& word : {err.code, err.type, err.param})
        require(word.size() <= 1024 && serin::is_valid_utf8(word));
    require(err.status == 0 || (err.status >= 100 && err.status <= 599));
    errc const cause = serin::classify(status, err);
    require(can_be_answered(cause) && cause != errc::stream_error);
    require(can_be_answered(serin::classify(200, err)));

    serin::json_value root;
    if (reader.parse(body.view(), root) && serin::holds_error(root))
    {
        serin::server_error inside;
        serin::read_error_object(root, inside);
        require(inside.message == err.message && inside.code == err.code);
    }
    return 0;
}
