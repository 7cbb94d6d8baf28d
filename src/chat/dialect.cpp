// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/chat/dialect.hpp>

#include "dialect_path.hpp"

#include <utility>

namespace serin {

dialect dialect::openai()
{
    dialect d;
    d.name = "openai";
    d.obfuscation_off = true;
    return d;
}

dialect dialect::azure(std::string api_version)
{
    dialect d;
    d.name = "azure";
    d.key_header = "api-key";
    d.key_prefix.clear();
    d.chat_path = "/deployments/{model}/chat/completions";
    d.embeddings_path = "/deployments/{model}/embeddings";
    d.query = "api-version=" + std::move(api_version);
    return d;
}

dialect dialect::openrouter(std::string application, std::string site)
{
    dialect d;
    d.name = "openrouter";
    if (!application.empty())
        d.headers.emplace_back("X-Title", std::move(application));
    if (!site.empty())
        d.headers.emplace_back("HTTP-Referer", std::move(site));
    return d;
}

void append_path(std::string& out, std::string_view path, std::string_view model)
{
    constexpr std::string_view place = "{model}";
    constexpr std::string_view unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (;;)
    {
        auto const at = path.find(place);
        out += path.substr(0, at);
        if (at == std::string_view::npos)
            return;
        for (char const c : model)
        {
            if (unreserved.find(c) != std::string_view::npos)
            {
                out += c;
                continue;
            }
            constexpr char hex[] = "0123456789ABCDEF";
            out += '%';
            out += hex[static_cast<unsigned char>(c) >> 4];
            out += hex[static_cast<unsigned char>(c) & 15];
        }
        path.remove_prefix(at + place.size());
    }
}

} // namespace serin
