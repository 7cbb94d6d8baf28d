// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_DIALECT_HPP
#define SERIN_CHAT_DIALECT_HPP

#include <serin/core/headers.hpp>

#include <string>
#include <string_view>

namespace serin {

/// How a provider's requests differ from OpenAI's, as data. What differs in answers needs no configuration: all known
/// forms are understood everywhere. Start from one of the functions and change members at will.
struct dialect
{
    /// What it is called in configuration files.
    std::string name = "generic";

    /// The header field that carries the key.
    std::string key_header = "Authorization";

    /// What stands before the key in it.
    std::string key_prefix = "Bearer ";

    /// The paths of the endpoints, appended to the base URL. `{model}` is replaced by the model, percent-encoded.
    std::string chat_path = "/chat/completions";
    std::string embeddings_path = "/embeddings";   ///< @copydoc chat_path
    std::string moderations_path = "/moderations"; ///< @copydoc chat_path
    std::string models_path = "/models";           ///< @copydoc chat_path

    /// Appended to every request's target, without the question mark. Percent-encoded already.
    std::string query = {};

    /// Header fields of every request, before those of the upstream.
    serin::headers headers = {};

    /// The header fields for `upstream::organization` and `upstream::project`.
    std::string organization_header = "OpenAI-Organization";
    std::string project_header = "OpenAI-Project"; ///< @copydoc organization_header

    /// Whether streams ask for unpadded chunks unless the request says otherwise. Other servers may refuse a member
    /// that they do not know.
    bool obfuscation_off = false;

    /// Any OpenAI-compatible server.
    static dialect generic() { return {}; }

    /// OpenAI itself.
    static dialect openai();

    /// Azure OpenAI: key in `api-key`, a query with the API's version, and the deployment, which is the request's
    /// model, in the path. The base URL is `https://NAME.openai.azure.com/openai`.
    static dialect azure(std::string api_version);

    /// OpenRouter. `application` and `site` show up in its rankings; empty: not sent.
    static dialect openrouter(std::string application = {}, std::string site = {});
};

} // namespace serin

#endif
