// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_PRICE_TABLE_HPP
#define SERIN_POLICY_PRICE_TABLE_HPP

#include <serin/core/error.hpp>
#include <serin/policy/cost.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace serin {

/// What models cost, by their names. `examples/prices.json` is one.
class price_table
{
public:
    /// Sets the price of a model.
    void set(std::string model, price const& p) { prices_.insert_or_assign(std::move(model), p); }

    /// The price of a model; null if it is not known. Valid until the table changes.
    price const* find(std::string_view model) const noexcept;

    /// Adds the prices of a JSON text, in dollars for a million tokens:
    /// `{"gpt-4.1": {"input": 2.00, "cached_input": 0.50, "output": 8.00, "reasoning": 8.00}}`. `cached_input` and
    /// `reasoning` may be missing. Returns `errc::invalid_argument`, puts into `why` what is wrong and adds nothing, if
    /// the text is anything else.
    error_code read(std::string_view json, std::string& why);

    /// Whether no price is known.
    bool empty() const noexcept { return prices_.empty(); }

private:
    std::map<std::string, price, std::less<>> prices_;
};

} // namespace serin

#endif
