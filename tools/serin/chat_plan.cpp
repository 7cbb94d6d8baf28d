// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "chat_plan.hpp"

#include <serin/chat/json.hpp>
#include <serin/config.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>

namespace serin::tools {
namespace {

duration from_seconds(double seconds)
{
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
}

// The first of these environment variables that is set and not empty.
std::optional<std::string> variable(std::initializer_list<char const*> names)
{
    for (char const* const name : names)
        if (char const* const value = std::getenv(name); value && *value)
            return std::string(value);
    return std::nullopt;
}

std::string read_all(std::istream& in)
{
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string read_prompt(std::string const& argument)
{
    std::string prompt = argument;
    if (argument == "-")
    {
        prompt = read_all(std::cin);
        // Of the last line only its end
        while (!prompt.empty() && (prompt.back() == '\n' || prompt.back() == '\r'))
            prompt.pop_back();
    }
    if (prompt.empty())
        throw refusal(errc::invalid_argument, "the prompt is empty");
    return prompt;
}

// ---- What to ask

nlohmann::json read_request_file(std::string const& path)
{
    std::ifstream file(path, std::ios::binary);
    auto body = nlohmann::json::parse(read_all(file), nullptr, false);
    if (file.bad() || !file.is_open())
        throw refusal(errc::invalid_argument, "--request " + path + ": cannot read the file");
    if (!body.is_object())
        throw refusal(errc::invalid_argument, "--request " + path + ": not a JSON object");
    return body;
}

// The messages of a conversation that was saved; none yet if there is no such file.
nlohmann::json read_conversation(std::string const& path)
{
    if (!std::filesystem::exists(path))
        return nlohmann::json::array();
    std::ifstream file(path, std::ios::binary);
    auto messages = nlohmann::json::parse(read_all(file), nullptr, false);
    if (messages.is_object() && messages.contains("messages"))
        messages = nlohmann::json(messages["messages"]);
    auto const is_message = [](nlohmann::json const& m) { return m.is_object() && m.contains("role"); };
    if (!messages.is_array() || !std::all_of(messages.begin(), messages.end(), is_message))
        throw refusal(errc::invalid_argument, "--conversation " + path + ": not a JSON array of messages");
    return messages;
}

// Adds to the messages of a request.
void edit_messages(nlohmann::json& body, chat_options const& options, std::optional<std::string> const& prompt)
{
    if (!options.system && !prompt)
        return;
    nlohmann::json& messages = body["messages"];
    if (messages.is_null())
        messages = nlohmann::json::array();
    if (!messages.is_array())
        throw refusal(errc::invalid_argument, "--request " + *options.request_file + ": messages is not an array");
    if (options.system)
    {
        auto const is_system = [](nlohmann::json const& m) {
            return m.is_object() && m.contains("role") && (m["role"] == "system" || m["role"] == "developer");
        };
        auto const old = std::find_if(messages.begin(), messages.end(), is_system);
        if (old != messages.end())
            (*old)["content"] = *options.system;
        else
            messages.insert(messages.begin(), nlohmann::json{{"role", "system"}, {"content", *options.system}});
    }
    if (prompt)
        messages.push_back(nlohmann::json{{"role", "user"}, {"content", *prompt}});
}

// ---- Whom to ask

// The keys' source, or null if no key is wanted.
std::shared_ptr<key_source> make_keys(chat_options const& options, bool required)
{
    constexpr char const* usual = "OPENAI_API_KEY";
    std::shared_ptr<key_source> keys;
    if (options.key_file)
    {
        keys = file_key(*options.key_file);
    }
    else if (options.key_variable)
    {
        // Who gives the key itself must not read it in a message.
        auto const stands_in_name = [](char c) {
            return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        };
        std::string const& name = *options.key_variable;
        if (name.empty() || !std::all_of(name.begin(), name.end(), stands_in_name))
            throw refusal(errc::invalid_argument, "--api-key-env: not the name of an environment variable");
        keys = env_key(name);
    }
    else if (variable({usual}))
    {
        keys = env_key(usual);
    }
    else if (required)
    {
        throw refusal(errc::invalid_key, "no key: set OPENAI_API_KEY, or use --api-key-env or --api-key-file");
    }
    if (keys)
        if (auto const set = keys->snapshot(); set->keys.empty())
            throw refusal(errc::invalid_key, set->problem);
    return keys;
}

void require_readable(std::string const& option, std::string const& path)
{
    if (std::ifstream file(path); !file || file.peek() == std::ifstream::traits_type::eof())
        throw refusal(errc::invalid_argument, option + " " + path + ": cannot read the file");
}

} // namespace

chat_plan make_plan(chat_options const& options, bool to_terminal)
{
    if (options.stream && options.no_stream)
        throw refusal(errc::invalid_argument, "--stream and --no-stream exclude each other");
    if (options.request_file && options.conversation_file)
        throw refusal(errc::invalid_argument, "--request and --conversation exclude each other");
    std::optional<std::string> prompt;
    if (options.prompt)
        prompt = read_prompt(*options.prompt);

    chat_plan plan;
    plan.stream = to_terminal && !options.json;
    if (options.request_file)
    {
        auto body = read_request_file(*options.request_file);
        if (auto const stream = body.find("stream"); stream != body.end() && stream->is_boolean())
            plan.stream = stream->get<bool>();
        edit_messages(body, options, prompt);
        // What the command line says too must not win over it.
        if (options.temperature)
            body.erase("temperature");
        if (options.max_tokens)
        {
            body.erase("max_tokens");
            body.erase("max_completion_tokens");
        }
        plan.request = *request_from_json(std::move(body));
    }
    else
    {
        auto body = nlohmann::json::object();
        body["messages"] =
            options.conversation_file ? read_conversation(*options.conversation_file) : nlohmann::json::array();
        edit_messages(body, options, prompt);
        plan.messages = json_text(body["messages"]);
    }
    if (options.model)
        plan.request.model = *options.model;
    plan.request.max_tokens = options.max_tokens;
    plan.request.temperature = options.temperature;
    plan.stream = options.stream || (plan.stream && !options.no_stream);
    return plan;
}

client_params make_params(chat_options const& options, chat_plan const& plan)
{
    client_params params;
    if (options.key_variable && options.key_file)
        throw refusal(errc::invalid_argument, "--api-key-env and --api-key-file exclude each other");
    if (options.config_file && (options.base_url || options.key_variable || options.key_file))
        throw refusal(errc::invalid_argument, "--config takes the place of --base-url and of the key's options");
    if (options.config_file)
    {
        std::string why;
        if (error_code const ec = load_config_file(*options.config_file, params, why))
            throw refusal(ec, why);
    }
    else
    {
        upstream to;
        auto const base_url = options.base_url ? options.base_url : variable({"SERIN_BASE_URL", "OPENAI_BASE_URL"});
        to.keys = make_keys(options, !base_url);
        if (base_url)
            to.base_url = *base_url;
        params.upstreams.push_back(std::move(to));
    }
    for (upstream const& u : params.upstreams)
        if (u.model.empty() && plan.request.model.empty())
            throw refusal(errc::invalid_argument, "no model: give --model");

    if (options.ca_file)
    {
        require_readable("--ca", *options.ca_file);
        params.tls.ca_file = *options.ca_file;
        for (upstream& u : params.upstreams)
            if (u.tls)
                u.tls->ca_file = *options.ca_file;
    }

    timeout_params& t = params.timeouts;
    if (options.timeout)
        t.total = from_seconds(*options.timeout);
    if (options.connect_timeout)
        t.connect = from_seconds(*options.connect_timeout);
    if (options.first_token_timeout)
        t.first_token = from_seconds(*options.first_token_timeout);
    if (options.idle_timeout)
    {
        duration const idle = from_seconds(*options.idle_timeout);
        duration const off = duration::zero();
        // Bytes are no tokens: in a stream, silence before the first token is not its business, and must not end the
        // stream earlier either.
        if (plan.stream)
        {
            t.token_idle = idle;
            t.idle = idle == off || t.idle == off ? off : std::max(t.idle, idle);
        }
        else
        {
            t.idle = idle;
        }
    }
    if (options.max_attempts)
        params.retry.max_attempts = *options.max_attempts;
    return params;
}

std::string with_message(std::string const& messages, std::string const& role, std::string const& text)
{
    auto all = parse_json(messages);
    all.push_back(nlohmann::json{{"role", role}, {"content", text}});
    return json_text(all);
}

void save_conversation(std::string const& path, std::string const& messages)
{
    std::string const half = path + ".new";
    std::error_code ec;
    {
        std::ofstream file(half, std::ios::binary | std::ios::trunc);
        file << parse_json(messages).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
        if (!file.flush())
            ec = std::make_error_code(std::errc::io_error);
    }
    if (!ec)
        std::filesystem::rename(half, path, ec);
    if (ec)
    {
        std::filesystem::remove(half, ec);
        throw refusal(errc::invalid_argument, "--conversation " + path + ": cannot write the file");
    }
}

} // namespace serin::tools
