// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "field_block.hpp"

namespace serin {

void field_block::shrink(std::size_t bytes)
{
    clear();
    if (text_.capacity() > bytes)
        text_ = std::string();
    if (entries_.capacity() * sizeof(entry) > bytes)
        entries_ = std::vector<entry>();
}

std::string_view field_block::find(std::string_view name) const noexcept
{
    for (entry const& e : entries_)
        if (e.name_size == name.size() && header_names_equal(name_of(e), name))
            return value_of(e);
    return {};
}

headers field_block::to_headers() const
{
    headers all;
    all.reserve(entries_.size());
    for (entry const& e : entries_)
        all.emplace_back(std::string(name_of(e)), std::string(value_of(e)));
    return all;
}

} // namespace serin
