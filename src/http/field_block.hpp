// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_FIELD_BLOCK_HPP
#define SERIN_SRC_HTTP_FIELD_BLOCK_HPP

#include <serin/core/headers.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

// Header fields in one block of memory that is used again for the next response.
class field_block
{
public:
    void clear() noexcept
    {
        text_.clear();
        entries_.clear();
    }

    // Adds a field, as the line that it came in: its name is the beginning, its value this part of it.
    void add(std::string_view line, std::size_t name_size, std::string_view value)
    {
        auto const value_at = static_cast<std::size_t>(value.data() - line.data());
        entries_.push_back({text_.size(), name_size, text_.size() + value_at, value.size()});
        text_ += line;
    }

    // Clears it, and gives back memory if it holds more than `bytes`.
    void shrink(std::size_t bytes);

    // The value of the first field of that name, or an empty view; valid until the next add or clear.
    std::string_view find(std::string_view name) const noexcept;

    headers to_headers() const;

private:
    struct entry
    {
        std::size_t name_at;
        std::size_t name_size;
        std::size_t value_at;
        std::size_t value_size;
    };

    std::string_view name_of(entry const& e) const noexcept { return {text_.data() + e.name_at, e.name_size}; }
    std::string_view value_of(entry const& e) const noexcept { return {text_.data() + e.value_at, e.value_size}; }

    std::string text_;
    std::vector<entry> entries_;
};

} // namespace serin

#endif
