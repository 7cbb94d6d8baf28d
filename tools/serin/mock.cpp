// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "mock.hpp"

#include "listen_address.hpp"

#include <serin/mock/provider.hpp>
#include <serin/mock/script.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/system/system_error.hpp>

#include <csignal>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

namespace serin::tools {
namespace {

constexpr int exit_usage = 2;

struct mock_options
{
    std::string listen = "127.0.0.1:8080";
    bool tls = false;
    std::string ca_out;
    std::string script;
    bool allow_remote = false;
};

int mock_refuse(std::string const& why)
{
    std::cerr << "serin mock: " << why << '\n';
    return exit_usage;
}

int run_mock(mock_options const& options)
{
    mock::provider_params params;
    params.tls = options.tls;
    // Nobody reads the log.
    params.log_capacity = 1;
    if (!split_address(options.listen, params.host, params.port))
        return mock_refuse("--listen " + options.listen + ": not ADDRESS:PORT");
    boost::system::error_code ec;
    auto const address = boost::asio::ip::make_address(params.host, ec);
    if (ec)
        return mock_refuse("--listen " + options.listen + ": not an IP address");
    if (!address.is_loopback() && !options.allow_remote)
        return mock_refuse(
            "--listen " + options.listen + ": other machines could reach it; --allow-remote allows that");
    if (options.tls && options.ca_out.empty())
        return mock_refuse("--tls needs --ca-out FILE, where clients find the certificate to trust");

    std::optional<mock::script> script;
    if (!options.script.empty())
    {
        std::ifstream const file(options.script, std::ios::binary);
        std::ostringstream text;
        text << file.rdbuf();
        // Of an empty file nothing is written, which counts as a failure but is none.
        if (!file || text.bad())
            return mock_refuse("--script " + options.script + ": cannot read the file");
        std::string error;
        script = mock::load_script(text.str(), error);
        if (!script)
            return mock_refuse("--script " + options.script + ": " + error);
    }

    // Before anybody can know that we run: a signal must not find its default action.
    boost::asio::io_context context;
    boost::asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([](boost::system::error_code, int) {});

    std::optional<mock::provider> provider;
    try
    {
        provider.emplace(params);
    }
    catch (boost::system::system_error const& e)
    {
        return mock_refuse("--listen " + options.listen + ": " + e.code().message());
    }
    catch (std::exception const& e)
    {
        return mock_refuse("--listen " + options.listen + ": " + e.what());
    }
    if (script)
        provider->apply(*script);
    if (options.tls)
    {
        std::ofstream file(options.ca_out, std::ios::binary);
        file << provider->ca_pem();
        if (!file.flush())
            return mock_refuse("--ca-out " + options.ca_out + ": cannot write the file");
    }
    std::cout << "listening on " << provider->base_url() << std::endl;
    if (!std::cout)
        return mock_refuse("cannot write to stdout");
    context.run();
    return 0;
}

} // namespace

void add_mock(CLI::App& app, int& exit_code)
{
    auto const options = std::make_shared<mock_options>();
    CLI::App* const command = app.add_subcommand("mock", "Serve a mock provider to try and test clients against");
    command->add_option("--listen", options->listen, "Where to listen; port 0 is any free port")
        ->type_name("ADDRESS:PORT")
        ->capture_default_str();
    command->add_flag("--tls", options->tls, "Serve https, with a certificate made for this run");
    command->add_option("--ca-out", options->ca_out, "Where to write the certificate that clients must trust")
        ->type_name("FILE");
    command->add_option("--script", options->script, "How to answer, as JSON")->type_name("FILE");
    command->add_flag("--allow-remote", options->allow_remote, "Also listen on addresses other than loopback");
    command->callback([options, &exit_code] { exit_code = run_mock(*options); });
}

} // namespace serin::tools
