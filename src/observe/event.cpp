// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/event.hpp>

namespace serin {

std::string_view operation_name(call_operation o) noexcept
{
    switch (o)
    {
    case call_operation::chat: return "chat";
    case call_operation::embeddings: return "embeddings";
    case call_operation::moderations: return "moderations";
    case call_operation::models: return "models";
    case call_operation::raw: return "raw";
    }
    return "unknown";
}

std::string_view cache_lookup_name(cache_lookup l) noexcept
{
    switch (l)
    {
    case cache_lookup::off: return "off";
    case cache_lookup::hit: return "hit";
    case cache_lookup::miss: return "miss";
    case cache_lookup::joined: return "joined";
    }
    return "unknown";
}

std::string_view key_change_name(key_change c) noexcept
{
    switch (c)
    {
    case key_change::rests: return "rests";
    case key_change::quarantined: return "quarantined";
    case key_change::replaced: return "replaced";
    }
    return "unknown";
}

} // namespace serin
