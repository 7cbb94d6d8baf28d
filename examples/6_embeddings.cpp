// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Turns texts into vectors, all in one request, and finds the text that is most alike to a question. The vectors come
// as base64, a quarter of the size of numbers, from servers that know how to.
//
// Asks a mock provider in this process, unless SERIN_BASE_URL says where a real one is. Then OPENAI_API_KEY holds the
// key, if one is needed, and SERIN_MODEL names the model. The mock's vectors mean nothing: only equal texts are alike.

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

namespace asio = serin::asio;

using embedding = std::vector<float>;

// From -1 to 1, the more alike the higher.
double cosine_similarity(embedding const& a, embedding const& b)
{
    double const product = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
    double const squares_a = std::inner_product(a.begin(), a.end(), a.begin(), 0.0);
    double const squares_b = std::inner_product(b.begin(), b.end(), b.begin(), 0.0);
    return product / std::sqrt(squares_a * squares_b);
}

asio::awaitable<void> search(serin::client& client)
{
    std::vector<std::string> const texts{
        "The serin is a small finch with a short bill.",
        "A canary release shows a new version to a few users first.",
        "What is a serin?",
        "Bread rises because yeast makes gas.",
    };
    std::string const question = "What is a serin?";

    // The vectors come in the order of the texts, whatever the server's.
    serin::embedding_request request("text-embedding-3-small");
    request.input = texts;
    request.add(question);
    serin::embedding_response const answer = co_await client.async_embed(request);

    std::cout << answer.vectors.size() << " vectors of " << answer.vectors.front().size() << " numbers\n";
    std::vector<double> likeness;
    for (std::size_t i = 0; i < texts.size(); ++i)
    {
        likeness.push_back(cosine_similarity(answer.vectors[i], answer.vectors.back()));
        std::cout << likeness[i] << "  " << texts[i] << '\n';
    }
    auto const best = std::max_element(likeness.begin(), likeness.end()) - likeness.begin();
    std::cout << "Most alike: " << texts[static_cast<std::size_t>(best)] << '\n';
    if (answer.usage)
        std::cout << "(" << answer.usage->total_tokens << " tokens, from " << answer.model << ")\n";
}

int main()
{
    serin::mock::provider mock;
    serin::upstream provider;
    provider.base_url = mock.base_url();
    if (char const* url = std::getenv("SERIN_BASE_URL"))
        provider.base_url = url;
    if (std::getenv("SERIN_BASE_URL") && std::getenv("OPENAI_API_KEY"))
        provider.keys = serin::env_key("OPENAI_API_KEY");
    if (char const* model = std::getenv("SERIN_MODEL"))
        provider.model = model;

    try
    {
        serin::client_params params;
        params.upstreams.push_back(provider);
        asio::io_context context;
        serin::client client(context.get_executor(), params);
        asio::co_spawn(context, search(client), [](std::exception_ptr e) {
            if (e)
                std::rethrow_exception(e);
        });
        context.run();
    }
    catch (serin::api_error const& e)
    {
        std::cerr << serin::describe(e.code(), e.diag()) << '\n';
        return 1;
    }
}
