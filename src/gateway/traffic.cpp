// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "traffic.hpp"

#include <utility>

namespace serin::gateway {
namespace {

constexpr std::chrono::seconds traffic_step{5};

std::int64_t traffic_step_number(traffic::time_point now)
{
    return now.time_since_epoch() / traffic_step;
}

} // namespace

traffic::step& traffic::step_of(std::string const& upstream, time_point now)
{
    std::int64_t const number = traffic_step_number(now);
    step& s = upstreams_[upstream][static_cast<std::size_t>(number) % steps];
    if (s.number != number)
    {
        s = step();
        s.number = number;
    }
    return s;
}

void traffic::add(traffic_request const& request, time_point now, std::chrono::system_clock::time_point date)
{
    bool const answered = !request.error;
    for (attempt const& a : *request.attempts)
    {
        // One that was stopped because another one had won, or because the caller left, is no failure.
        bool const failed = a.error && a.error.category() == serin_category();
        if (!failed)
            continue;
        ++step_of(a.upstream, now).failed;
        traffic_failure f;
        f.at = date;
        f.alias = request.alias;
        f.upstream = a.upstream;
        f.kind = kind_name(a.error);
        f.status = a.status;
        f.answered = answered;
        failures_.push_front(std::move(f));
    }
    while (failures_.size() > max_failures)
        failures_.pop_back();
    if (!answered || request.upstream.empty())
        return;
    step& s = step_of(request.upstream, now);
    ++s.answered;
    s.tokens += request.tokens;
    s.took.add(request.took);
    if (request.to_first_token != request.to_first_token.zero())
        s.to_first_token.add(request.to_first_token);
}

std::vector<traffic_figures> traffic::figures(time_point now)
{
    std::int64_t const oldest = traffic_step_number(now) - static_cast<std::int64_t>(steps) + 1;
    std::vector<traffic_figures> all;
    std::uint64_t total = 0;
    for (auto const& [name, of] : upstreams_)
    {
        traffic_figures f;
        f.upstream = name;
        duration_histogram took;
        duration_histogram to_first_token;
        for (step const& s : of)
        {
            if (s.number < oldest)
                continue;
            f.answered += s.answered;
            f.failed += s.failed;
            f.tokens += s.tokens;
            took.add(s.took);
            to_first_token.add(s.to_first_token);
        }
        f.p50 = took.quantile(0.50);
        f.p95 = took.quantile(0.95);
        f.p99 = took.quantile(0.99);
        f.first_token_p50 = to_first_token.quantile(0.50);
        f.first_token_p99 = to_first_token.quantile(0.99);
        total += f.answered;
        all.push_back(std::move(f));
    }
    for (traffic_figures& f : all)
        f.share = total == 0 ? 0 : static_cast<double>(f.answered) / static_cast<double>(total);
    return all;
}

} // namespace serin::gateway
