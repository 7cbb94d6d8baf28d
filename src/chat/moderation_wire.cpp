// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "moderation_wire.hpp"

#include "json_object_writer.hpp"
#include "json_writer.hpp"
#include "wire_read.hpp"

#include <algorithm>
#include <cmath>

namespace serin {
namespace {

error_code read_categories(json_value from, std::map<std::string, bool>& out)
{
    for (json_member const field : from.members())
    {
        // A category that a model does not know is null.
        out[std::string(field.key)] = field.value.is_true();
        if (out.size() > max_moderation_categories)
            return errc::response_too_large;
    }
    return {};
}

error_code read_scores(json_value from, std::map<std::string, double>& out)
{
    for (json_member const field : from.members())
    {
        double const score = field.value.number();
        if (!std::isfinite(score))
            return errc::malformed_response;
        if (field.value.is_number())
            out[std::string(field.key)] = score;
        if (out.size() > max_moderation_categories)
            return errc::response_too_large;
    }
    return {};
}

error_code read_moderation_result(json_value from, moderation_result& out)
{
    bool says_flagged = false;
    bool has_categories = false;
    for (json_member const field : from.members())
    {
        error_code ec;
        if (key_is(field.key, "flagged"))
        {
            says_flagged = field.value.kind() == json_kind::boolean;
            out.flagged = field.value.is_true();
        }
        else if (key_is(field.key, "categories"))
        {
            has_categories = field.value.is_object();
            ec = read_categories(field.value, out.categories);
        }
        else if (key_is(field.key, "category_scores"))
            ec = read_scores(field.value, out.scores);
        else
            add_member(out.extra, field.key, field.value);
        if (ec)
            return ec;
    }
    if (!says_flagged)
        out.flagged =
            std::any_of(out.categories.begin(), out.categories.end(), [](auto const& entry) { return entry.second; });
    // What says nothing must not pass for harmless.
    return says_flagged || has_categories ? error_code() : make_error_code(errc::malformed_response);
}

} // namespace

error_code write_moderation_tail(std::string& tail, moderation_request const& request, std::string& why)
{
    error_code const ec = request.validate(why);
    if (ec)
        return ec;

    std::size_t size = 128 + request.extra.size();
    for (std::string const& text : request.input)
        size += 4 + text.size() + text.size() / 16;
    json_writer out(tail, size);
    json_object_writer o(out, request.extra, json_object_writer::opened());
    o.strings_unless_empty("input", request.input);
    o.close();
    out.finish();
    return {};
}

error_code read_moderation_response(
    json_reader& reader, std::string_view body, std::size_t inputs, moderation_response& out, server_error& err)
{
    json_value root;
    if (!reader.parse(body, root))
        return errc::malformed_response;
    error_code ec = error_in_answer(root, err);
    if (ec)
        return ec;

    json_value results;
    for (json_member const field : root.members())
    {
        if (key_is(field.key, "id"))
            out.id = field.value.string();
        else if (key_is(field.key, "model"))
            out.model = field.value.string();
        else if (key_is(field.key, "results"))
            results = field.value;
        else
            add_member(out.extra, field.key, field.value);
    }

    out.results.clear();
    for (json_value const result : results.items())
    {
        if (out.results.size() == (inputs ? inputs : max_answer_items))
            return inputs ? errc::malformed_response : errc::response_too_large;
        ec = read_moderation_result(result, out.results.emplace_back());
        if (ec)
            return ec;
    }
    bool const complete = !out.results.empty() && (!inputs || out.results.size() == inputs);
    return complete ? error_code() : make_error_code(errc::malformed_response);
}

} // namespace serin
