// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_SERVER_PARSER_HPP
#define SERIN_SRC_HTTP_SERVER_PARSER_HPP

#include "server_exchange.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace serin {

// Keeps what a server needs of a request, and nothing of the trailer.
class http_server_parser final : public boost::beast::http::basic_parser<true>
{
    http_server_request& request_;
    std::size_t const limit_;
    std::size_t trailer_ = 0;

    void on_request_impl(boost::beast::http::verb, boost::beast::string_view method, boost::beast::string_view target,
        int version, boost::beast::error_code&) override
    {
        request_.method.assign(method.data(), method.size());
        request_.target.assign(target.data(), target.size());
        request_.http_1_0 = version < 11;
    }

    void on_response_impl(int, boost::beast::string_view, int, boost::beast::error_code&) override {}

    void on_field_impl(boost::beast::http::field, boost::beast::string_view name, boost::beast::string_view value,
        boost::beast::error_code& ec) override
    {
        if (!is_header_done())
            request_.headers.emplace_back(
                std::string(name.data(), name.size()), std::string(value.data(), value.size()));
        else if ((trailer_ += name.size() + value.size()) > limit_)
            ec = boost::beast::http::error::header_limit;
    }

    void on_header_impl(boost::beast::error_code&) override {}
    void on_body_init_impl(boost::optional<std::uint64_t> const&, boost::beast::error_code&) override {}

    std::size_t on_body_impl(boost::beast::string_view bytes, boost::beast::error_code&) override
    {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }

    void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, boost::beast::error_code&) override {}

    std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view bytes, boost::beast::error_code&) override
    {
        body.append(bytes.data(), bytes.size());
        return bytes.size();
    }

    void on_finish_impl(boost::beast::error_code&) override {}

public:
    std::string body; // Not yet handed out.

    http_server_parser(http_server_request& request, std::size_t limit) : request_(request), limit_(limit)
    {
        header_limit(static_cast<std::uint32_t>(limit));
        // The handler decides what is too large.
        body_limit(boost::none);
    }
};

} // namespace serin

#endif
