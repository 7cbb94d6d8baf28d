// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Scripts over several requests and connections: reuse, stale bytes, resets, early answers.

#include "answers.hpp"
#include "catch.hpp"
#include "conformance.hpp"
#include "raw_server.hpp"
#include "run.hpp"

#include <serin/core/secret.hpp>
#include <serin/policy/keys.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

namespace {

// Plays the script of each connection in turn.
class scripted
{
public:
    explicit scripted(nlohmann::json const& c)
        : connections_(c.at("connections")),
          before_body_(c.value("send_before_body", false)),
          server_([this](raw_server::peer& p) { play(p); })
    {}

    std::string base_url() const { return server_.base_url(); }

    bool every_key_was_ours() const
    {
        std::lock_guard const lock(mutex_);
        return keys_are_right_;
    }

private:
    void play(raw_server::peer& p)
    {
        if (static_cast<std::size_t>(p.number) >= connections_.size())
            return;
        for (auto const& step : connections_[static_cast<std::size_t>(p.number)])
        {
            if (!(before_body_ ? read_head(p) : p.read_request()))
                return;
            {
                std::lock_guard const lock(mutex_);
                keys_are_right_ =
                    keys_are_right_ && (before_body_ || p.request.find("Bearer sk-home") != std::string::npos);
            }
            p.write(serin::test::base64_decode(step.at("reply_base64").get<std::string>()));
            std::string const then = step.at("then");
            if (then == "rst")
                p.reset();
            if (then != "keep")
                return;
        }
        p.wait_for_close();
    }

    static bool read_head(raw_server::peer& p)
    {
        std::string head;
        while (head.find("\r\n\r\n") == std::string::npos)
        {
            char bytes[256];
            boost::system::error_code ec;
            std::size_t const n = p.socket.read_some(boost::asio::buffer(bytes), ec);
            if (ec)
                return false;
            head.append(bytes, n);
        }
        return true;
    }

    nlohmann::json connections_;
    bool before_body_;
    mutable std::mutex mutex_;
    bool keys_are_right_ = true;
    raw_server server_; // Last: it plays from the start
};

// Needs a second attempt that counts.
constexpr char needs_retries[] = "500 with body, then 200 (retry on the same or a new connection)";

} // namespace

TEST_CASE("sequences over several requests and connections")
{
    auto const dir = serin::test::conformance_dir();
    if (!dir)
    {
        WARN(serin::test::no_conformance_data);
        return;
    }
    for (auto const& c : serin::test::load_json(*dir / "http_sequences.json"))
    {
        std::string const name = c.at("name");
        scripted server(c);
        auto p = params_for(server.base_url());
        p.upstreams[0].keys = serin::fixed_key(serin::secret("sk-home"));
        std::size_t const attempts = name == needs_retries ? 2 : 1;
        p.retry.max_attempts = static_cast<int>(attempts);
        p.retry.base_delay = std::chrono::milliseconds(1);
        session s(p);
        bool const large = c.value("send_before_body", false);
        std::vector<std::string> texts;
        auto const began = std::chrono::steady_clock::now();
        outcome last;
        for (std::string const expected : c.at("expect"))
        {
            last = s.chat(large ? ask_at_length(10 * 1024 * 1024) : ask());
            CAPTURE(name, expected, serin::kind_name(last.ec), last.diag.message);
            if (expected == "error")
                CHECK(last.ec);
            else
                CHECK(last.response.text() == expected);
            CHECK(last.diag.attempts.size() == attempts);
        }
        CAPTURE(name);
        CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
        CHECK(server.every_key_was_ours());
        if (large)
            CHECK(last.diag.status == 413);
        if (name.find("redirect") != std::string::npos)
            CHECK(last.ec == serin::errc::redirected);
    }
}
