// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "gateway.hpp"

#include "listen_address.hpp"
#include "output.hpp"

#include <serin/config.hpp>
#include <serin/core/with_diagnostics.hpp>
#include <serin/gateway/server.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include <openssl/rand.h>

namespace serin::tools {
namespace {

constexpr int gateway_usage = 2;

struct gateway_options
{
    std::string listen = "127.0.0.1:8080";
    std::string admin;
    std::string config;
    std::string token_variable;
    std::string token_file;
    std::string admin_token_variable;
    std::string admin_token_file;
    std::string certificate;
    std::string private_key;
    std::size_t connections = gateway::caller_limits().connections;
    std::size_t body_mib = gateway::caller_limits().body / (1024 * 1024);
    double drain = 30;
    double notice = 0;
    unsigned threads = 0;
    bool quiet = false;
    bool verbose = false;
};

std::chrono::milliseconds milliseconds_of(double seconds)
{
    return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

int refuse_gateway(std::string const& why)
{
    std::cerr << "serin gateway: " << one_line(why) << '\n';
    return gateway_usage;
}

// One token a line; blank lines and those that begin with # do not count. False if one cannot be used.
bool read_tokens(std::istream& from, std::string const& where, std::vector<secret>& out, std::string& why)
{
    std::string line;
    for (int number = 1; std::getline(from, line); ++number)
    {
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
            line.pop_back();
        if (line.empty() || line.front() == '#')
            continue;
        secret token(std::move(line));
        if (token.check())
        {
            why = where + ": line " + std::to_string(number) + " " + token.problem();
            return false;
        }
        out.push_back(std::move(token));
    }
    return true;
}

bool read_tokens(std::string const& variable, std::string const& file, std::vector<secret>& out, std::string& why)
{
    if (!variable.empty())
    {
        char const* const value = std::getenv(variable.c_str());
        if (!value || !*value)
        {
            why = "the environment variable " + variable + " is not set";
            return false;
        }
        secret token(value);
        if (token.check())
        {
            why = "the environment variable " + variable + " " + token.problem();
            return false;
        }
        out.push_back(std::move(token));
    }
    if (!file.empty())
    {
        std::ifstream stream(file, std::ios::binary);
        if (!stream)
        {
            why = file + ": cannot read the file";
            return false;
        }
        if (!read_tokens(stream, file, out, why))
            return false;
        if (out.empty())
        {
            why = file + ": holds no token";
            return false;
        }
    }
    return true;
}

std::string new_token()
{
    unsigned char bytes[24];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        throw std::runtime_error("no random numbers");
    std::string text;
    for (unsigned char const byte : bytes)
    {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

// Each connection of a caller and each to an upstream takes a file descriptor.
void raise_descriptor_limit()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

logger gateway_log(gateway_options const& o)
{
    log_level const most = o.verbose ? log_level::debug : o.quiet ? log_level::warning : log_level::info;
    auto const mutex = std::make_shared<std::mutex>();
    return [most, mutex](log_level level, std::string_view line) {
        if (level > most)
            return;
        std::lock_guard const lock(*mutex);
        std::cerr << one_line(line) << '\n';
    };
}

// Signals: the first one that means to stop lets open answers end, the second one does not. SIGHUP reloads.
class gateway_signals : public std::enable_shared_from_this<gateway_signals>
{
    boost::asio::io_context& context_;
    boost::asio::signal_set stops_;
    boost::asio::signal_set hangups_;
    gateway::server* server_ = nullptr;
    std::chrono::milliseconds drain_;
    std::function<void()> reload_;
    bool stopping_ = false;

public:
    gateway_signals(boost::asio::io_context& context, std::chrono::milliseconds drain)
        : context_(context),
          stops_(context, SIGINT, SIGTERM),
          hangups_(context, SIGHUP),
          drain_(drain)
    {}

    void start(gateway::server& server, std::function<void()> reload)
    {
        server_ = &server;
        reload_ = std::move(reload);
        wait_to_stop();
        wait_to_reload();
    }

private:
    void wait_to_stop()
    {
        stops_.async_wait([self = shared_from_this()](boost::system::error_code ec, int) {
            if (!ec)
                self->stop();
        });
    }

    void stop()
    {
        if (stopping_)
        {
            std::cerr << "serin gateway: stopped at once\n";
            context_.stop();
            return;
        }
        stopping_ = true;
        std::cerr << "serin gateway: finishing open answers, for " << drain_.count() / 1000
                  << " s at most; another signal stops at once\n";
        server_->drain(drain_, [self = shared_from_this()] { self->context_.stop(); });
        wait_to_stop();
    }

    void wait_to_reload()
    {
        hangups_.async_wait([self = shared_from_this()](boost::system::error_code ec, int) {
            if (ec)
                return;
            self->reload_();
            self->wait_to_reload();
        });
    }
};

int run_gateway(gateway_options const& o)
{
    gateway::params params;
    std::string why;
    if (!split_address(o.listen, params.address, params.port))
        return refuse_gateway("--listen " + o.listen + ": not ADDRESS:PORT");
    if (!o.admin.empty() && !split_address(o.admin, params.admin.address, params.admin.port))
        return refuse_gateway("--admin " + o.admin + ": not ADDRESS:PORT");
    if (o.certificate.empty() != o.private_key.empty())
        return refuse_gateway("--tls-certificate and --tls-key go together");
    if (!read_tokens(o.token_variable, o.token_file, params.tokens, why))
        return refuse_gateway(why);
    std::string printed_token;
    if (!params.admin.address.empty())
    {
        std::vector<secret> tokens;
        if (!read_tokens(o.admin_token_variable, o.admin_token_file, tokens, why))
            return refuse_gateway(why);
        if (tokens.empty())
        {
            printed_token = new_token();
            tokens.emplace_back(std::string_view(printed_token));
        }
        params.admin.token = std::move(tokens.front());
    }
    params.certificate_file = o.certificate;
    params.private_key_file = o.private_key;
    params.config_path = o.config;
    params.limits.connections = o.connections;
    params.limits.body = o.body_mib * 1024 * 1024;
    params.log = gateway_log(o);
    unsigned const threads = o.threads != 0 ? o.threads : std::max(1u, std::thread::hardware_concurrency());
    params.several_threads = threads > 1;
    params.drain_notice = milliseconds_of(o.notice);

    client_params upstreams;
    upstreams.log = params.log;
    upstreams.thread_safe = threads > 1;
    if (load_config_file(o.config, upstreams, why))
        return refuse_gateway("--config " + why);
    raise_descriptor_limit();
    // Whoever reads the log may go without taking the gateway along.
    std::signal(SIGPIPE, SIG_IGN);

    // Before anybody can know that we run: a signal must not find its default action.
    boost::asio::io_context context(static_cast<int>(threads));
    auto const signals = std::make_shared<gateway_signals>(context, milliseconds_of(o.drain));
    std::unique_ptr<gateway::server> server;
    try
    {
        server = std::make_unique<gateway::server>(context.get_executor(), std::move(upstreams), params);
    }
    catch (api_error const& e)
    {
        return refuse_gateway(e.diag().message);
    }
    if (server->listen(why))
        return refuse_gateway(why);
    signals->start(*server, [&server, &o, &params] {
        std::string problem;
        std::vector<secret> tokens;
        // The environment of a running program does not change.
        if (!o.token_file.empty() && read_tokens({}, o.token_file, tokens, problem))
        {
            if (!o.token_variable.empty())
                tokens.push_back(params.tokens.front());
            server->set_tokens(tokens);
        }
        else if (!problem.empty())
            params.log(log_level::error, "the tokens stay as they were: " + problem);
        server->reload(problem);
    });
    server->start();

    std::string const scheme = o.certificate.empty() ? "http" : "https";
    std::cout << "listening on " << scheme << "://" << joined_address(params.address, server->port()) << "/v1\n";
    if (server->admin_port() != 0)
        std::cout << "admin on http://" << joined_address(params.admin.address, server->admin_port()) << "/\n";
    if (!printed_token.empty())
        std::cout << "admin token " << printed_token << '\n';
    std::cout.flush();
    if (!std::cout)
        return refuse_gateway("cannot write to stdout");

    std::vector<std::thread> others;
    for (unsigned i = 1; i < threads; ++i)
        others.emplace_back([&context] { context.run(); });
    context.run();
    for (std::thread& t : others)
        t.join();
    return 0;
}

} // namespace

void add_gateway(CLI::App& app, int& exit_code)
{
    auto const o = std::make_shared<gateway_options>();
    CLI::App* const command =
        app.add_subcommand("gateway", "Serve OpenAI's API in front of the upstreams of a configuration file");
    command->add_option("--config", o->config, "Upstreams, models, rollouts and so on, as JSON; read again on change")
        ->type_name("FILE")
        ->required();
    command->add_option("--listen", o->listen, "Where callers reach it; port 0 is any free port")
        ->type_name("ADDRESS:PORT")
        ->capture_default_str();
    command->add_option("--token-file", o->token_file, "Tokens of callers, one a line; read again on SIGHUP")
        ->type_name("FILE");
    command->add_option("--token-env", o->token_variable, "Environment variable that holds a token of callers")
        ->type_name("NAME");
    command->add_option("--admin", o->admin, "Where the page and the admin API are: a loopback address")
        ->type_name("ADDRESS:PORT");
    command->add_option("--admin-token-file", o->admin_token_file, "File that holds the admin token")
        ->type_name("FILE");
    command
        ->add_option("--admin-token-env", o->admin_token_variable,
            "Environment variable that holds it. Without either, one is drawn and printed")
        ->type_name("NAME");
    command->add_option("--tls-certificate", o->certificate, "Serve https: the certificate chain, PEM")
        ->type_name("FILE");
    command->add_option("--tls-key", o->private_key, "The certificate's private key, PEM")->type_name("FILE");
    command->add_option("--max-connections", o->connections, "Callers' connections; one more is answered with 429")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000'000).description(""))
        ->capture_default_str();
    command->add_option("--max-body", o->body_mib, "Mebibytes of a request's body")
        ->type_name("N")
        ->check(CLI::Range(1, 1024).description(""))
        ->capture_default_str();
    command->add_option("--drain", o->drain, "Seconds that open answers have to end after SIGTERM or SIGINT")
        ->type_name("S")
        ->check(CLI::Range(0.0, 86400.0).description(""))
        ->capture_default_str();
    command
        ->add_option("--drain-notice", o->notice,
            "Seconds before that in which callers are still accepted, and /readyz says 503 to balancers")
        ->type_name("S")
        ->check(CLI::Range(0.0, 86400.0).description(""))
        ->capture_default_str();
    command->add_option("--threads", o->threads, "Threads that serve; 0: one for each processor")
        ->type_name("N")
        ->check(CLI::Range(0, 256).description(""));
    command->add_flag("--quiet", o->quiet, "Print no line for each request, only what is wrong");
    command->add_flag("--verbose", o->verbose, "Print every attempt and connection too");
    command->footer(
        "Callers use any OpenAI library with base URL http://ADDRESS:PORT/v1. On another address than loopback they\n"
        "need a token. SIGHUP reads configuration, keys and tokens again; SIGTERM finishes open answers, a second one\n"
        "does not. The headers x-serin-upstream, x-serin-attempts and x-request-id of each answer tell who served it.\n"
        "Exit status: 0 stopped by a signal, 2 wrong usage, configuration or address.");
    command->callback([o, &exit_code] { exit_code = run_gateway(*o); });
}

} // namespace serin::tools
