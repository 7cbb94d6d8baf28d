// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/redis/limits.hpp>

#include "command.hpp"
#include "link.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace serin {
namespace {

// Two buckets that fill steadily, of requests and of tokens; a minus is what those who wait have been promised. Who
// takes is told when what he took will have come in. A second's worth is kept at most, but one request always.
// KEYS: the buckets. ARGV: what comes in each second and what is kept, of requests and then of tokens, 0 without a
// limit; requests and tokens to take; how many microseconds one may wait, -1: as long as it takes.
// Returns whether it was taken, and the microseconds to wait.
constexpr std::string_view take_script = R"(
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local kept = redis.call('HMGET', KEYS[1], 'time', '1', '2')
local before = tonumber(kept[1]) or now
if before > now then now = before end
local level = {}
local wait = 0
local full_in = 0
for i = 1, 2 do
  local rate = tonumber(ARGV[2 * i - 1])
  local most = tonumber(ARGV[2 * i])
  local cost = tonumber(ARGV[4 + i])
  if rate > 0 then
    local there = math.min(most, (tonumber(kept[1 + i]) or most) + (now - before) / 1000000 * rate)
    local needed = math.min(cost, most)
    if cost > 0 and there < needed then wait = math.max(wait, (needed - there) / rate) end
    level[i] = math.min(most, there - cost)
    full_in = math.max(full_in, (most - level[i]) / rate)
  end
end
wait = math.ceil(wait * 1000000)
local patience = tonumber(ARGV[7])
if patience >= 0 and wait > patience then return {0, wait} end
redis.call('HSET', KEYS[1], 'time', string.format('%.0f', now))
for i = 1, 2 do
  if level[i] then redis.call('HSET', KEYS[1], tostring(i), string.format('%.17g', level[i])) end
end
redis.call('PEXPIRE', KEYS[1], math.ceil(full_in * 1000) + 60000)
return {1, wait}
)";

std::string script_number(double value)
{
    char text[32];
    return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

class redis_limits final : public shared_limits
{
public:
    redis_limits(asio::any_io_executor ex, redis_params params)
        : link_(std::make_shared<redis_link>(std::move(ex), std::move(params)))
    {}

    ~redis_limits() override { link_->stop(); }

    void take(std::string_view name, rate_limit_params const& limits, double tokens, std::chrono::microseconds max_wait,
        std::function<void(std::optional<verdict>)> done) override
    {
        auto const patience = std::to_string(std::max<std::chrono::microseconds::rep>(max_wait.count(), 0));
        link_->send(command(name, limits, 1, tokens, patience), [done = std::move(done)](redisReply const* reply) {
            if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
                reply->element[0]->type != REDIS_REPLY_INTEGER || reply->element[1]->type != REDIS_REPLY_INTEGER)
            {
                done(std::nullopt);
                return;
            }
            verdict v;
            v.admitted = reply->element[0]->integer == 1;
            v.wait = std::chrono::microseconds(std::max(0LL, reply->element[1]->integer));
            done(v);
        });
    }

    void give_back(std::string_view name, rate_limit_params const& limits, double requests, double tokens) override
    {
        link_->send(command(name, limits, -requests, -tokens, "-1"), [](redisReply const*) {});
    }

private:
    std::string command(std::string_view name, rate_limit_params const& limits, double requests, double tokens,
        std::string_view patience) const
    {
        double const request_rate = limits.requests_per_minute / 60;
        double const token_rate = limits.tokens_per_minute / 60;
        return redis_command({"EVAL", take_script, "1", link_->params().key_prefix + "limit:" + std::string(name),
            script_number(request_rate), script_number(std::max(request_rate, 1.0)), script_number(token_rate),
            script_number(token_rate), script_number(requests), script_number(tokens), patience});
    }

    std::shared_ptr<redis_link> const link_;
};

} // namespace

std::shared_ptr<shared_limits> redis_shared_limits(asio::any_io_executor ex, redis_params params)
{
    return std::make_shared<redis_limits>(std::move(ex), std::move(params));
}

} // namespace serin
