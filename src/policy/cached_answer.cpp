// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "cached_answer.hpp"

#include "../chat/json_object_writer.hpp"
#include "../chat/wire_read.hpp"

#include <serin/chat/json.hpp>

#include <algorithm>

namespace serin {
namespace {

// In to_json() what has a name wins over what the server sent beside it.
bool hides_nothing(nlohmann::json const& named, std::string const& extra)
{
    nlohmann::json const others = parse_json(extra);
    for (auto const& member : others.items())
        if (named.contains(member.key()))
            return false;
    return true;
}

bool comes_back_whole(chat_choice const& choice)
{
    chat_choice plain = choice;
    plain.message_extra.clear();
    plain.extra.clear();
    nlohmann::json const named = plain;
    return hides_nothing(named, choice.extra) && hides_nothing(named["message"], choice.message_extra);
}

} // namespace

bool may_be_cached(chat_response const& answer) noexcept
{
    return !answer.choices.empty() &&
           std::none_of(answer.choices.begin(), answer.choices.end(), [](chat_choice const& c) {
               return c.finish_reason.empty() || c.finish_reason == "content_filter" || c.finish_reason == "error";
           });
}

std::string write_cached_answer(chat_response const& answer, std::deque<delta_record> const& pieces)
{
    std::string text;
    if (!std::all_of(answer.choices.begin(), answer.choices.end(), comes_back_whole))
        return text;
    std::string const whole = json_text(answer);
    json_writer out(text, whole.size() + 32 * pieces.size() + 128);
    json_object_writer o(out, {});
    o.string_unless_empty("object", answer.object);
    o.string_unless_empty("upstream", answer.upstream);
    o.string_unless_empty("request_id", answer.request_id);
    o.json_unless_empty("answer", whole);
    if (!pieces.empty() && o.key("pieces"))
    {
        auto first = pieces.begin();
        for (auto p = pieces.begin(); p != pieces.end(); ++p)
            if (p->restarts())
                first = p;
        char separator = '[';
        for (auto p = first; p != pieces.end(); ++p)
        {
            out.raw(separator);
            separator = ',';
            p->write(out);
        }
        out.raw(']');
    }
    o.close();
    out.finish();
    return text;
}

std::string write_cached_text(chat_response const& answer, std::string_view as_sent)
{
    std::string text;
    json_writer out(text, as_sent.size() + as_sent.size() / 8 + 128);
    json_object_writer o(out, {});
    o.string_unless_empty("object", answer.object);
    o.string_unless_empty("upstream", answer.upstream);
    o.string_unless_empty("request_id", answer.request_id);
    o.string("as_sent", as_sent);
    o.close();
    out.finish();
    return text;
}

bool read_cached_answer(json_reader& reader, std::string_view text, chat_response& answer,
    std::deque<delta_record>& pieces, std::string& as_sent)
{
    json_value root;
    if (!reader.parse_exact(text, root) || !root.is_object())
        return false;
    chat_response found;
    std::deque<delta_record> came_in;
    std::string whole;
    std::string sent;
    std::string object;
    for (json_member const field : root.members())
    {
        if (key_is(field.key, "object"))
            object = field.value.string();
        else if (key_is(field.key, "upstream"))
            found.upstream = field.value.string();
        else if (key_is(field.key, "request_id"))
            found.request_id = field.value.string();
        else if (key_is(field.key, "answer"))
            field.value.append_json(whole);
        else if (key_is(field.key, "as_sent"))
            sent = field.value.string();
        else if (key_is(field.key, "pieces"))
        {
            for (json_value const piece : field.value.items())
                if (!delta_record::read(piece, came_in))
                    return false;
        }
        else
            return false;
    }
    server_error ignored;
    if (read_response(reader, sent.empty() ? whole : sent, found, ignored))
        return false;
    found.object = std::move(object);
    found.from_cache = true;
    if (came_in.empty())
        for (chat_choice const& choice : found.choices)
            came_in.emplace_back(choice);
    answer = std::move(found);
    pieces = std::move(came_in);
    as_sent = std::move(sent);
    return true;
}

} // namespace serin
