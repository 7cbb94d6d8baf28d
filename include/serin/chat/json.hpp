// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Requests and answers as nlohmann::json. Opt-in: nlohmann's header is expensive to compile, and no other public
// header includes it. All inline, so that the library does not depend on the version that its user has.

#ifndef SERIN_CHAT_JSON_HPP
#define SERIN_CHAT_JSON_HPP

#include <serin/chat/request.hpp>
#include <serin/chat/response.hpp>

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace serin {

/// Parses a text such as `chat_response::extra` or `tool_call::arguments`. Null if it is empty, a value for which
/// `is_discarded()` holds if it is not JSON.
inline nlohmann::json parse_json(std::string_view text)
{
    return text.empty() ? nlohmann::json() : nlohmann::json::parse(text, nullptr, false);
}

/// JSON as text, for members such as `extra`, `tool::parameters` and `response_format::schema`. Invalid UTF-8
/// becomes U+FFFD.
inline std::string json_text(nlohmann::json const& value)
{
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// A function that the model may call, with the JSON Schema of its arguments.
inline tool make_tool(std::string name, std::string description, nlohmann::json const& parameters)
{
    return tool(std::move(name), std::move(description), json_text(parameters));
}

/// JSON that follows a schema.
inline response_format make_json_schema(std::string name, nlohmann::json const& schema, bool strict = true)
{
    return response_format::json_schema(std::move(name), json_text(schema), strict);
}

/// Sets a member of a request, to any endpoint, that has no name here; see `chat_request::extra`. Replaces what `extra`
/// held if that was not an object.
template <class Request>
void set_extra(Request& request, std::string const& name, nlohmann::json value)
{
    nlohmann::json object = parse_json(request.extra);
    if (!object.is_object())
        object = nlohmann::json::object();
    object[name] = std::move(value);
    request.extra = json_text(object);
}

/// A request from the JSON that a server would be sent. "model" becomes the model, "stream" is ignored, for the
/// function called decides it, and everything else becomes `extra`. Null if it is not an object.
inline std::optional<chat_request> request_from_json(nlohmann::json object)
{
    if (!object.is_object())
        return std::nullopt;
    chat_request request;
    auto const model = object.find("model");
    if (model != object.end())
    {
        if (model->is_string())
            request.model = model->get<std::string>();
        object.erase(model);
    }
    object.erase("stream");
    if (!object.empty())
        request.extra = json_text(object);
    return request;
}

// Adds the members that are not there yet; objects on both sides are merged.
inline void merge_json(nlohmann::json& into, nlohmann::json const& from)
{
    for (auto const& member : from.items())
    {
        auto const there = into.find(member.key());
        if (there == into.end())
            into[member.key()] = member.value();
        else if (there->is_object() && member.value().is_object())
            merge_json(*there, member.value());
    }
}

inline void merge_extra(nlohmann::json& into, std::string const& extra)
{
    nlohmann::json const object = parse_json(extra);
    if (object.is_object())
        merge_json(into, object);
}

/// As the server sends it; see the other overloads too.
inline void to_json(nlohmann::json& j, tool_call const& call)
{
    j = nlohmann::json{{"id", call.id}, {"type", call.type}};
    if (call.type == "custom")
        j["custom"] = {{"name", call.name}, {"input", call.arguments}};
    else
        j["function"] = {{"name", call.name}, {"arguments", call.arguments}};
    merge_extra(j, call.extra);
}

/// @copydoc to_json
inline void to_json(nlohmann::json& j, url_citation const& c)
{
    j = {{"type", "url_citation"}, {"url_citation", {{"start_index", c.start_index}, {"end_index", c.end_index},
                                                        {"title", c.title}, {"url", c.url}}}};
}

/// @copydoc to_json
inline void to_json(nlohmann::json& j, token_usage const& u)
{
    j = {{"prompt_tokens", u.prompt_tokens}, {"completion_tokens", u.completion_tokens},
        {"total_tokens", u.total_tokens},
        {"prompt_tokens_details",
            {{"cached_tokens", u.cached_tokens}, {"cache_write_tokens", u.cache_write_tokens},
                {"audio_tokens", u.prompt_audio_tokens}, {"image_tokens", u.prompt_image_tokens}}},
        {"completion_tokens_details",
            {{"reasoning_tokens", u.reasoning_tokens}, {"audio_tokens", u.completion_audio_tokens},
                {"accepted_prediction_tokens", u.accepted_prediction_tokens},
                {"rejected_prediction_tokens", u.rejected_prediction_tokens}}}};
    merge_extra(j, u.extra);
}

/// @copydoc to_json
inline void to_json(nlohmann::json& j, token_logprob const& t)
{
    j = {{"token", t.token}, {"logprob", t.logprob}, {"bytes", nullptr}, {"top_logprobs", nlohmann::json::array()}};
    if (!t.bytes.empty())
    {
        j["bytes"] = nlohmann::json::array();
        for (char byte : t.bytes)
            j["bytes"].push_back(static_cast<unsigned char>(byte));
    }
    for (token_logprob const& other : t.top)
        j["top_logprobs"].push_back(other);
}

/// A received message. Has no `extra`: that is for sending.
inline void to_json(nlohmann::json& j, message const& m)
{
    j = {{"role", m.role}, {"content", nullptr}};
    if (!m.content.empty() || (m.tool_calls.empty() && m.refusal.empty() && !m.function_call))
        j["content"] = m.content;
    if (!m.refusal.empty())
        j["refusal"] = m.refusal;
    if (!m.reasoning.empty())
        j["reasoning"] = m.reasoning;
    if (!m.tool_calls.empty())
        j["tool_calls"] = m.tool_calls;
    if (m.function_call)
        j["function_call"] = {{"name", m.function_call->name}, {"arguments", m.function_call->arguments}};
    if (!m.annotations.empty())
        j["annotations"] = m.annotations;
    if (m.audio)
        j["audio"] = {{"id", m.audio->id}, {"data", m.audio->data}, {"transcript", m.audio->transcript},
            {"expires_at", m.audio->expires_at}};
}

/// @copydoc to_json
inline void to_json(nlohmann::json& j, chat_choice const& c)
{
    j = {{"index", c.index}, {"message", c.message}, {"finish_reason", nullptr}};
    merge_extra(j["message"], c.message_extra);
    if (!c.finish_reason.empty())
        j["finish_reason"] = c.finish_reason;
    if (c.logprobs)
        j["logprobs"] = {{"content", c.logprobs->content}, {"refusal", c.logprobs->refusal}};
    merge_extra(j, c.extra);
}

/// The answer as OpenAI would send it, whatever the server's dialect, with the unknown members.
inline void to_json(nlohmann::json& j, chat_response const& r)
{
    j = {{"id", r.id}, {"object", "chat.completion"}, {"created", r.created}, {"model", r.model},
        {"choices", r.choices}};
    if (r.usage)
        j["usage"] = *r.usage;
    if (!r.system_fingerprint.empty())
        j["system_fingerprint"] = r.system_fingerprint;
    if (!r.service_tier.empty())
        j["service_tier"] = r.service_tier;
    merge_extra(j, r.extra);
}

} // namespace serin

#endif
