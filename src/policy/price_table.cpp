// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/price_table.hpp>

#include "../chat/json_reader.hpp"

#include <cmath>
#include <utility>

namespace serin {
namespace {

constexpr double highest_table_price = 1'000'000; // Dollars for a million tokens

bool read_table_amount(json_value const& v, nano_dollars& out)
{
    double const dollars = v.number();
    if (!v.is_number() || !(dollars >= 0 && dollars <= highest_table_price))
        return false;
    out = std::llround(dollars * static_cast<double>(one_dollar));
    return true;
}

// What is wrong with it; empty if nothing is.
std::string read_table_price(json_value const& object, price& out)
{
    if (!object.is_object())
        return "is not an object";
    bool has_input = false, has_output = false;
    for (auto const& [name, value] : object.members())
    {
        nano_dollars amount = 0;
        bool const is_amount = read_table_amount(value, amount);
        if (name == "input")
            out.input = amount, has_input = true;
        else if (name == "output")
            out.output = amount, has_output = true;
        else if (name == "cached_input")
            out.cached_input = amount;
        else if (name == "reasoning")
            out.reasoning = amount;
        else
            return "has the unknown member \"" + std::string(name) + "\"";
        if (!is_amount)
            return "has no number of dollars from 0 to a million for \"" + std::string(name) + "\"";
    }
    return has_input && has_output ? "" : "lacks \"input\" or \"output\"";
}

} // namespace

price const* price_table::find(std::string_view model) const noexcept
{
    auto const at = prices_.find(model);
    return at == prices_.end() ? nullptr : &at->second;
}

error_code price_table::read(std::string_view json, std::string& why)
{
    json_reader reader;
    json_value root;
    if (!reader.parse_exact(json, root) || !root.is_object())
    {
        why = "the prices are no JSON object";
        return errc::invalid_argument;
    }
    auto read = prices_;
    for (auto const& [model, object] : root.members())
    {
        price p;
        if (std::string const problem = read_table_price(object, p); !problem.empty())
        {
            why = "the price of \"" + std::string(model) + "\" " + problem;
            return errc::invalid_argument;
        }
        read.insert_or_assign(std::string(model), p);
    }
    prices_ = std::move(read);
    return {};
}

} // namespace serin
