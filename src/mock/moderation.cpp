// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "moderation.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace serin::mock {
namespace {

using nlohmann::json;

constexpr char const* moderation_categories[] = {"harassment", "hate", "self-harm", "sexual", "violence"};

json moderation_of(std::string const& text)
{
    json categories;
    json scores;
    bool flagged = false;
    for (char const* category : moderation_categories)
    {
        bool const found = text.find(category) != std::string::npos;
        categories[category] = found;
        scores[category] = found ? 0.9375 : 0.0625;
        flagged = flagged || found;
    }
    return {{"flagged", flagged}, {"categories", std::move(categories)}, {"category_scores", std::move(scores)}};
}

} // namespace

std::string answer_moderation(json const& request, std::string& out)
{
    auto const input = request.find("input");
    if (input == request.end())
        return "you must provide an input parameter";
    json const inputs = input->is_array() ? *input : json::array({*input});
    json results = json::array();
    for (json const& item : inputs)
    {
        if (!item.is_string())
            return "'input' must be texts";
        results.push_back(moderation_of(item.get<std::string>()));
    }
    if (results.empty())
        return "'input' must not be empty";
    json const answer = {
        {"id", "modr-mock"}, {"model", request.value("model", "mock")}, {"results", std::move(results)}};
    out = answer.dump();
    return {};
}

} // namespace serin::mock
