// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Asks for an answer that is a C++ value: a struct described with Boost.Describe becomes the strict JSON Schema that
// the model must follow. Then shows what happens if the model refuses.
//
// Asks a mock provider in this process, unless SERIN_BASE_URL says where a real one is. Then OPENAI_API_KEY holds the
// key, if one is needed, and SERIN_MODEL names the model.

#include <serin/mock/provider.hpp>
#include <serin/structured.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asio = serin::asio;

struct ingredient
{
    std::string name;
    double grams = 0;
    std::optional<std::string> substitute; // May be null
};
BOOST_DESCRIBE_STRUCT(ingredient, (), (name, grams, substitute))

struct recipe
{
    std::string title;
    std::vector<ingredient> ingredients;
    int minutes = 0;
};
BOOST_DESCRIBE_STRUCT(recipe, (), (title, ingredients, minutes))

// What the model is told about the members.
std::string_view schema_description(recipe const*, std::string_view member)
{
    return member == "minutes" ? "From start to table" : "";
}

asio::awaitable<void> cook(serin::client& client, std::string dish, int& answers)
{
    serin::chat_request request("gpt-4.1-mini");
    request.user("How do I cook " + dish + "?");
    try
    {
        serin::parsed<recipe> const answer = co_await serin::async_parse<recipe>(client, request);
        std::cout << answer.value.title << ", " << answer.value.minutes << " minutes\n";
        for (ingredient const& i : answer.value.ingredients)
            std::cout << "  " << i.grams << " g " << i.name << (i.substitute ? ", or " + *i.substitute : "") << '\n';
        ++answers;
    }
    catch (serin::api_error const& e)
    {
        // Refused, cut off, filtered, or not of the type: each has its own code. The text is in the diagnostics.
        if (e.code() == serin::errc::refused)
            std::cout << "The model refuses: " << e.diag().message << '\n';
        else
            std::cerr << serin::describe(e.code(), e.diag()) << '\n';
        answers += e.code() == serin::errc::refused ? 1 : 0;
    }
}

asio::awaitable<void> cook_all(serin::client& client, int& answers)
{
    co_await cook(client, "pancakes", answers);
    co_await cook(client, "fly agaric", answers);
}

int main()
{
    std::cout << serin::schema_of<recipe>() << "\n\n";

    serin::mock::provider mock;
    mock.on_next(serin::mock::behavior().with_text(
        R"({"title":"Pancakes","ingredients":[{"name":"flour","grams":250,"substitute":null},)"
        R"({"name":"milk","grams":500,"substitute":"oat milk"}],"minutes":25})"));
    mock.on_next(serin::mock::behavior().with_status(200,
        R"({"id":"c","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,"message":)"
        R"({"role":"assistant","content":null,"refusal":"That is poisonous."},"finish_reason":"stop"}]})"));
    serin::upstream provider;
    provider.base_url = mock.base_url();
    if (char const* url = std::getenv("SERIN_BASE_URL"))
        provider.base_url = url;
    if (std::getenv("SERIN_BASE_URL") && std::getenv("OPENAI_API_KEY"))
        provider.keys = serin::env_key("OPENAI_API_KEY");
    if (char const* model = std::getenv("SERIN_MODEL"))
        provider.model = model;

    int answers = 0;
    serin::client_params params;
    params.upstreams.push_back(provider);
    asio::io_context context;
    serin::client client(context.get_executor(), params);
    asio::co_spawn(context, cook_all(client, answers), asio::detached);
    context.run();
    return answers == 2 ? 0 : 1;
}
