// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "answer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace serin::mock {
namespace {

// Bytes that are not ASCII pass as they are, also if they are no UTF-8: scripts may want that.
void answer_append_quoted(std::string& out, std::string_view text)
{
    out += '"';
    for (char const c : text)
    {
        auto const byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
        {
            out += '\\';
            out += c;
        }
        else if (c == '\n')
            out += "\\n";
        else if (byte < 0x20)
        {
            out += "\\u00";
            out += "0123456789abcdef"[byte >> 4];
            out += "0123456789abcdef"[byte & 15];
        }
        else
            out += c;
    }
    out += '"';
}

std::string answer_quoted(std::string_view text)
{
    std::string out;
    answer_append_quoted(out, text);
    return out;
}

// A well-mixed number for each index of a seed (splitmix64).
std::uint64_t answer_mix(std::uint64_t seed, std::uint64_t index)
{
    std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

std::string answer_word(std::uint64_t seed, std::size_t i)
{
    static constexpr std::array<std::string_view, 16> words{"the", "wild", "canary", "sings", "from", "an", "old",
        "tree", "before", "rain", "and", "every", "bird", "listens", "to", "it"};
    if (seed == 0)
        return "tok" + std::to_string(i + 1);
    return std::string(words[answer_mix(seed, i) % words.size()]);
}

bool answer_is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

// A token is a word with the blanks before it; blanks at the end belong to the last one.
std::vector<std::size_t> answer_split(std::string_view text)
{
    std::vector<std::size_t> starts;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (i == 0 || (answer_is_blank(text[i]) && !answer_is_blank(text[i - 1])))
            starts.push_back(i);
    if (starts.size() > 1 && text.find_first_not_of(" \n\t\r", starts.back()) == std::string_view::npos)
        starts.pop_back();
    return starts;
}

// The part `index` of `count` nearly equal parts.
std::string_view answer_part(std::string_view text, std::size_t index, std::size_t count)
{
    std::size_t const first = text.size() * index / count;
    return text.substr(first, text.size() * (index + 1) / count - first);
}

std::string answer_call_id(tool_call const& call, std::size_t index)
{
    return call.id.empty() ? "call_mock_" + std::to_string(index + 1) : call.id;
}

struct answer_error_text
{
    std::string_view message;
    std::string_view type;
    std::string_view code;
};

answer_error_text answer_error_of(int status)
{
    switch (status)
    {
    case 400: return {"The request is not valid.", "invalid_request_error", ""};
    case 401: return {"Incorrect API key provided.", "invalid_request_error", "invalid_api_key"};
    case 402: return {"Insufficient balance.", "insufficient_quota", "insufficient_quota"};
    case 403: return {"The key may not do this.", "permission_error", ""};
    case 404: return {"Not found.", "invalid_request_error", "not_found"};
    case 413: return {"The request is too large.", "invalid_request_error", "request_too_large"};
    case 429: return {"Rate limit reached for requests.", "requests", "rate_limit_exceeded"};
    case 503: return {"The engine is currently overloaded.", "server_error", "server_is_overloaded"};
    default: break;
    }
    if (status >= 400 && status < 500)
        return {"The request cannot be served.", "invalid_request_error", ""};
    return {"The server had an error while processing your request.", "server_error", "server_error"};
}

} // namespace

answer::answer(behavior const& b, answer_context context) : behavior_(b), context_(std::move(context))
{
    has_text_ = b.reply || b.echo;
    if (has_text_)
    {
        text_ = b.reply ? *b.reply : context_.last_message;
        text_starts_ = answer_split(text_);
        text_tokens_ = text_starts_.size();
    }
    else if (b.tool_calls.empty())
        text_tokens_ = b.tokens;
    tokens_ = b.reasoning_tokens + text_tokens_ + b.tool_calls.size() * std::max<std::size_t>(b.tool_fragments, 1);
    if (b.tool_calls.empty() && context_.max_tokens && *context_.max_tokens < tokens_)
    {
        truncated_ = true;
        tokens_ = *context_.max_tokens;
        text_tokens_ = tokens_ - std::min(tokens_, b.reasoning_tokens);
    }
    chunk_start_ = "data: {\"id\":" + answer_quoted(context_.id) +
                   ",\"object\":\"chat.completion.chunk\",\"created\":" + std::to_string(context_.created) +
                   ",\"model\":" + answer_quoted(context_.model) + ",\"choices\":[";
    chunk_end_ = usage_event().empty() ? "]}\n\n" : "],\"usage\":null}\n\n";
}

std::string answer::text_token(std::size_t i) const
{
    if (!has_text_)
        return (i == 0 ? "" : " ") + answer_word(behavior_.seed, i);
    std::size_t const end = i + 1 < text_starts_.size() ? text_starts_[i + 1] : text_.size();
    return text_.substr(text_starts_[i], end - text_starts_[i]);
}

std::string answer::text(std::size_t first, std::size_t count) const
{
    std::string all;
    for (std::size_t i = first; i < first + count; ++i)
        all += text_token(i);
    return all;
}

std::string answer::delta(std::size_t token) const
{
    std::string out = "{";
    if (token < behavior_.reasoning_tokens)
    {
        answer_append_quoted(
            out, behavior_.reasoning_field.empty() ? std::string_view("reasoning_content") : behavior_.reasoning_field);
        out += ':';
        answer_append_quoted(out, (token == 0 ? "think" : " think") + std::to_string(token + 1));
        return out += '}';
    }
    token -= behavior_.reasoning_tokens;
    if (token < text_tokens_)
    {
        out += "\"content\":";
        answer_append_quoted(out, text_token(token));
        return out += '}';
    }
    token -= text_tokens_;
    std::size_t const fragments = std::max<std::size_t>(behavior_.tool_fragments, 1);
    std::size_t const index = token / fragments;
    tool_call const& call = behavior_.tool_calls[index];
    out += "\"tool_calls\":[{\"index\":" + std::to_string(index);
    if (token % fragments == 0)
        out += ",\"id\":" + answer_quoted(answer_call_id(call, index)) +
               ",\"type\":\"function\",\"function\":{\"name\":" + answer_quoted(call.name) + ",\"arguments\":";
    else
        out += ",\"function\":{\"arguments\":";
    answer_append_quoted(out, answer_part(call.arguments, token % fragments, fragments));
    return out += "}}]}";
}

std::string answer::chunk(std::size_t choice, std::string_view delta, std::string_view finish_reason) const
{
    std::string out = chunk_start_;
    out += "{\"index\":";
    out += std::to_string(choice);
    out += ",\"delta\":";
    out += delta;
    out += ",\"finish_reason\":";
    out += finish_reason;
    out += '}';
    out += chunk_end_;
    return out;
}

std::string answer::finish_reason() const
{
    if (!behavior_.send_finish_reason)
        return "null";
    if (!behavior_.finish_reason.empty())
        return answer_quoted(behavior_.finish_reason);
    if (truncated_)
        return "\"length\"";
    return behavior_.tool_calls.empty() ? "\"stop\"" : "\"tool_calls\"";
}

std::string answer::usage() const
{
    std::size_t const completion = tokens_ * context_.choices;
    return "{\"prompt_tokens\":" + std::to_string(context_.prompt_tokens) +
           ",\"completion_tokens\":" + std::to_string(completion) +
           ",\"total_tokens\":" + std::to_string(context_.prompt_tokens + completion) +
           ",\"completion_tokens_details\":{\"reasoning_tokens\":" +
           std::to_string(std::min(tokens_, behavior_.reasoning_tokens) * context_.choices) + "}}";
}

std::string answer::role_events() const
{
    std::string out;
    for (std::size_t choice = 0; choice < context_.choices; ++choice)
        out += chunk(choice, "{\"role\":\"assistant\",\"content\":\"\"}", "null");
    return out;
}

std::string answer::token_events(std::size_t token) const
{
    std::string out;
    std::string const what = delta(token);
    for (std::size_t choice = 0; choice < context_.choices; ++choice)
        out += chunk(choice, what, "null");
    return out;
}

std::string answer::finish_events() const
{
    std::string out;
    for (std::size_t choice = 0; choice < context_.choices; ++choice)
        out += chunk(choice, "{}", finish_reason());
    return out;
}

std::string answer::usage_event() const
{
    if (!behavior_.usage.value_or(context_.include_usage))
        return {};
    return chunk_start_ + "],\"usage\":" + usage() + "}\n\n";
}

std::string answer::malformed_event() const
{
    return chunk_start_ + "{\"index\":0,\"delta\":{\"content\":\n\n";
}

std::string answer::whole() const
{
    std::string message = "{\"role\":\"assistant\",\"content\":";
    if (text_tokens_ == 0 && !behavior_.tool_calls.empty())
        message += "null";
    else
        answer_append_quoted(message, text(0, text_tokens_));
    if (std::size_t const count = std::min(tokens_, behavior_.reasoning_tokens))
    {
        std::string reasoning = "think1";
        for (std::size_t i = 1; i < count; ++i)
            reasoning += " think" + std::to_string(i + 1);
        message += ',';
        answer_append_quoted(message,
            behavior_.reasoning_field.empty() ? std::string_view("reasoning_content") : behavior_.reasoning_field);
        message += ':';
        answer_append_quoted(message, reasoning);
    }
    for (std::size_t i = 0; i < behavior_.tool_calls.size(); ++i)
    {
        tool_call const& call = behavior_.tool_calls[i];
        message += i == 0 ? ",\"tool_calls\":[" : ",";
        message += "{\"id\":" + answer_quoted(answer_call_id(call, i)) +
                   ",\"type\":\"function\",\"function\":{\"name\":" + answer_quoted(call.name) +
                   ",\"arguments\":" + answer_quoted(call.arguments) + "}}";
    }
    message += behavior_.tool_calls.empty() ? "}" : "]}";

    std::string out = "{\"id\":" + answer_quoted(context_.id) +
                      ",\"object\":\"chat.completion\",\"created\":" + std::to_string(context_.created) +
                      ",\"model\":" + answer_quoted(context_.model) + ",\"choices\":[";
    for (std::size_t choice = 0; choice < context_.choices; ++choice)
        out += (choice == 0 ? "" : ",") + ("{\"index\":" + std::to_string(choice)) + ",\"message\":" + message +
               ",\"finish_reason\":" + finish_reason() + "}";
    out += ']';
    if (behavior_.usage.value_or(true))
        out += ",\"usage\":" + usage();
    return out += '}';
}

std::size_t answer::whole_offset(std::size_t text_tokens) const
{
    std::string const body = whole();
    std::string_view const mark = "\"content\":\"";
    std::size_t const at = body.find(mark);
    if (at == std::string::npos)
        return body.size() / 2;
    std::string const sent = answer_quoted(text(0, std::min(text_tokens, text_tokens_)));
    return at + mark.size() + sent.size() - 2;
}

std::string error_json(behavior const& b, int status)
{
    answer_error_text const by_status = answer_error_of(status);
    auto const choose = [](std::string const& own, std::string_view other) {
        return own.empty() ? std::string(other) : own;
    };
    std::string const code = choose(b.error_code, by_status.code);
    std::string out = "{\"error\":{\"message\":" + answer_quoted(choose(b.error_message, by_status.message)) +
                      ",\"type\":" + answer_quoted(choose(b.error_type, by_status.type)) + ",\"param\":null,\"code\":";
    if (code.empty())
        out += "null";
    else
        out += b.error_code_is_number ? code : answer_quoted(code);
    return out += "}}";
}

std::string models_json(std::vector<std::string> const& names)
{
    std::string out = "{\"object\":\"list\",\"data\":[";
    for (std::string const& name : names)
    {
        if (out.back() == '}')
            out += ',';
        out += "{\"id\":" + answer_quoted(name) + ",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mock\"}";
    }
    return out += "]}";
}

std::optional<behavior> built_in_behavior(std::string_view model)
{
    constexpr std::string_view prefix = "mock-";
    if (model.substr(0, prefix.size()) != prefix)
        return {};
    model.remove_prefix(prefix.size());
    behavior b;
    if (model == "401")
        return b.with_status(401);
    if (model == "429")
        return b.with_status(429).with_retry_after("1");
    if (model == "500")
        return b.with_status(500);
    if (model == "slow")
        return b.paced(std::chrono::milliseconds(500), std::chrono::milliseconds(2000));
    if (model == "cut")
        return b.cut_after(3);
    if (model == "stall")
        return b.stall_after(3);
    if (model == "malformed")
        return b.malformed_after(3);
    if (model == "no-done")
        return b.without_done();
    if (model == "done-open")
        return b.left_open();
    if (model == "error-in-stream")
        return b.error_after(3);
    if (model == "tools")
        return b.with_tool_call("get_weather", R"({"city":"Berlin","unit":"celsius"})");
    if (model == "reasoning")
        return b.with_reasoning(4);
    return {};
}

std::vector<std::string> built_in_models()
{
    return {"mock", "mock-401", "mock-429", "mock-500", "mock-slow", "mock-cut", "mock-stall", "mock-malformed",
        "mock-no-done", "mock-done-open", "mock-error-in-stream", "mock-tools", "mock-reasoning"};
}

} // namespace serin::mock
