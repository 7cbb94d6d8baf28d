// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// serin_docs PAGE: runs the fragments of a page. Each prints its place, and fails by an exception, by not ending, or by
// printing something else than the page says.

#include "page.hpp"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>

namespace doc {
namespace {

struct entry
{
    std::string page;
    std::string place;
    std::function<void(environment&)> run;
    std::string prints;
    std::string not_run;
};

std::vector<entry>& entries()
{
    static std::vector<entry> list;
    return list;
}

serin::client_params params_for(serin::mock::provider const& mock)
{
    serin::client_params params;
    params.upstreams.emplace_back();
    params.upstreams.back().base_url = mock.base_url();
    return params;
}

std::function<void(environment&)> driver(fragment::coroutine run)
{
    return [run](environment& environment) {
        bool ended = false;
        serin::asio::co_spawn(environment.context, run(environment), [&ended](std::exception_ptr error) {
            ended = true;
            if (error)
                std::rethrow_exception(error);
        });
        environment.run();
        if (!ended)
            throw std::runtime_error("the coroutine did not end");
    };
}

std::string_view trimmed(std::string_view text)
{
    auto const first = text.find_first_not_of(" \n");
    return first == text.npos ? "" : text.substr(first, text.find_last_not_of(" \n") + 1 - first);
}

// What the fragments print goes into a string and then on.
class captured_output
{
    std::ostringstream text_;
    std::streambuf* before_ = std::cout.rdbuf(text_.rdbuf());

public:
    captured_output() {}
    captured_output(captured_output const&) = delete;
    captured_output& operator=(captured_output const&) = delete;
    ~captured_output() { std::cout.rdbuf(before_); }
    std::string text() const { return text_.str(); }
};

bool passes(entry const& e)
{
    std::cout << "--- " << e.place << std::endl;
    if (!e.not_run.empty())
    {
        std::cout << "compiled, not run: " << e.not_run << std::endl;
        return true;
    }
    std::string printed;
    std::string problem;
    {
        captured_output output;
        try
        {
            environment place;
            e.run(place);
        }
        catch (serin::api_error const& error)
        {
            problem = serin::describe(error.code(), error.diag());
        }
        catch (std::exception const& error)
        {
            problem = error.what();
        }
        printed = output.text();
    }
    std::cout << printed << std::flush;
    if (problem.empty() && !e.prints.empty() && trimmed(printed) != trimmed(e.prints))
        problem = "the page says that it prints:\n" + e.prints;
    if (!problem.empty())
        std::cout << "FAILED: " << e.place << ": " << problem << std::endl;
    return problem.empty();
}

serin::mock::provider const& pem_source()
{
    static serin::mock::provider const with_tls = [] {
        serin::mock::provider_params params;
        params.tls = true;
        return serin::mock::provider(params);
    }();
    return with_tls;
}

// Variables and files that a configuration names.
void provide(nlohmann::json const& value, std::string const& member, std::filesystem::path const& folder)
{
    if (value.is_structured())
    {
        for (auto const& [name, inner] : value.items())
            provide(inner, value.is_array() ? member : name, folder);
    }
    else if (value.is_string())
    {
        auto const text = value.get<std::string>();
        if (member == "env" || member.ends_with("_env"))
            ::setenv(text.c_str(), "sk-test", 1);
        else if (member == "file" && !text.starts_with('/'))
            std::ofstream(folder / text) << "sk-test\n";
        else if (member == "ca_file")
            std::ofstream(folder / text) << pem_source().ca_pem();
        else if (member == "certificate_file")
            std::ofstream(folder / text) << pem_source().client_certificate_pem();
        else if (member == "private_key_file")
            std::ofstream(folder / text) << pem_source().client_key_pem();
    }
}

} // namespace

environment::environment() : client(context.get_executor(), params_for(mock)), request("gpt-4.1-mini")
{
    request.user("Say hi");
}

void environment::run()
{
    context.run_for(std::chrono::seconds(20));
    if (!context.stopped())
        throw std::runtime_error("it does not end");
}

void environment::check_config(std::string const& text) const
{
    auto config = nlohmann::json::parse(text);
    if (!config.contains("upstreams"))
        config["upstreams"] = nlohmann::json::parse(R"([{"name":"stable","base_url":"http://127.0.0.1:9/v1"},)"
                                                    R"({"name":"canary","base_url":"http://127.0.0.1:9/v1"}])");
    auto const folder = std::filesystem::temp_directory_path() / ("serin-docs-" + std::to_string(mock.port()));
    std::filesystem::create_directory(folder);
    provide(config, "", folder);
    serin::client_params params;
    std::string why;
    auto const ec = serin::load_config(config.dump(), folder.string(), params, why);
    std::filesystem::remove_all(folder);
    if (ec)
        throw std::runtime_error("refused as a configuration: " + why);
}

fragment::fragment(std::string_view page, std::string_view place, function run, prints expected)
{
    entries().push_back({std::string(page), std::string(place), run, std::string(expected.text), ""});
}

fragment::fragment(std::string_view page, std::string_view place, coroutine run, prints expected)
{
    entries().push_back({std::string(page), std::string(place), driver(run), std::string(expected.text), ""});
}

fragment::fragment(std::string_view page, std::string_view place, function, not_run why)
{
    entries().push_back({std::string(page), std::string(place), nullptr, "", std::string(why.why)});
}

fragment::fragment(std::string_view page, std::string_view place, coroutine, not_run why)
{
    entries().push_back({std::string(page), std::string(place), nullptr, "", std::string(why.why)});
}

} // namespace doc

int main(int argc, char* argv[])
{
    std::string const page = argc > 1 ? argv[1] : "";
    int count = 0;
    int failed = 0;
    for (doc::entry const& e : doc::entries())
    {
        if (!page.empty() && e.page != page)
            continue;
        ++count;
        failed += doc::passes(e) ? 0 : 1;
    }
    std::cout << count << " fragments, " << failed << " failed" << std::endl;
    return failed == 0 ? 0 : 1;
}
