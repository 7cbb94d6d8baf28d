// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Raw HTTP/1.1 responses against the client: framing decides, at once, and never a deadline.

#include "catch.hpp"
#include "conformance.hpp"
#include "raw_server.hpp"
#include "run.hpp"

#include <boost/beast/zlib/inflate_stream.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace {

serin::client_params patient_params(std::string const& base_url)
{
    auto p = params_for(base_url);
    // A deadline must not be what ends a case: it would take longer than the test allows.
    p.timeouts.first_byte = p.timeouts.idle = std::chrono::seconds(30);
    return p;
}

std::string inflate(std::string const& zlib)
{
    namespace z = boost::beast::zlib;
    z::inflate_stream stream;
    std::string out;
    std::string block(1 << 20, '\0');
    z::z_params params;
    params.next_in = zlib.data() + 2; // Past the zlib header: Beast inflates the bare format
    params.avail_in = zlib.size() - 2;
    for (;;)
    {
        params.next_out = block.data();
        params.avail_out = block.size();
        boost::beast::error_code ec;
        stream.write(params, z::Flush::none, ec);
        out.append(block, 0, block.size() - params.avail_out);
        if (ec == z::error::end_of_stream)
            return out;
        if (ec)
            throw std::runtime_error("inflate: " + ec.message());
    }
}

// The chat form of a case's bytes if there is one.
std::string bytes_of(nlohmann::json const& c)
{
    for (std::string const form : {"chat_raw", "raw_response"})
    {
        if (c.contains(form + "_base64"))
            return serin::test::base64_decode(c.at(form + "_base64").get<std::string>());
        if (c.contains(form + "_zlib_base64"))
            return inflate(serin::test::base64_decode(c.at(form + "_zlib_base64").get<std::string>()));
    }
    throw std::runtime_error("a case without bytes");
}

outcome play(std::string const& bytes, bool close_after)
{
    raw_server server([&](raw_server::peer& p) {
        if (!p.read_request())
            return;
        p.write(bytes);
        if (!close_after)
            p.wait_for_close();
    });
    return chat_once(patient_params(server.base_url()), ask());
}

} // namespace

TEST_CASE("every framing of a response is told apart")
{
    auto const dir = serin::test::conformance_dir();
    if (!dir)
    {
        WARN(serin::test::no_conformance_data);
        return;
    }
    auto const cases = serin::test::load_json(*dir / "http_cases.json");
    std::size_t passed = 0;
    for (auto const& c : cases)
    {
        std::string const name = c.at("name");
        std::string const expected = c.at("chat_expect");
        auto const began = std::chrono::steady_clock::now();
        outcome const result = play(bytes_of(c), c.at("close_after"));
        auto const took = std::chrono::steady_clock::now() - began;
        bool const pong = !result.ec && result.response.text() == "pong";
        CAPTURE(name, expected, serin::kind_name(result.ec), result.diag.message, result.response.text());
        CHECK(took < std::chrono::seconds(5));
        bool const good = expected == "pong" ? pong : expected == "error" ? bool(result.ec) : (pong || result.ec);
        CHECK(good);
        passed += good;
    }
    WARN(passed << " of " << cases.size() << " http cases passed");
    CHECK(passed == cases.size());
}
