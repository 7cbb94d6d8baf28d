// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "errors.hpp"

#include "../core/utf8.hpp"
#include "wire_read.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

namespace serin {
namespace {

constexpr std::size_t longest_message = std::size_t(16) << 10;
constexpr std::size_t longest_word = 1024; // of code, type and param
constexpr std::size_t longest_code = 64;   // that is looked up

std::string_view message_without_blanks(std::string_view text) noexcept
{
    auto const first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Cuts a text off, between characters.
std::string cut_off(std::string_view text, std::size_t limit)
{
    if (text.size() <= limit)
        return std::string(text);
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80)
        --limit;
    return std::string(text.substr(0, limit));
}

void set_if_empty(std::string& to, std::string_view text, std::size_t limit = longest_word)
{
    if (to.empty() && !text.empty())
        to = cut_off(text, limit);
}

void set_code(server_error& err, json_value value)
{
    if (!err.code.empty())
        return;
    if (!value.is_number())
    {
        set_if_empty(err.code, value.string());
        return;
    }
    value.append_json(err.code);
    err.code_is_number = true;
}

void set_status(server_error& err, json_value value) noexcept
{
    std::int64_t const status = value.integer();
    if (err.status == 0 && value.is_number() && status >= 100 && status <= 599)
        err.status = static_cast<int>(status);
}

// "loc" of a validation error: ["body", "messages", 0, "role"].
std::string error_location(json_value from)
{
    std::string path;
    for (json_value const step : from.items())
    {
        if (path.size() > longest_word)
            break;
        if (!path.empty())
            path += '.';
        std::string_view const name = step.string();
        if (name.empty())
            step.append_json(path);
        else
            path += name;
    }
    return path;
}

// "detail" or "errors": a text, or an array of texts or of objects with "msg" or "message".
void read_details(json_value from, server_error& err)
{
    set_if_empty(err.message, message_without_blanks(from.string()), longest_message);
    if (!err.message.empty())
        return;
    std::string message;
    for (json_value const item : from.items())
    {
        std::string_view text = item.string();
        for (json_member const field : item.members())
        {
            if (key_is(field.key, "msg") || key_is(field.key, "message"))
                text = field.value.string();
            else if (key_is(field.key, "loc"))
                set_if_empty(err.param, error_location(field.value));
            else if (key_is(field.key, "type"))
                set_if_empty(err.type, field.value.string());
            else if (key_is(field.key, "code"))
                set_code(err, field.value);
        }
        if (text.empty() || message.size() > longest_message)
            continue;
        if (!message.empty())
            message += "; ";
        message += text;
    }
    set_if_empty(err.message, message, longest_message);
}

void read_fault(json_value from, server_error& err)
{
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "faultstring"))
            set_if_empty(err.message, field.value.string(), longest_message);
        else if (key_is(field.key, "detail"))
        {
            for (json_member const member : field.value.members())
                if (key_is(member.key, "errorcode"))
                    set_code(err, member.value);
        }
    }
}

void read_named_members(json_value from, server_error& err)
{
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "message"))
            set_if_empty(err.message, field.value.string(), longest_message);
        else if (key_is(field.key, "code"))
            set_code(err, field.value);
        else if (key_is(field.key, "type"))
            set_if_empty(err.type, field.value.string());
        else if (key_is(field.key, "param"))
            set_if_empty(err.param, field.value.string());
        else if (key_is(field.key, "status") || key_is(field.key, "status_code"))
            set_status(err, field.value);
    }
    // Only where there is no message: these say less.
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "detail") || key_is(field.key, "errors"))
            read_details(field.value, err);
        else if (key_is(field.key, "fault"))
            read_fault(field.value, err);
    }
}

// Reads an error from an object: what lies in its member "error" comes first.
void read_members(json_value from, server_error& err)
{
    std::string_view plain_error;
    for (json_member const field : from.members())
    {
        if (!key_is(field.key, "error"))
            continue;
        plain_error = field.value.string();
        read_named_members(field.value, err);
    }
    read_named_members(from, err);
    set_if_empty(err.message, plain_error, longest_message);
}

// ---

constexpr std::string_view context_codes[] = {"contextlengthexceeded", "contextwindowexceeded",
    "contextwindowexceedederror", "exceedcontextsizeerror", "maxcontextlengthexceeded", "modelcontextwindowexceeded",
    "toomanyprompttokens", "prompttoolong", "inputtoolong"};

constexpr std::string_view filter_codes[] = {"contentfilter", "contentfiltered", "contentfiltererror",
    "contentpolicyviolation", "contentpolicyviolationerror", "responsibleaipolicyviolation", "datainspectionfailed",
    "contentmoderation", "moderationblocked"};

constexpr std::string_view quota_codes[] = {"insufficientquota", "billinghardlimitreached", "billingnotactive",
    "insufficientbalance", "insufficientbalanceerror", "insufficientuserquota", "insufficientcredits",
    "insufficientfunds", "exceededcurrentquotaerror", "paymentrequired", "paymentrequirederror", "billinglimitreached"};

constexpr std::string_view overload_codes[] = {"overloaded", "overloadederror", "serverisoverloaded",
    "serveroverloaded", "engineoverloaded", "engineoverloadederror", "modeloverloaded", "overcapacity",
    "serviceunavailable", "serviceunavailableerror", "nocapacity", "capacityexceeded"};

constexpr std::string_view rate_codes[] = {"ratelimitexceeded", "ratelimiterror", "ratelimitreached",
    "ratelimitreachederror", "ratelimit", "ratelimited", "toomanyrequests", "toomanyrequestserror", "resourceexhausted",
    "throttlingexception", "throttling"};

constexpr std::string_view key_codes[] = {"invalidapikey", "incorrectapikey", "invalidauthentication",
    "invalidauthenticationerror", "authenticationerror", "unauthorized", "unauthenticated"};

constexpr std::string_view permission_codes[] = {
    "permissiondenied", "permissiondeniederror", "permissionerror", "forbidden"};

constexpr std::string_view missing_codes[] = {
    "modelnotfound", "notfound", "notfounderror", "deploymentnotfound", "modelnotfounderror"};

constexpr std::string_view server_codes[] = {
    "servererror", "internalservererror", "internalerror", "apierror", "internal", "badgateway", "upstreamerror"};

constexpr std::string_view request_codes[] = {"invalidrequesterror", "badrequest", "badrequesterror", "invalidvalue",
    "invalidrequest", "invalidargument", "unsupportedparameter", "unsupportedvalue", "toolusefailed",
    "unprocessableentityerror", "validationerror"};

constexpr std::string_view timeout_codes[] = {"requesttimeout", "timeout", "timeouterror", "gatewaytimeout"};

struct code_row
{
    errc cause;
    std::string_view const* first;
    std::string_view const* last;
};

// What codes and types mean, without case and punctuation: servers spell them in every way.
constexpr code_row code_table[] = {
    {errc::context_length_exceeded, std::begin(context_codes), std::end(context_codes)},
    {errc::content_filtered, std::begin(filter_codes), std::end(filter_codes)},
    {errc::quota_exhausted, std::begin(quota_codes), std::end(quota_codes)},
    {errc::overloaded, std::begin(overload_codes), std::end(overload_codes)},
    {errc::rate_limited, std::begin(rate_codes), std::end(rate_codes)},
    {errc::authentication, std::begin(key_codes), std::end(key_codes)},
    {errc::permission, std::begin(permission_codes), std::end(permission_codes)},
    {errc::not_found, std::begin(missing_codes), std::end(missing_codes)},
    {errc::server_error, std::begin(server_codes), std::end(server_codes)},
    {errc::invalid_request, std::begin(request_codes), std::end(request_codes)},
    {errc::request_timeout, std::begin(timeout_codes), std::end(timeout_codes)},
};

std::string lower_case_code(std::string_view text)
{
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::optional<errc> cause_of_code(std::string_view code)
{
    if (code.size() > longest_code)
        return std::nullopt;
    std::string word;
    for (char c : lower_case_code(code))
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            word += c;
    for (code_row const& row : code_table)
        if (std::find(row.first, row.last, word) != row.last)
            return row.cause;
    return std::nullopt;
}

// Servers without a code of their own for it.
bool tells_of_context_length(std::string_view message)
{
    constexpr std::string_view phrases[] = {"maximum context length", "context length is", "context window",
        "context_length", "available context size", "exceed context limit", "exceeds the context", "prompt is too long",
        "input is too long", "maximum prompt length"};
    std::string const text = lower_case_code(message.substr(0, longest_message));
    return std::any_of(std::begin(phrases), std::end(phrases),
        [&text](std::string_view phrase) { return text.find(phrase) != std::string::npos; });
}

// A code that is an HTTP status, as a number or as text.
int status_in_code(std::string_view code) noexcept
{
    int status = 0;
    auto const [end, ec] = std::from_chars(code.data(), code.data() + code.size(), status);
    bool const whole = ec == std::errc() && end == code.data() + code.size();
    return whole && status >= 300 && status <= 599 ? status : 0;
}

errc cause_of_refusal(server_error const& err, std::optional<errc> by_code)
{
    if (by_code == errc::context_length_exceeded || by_code == errc::content_filtered)
        return *by_code;
    return tells_of_context_length(err.message) ? errc::context_length_exceeded : errc::invalid_request;
}

errc cause_of_status(int status, server_error const& err, std::optional<errc> by_code)
{
    if (status < 400)
        return errc::redirected;
    if (status >= 500)
    {
        bool const overloaded = status == 503 || status == 529 || by_code == errc::overloaded;
        return overloaded ? errc::overloaded : errc::server_error;
    }
    if (status == 401)
        return errc::authentication;
    if (status == 402 || by_code == errc::quota_exhausted)
        return errc::quota_exhausted;
    switch (status)
    {
    case 403: return by_code == errc::content_filtered ? errc::content_filtered : errc::permission;
    case 404: return errc::not_found;
    case 408: return errc::request_timeout;
    case 409: return errc::conflict;
    case 429: return by_code == errc::overloaded ? errc::overloaded : errc::rate_limited;
    default: return cause_of_refusal(err, by_code);
    }
}

// The first thing that one of the two names.
std::optional<errc> cause_of_codes(server_error const& err)
{
    auto const by_code = err.code_is_number ? std::nullopt : cause_of_code(err.code);
    auto const by_type = cause_of_code(err.type);
    // "invalid_request_error" and "server_error" are also said beside a better word.
    auto const vague = [](std::optional<errc> cause) {
        return !cause || cause == errc::invalid_request || cause == errc::server_error;
    };
    if (vague(by_code) && !vague(by_type))
        return by_type;
    return by_code ? by_code : by_type;
}

} // namespace

void read_error_object(json_value root, server_error& err)
{
    if (root.is_object())
        read_members(root, err);
    for (json_value const item : root.items())
    {
        read_members(item, err); // Gemini wraps its errors so.
        break;
    }
}

bool holds_error(json_value root) noexcept
{
    for (json_member const field : root.members())
    {
        if (key_is(field.key, "object") && field.value.string() == "error")
            return true;
        bool const says_something = field.value.has_content() || field.value.is_true() || !field.value.string().empty();
        if (key_is(field.key, "error") && says_something)
            return true;
    }
    return false;
}

void read_error_body(json_reader& reader, std::string_view body, server_error& err)
{
    json_value root;
    if (reader.parse(body, root))
    {
        read_error_object(root, err);
        return;
    }
    std::string_view const text = message_without_blanks(body);
    // What looks like a page or like broken JSON is no message to show.
    if (text.empty() || text.front() == '<' || text.front() == '{' || text.front() == '[')
        return;
    err.message = cut_off(text.substr(0, 2 * longest_message), longest_message);
    repair_utf8(err.message);
}

bool names_key(server_error const& err)
{
    if (cause_of_codes(err) == errc::authentication)
        return true;
    std::string text = err.message;
    for (char& c : text)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text.find("api key") != std::string::npos || text.find("api-key") != std::string::npos ||
           text.find("api_key") != std::string::npos;
}

errc classify(int status, server_error const& err)
{
    auto const by_code = cause_of_codes(err);
    if (status >= 300)
        return cause_of_status(status, err, by_code);

    int const own_status = status_in_code(err.code) ? status_in_code(err.code) : err.status;
    if (own_status >= 300)
        return cause_of_status(own_status, err, by_code);
    if (!by_code)
        return errc::stream_error;
    return by_code == errc::invalid_request ? cause_of_refusal(err, by_code) : *by_code;
}

} // namespace serin
