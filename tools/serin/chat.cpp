// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "chat.hpp"

#include "exit_status.hpp"
#include "output.hpp"
#include "report.hpp"

#include <serin/chat/json.hpp>
#include <serin/client.hpp>
#include <serin/config.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <unistd.h>

namespace serin::tools {
namespace {

constexpr double max_seconds = 365.0 * 24 * 3600;

struct chat_options
{
    std::optional<std::string> prompt;
    std::optional<std::string> base_url;
    std::optional<std::string> model;
    std::optional<std::string> key_variable;
    std::optional<std::string> key_file;
    std::optional<std::string> system;
    std::optional<std::string> request_file;
    std::optional<std::string> ca_file;
    std::optional<std::string> config_file;
    std::optional<std::int64_t> max_tokens;
    std::optional<double> temperature;
    std::optional<double> timeout;
    std::optional<double> connect_timeout;
    std::optional<double> first_token_timeout;
    std::optional<double> idle_timeout;
    std::optional<int> max_attempts;
    bool stream = false;
    bool no_stream = false;
    bool json = false;
    bool verbose = false;
};

// A reason not to send anything.
class refusal
{
public:
    error_code ec;
    std::string why;

    refusal(errc cause, std::string text) : ec(cause), why(std::move(text)) {}
    refusal(error_code error, std::string text) : ec(error), why(std::move(text)) {}
};

// A number of seconds. NaN fails the comparison, as it should.
CLI::Validator seconds_from(double least)
{
    auto const check = [least](std::string const& text) {
        double value = 0;
        bool const number = CLI::detail::lexical_cast(text, value);
        bool const ok = number && value >= least && value <= max_seconds;
        return ok ? std::string() : "must be a number of seconds" + std::string(least > 0 ? " above 0" : "");
    };
    return CLI::Validator(check, "");
}

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

class chat_plan
{
public:
    chat_request request;
    bool stream = false;

    chat_plan() {}
};

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

// Adds to the messages of a request file.
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

chat_plan make_plan(chat_options const& options, bool to_terminal)
{
    if (options.stream && options.no_stream)
        throw refusal(errc::invalid_argument, "--stream and --no-stream exclude each other");
    if (!options.prompt && !options.request_file)
        throw refusal(errc::invalid_argument, "no prompt: give PROMPT, - to read it from stdin, or --request FILE");
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
        if (options.system)
            plan.request.system(*options.system);
        plan.request.user(*prompt);
    }
    if (options.model)
        plan.request.model = *options.model;
    plan.request.max_tokens = options.max_tokens;
    plan.request.temperature = options.temperature;
    plan.stream = options.stream || (plan.stream && !options.no_stream);
    return plan;
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

std::string_view name_of(log_level level)
{
    switch (level)
    {
    case log_level::error: return "error";
    case log_level::warning: return "warning";
    case log_level::info: return "info";
    case log_level::debug: return "debug";
    }
    return "log";
}

// ---- Asking

// One call from its start to its end. Prints while it goes on, unless a JSON document is wanted.
class conversation
{
    asio::io_context context_;
    output& out_;
    output& err_;
    chat_options const& options_;
    chat_plan plan_;
    client client_;
    chat_outcome outcome_;
    bool interrupted_ = false;
    bool printed_ = false;

public:
    conversation(output& out, output& err, chat_options const& options, chat_plan plan, client_params params)
        : out_(out),
          err_(err),
          options_(options),
          plan_(std::move(plan)),
          client_(context_.get_executor(), std::move(params))
    {}

    chat_outcome hold()
    {
        asio::signal_set signals(context_, SIGINT, SIGTERM);
        signals.async_wait([this, &signals](boost::system::error_code ec, int) {
            if (ec)
                return;
            // Whoever insists ends the program in the usual way.
            signals.clear();
            interrupted_ = true;
            client_.cancel();
        });

        std::exception_ptr thrown;
        auto const start = std::chrono::steady_clock::now();
        asio::co_spawn(context_, ask(), [&](std::exception_ptr e) {
            thrown = e;
            outcome_.latency = std::chrono::steady_clock::now() - start;
            boost::system::error_code ignored;
            signals.cancel(ignored);
        });
        context_.run();
        if (thrown)
            std::rethrow_exception(thrown);
        if (interrupted_ && outcome_.ec == asio::error::operation_aborted)
            outcome_.diag.message = "interrupted";
        return std::move(outcome_);
    }

private:
    asio::awaitable<void> ask()
    {
        if (plan_.stream)
            co_await ask_for_stream();
        else
            co_await ask_for_whole();
        if (!options_.json && printed_)
            out_.write("\n");
    }

    asio::awaitable<void> ask_for_whole()
    {
        constexpr auto token = asio::as_tuple(asio::use_awaitable);
        auto answer = co_await client_.async_chat(std::move(plan_.request), outcome_.diag, token);
        outcome_.ec = std::get<0>(answer);
        if (outcome_.ec)
        {
            take_partial();
            co_return;
        }
        outcome_.response = std::move(std::get<1>(answer));
        print_reasoning(outcome_.response->reasoning());
        print(outcome_.response->text());
        print(outcome_.response->refusal());
        print_tool_calls();
        printed_ = true;
    }

    asio::awaitable<void> ask_for_stream()
    {
        constexpr auto token = asio::as_tuple(asio::use_awaitable);
        auto const start = std::chrono::steady_clock::now();
        auto opened = co_await client_.async_stream(std::move(plan_.request), outcome_.diag, token);
        auto const first_token = std::chrono::steady_clock::now();
        outcome_.ec = std::get<0>(opened);
        if (outcome_.ec)
        {
            take_partial();
            co_return;
        }
        auto const attempts = outcome_.diag.attempts;
        chat_stream stream = std::move(std::get<1>(opened));
        for (;;)
        {
            auto next = co_await stream.async_next(outcome_.diag, token);
            outcome_.ec = std::get<0>(next);
            if (outcome_.ec || !std::get<1>(next))
                break;
            chat_delta const& delta = *std::get<1>(next);
            if (delta.has_token() && !outcome_.time_to_token)
                outcome_.time_to_token = first_token - start;
            print_delta(delta);
            if (out_.error() != 0)
                co_return;
        }
        outcome_.response = stream.response();
        if (outcome_.diag.attempts.empty())
            outcome_.diag.attempts = attempts;
        if (!outcome_.ec)
        {
            print_tool_calls();
            printed_ = true;
        }
    }

    void take_partial()
    {
        if (outcome_.diag.partial)
            outcome_.response = *outcome_.diag.partial;
    }

    void print_delta(chat_delta const& delta)
    {
        if (delta.index != 0)
            return;
        print_reasoning(delta.reasoning);
        print(delta.text);
        print(delta.refusal);
    }

    void print(std::string_view text)
    {
        if (options_.json || text.empty())
            return;
        out_.write_foreign(text);
        printed_ = true;
    }

    void print_tool_calls()
    {
        for (tool_call const& call : outcome_.response->tool_calls())
        {
            if (printed_)
                print("\n");
            print(call.name + " " + call.arguments);
        }
    }

    // Not a part of the answer: only for those who want to know.
    void print_reasoning(std::string_view text)
    {
        if (!options_.verbose || text.empty())
            return;
        if (err_.is_terminal())
            err_.write("\x1b[2m" + for_terminal(text) + "\x1b[0m");
        else
            err_.write(text);
    }
};

int finish(output& out, output& err, chat_options const& options, chat_outcome const& outcome, int max_attempts)
{
    if (options.json)
        out.write(to_document(outcome) + "\n");
    if (out.error() == EPIPE)
        return static_cast<int>(exit_status::answered);
    if (outcome.ec)
    {
        err.write(to_error_line(outcome.ec, outcome.diag, max_attempts) + "\n");
        return static_cast<int>(exit_status_of(outcome.ec));
    }
    if (out.error() != 0)
    {
        err.write("serin: cannot write to stdout: " + std::string(std::strerror(out.error())) + "\n");
        return static_cast<int>(exit_status::failed);
    }
    return static_cast<int>(exit_status::answered);
}

int run_chat(chat_options const& options)
{
    // A reader of stdout that goes away is met where we write.
    std::signal(SIGPIPE, SIG_IGN);
    output out(STDOUT_FILENO);
    output err(STDERR_FILENO);
    chat_outcome outcome;
    int max_attempts = 0;
    try
    {
        chat_plan plan = make_plan(options, out.is_terminal());
        client_params params = make_params(options, plan);
        max_attempts = params.retry.max_attempts;
        if (options.verbose)
            params.log = [&err](log_level level, std::string_view line) {
                err.write("serin: " + std::string(name_of(level)) + ": " + one_line(line) + "\n");
            };
        conversation talk(out, err, options, std::move(plan), std::move(params));
        outcome = talk.hold();
    }
    catch (refusal const& r)
    {
        outcome.ec = r.ec;
        outcome.diag.message = r.why;
    }
    catch (api_error const& e)
    {
        outcome.ec = e.code();
        outcome.diag = e.diag();
    }
    catch (std::exception const& e)
    {
        // Out of memory, for example.
        outcome.ec = make_error_code(boost::system::errc::state_not_recoverable);
        outcome.diag.message = e.what();
        finish(out, err, options, outcome, max_attempts);
        return static_cast<int>(exit_status::failed);
    }
    return finish(out, err, options, outcome, max_attempts);
}

} // namespace

int refuse_usage(std::string const& why, bool json)
{
    output out(STDOUT_FILENO);
    output err(STDERR_FILENO);
    chat_options options;
    options.json = json;
    chat_outcome outcome;
    outcome.ec = errc::invalid_argument;
    outcome.diag.message = why;
    return finish(out, err, options, outcome, 0);
}

void add_chat(CLI::App& app, int& exit_code)
{
    auto const o = std::make_shared<chat_options>();
    CLI::App* const command = app.add_subcommand("chat", "Ask a model and print its answer");
    command->add_option("PROMPT", o->prompt, "What to ask; - reads it from stdin")->type_name("");

    command->add_option("--base-url", o->base_url, "Where the server is [SERIN_BASE_URL, OPENAI_BASE_URL]")
        ->type_name("URL");
    command->add_option("--model", o->model, "The model to ask")->type_name("M");
    command->add_option("--api-key-env", o->key_variable, "Environment variable that holds the key [OPENAI_API_KEY]")
        ->type_name("NAME");
    command->add_option("--api-key-file", o->key_file, "File that holds the key")->type_name("PATH");
    command->add_option("--config", o->config_file, "Upstreams, deadlines and retries, as JSON")->type_name("FILE");
    command->add_option("--ca", o->ca_file, "Certificates to trust instead of the system's, PEM")->type_name("FILE");

    command->add_option("--system", o->system, "The system message")->type_name("TEXT");
    command
        ->add_option("--request", o->request_file,
            "A whole request as JSON. Other options replace what it says; PROMPT is added to its messages")
        ->type_name("FILE");
    command->add_option("--max-tokens", o->max_tokens, "Tokens of the answer at most")->type_name("N");
    command->add_option("--temperature", o->temperature, "From 0 to 2: how much chance there is")->type_name("X");

    command->add_flag("--stream", o->stream, "Print the answer as it arrives (to a terminal: default)");
    command->add_flag("--no-stream", o->no_stream, "Wait for the whole answer");
    command->add_flag("--json", o->json, "Print one JSON object that tells everything, also on failure");
    command->add_flag("--verbose", o->verbose, "Print events, and what the model thinks, to stderr");

    command->add_option("--timeout", o->timeout, "For everything, in seconds")
        ->type_name("S")
        ->check(seconds_from(0.001));
    command->add_option("--connect-timeout", o->connect_timeout, "For connecting; 0: none")
        ->type_name("S")
        ->check(seconds_from(0));
    command->add_option("--first-token-timeout", o->first_token_timeout, "For the first token of a stream; 0: none")
        ->type_name("S")
        ->check(seconds_from(0));
    command
        ->add_option("--idle-timeout", o->idle_timeout,
            "Between two tokens of a stream, and two bytes of a whole answer; 0: none")
        ->type_name("S")
        ->check(seconds_from(0));
    command->add_option("--max-attempts", o->max_attempts, "How often to try, the first time included")
        ->type_name("N")
        ->check(CLI::Range(1, 1000).description(""));

    command->footer("Control characters of an answer are replaced where it goes to a terminal.\n"
                    "Exit status: 0 answered, 2 wrong usage or key, 3 refused, 4 unavailable, 5 network, 6 deadline,\n"
                    "7 broken answer, 130 interrupted.");
    command->callback([o, &exit_code] { exit_code = run_chat(*o); });
}

} // namespace serin::tools
