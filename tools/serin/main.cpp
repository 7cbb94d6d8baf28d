// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "chat.hpp"
#include "exit_status.hpp"
#include "gateway.hpp"
#include "mock.hpp"

#include <serin/core/config.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>

namespace {

// CLI11 quotes arguments that it does not know, and one of them may be a key that does not belong there.
std::string usage_message(CLI::App const& app, CLI::ParseError const& e)
{
    if (!dynamic_cast<CLI::ExtrasError const*>(&e))
        return e.what();
    for (std::string const& argument : app.remaining(true))
    {
        if (argument.starts_with("--"))
            return "unknown option " + argument.substr(0, argument.find('='));
        if (argument.starts_with("-") && argument.size() > 1)
            return "unknown option " + argument.substr(0, 2);
    }
    return "too many arguments: put the prompt in quotes";
}

} // namespace

int main(int argc, char* argv[])
{
    int exit_code = 0;
    CLI::App app("An LLM client for OpenAI-compatible servers", "serin");
    app.set_version_flag("--version", "serin " SERIN_VERSION);
    app.require_subcommand(1);
    app.footer("Examples:\n"
               "  serin chat \"Say hi\" --model gpt-4.1-mini      the key is in OPENAI_API_KEY\n"
               "  serin chat --model gpt-4.1-mini                a conversation\n"
               "  serin mock --listen 127.0.0.1:8080             a provider to try things with\n"
               "serin COMMAND --help tells more.");
    serin::tools::add_chat(app, exit_code);
    serin::tools::add_mock(app, exit_code);
    serin::tools::add_gateway(app, exit_code);
    try
    {
        app.parse(argc, argv);
    }
    catch (CLI::Success const& e)
    {
        // --help and --version
        return app.exit(e);
    }
    catch (CLI::ParseError const& e)
    {
        bool const json = std::any_of(argv, argv + argc, [](char const* a) { return std::string_view(a) == "--json"; });
        return serin::tools::refuse_usage(usage_message(app, e), json);
    }
    catch (std::exception const& e)
    {
        std::cerr << "serin: " << e.what() << '\n';
        return static_cast<int>(serin::tools::exit_status::failed);
    }
    return exit_code;
}
