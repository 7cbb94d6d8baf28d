// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_TOOL_HPP
#define SERIN_CHAT_TOOL_HPP

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace serin {

/// A call of a tool that the model asks for.
class tool_call
{
public:
    std::string id;                ///< The server's name for the call; some servers send none.
    std::string type = "function"; ///< "function" or "custom".
    std::string name;              ///< The tool to call.
    std::string arguments;         ///< As the model wrote them: JSON that may be invalid. The input of a custom tool.
    std::string extra; ///< Other members, a JSON object or empty. Sent back with the call: some servers insist.

    tool_call() {}

    /// With these values.
    tool_call(std::string call_id, std::string tool_name, std::string args)
        : id(std::move(call_id)),
          name(std::move(tool_name)),
          arguments(std::move(args))
    {}
};

/// A tool that the model may call.
class tool
{
public:
    std::string type = "function"; ///< "function" or "custom".
    std::string name;              ///< What the model calls it.
    std::string description;       ///< When and how to use it; empty: not sent.
    std::string parameters;        ///< JSON Schema of a function's arguments, as text; empty: it takes none.
    std::string format;            ///< Input format of a custom tool, a JSON object as text; empty: free text.
    std::optional<bool> strict;    ///< Whether the arguments must follow the schema exactly. Default: the server's.
    std::string extra;             ///< Other members of the function or custom object, a JSON object or empty.

    tool() {}

    /// A function. The schema is checked when the request is sent.
    tool(std::string tool_name, std::string text, std::string schema)
        : name(std::move(tool_name)),
          description(std::move(text)),
          parameters(std::move(schema))
    {}

    /// A custom tool, which takes text instead of JSON. `input_format` is a JSON object, or empty for free text.
    static tool custom(std::string tool_name, std::string text, std::string input_format = std::string())
    {
        tool t;
        t.type = "custom";
        t.name = std::move(tool_name);
        t.description = std::move(text);
        t.format = std::move(input_format);
        return t;
    }
};

/// Which tools the model may or must call.
class tool_choice
{
public:
    /// "none", "auto", "required", "function", "custom" or "allowed_tools".
    std::string mode = "auto";

    /// The tool that must be called, for "function" and "custom".
    std::string name;

    /// "auto" or "required", for "allowed_tools".
    std::string allowed_mode = "auto";

    /// The functions that may be called, for "allowed_tools".
    std::vector<std::string> allowed;

    tool_choice() {}

    /// Of this mode.
    explicit tool_choice(std::string m) : mode(std::move(m)) {}

    /// The model calls no tool.
    static tool_choice none() { return tool_choice("none"); }

    /// The model decides: the server's default when there are tools.
    static tool_choice automatic() { return tool_choice("auto"); }

    /// The model must call some tool.
    static tool_choice required() { return tool_choice("required"); }

    /// The model must call this function.
    static tool_choice function(std::string function_name)
    {
        tool_choice c("function");
        c.name = std::move(function_name);
        return c;
    }

    /// The model must call this custom tool.
    static tool_choice custom(std::string tool_name)
    {
        tool_choice c("custom");
        c.name = std::move(tool_name);
        return c;
    }

    /// The model may ("auto") or must ("required") call one of these functions.
    static tool_choice allowed_tools(std::vector<std::string> functions, std::string m = "auto")
    {
        tool_choice c("allowed_tools");
        c.allowed_mode = std::move(m);
        c.allowed = std::move(functions);
        return c;
    }
};

} // namespace serin

#endif
