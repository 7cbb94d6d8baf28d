// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_COMPLETION_HPP
#define SERIN_SRC_CORE_COMPLETION_HPP

#include "fiber.hpp"

#include <serin/core/initiation.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace serin {

// A user's handler that an operation will call, with what is kept for it meanwhile: work on its executor, and the
// connection of its cancellation slot to the fiber.
template <class T>
class completion
{
public:
    completion() = default;

    completion(any_handler<T> handler, asio::any_completion_executor const& fallback)
    {
        // The slot and the executor first: associators of a moved-from handler dereference null in Boost 1.81.
        slot_ = asio::get_associated_cancellation_slot(handler);
        executor_ = asio::get_associated_executor(handler, fallback);
        // What the fiber waits for is work on the fallback already.
        if (executor_ != fallback)
            executor_ = asio::prefer(executor_, asio::execution::outstanding_work.tracked);
        handler_.emplace(std::move(handler));
    }

    explicit operator bool() const noexcept { return handler_.has_value(); }

    // Any type of cancellation interrupts the fiber. To be called in the initiating function.
    void connect_slot(std::weak_ptr<fiber> target)
    {
        if (slot_.is_connected())
            slot_.assign([target = std::move(target)](asio::cancellation_type) {
                if (auto const f = target.lock())
                    f->interrupt(asio::error::operation_aborted);
            });
    }

    // Calls the handler on its executor with `ec` and what `take` gives; not inline if the fiber has not waited yet.
    // What the handler throws comes out of the context's run(). It is gone afterwards.
    template <class Take>
    void complete(fiber const& from, error_code ec, Take take)
    {
        auto call = [handler = std::move(*handler_), slot = slot_, ec, result = std::move(take)]() mutable {
            if (slot.is_connected())
                slot.clear();
            std::move(handler)(ec, result());
        };
        auto executor = std::move(executor_);
        handler_.reset();
        slot_ = {};
        if (from.never_waited())
            asio::post(from.get_executor(), [call = std::move(call), executor = std::move(executor)]() mutable {
                asio::dispatch(executor, std::move(call));
            });
        else
            asio::dispatch(executor, std::move(call));
    }

    void operator()(fiber const& from, error_code ec, T value)
    {
        complete(from, ec, [v = std::move(value)]() mutable { return std::move(v); });
    }

private:
    std::optional<any_handler<T>> handler_; // any_completion_handler must not be assigned in Boost 1.81
    asio::cancellation_slot slot_;
    asio::any_completion_executor executor_;
};

} // namespace serin

#endif
