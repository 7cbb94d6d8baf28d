// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Lets the model call C++ functions: a plain one with a schema as text, and a coroutine whose schema comes from its
// argument, a struct described with Boost.Describe. What the model says is printed as it arrives.
//
// Asks a mock provider in this process, unless SERIN_BASE_URL says where a real one is. Then OPENAI_API_KEY holds the
// key, if one is needed, and SERIN_MODEL names the model.

#include <serin/chat/schema.hpp> // For tool_set::add<Args>
#include <serin/mock/provider.hpp>
#include <serin/tools.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

namespace asio = serin::asio;

enum class unit
{
    celsius,
    fahrenheit,
};
BOOST_DESCRIBE_ENUM(unit, celsius, fahrenheit)

struct weather_query
{
    std::string city;
    std::optional<unit> in;
};
BOOST_DESCRIBE_STRUCT(weather_query, (), (city, in))

// What the model is told about the members.
std::string_view schema_description(weather_query const*, std::string_view member)
{
    return member == "city" ? "City and country, as \"Kiel, Germany\"" : "";
}

struct weather
{
    std::string sky;
    double temperature = 0;
};
BOOST_DESCRIBE_STRUCT(weather, (), (sky, temperature))

// A tool that has to wait. Calls that the model makes together run at the same time.
asio::awaitable<weather> get_weather(weather_query query)
{
    asio::steady_timer service(co_await asio::this_coro::executor, std::chrono::milliseconds(20));
    co_await service.async_wait(asio::use_awaitable);
    weather result;
    result.sky = "sunny";
    result.temperature = query.in == unit::fahrenheit ? 68 : 20;
    co_return result;
}

asio::awaitable<void> ask(serin::client& client, int& exit_code)
{
    // Tools are registered on an object first, never within the co_await expression.
    serin::tool_set tools;
    tools.add<weather_query>("get_weather", "The weather in a city, now", get_weather);
    tools.add("today", "Today's date", R"({"type":"object","properties":{}})", [](std::string_view) {
        return "2026-05-01"; // So that the output is always the same
    });

    serin::tool_options options;
    options.on_delta = [](serin::chat_delta const& delta) { std::cout << delta.text << std::flush; };
    options.on_result = [](serin::tool_call const& call, std::string_view result) {
        std::cout << call.name << '(' << call.arguments << ") = " << result << '\n';
    };

    serin::chat_request request("deepseek-v3.2");
    request.user("Do I need a coat in Kiel today, and in Palermo?");
    try
    {
        serin::tool_run const run = co_await serin::async_run_tools(client, request, tools, options);
        std::cout << "\n(" << run.rounds << " rounds, " << run.messages.size() << " messages)\n";
        exit_code = 0;
    }
    catch (serin::api_error const& e)
    {
        std::cerr << serin::describe(e.code(), e.diag()) << '\n';
    }
}

int main()
{
    serin::mock::provider mock;
    mock.on_next(serin::mock::behavior()
                     .with_tool_call("get_weather", R"({"city":"Kiel, Germany","in":"celsius"})")
                     .with_tool_call("get_weather", R"({"city":"Palermo, Italy","in":null})")
                     .with_tool_call("today", "{}"));
    mock.on_next(serin::mock::behavior().with_text("No, neither here nor there."));
    serin::upstream provider;
    provider.base_url = mock.base_url();
    if (char const* url = std::getenv("SERIN_BASE_URL"))
        provider.base_url = url;
    if (std::getenv("SERIN_BASE_URL") && std::getenv("OPENAI_API_KEY"))
        provider.keys = serin::env_key("OPENAI_API_KEY");
    if (char const* model = std::getenv("SERIN_MODEL"))
        provider.model = model;

    int exit_code = 1;
    serin::client_params params;
    params.upstreams.push_back(provider);
    asio::io_context context;
    serin::client client(context.get_executor(), params);
    asio::co_spawn(context, ask(client, exit_code), asio::detached);
    context.run();
    return exit_code;
}
