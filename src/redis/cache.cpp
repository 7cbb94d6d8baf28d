// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/redis/cache.hpp>

#include "command.hpp"
#include "link.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <string>
#include <utility>

namespace serin {
namespace {

class redis_cache final : public cache_store
{
public:
    redis_cache(asio::any_io_executor ex, redis_params params)
        : link_(std::make_shared<redis_link>(std::move(ex), std::move(params)))
    {}

    ~redis_cache() override { link_->stop(); }

    void get(std::string_view key, std::function<void(value)> found) override
    {
        link_->send(redis_command({"GET", name(key)}), [found = std::move(found)](redisReply const* reply) {
            value text;
            if (reply && reply->type == REDIS_REPLY_STRING)
                text = std::make_shared<std::string const>(reply->str, static_cast<std::size_t>(reply->len));
            found(std::move(text));
        });
    }

    void put(std::string_view key, value text, std::chrono::milliseconds ttl) override
    {
        // The server refuses a longer one.
        constexpr auto longest = std::chrono::hours(24) * 365 * 100;
        std::string const lives = std::to_string(std::min<std::chrono::milliseconds>(ttl, longest).count());
        link_->send(redis_command({"SET", name(key), *text, "PX", lives}), [](redisReply const*) {});
    }

private:
    std::string name(std::string_view key) const { return link_->params().key_prefix + "cache:" + std::string(key); }

    std::shared_ptr<redis_link> const link_;
};

} // namespace

std::shared_ptr<cache_store> redis_cache_store(asio::any_io_executor ex, redis_params params)
{
    return std::make_shared<redis_cache>(std::move(ex), std::move(params));
}

} // namespace serin
