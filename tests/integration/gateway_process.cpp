// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// `serin gateway` as a process: signals, and what it does when it runs out of file descriptors.

#include <serin/mock/provider.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "catch.hpp"
#include "cli_process.hpp"
#include "gateway.hpp"

namespace mock = serin::mock;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr char chats[] = "/v1/chat/completions";

std::string chat_body(std::string const& extra = {})
{
    return R"({"model":"mock","messages":[{"role":"user","content":"Say hi"}])" + extra + "}";
}

std::string const streamed = chat_body(R"(,"stream":true)");

std::string upstream_of(mock::provider const& provider)
{
    return R"("upstreams":[{"name":"only","base_url":")" + provider.base_url() + R"("}])";
}

// The gateway in front of a provider.
class gateway_program
{
public:
    mock::provider provider;
    cli_folder folder;
    cli_process process;
    unsigned short port = 0;

    explicit gateway_program(std::vector<std::string> const& more = {}) : process(arguments(more))
    {
        process.read_until("/v1\n");
        std::string const before = "listening on http://127.0.0.1:";
        REQUIRE(process.result.out.starts_with(before));
        port = static_cast<unsigned short>(std::stoi(process.result.out.substr(before.size())));
    }

    // Replaces a file by rename.
    std::string put(std::string const& name, std::string const& text) const
    {
        std::filesystem::path const fresh = folder.write(name + ".new", text);
        auto const path = fresh.parent_path() / name;
        std::filesystem::rename(fresh, path);
        return path.string();
    }

    std::string config_with_alias(std::string const& alias) const
    {
        return "{" + upstream_of(provider) + R"(,"models":{")" + alias + R"(":{"upstreams":["only"]}}})";
    }

    // The only alias, as a caller with this token sees it; a status if it is not 200.
    std::string alias(std::string const& token) const
    {
        raw_caller caller(port);
        raw_answer const a = caller.ask("GET", "/v1/models", {}, "Authorization: Bearer " + token + "\r\n");
        if (a.status != 200)
            return std::to_string(a.status);
        return json::parse(a.body)["data"][0]["id"];
    }

private:
    std::vector<std::string> arguments(std::vector<std::string> const& more) const
    {
        std::vector<std::string> all = {"gateway", "--listen", "127.0.0.1:0", "--threads", "2", "--config",
            put("config.json", config_with_alias("first"))};
        for (std::string const& argument : more)
            all.push_back(argument == "TOKENS" ? put("tokens", "token-one\n") : argument);
        return all;
    }
};

// The processor time of a process so far.
std::chrono::duration<double> processor_time(pid_t id)
{
    std::ifstream file("/proc/" + std::to_string(id) + "/stat");
    std::string const all((std::istreambuf_iterator<char>(file)), {});
    // Behind the name, which is in brackets, user and system time are the 12th and the 13th field.
    std::istringstream fields(all.substr(all.rfind(')') + 1));
    std::string skipped;
    for (int i = 0; i < 11; ++i)
        fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    REQUIRE(fields);
    return std::chrono::duration<double>((user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

std::size_t open_descriptors(pid_t id)
{
    std::filesystem::directory_iterator const all("/proc/" + std::to_string(id) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

} // namespace

TEST_CASE("gateway process: SIGTERM lets open streams end, and the status is 0", "[gateway][signals]")
{
    int const signal = GENERATE(SIGTERM, SIGINT);
    gateway_program gateway;
    gateway.provider.set_default(mock::behavior().with_tokens(30).paced(10ms));
    raw_caller idle(gateway.port);
    CHECK(idle.ask("GET", "/readyz").status == 200);
    std::vector<std::unique_ptr<raw_caller>> open;
    for (int i = 0; i < 5; ++i)
    {
        open.push_back(std::make_unique<raw_caller>(gateway.port));
        open.back()->send(raw_caller::request("POST", chats, streamed));
    }
    REQUIRE(gateway.provider.wait_until([&] { return gateway.provider.request_count() == 5; }, 20000ms));
    gateway.process.send_signal(signal);
    CHECK(idle.at_end());
    for (auto const& caller : open)
    {
        raw_answer const a = caller->read_answer();
        CHECK(a.status == 200);
        CHECK(a.whole);
        CHECK_THAT(a.body, ContainsSubstring("tok30"));
        CHECK_THAT(a.body, ContainsSubstring("data: [DONE]\n\n"));
        CHECK(caller->at_end());
    }
    CHECK(gateway.process.finish().status == 0);
    CHECK_THROWS(raw_caller(gateway.port));
}

TEST_CASE("gateway process: SIGTERM cuts what has not ended by the deadline, and nobody takes it for whole",
    "[gateway][signals]")
{
    gateway_program gateway({"--drain", "0.2"});
    mock::behavior stalls;
    stalls.fault = mock::fault::stall;
    stalls.fault_after = 2;
    gateway.provider.set_default(stalls);
    raw_caller caller(gateway.port);
    caller.send(raw_caller::request("POST", chats, streamed));
    REQUIRE_FALSE(caller.read_until("tok2").empty());
    auto const from = std::chrono::steady_clock::now();
    gateway.process.send_signal(SIGTERM);
    CHECK(caller.read_until("[DONE]").empty());
    CHECK(std::chrono::steady_clock::now() - from >= 200ms);
    CHECK(gateway.process.finish().status == 0);
}

TEST_CASE("gateway process: a second signal stops at once", "[gateway][signals]")
{
    int const second = GENERATE(SIGTERM, SIGINT);
    gateway_program gateway({"--drain", "3600"});
    mock::behavior stalls;
    stalls.fault = mock::fault::stall;
    stalls.fault_after = 2;
    gateway.provider.set_default(stalls);
    raw_caller caller(gateway.port);
    caller.send(raw_caller::request("POST", chats, streamed));
    REQUIRE_FALSE(caller.read_until("tok2").empty());
    gateway.process.send_signal(SIGTERM);
    gateway.process.read_error_until("finishing open answers");
    gateway.process.send_signal(second);
    CHECK(caller.read_until("[DONE]").empty());
    cli_result const r = gateway.process.finish();
    CHECK(r.status == 0);
    CHECK_THAT(r.err, ContainsSubstring("stopped at once"));
}

TEST_CASE("gateway process: SIGHUP reads the configuration and the tokens again", "[gateway][signals]")
{
    gateway_program gateway({"--token-file", "TOKENS"});
    CHECK(gateway.alias("token-one") == "first");
    CHECK(gateway.alias("token-two") == "401");

    // A call under way goes on with what it began with.
    gateway.provider.set_default(mock::behavior().with_tokens(50).paced(10ms));
    raw_caller caller(gateway.port);
    caller.send(raw_caller::request("POST", chats, streamed, "Authorization: Bearer token-one\r\n"));
    REQUIRE_FALSE(caller.read_until("tok2").empty());

    gateway.put("tokens", "# of today\ntoken-two\n");
    gateway.put("config.json", gateway.config_with_alias("second"));
    gateway.process.send_signal(SIGHUP);
    auto const until = std::chrono::steady_clock::now() + 20s;
    while (gateway.alias("token-two") != "second" && std::chrono::steady_clock::now() < until)
        std::this_thread::yield();
    CHECK(gateway.alias("token-two") == "second");
    CHECK(gateway.alias("token-one") == "401");
    CHECK_FALSE(caller.read_until("data: [DONE]\n\n").empty());

    SECTION("and what cannot be used changes nothing, and says why")
    {
        std::string const tokens = gateway.put("tokens", "\n# nothing\n");
        std::string const config = gateway.put("config.json", R"({"upstreams":[{"weight":-1}]})");
        gateway.process.send_signal(SIGHUP);
        gateway.process.read_error_until("the tokens stay as they were: " + tokens + ": holds no token");
        gateway.process.read_error_until("the configuration stays as it was");
        CHECK_THAT(gateway.process.result.err, ContainsSubstring(config + ": upstreams[0].weight: "));
        CHECK(gateway.alias("token-two") == "second");
        gateway.put("config.json", "{");
        gateway.process.send_signal(SIGHUP);
        gateway.put("tokens", "token\x01three\n");
        gateway.process.send_signal(SIGHUP);
        gateway.process.read_error_until(tokens + ": line 1 ");
        CHECK(gateway.alias("token-two") == "second");
    }
    SECTION("and a file that is gone changes nothing")
    {
        std::filesystem::path const tokens = gateway.put("tokens", "");
        std::filesystem::remove(tokens);
        std::filesystem::remove(tokens.parent_path() / "config.json");
        gateway.process.send_signal(SIGHUP);
        gateway.process.read_error_until("cannot read the file");
        gateway.process.read_error_until("the configuration stays as it was");
        CHECK(gateway.alias("token-two") == "second");
    }
    gateway.process.send_signal(SIGTERM);
    cli_result const r = gateway.process.finish();
    CHECK(r.status == 0);
    for (char const* const secret : {"token-one", "token-two", "three", "Say hi"})
        CHECK_THAT(r.err, !ContainsSubstring(secret));
}

TEST_CASE("gateway process: SIGHUP while it stops does not keep it", "[gateway][signals]")
{
    gateway_program gateway;
    gateway.provider.set_default(mock::behavior().with_tokens(20).paced(10ms));
    raw_caller caller(gateway.port);
    caller.send(raw_caller::request("POST", chats, streamed));
    REQUIRE_FALSE(caller.read_until("tok2").empty());
    gateway.process.send_signal(SIGTERM);
    gateway.process.send_signal(SIGHUP);
    CHECK_FALSE(caller.read_until("data: [DONE]\n\n").empty());
    CHECK(gateway.process.finish().status == 0);
}

TEST_CASE("gateway process: whoever reads the log may go", "[gateway][signals]")
{
    gateway_program gateway;
    gateway.process.close_stderr();
    for (int i = 0; i < 3; ++i)
    {
        raw_caller caller(gateway.port);
        CHECK(caller.ask("POST", chats, chat_body()).status == 200);
    }
    gateway.process.send_signal(SIGTERM);
    CHECK(gateway.process.finish().status == 0);
}

TEST_CASE("gateway process: the limit of file descriptors is raised as far as may be", "[gateway][descriptors]")
{
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit low = before;
    low.rlim_cur = 128;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    gateway_program gateway;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit raised{};
    REQUIRE(::prlimit(gateway.process.id(), RLIMIT_NOFILE, nullptr, &raised) == 0);
    CHECK(raised.rlim_cur == before.rlim_max);
}

TEST_CASE(
    "gateway process: out of file descriptors it waits, without spinning, and serves again", "[gateway][descriptors]")
{
#ifdef __SANITIZE_ADDRESS__
    // The asan build has UBSan too, which opens a pipe to see whether it may look at an object, and takes objects for
    // broken when it cannot.
    WARN("not run: the sanitizer needs file descriptors itself");
    return;
#endif
    gateway_program gateway;
    pid_t const id = gateway.process.id();
    {
        // What is opened once only is there now.
        raw_caller caller(gateway.port);
        CHECK(caller.ask("GET", "/healthz").status == 200);
        caller.close();
    }
    constexpr rlim_t room = 4;
    std::size_t const used = open_descriptors(id);
    rlimit const limit{used + room, used + room};
    REQUIRE(::prlimit(id, RLIMIT_NOFILE, &limit, nullptr) == 0);

    // Those are served who find room. The system takes the others in, and they wait.
    std::vector<std::unique_ptr<raw_caller>> served;
    while (open_descriptors(id) < used + room)
    {
        served.push_back(std::make_unique<raw_caller>(gateway.port));
        REQUIRE(served.back()->ask("GET", "/healthz").status == 200);
    }
    std::vector<std::unique_ptr<raw_caller>> waiting;
    for (int i = 0; i < 3; ++i)
    {
        waiting.push_back(std::make_unique<raw_caller>(gateway.port));
        waiting.back()->send(raw_caller::request("GET", "/healthz"));
    }

    // Nor is there room for a connection to the upstream.
    raw_answer const a = served.front()->ask("POST", chats, chat_body());
    CHECK(a.status == 502);
    CHECK(json::parse(a.body)["error"]["type"] == "api_error");
    CHECK(served.front()->ask("GET", "/healthz").status == 200);

    auto const from = std::chrono::steady_clock::now();
    auto const spent = processor_time(id);
    std::this_thread::sleep_for(500ms); // What is spent is what is spent in a time
    std::chrono::duration<double> const window = std::chrono::steady_clock::now() - from;
    CHECK(processor_time(id) - spent < window / 4);

    served.clear();
    for (auto const& caller : waiting)
        CHECK(caller->read_answer().status == 200);
    waiting.clear();
    raw_caller caller(gateway.port);
    CHECK(caller.ask("POST", chats, chat_body()).status == 200);
    gateway.process.send_signal(SIGTERM);
    CHECK(gateway.process.finish().status == 0);
}
