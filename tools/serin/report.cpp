// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "report.hpp"

#include "output.hpp"

#include <serin/chat/json.hpp>

#include <cmath>
#include <string_view>
#include <utility>

namespace serin::tools {
namespace {

// Keeps the order in which the members are documented.
using ordered_json = nlohmann::ordered_json;

ordered_json milliseconds_of(std::chrono::steady_clock::duration d)
{
    return std::round(std::chrono::duration<double, std::micro>(d).count()) / 1000;
}

ordered_json text_or_null(std::string_view text)
{
    return text.empty() ? ordered_json() : ordered_json(text);
}

ordered_json status_or_null(int status)
{
    return status == 0 ? ordered_json() : ordered_json(status);
}

ordered_json content_of(chat_response const& r)
{
    ordered_json j;
    j["content"] = r.text();
    j["reasoning"] = text_or_null(r.reasoning());
    j["refusal"] = text_or_null(r.refusal());
    j["tool_calls"] = ordered_json(nlohmann::json(r.tool_calls()));
    j["finish_reason"] = text_or_null(r.finish_reason());
    j["usage"] = r.usage ? ordered_json(nlohmann::json(*r.usage)) : ordered_json();
    j["model"] = r.model;
    j["id"] = r.id;
    if (r.choices.size() > 1)
        j["choices"] = ordered_json(nlohmann::json(r.choices));
    return j;
}

ordered_json attempts_of(diagnostics const& diag)
{
    ordered_json list = ordered_json::array();
    for (attempt const& a : diag.attempts)
    {
        ordered_json j;
        j["upstream"] = a.upstream;
        j["status"] = status_or_null(a.status);
        j["error"] = text_or_null(kind_name(a.error));
        j["duration_ms"] = milliseconds_of(a.duration);
        j["waited_ms"] = milliseconds_of(a.waited);
        list.push_back(std::move(j));
    }
    return list;
}

ordered_json error_of(error_code const& ec, diagnostics const& diag)
{
    ordered_json j;
    j["kind"] = kind_name(ec);
    j["status"] = status_or_null(diag.status);
    ordered_json const number = diag.code_is_number ? ordered_json::parse(diag.code, nullptr, false)
                                                    : ordered_json(ordered_json::value_t::discarded);
    j["code"] = number.is_number() ? number : text_or_null(diag.code);
    j["type"] = text_or_null(diag.type);
    j["message"] = diag.message.empty() ? ec.message() : diag.message;
    j["request_id"] = text_or_null(diag.request_id);
    j["retry_after_ms"] = diag.retry_after ? ordered_json(diag.retry_after->count()) : ordered_json();
    return j;
}

} // namespace

std::string to_document(chat_outcome const& outcome)
{
    ordered_json j;
    if (outcome.ec)
    {
        j["error"] = error_of(outcome.ec, outcome.diag);
        j["attempts"] = attempts_of(outcome.diag);
        j["partial"] = outcome.response ? content_of(*outcome.response) : ordered_json();
    }
    else
    {
        chat_response const none;
        chat_response const& r = outcome.response ? *outcome.response : none;
        j = content_of(r);
        j["upstream"] = r.upstream;
        j["attempts"] = attempts_of(outcome.diag);
        j["latency_ms"] = milliseconds_of(outcome.latency);
        j["ttft_ms"] = outcome.time_to_token ? milliseconds_of(*outcome.time_to_token) : ordered_json();
    }
    return j.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string to_error_line(error_code const& ec, diagnostics const& diag, int max_attempts)
{
    std::string line = "serin: " + describe(ec, diag);
    if (!diag.attempts.empty())
        line += " (attempt " + std::to_string(diag.attempts.size()) + " of " + std::to_string(max_attempts) + ")";
    return one_line(line);
}

} // namespace serin::tools
