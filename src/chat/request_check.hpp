// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_REQUEST_CHECK_HPP
#define SERIN_SRC_CHAT_REQUEST_CHECK_HPP

#include "json_reader.hpp"

#include <serin/core/error.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

/// Collects the first objection to a request.
class request_check
{
    std::string& why_;
    json_reader reader_;
    bool failed_ = false;

public:
    /// The objection goes to `why`.
    explicit request_check(std::string& why) : why_(why) {}

    bool failed() const noexcept { return failed_; }
    error_code error() const { return failed_ ? make_error_code(errc::invalid_argument) : error_code(); }

    void require(bool ok, std::string_view field, std::string_view rule)
    {
        if (ok || failed_)
            return;
        failed_ = true;
        why_.assign(field);
        why_ += ' ';
        why_ += rule;
    }

    // NaN fails the comparison, as it should.
    void range(
        std::optional<double> const& value, double low, double high, std::string_view field, std::string_view rule)
    {
        require(!value || (*value >= low && *value <= high), field, rule);
    }

    void range(std::optional<std::int64_t> const& value, std::int64_t low, std::int64_t high, std::string_view field,
        std::string_view rule)
    {
        require(!value || (*value >= low && *value <= high), field, rule);
    }

    /// Empty text passes. `object` is empty if there is none or it is wrong, and valid until the next call.
    void json(std::string_view text, std::string_view field, json_value* object = nullptr)
    {
        if (text.empty() || failed_)
            return;
        json_value root;
        require(reader_.parse_exact(text, root) && root.is_object(), field, "is not a JSON object");
        if (object)
            *object = root;
    }

    /// The texts of a request, and its `extra`, which may hold an input of another kind instead.
    void input(std::vector<std::string> const& texts, std::string_view extra);
};

} // namespace serin

#endif
