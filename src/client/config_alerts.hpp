// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_CONFIG_ALERTS_HPP
#define SERIN_SRC_CLIENT_CONFIG_ALERTS_HPP

#include "config_object.hpp"

#include <serin/observe/alert.hpp>
#include <serin/policy/budget.hpp>
#include <serin/policy/price_table.hpp>
#include <serin/policy/upstream.hpp>

#include <vector>

namespace serin {

// In dollars for a million tokens.
price read_config_price(config_object o);

// The parts of a configuration that are about what is spent, and about when to shout. `before` is what there is without
// them.
price_table read_config_prices(config_object& root, price_table before);
std::vector<budget_params> read_config_budgets(config_object& root, std::vector<upstream> const& upstreams);
std::vector<alert_rule> read_config_alerts(config_object& root, std::vector<upstream> const& upstreams);

} // namespace serin

#endif
