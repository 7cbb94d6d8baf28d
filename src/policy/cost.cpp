// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/cost.hpp>

#include <algorithm>
#include <limits>
#include <string>

namespace serin {
namespace {

constexpr std::int64_t tokens_of_a_price = 1'000'000;

// Counts and prices beyond these are nonsense; within them no product overflows.
constexpr std::uint64_t most_tokens = 1'000'000'000'000;
constexpr nano_dollars highest_price = std::numeric_limits<nano_dollars>::max() / tokens_of_a_price;

// An amount, and millionths of a nano-dollar beside it, which are rounded once at the end.
struct exact_amount
{
    nano_dollars whole = 0;
    std::int64_t rest = 0;

    void add(std::uint64_t tokens, nano_dollars for_a_million) noexcept
    {
        auto const n = static_cast<std::int64_t>(std::min(tokens, most_tokens));
        nano_dollars const each = std::clamp<nano_dollars>(for_a_million, 0, highest_price);
        std::int64_t const part = n % tokens_of_a_price * each;
        whole = add_costs(whole, n / tokens_of_a_price * each);
        whole = add_costs(whole, part / tokens_of_a_price);
        rest += part % tokens_of_a_price;
    }

    nano_dollars rounded() const noexcept
    {
        return add_costs(whole, (rest + tokens_of_a_price / 2) / tokens_of_a_price);
    }
};

} // namespace

bool is_free(price const& p) noexcept
{
    return p.input <= 0 && p.output <= 0 && p.cached_input.value_or(0) <= 0 && p.reasoning.value_or(0) <= 0;
}

nano_dollars cost_of(token_usage const& used, price const& p) noexcept
{
    std::uint64_t const cached = std::min(used.cached_tokens, used.prompt_tokens);
    std::uint64_t const thought = used.reasoning_tokens;
    bool const beside = thought > used.completion_tokens ||
                        (thought != 0 && used.total_tokens == used.prompt_tokens + used.completion_tokens + thought);
    exact_amount sum;
    sum.add(used.prompt_tokens - cached, p.input);
    sum.add(cached, p.cached_input.value_or(p.input));
    sum.add(beside ? used.completion_tokens : used.completion_tokens - thought, p.output);
    sum.add(thought, p.reasoning.value_or(p.output));
    return sum.rounded();
}

nano_dollars add_costs(nano_dollars a, nano_dollars b) noexcept
{
    return b > std::numeric_limits<nano_dollars>::max() - a ? std::numeric_limits<nano_dollars>::max() : a + b;
}

std::string to_dollars(nano_dollars amount)
{
    constexpr std::size_t most_decimals = 9, fewest_decimals = 2;
    std::string digits = std::to_string(amount);
    bool const negative = digits.front() == '-';
    if (negative)
        digits.erase(0, 1);
    if (digits.size() <= most_decimals)
        digits.insert(0, most_decimals + 1 - digits.size(), '0');
    digits.insert(digits.size() - most_decimals, 1, '.');
    std::size_t const point = digits.find('.');
    std::size_t const last = std::max(digits.find_last_not_of('0'), point + fewest_decimals);
    digits.erase(last + 1);
    return negative ? "-" + digits : digits;
}

} // namespace serin
