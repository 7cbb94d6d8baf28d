// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_WITH_DIAGNOSTICS_HPP
#define SERIN_CORE_WITH_DIAGNOSTICS_HPP

#include <serin/core/diagnostics.hpp>
#include <serin/core/error.hpp>

#include <boost/asio/associator.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace serin {

/// The exception that `co_await` throws with the default completion token. Holds everything that is known.
class api_error : public boost::system::system_error
{
    std::shared_ptr<diagnostics const> diag_;

public:
    /// Takes the error and what is known about it.
    api_error(error_code ec, diagnostics diag)
        : boost::system::system_error(ec, diag.message),
          diag_(std::make_shared<diagnostics const>(std::move(diag)))
    {}

    /// What is known about the failed call. Valid as long as the exception or a copy of it.
    diagnostics const& diag() const noexcept { return *diag_; }
};

/// A completion token adapter: errors reach the wrapped token as @ref api_error exceptions.
/// See @ref with_diagnostics.
template <class CompletionToken>
class with_diagnostics_t
{
public:
    CompletionToken token; ///< The adapted one.

    constexpr with_diagnostics_t() : token() {}

    /// Adapts this one.
    constexpr explicit with_diagnostics_t(CompletionToken t) : token(std::move(t)) {}
};

/// Adapts a completion token so that a failure is thrown as @ref api_error, with the diagnostics of the call.
/// Example: `client.async_chat(request, serin::with_diagnostics(asio::use_future))`.
template <class CompletionToken>
constexpr with_diagnostics_t<std::decay_t<CompletionToken>> with_diagnostics(CompletionToken&& token)
{
    return with_diagnostics_t<std::decay_t<CompletionToken>>(std::forward<CompletionToken>(token));
}

// Turns (error_code, args...) into (exception_ptr, args...), adding what the operation recorded.
template <class Handler>
struct throwing_handler
{
    std::shared_ptr<diagnostics> owned;
    diagnostics* diag;
    Handler handler;

    template <class... Args>
    void operator()(error_code ec, Args&&... args)
    {
        auto eptr = ec ? std::make_exception_ptr(api_error(ec, *diag)) : std::exception_ptr();
        owned.reset(); // Deallocate before calling the final handler
        std::move(handler)(std::move(eptr), std::forward<Args>(args)...);
    }
};

// Replaces the handler of an initiation by a throwing one.
template <class Initiation>
struct throwing_initiation : Initiation
{
    explicit throwing_initiation(Initiation&& init) : Initiation(std::move(init)) {}

    template <class Handler, class... Args>
    void operator()(Handler&& handler, Args&&... args)
    {
        // Tokens such as asio::cancel_after put arguments of their own in front of ours: search by type.
        diagnostics** slot = nullptr;
        auto find = [&slot]<class Arg>(Arg& arg) {
            if constexpr (std::is_same_v<Arg, diagnostics*>)
                slot = &arg;
        };
        (find(args), ...);

        // Overloads without a diagnostics& pass null: keep one alive until the handler runs.
        std::shared_ptr<diagnostics> owned;
        if (!*slot)
        {
            owned = make_failure_diagnostics();
            *slot = owned.get();
        }
        diagnostics* const diag = *slot;

        using wrapped = throwing_handler<std::decay_t<Handler>>;
        static_cast<Initiation&&>(*this)(
            wrapped{std::move(owned), diag, std::forward<Handler>(handler)}, std::forward<Args>(args)...);
    }
};

} // namespace serin

namespace boost::asio {

template <template <class, class> class Associator, class Handler, class Default>
struct associator<Associator, serin::throwing_handler<Handler>, Default> : Associator<Handler, Default>
{
    using base = Associator<Handler, Default>;

    static typename base::type get(serin::throwing_handler<Handler> const& h) noexcept { return base::get(h.handler); }

    static auto get(serin::throwing_handler<Handler> const& h, Default const& c) noexcept
        -> decltype(base::get(h.handler, c))
    {
        return base::get(h.handler, c);
    }
};

// Other signatures pass through: as_tuple(with_diagnostics(x)) is as_tuple(x), and does not throw.
template <class Token, class R, class... Args>
struct async_result<serin::with_diagnostics_t<Token>, R(Args...)>
{
    template <class Initiation, class RawToken, class... InitArgs>
    static auto initiate(Initiation&& init, RawToken&& token, InitArgs&&... args)
    {
        constexpr bool is_const = std::is_const_v<std::remove_reference_t<RawToken>>;
        return async_initiate<std::conditional_t<is_const, Token const, Token>, R(Args...)>(
            std::forward<Initiation>(init), token.token, std::forward<InitArgs>(args)...);
    }
};

template <class Token, class R, class... Args>
struct async_result<serin::with_diagnostics_t<Token>, R(serin::error_code, Args...)>
{
    template <class Initiation, class RawToken, class... InitArgs>
    static auto initiate(Initiation&& init, RawToken&& token, InitArgs&&... args)
    {
        // Token adapters may hand us a const token.
        constexpr bool is_const = std::is_const_v<std::remove_reference_t<RawToken>>;
        return async_initiate<std::conditional_t<is_const, Token const, Token>, R(std::exception_ptr, Args...)>(
            serin::throwing_initiation<std::decay_t<Initiation>>(std::forward<Initiation>(init)), token.token,
            std::forward<InitArgs>(args)...);
    }
};

} // namespace boost::asio

#endif
