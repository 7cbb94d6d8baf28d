// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// libFuzzer target: the answers of all endpoints. Whatever a body holds, what is read from it keeps the promises of its
// type; and what the reader takes for JSON is what another parser takes for it. The first byte of the input is the
// number of texts that were asked about.

#include "fuzz.hpp"

#include "../../src/chat/embedding_wire.hpp"
#include "../../src/chat/model_list_wire.hpp"
#include "../../src/chat/moderation_wire.hpp"
#include "../../src/chat/wire_read.hpp"
#include "../../src/core/utf8.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace {

using fuzz::require;

void require_object(std::string const& text)
{
    serin::json_reader reader;
    serin::json_value root;
    require(text.empty() || (reader.parse_exact(text, root) && root.is_object()));
}

void require_readable(serin::error_code ec, serin::server_error const& err)
{
    require(!ec || ec.category() == serin::make_error_code(serin::errc::stream_error).category());
    require(serin::is_valid_utf8(err.message) && serin::is_valid_utf8(err.code) && serin::is_valid_utf8(err.type));
}

void read_chat(serin::json_reader& reader, std::string_view body)
{
    serin::chat_response r;
    serin::server_error err;
    serin::error_code const ec = serin::read_response(reader, body, r, err);
    require_readable(ec, err);
    require_object(r.extra);
    require(r.choices.size() <= serin::max_choices && (ec || !r.choices.empty()));
    for (serin::chat_choice const& choice : r.choices)
    {
        require_object(choice.extra);
        require_object(choice.message_extra);
        require(choice.index >= 0 && choice.message.tool_calls.size() <= serin::max_tool_calls);
        require(serin::is_valid_utf8(choice.message.content) && serin::is_valid_utf8(choice.message.reasoning));
        for (serin::tool_call const& call : choice.message.tool_calls)
        {
            require_object(call.extra);
            require(serin::is_valid_utf8(call.arguments));
        }
    }
    if (r.usage)
        require_object(r.usage->extra);
}

void read_embedding(serin::json_reader& reader, std::string_view body, std::size_t inputs)
{
    serin::embedding_response r;
    serin::server_error err;
    serin::error_code const ec = serin::read_embedding_response(reader, body, inputs, r, err);
    require_readable(ec, err);
    require_object(r.extra);
    if (ec)
        return;
    require(inputs ? r.vectors.size() == inputs : !r.vectors.empty());
    for (auto const& values : r.vectors)
        require(!values.empty() && std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); }));
}

void read_moderation(serin::json_reader& reader, std::string_view body, std::size_t inputs)
{
    serin::moderation_response r;
    serin::server_error err;
    serin::error_code const ec = serin::read_moderation_response(reader, body, inputs, r, err);
    require_readable(ec, err);
    require_object(r.extra);
    if (ec)
        return;
    require(inputs ? r.results.size() == inputs : !r.results.empty());
    for (serin::moderation_result const& result : r.results)
    {
        require_object(result.extra);
        for (auto const& score : result.scores)
            require(std::isfinite(score.second));
    }
}

void read_models(serin::json_reader& reader, std::string_view body)
{
    serin::model_list r;
    serin::server_error err;
    serin::error_code const ec = serin::read_model_list(reader, body, r, err);
    require_readable(ec, err);
    require_object(r.extra);
    if (ec)
        return;
    for (serin::model_info const& model : r.models)
    {
        require(!model.id.empty() && serin::is_valid_utf8(model.id));
        require_object(model.extra);
    }
}

// Where the two parsers differ by intent: nesting, numbers too large for a double, halves of surrogate pairs, the byte
// order mark, and NUL, which is the end of the text for the other one.
bool is_comparable(std::string_view text)
{
    return text.find_first_of(std::string_view("eE\0\xef", 4)) == std::string_view::npos &&
           text.find("\\u") == std::string_view::npos &&
           std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{'; }) <= 256 &&
           text.size() <= 300;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* bytes, std::size_t size)
{
    std::string_view input = fuzz::as_text(bytes, size);
    std::size_t const inputs = fuzz::take_option(input) % 8;
    fuzz::exact_copy const body(input);

    // One reader for all, as in a client.
    serin::json_reader reader;
    read_chat(reader, body.view());
    read_embedding(reader, body.view(), inputs);
    read_moderation(reader, body.view(), inputs);
    read_models(reader, body.view());

    if (is_comparable(input))
    {
        serin::json_value root;
        require(reader.parse_exact(body.view(), root) == nlohmann::json::accept(input));
    }
    return 0;
}
