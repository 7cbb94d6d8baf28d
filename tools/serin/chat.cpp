// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "chat.hpp"

#include "chat_options.hpp"
#include "chat_plan.hpp"
#include "conversation.hpp"
#include "exit_status.hpp"
#include "output.hpp"
#include "report.hpp"

#include <serin/chat/json.hpp>

#include <CLI/CLI.hpp>
#include <boost/system/errc.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace serin::tools {
namespace {

constexpr double max_seconds = 365.0 * 24 * 3600;

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

void write_error(output& err, std::string_view line)
{
    constexpr std::string_view name = "serin:";
    if (line.starts_with(name))
        err.write(err.styled(style::error, name) + std::string(line.substr(name.size())) + "\n");
    else
        err.write(std::string(line) + "\n");
}

// What the plan asks for, with these messages.
chat_request request_of(chat_plan const& plan, std::string const& messages)
{
    chat_request request = plan.request;
    if (!messages.empty())
        set_extra(request, "messages", parse_json(messages));
    return request;
}

int finish(output& out, output& err, chat_options const& options, chat_outcome const& outcome, int max_attempts)
{
    if (options.json)
        out.write(to_document(outcome) + "\n");
    if (out.error() == EPIPE)
        return static_cast<int>(exit_status::answered);
    if (outcome.ec)
    {
        write_error(err, to_error_line(outcome.ec, outcome.diag, max_attempts));
        return static_cast<int>(exit_status_of(outcome.ec));
    }
    if (out.error() != 0)
    {
        write_error(err, "serin: cannot write to stdout: " + std::string(std::strerror(out.error())));
        return static_cast<int>(exit_status::failed);
    }
    return static_cast<int>(exit_status::answered);
}

// Asks in turn what the user types, until the end of the input.
int run_interactive(
    output& out, output& err, chat_options const& options, chat_plan plan, conversation& talk, int max_attempts)
{
    err.write(
        err.styled(style::faint, "Ctrl-C stops an answer, Ctrl-D ends. /new begins anew, /help tells more.") + "\n");
    std::string const beginning = plan.messages;
    int status = static_cast<int>(exit_status::answered);
    for (;;)
    {
        out.write(out.styled(style::bold, "> "));
        std::string line;
        if (!std::getline(std::cin, line))
            break;
        if (line.find_first_not_of(" \t") == line.npos)
            continue;
        if (line == "/quit" || line == "/exit")
            return status;
        if (line == "/new")
        {
            plan.messages = options.conversation_file ? "[]" : beginning;
            continue;
        }
        if (line.starts_with('/'))
        {
            err.write("/new   begins a new conversation\n/quit  ends, as Ctrl-D does\n");
            continue;
        }
        std::string const asked = with_message(plan.messages, "user", line);
        chat_outcome const outcome = talk.hold(request_of(plan, asked), plan.stream);
        status = finish(out, err, options, outcome, max_attempts);
        if (out.error() != 0)
            return status;
        // What an interrupted answer has brought is kept, as it is on the screen.
        if (outcome.response && !outcome.response->text().empty())
        {
            plan.messages = with_message(asked, "assistant", outcome.response->text());
            if (options.conversation_file)
                save_conversation(*options.conversation_file, plan.messages);
        }
    }
    out.write("\n");
    return static_cast<int>(exit_status::answered);
}

int run_once(
    output& out, output& err, chat_options const& options, chat_plan const& plan, conversation& talk, int max_attempts)
{
    chat_outcome const outcome = talk.hold(request_of(plan, plan.messages), plan.stream);
    if (options.conversation_file && outcome.response && !outcome.response->text().empty())
        save_conversation(
            *options.conversation_file, with_message(plan.messages, "assistant", outcome.response->text()));
    return finish(out, err, options, outcome, max_attempts);
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
        bool const interactive = !options.prompt && !options.request_file && !options.json && out.is_terminal() &&
                                 ::isatty(STDIN_FILENO) == 1;
        if (!interactive && !options.prompt && !options.request_file)
            throw refusal(errc::invalid_argument, "no prompt: give PROMPT, - to read it from stdin, or --request FILE");
        chat_plan plan = make_plan(options, out.is_terminal());
        client_params params = make_params(options, plan);
        max_attempts = params.retry.max_attempts;
        if (options.verbose)
            params.log = [&err](log_level level, std::string_view line) {
                err.write(
                    err.styled(style::faint, "serin: " + std::string(name_of(level)) + ": " + one_line(line)) + "\n");
            };
        conversation talk(out, err, options, std::move(params));
        if (interactive)
            return run_interactive(out, err, options, std::move(plan), talk, max_attempts);
        return run_once(out, err, options, plan, talk, max_attempts);
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
    command
        ->add_option(
            "PROMPT", o->prompt, "What to ask; - reads it from stdin; without one, on a terminal: a conversation")
        ->type_name("");

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
    command
        ->add_option("--conversation", o->conversation_file,
            "A conversation as JSON, an array of messages: it goes on, and the file is written anew. Made if there is "
            "none")
        ->type_name("FILE");
    command->add_option("--max-tokens", o->max_tokens, "Tokens of the answer at most")->type_name("N");
    command->add_option("--temperature", o->temperature, "From 0 to 2: how much chance there is")->type_name("X");

    command->add_flag("--stream", o->stream, "Print the answer as it arrives (to a terminal: default)");
    command->add_flag("--no-stream", o->no_stream, "Wait for the whole answer");
    command->add_flag("--json", o->json, "Print one JSON object that tells everything, also on failure");
    command->add_flag(
        "--verbose", o->verbose, "Print events, what the model thinks, and what was used and paid for, to stderr");

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

    command->footer(
        "Examples:\n"
        "  serin chat \"Why is the sky blue?\" --model gpt-4.1-mini      the key is in OPENAI_API_KEY\n"
        "  serin chat --base-url http://127.0.0.1:8080/v1 --model llama     a conversation with a server of your own\n"
        "  git diff | serin chat - --system \"Review this\" --model m       the prompt from stdin\n"
        "  serin chat \"And then?\" --conversation story.json --model m     goes on where the file ends\n"
        "  serin chat hi --model m --json | jq .usage.total_tokens         for scripts\n"
        "  serin chat hi --config upstreams.json --verbose                 several upstreams; what happened, and its "
        "cost\n"
        "\n"
        "Ctrl-C stops an answer; what has been printed stays. Colours only go to a terminal, and not if NO_COLOR is "
        "set.\n"
        "Control characters of an answer are replaced where it goes to a terminal.\n"
        "Exit status: 0 answered, 2 wrong usage or key, 3 refused, 4 unavailable, 5 network, 6 deadline,\n"
        "7 broken answer, 130 interrupted.");
    command->callback([o, &exit_code] { exit_code = run_chat(*o); });
}

} // namespace serin::tools
