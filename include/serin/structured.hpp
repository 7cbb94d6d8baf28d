// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Answers as C++ values. Opt-in: includes <serin/chat/schema.hpp>, and nlohmann with it.

#ifndef SERIN_STRUCTURED_HPP
#define SERIN_STRUCTURED_HPP

#include <serin/chat/schema.hpp>
#include <serin/client.hpp>

#include <boost/asio/associator.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace serin {

/// An answer of the type that was asked for.
template <class T>
class parsed
{
public:
    T value{};              ///< What the model answered.
    chat_response response; ///< The answer that it was read from.

    parsed() {}
};

// Why an answer is not one that can be read; `why` for people. No error if it can.
inline error_code check_structured(chat_response const& response, std::string& why)
{
    why.clear();
    if (response.finish_reason() == "content_filter")
    {
        why = "a content filter ended the answer";
        return errc::content_filtered;
    }
    if (!response.refusal().empty())
    {
        why = response.refusal();
        return errc::refused;
    }
    if (response.finish_reason() == "length")
    {
        why = "the answer was cut off at the limit of tokens";
        return errc::length_limited;
    }
    return {};
}

// Reads the value out of the answer of a call and calls `handler` with it.
template <class T, class Handler>
struct parse_handler
{
    diagnostics* diag;
    Handler handler;

    void operator()(error_code ec, chat_response response)
    {
        parsed<T> result;
        if (!ec)
        {
            std::string why;
            ec = check_structured(response, why);
            if (!ec)
            {
                std::optional<T> value = read_json<T>(response.text(), why);
                if (value)
                {
                    result.value = std::move(*value);
                }
                else
                {
                    ec = errc::malformed_response;
                    why = "the answer does not follow the schema: " + why;
                }
            }
            if (ec && diag)
            {
                diag->message = std::move(why);
                diag->partial = std::make_shared<chat_response const>(response);
            }
        }
        result.response = std::move(response);
        std::move(handler)(ec, std::move(result));
    }
};

template <class T>
struct initiate_parse : initiation
{
    template <class Handler>
    void operator()(Handler&& handler, diagnostics* diag, std::shared_ptr<client_impl> impl, chat_request request)
    {
        erased(std::move(impl), std::move(request), diag, std::forward<Handler>(handler));
    }

    static void erased(
        std::shared_ptr<client_impl> impl, chat_request request, diagnostics* diag, any_handler<parsed<T>> handler)
    {
        response_format format = make_json_schema<T>("answer");
        if (request.response_format)
        {
            if (!request.response_format->name.empty())
                format.name = std::move(request.response_format->name);
            format.description = std::move(request.response_format->description);
        }
        request.response_format = std::move(format);
        client_access::chat(std::move(impl), std::move(request), diag,
            parse_handler<T, any_handler<parsed<T>>>{diag, std::move(handler)});
    }
};

template <class T, class CompletionToken>
auto parse_impl(client& c, chat_request&& request, diagnostics* diag, CompletionToken&& token)
{
    static_assert(described_struct<T>,
        "describe the struct: BOOST_DESCRIBE_STRUCT(type, (bases), (members...)); see <serin/chat/schema.hpp>");
    return asio::async_initiate<CompletionToken, void(error_code, parsed<T>)>(
        initiate_parse<T>{{c.get_executor()}}, token, diag, client_access::impl(c), std::move(request));
}

/// Asks for an answer that is a T, a described struct, and completes with it. The request's `response_format` becomes
/// the strict schema of T; a name and a description that it has are kept.
///
/// Errors: those of `async_chat`; `errc::refused` if the model refused, with its words as the message;
/// `errc::length_limited` if the answer was cut off at the limit of tokens; `errc::content_filtered`;
/// `errc::malformed_response` if the answer does not follow the schema, with the place as the message. The answer, or
/// what there is of it, is in `diagnostics::partial`, and the handler gets it too.
///
/// Cancelling, lifetimes and thread safety: as `client::async_chat`.
template <class T, class CompletionToken = default_token>
auto async_parse(client& c, chat_request request, CompletionToken&& token = CompletionToken())
{
    return parse_impl<T>(c, std::move(request), nullptr, std::forward<CompletionToken>(token));
}

/// @copydoc async_parse
template <class T, class CompletionToken = default_token>
auto async_parse(client& c, chat_request request, diagnostics& diag, CompletionToken&& token = CompletionToken())
{
    return parse_impl<T>(c, std::move(request), &diag, std::forward<CompletionToken>(token));
}

} // namespace serin

namespace boost::asio {

template <template <class, class> class Associator, class T, class Handler, class Default>
struct associator<Associator, serin::parse_handler<T, Handler>, Default> : Associator<Handler, Default>
{
    using base = Associator<Handler, Default>;

    static typename base::type get(serin::parse_handler<T, Handler> const& h) noexcept { return base::get(h.handler); }

    static auto get(serin::parse_handler<T, Handler> const& h, Default const& c) noexcept
        -> decltype(base::get(h.handler, c))
    {
        return base::get(h.handler, c);
    }
};

} // namespace boost::asio

#endif
