// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_INITIATION_HPP
#define SERIN_CORE_INITIATION_HPP

#include <serin/core/with_diagnostics.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace serin {

/// The default completion token: `co_await` the operation and have @ref api_error thrown on failure.
using default_token = with_diagnostics_t<asio::use_awaitable_t<>>;

/// The erased form of a completion handler `void(error_code, Args...)`.
template <class... Args>
using any_handler = asio::any_completion_handler<void(error_code, Args...)>;

// Tells partial tokens, such as asio::cancel_after(5s), what our default token is.
struct executor_with_default : asio::any_io_executor
{
    using default_completion_token_type = default_token;
    executor_with_default(asio::any_io_executor ex) noexcept : asio::any_io_executor(std::move(ex)) {}
};

// Base of the initiation objects: carries the executor, so that tokens such as asio::cancel_after find it.
struct initiation
{
    using executor_type = executor_with_default;
    executor_type ex;

    executor_type const& get_executor() const noexcept { return ex; }
};

} // namespace serin

#endif
