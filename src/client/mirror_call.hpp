// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CLIENT_MIRROR_CALL_HPP
#define SERIN_SRC_CLIENT_MIRROR_CALL_HPP

#include "call.hpp"

#include <memory>

namespace serin {

// A copy of a chat, whose answer nobody waits for. It is asked once: no retries, no fallbacks. Owned by itself, as
// every fiber that waits.
class mirror_call final : public call
{
public:
    // `route` has a mirror. `as`: the original.
    static void launch(std::shared_ptr<client_impl> client, std::shared_ptr<routing const> config, route const& through,
        call_request const& as);

    mirror_call(std::shared_ptr<client_impl> client, std::shared_ptr<routing const> config, route const& through);
    ~mirror_call() override;

private:
    task<void> run();
    std::unique_ptr<request_attempt> make_attempt(attempt_start start) override;
    void on_finished(std::exception_ptr) override {}

    route const& mirrored_;
};

} // namespace serin

#endif
