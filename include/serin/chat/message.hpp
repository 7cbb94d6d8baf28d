// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CHAT_MESSAGE_HPP
#define SERIN_CHAT_MESSAGE_HPP

#include <serin/chat/tool.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace serin {

/// One part of a message that is more than text.
class content_part
{
public:
    std::string type;      ///< "text", "image_url", "input_audio", "file" or "refusal". Others send `extra` alone.
    std::string text;      ///< Of "text" and "refusal".
    std::string url;       ///< Of "image_url": https: or data:.
    std::string detail;    ///< Of "image_url": "low", "high" or "auto"; empty: not sent.
    std::string data;      ///< Of "input_audio" and "file": the content in base64, for a file as a data: URL.
    std::string format;    ///< Of "input_audio": "wav" or "mp3".
    std::string file_id;   ///< Of "file": an uploaded file.
    std::string file_name; ///< Of "file".
    std::string extra;     ///< Other members of the part, a JSON object or empty; cache marks, for example.

    content_part() {}

    /// Of this type.
    explicit content_part(std::string part_type) : type(std::move(part_type)) {}

    /// Text.
    static content_part from_text(std::string t)
    {
        content_part p("text");
        p.text = std::move(t);
        return p;
    }

    /// A picture by its https: or data: URL.
    static content_part from_image_url(std::string image, std::string image_detail = std::string())
    {
        content_part p("image_url");
        p.url = std::move(image);
        p.detail = std::move(image_detail);
        return p;
    }

    /// Sound, in base64; the format is "wav" or "mp3".
    static content_part from_audio(std::string base64, std::string audio_format)
    {
        content_part p("input_audio");
        p.data = std::move(base64);
        p.format = std::move(audio_format);
        return p;
    }

    /// A file that was uploaded before.
    static content_part from_file_id(std::string id)
    {
        content_part p("file");
        p.file_id = std::move(id);
        return p;
    }

    /// A file sent along, as a data: URL in base64.
    static content_part from_file_data(std::string filename, std::string data_url)
    {
        content_part p("file");
        p.file_name = std::move(filename);
        p.data = std::move(data_url);
        return p;
    }
};

/// A web page that the answer quotes.
class url_citation
{
public:
    std::int64_t start_index = 0; ///< Where in the text the quotation starts, in characters.
    std::int64_t end_index = 0;   ///< Where it ends.
    std::string title;            ///< Title of the page.
    std::string url;              ///< Its address.

    url_citation() {}
};

/// Sound that the model answered with.
class audio_reply
{
public:
    std::string id;              ///< To refer to the sound in a later request.
    std::string data;            ///< The sound, in base64.
    std::string transcript;      ///< What is said.
    std::int64_t expires_at = 0; ///< Until when the id is valid, Unix time in seconds.

    audio_reply() {}
};

/// One entry of a conversation. An answer's message can be added to the next request as it is.
class message
{
public:
    std::string role;                       ///< "system", "developer", "user", "assistant", "tool" or a server's own.
    std::string content;                    ///< The text. Valid UTF-8 when received; repaired when sent.
    std::vector<content_part> parts;        ///< More than text; `content`, if there is any, goes before them.
    std::string name;                       ///< Tells participants of the same role apart; empty: not sent.
    std::string refusal;                    ///< Why the model refused; empty if it did not.
    std::string reasoning;                  ///< What the model thought before it answered. Not sent back.
    std::vector<tool_call> tool_calls;      ///< The tools that the model wants to be called.
    std::string tool_call_id;               ///< Of role "tool": the call that this answers.
    std::optional<tool_call> function_call; ///< The deprecated form of a tool call; has no id.
    std::optional<audio_reply> audio;       ///< Sound. Only its id is sent back.
    std::vector<url_citation> annotations;  ///< Web pages that the text quotes. Not sent back.
    std::string extra; ///< Further members to send, a JSON object or empty; they win over the above.

    message() {}

    // Not in the header: every user's file would compile them.
    message(message const&);                ///< Copies all.
    message(message&&) noexcept;            ///< Leaves an unspecified message behind.
    message& operator=(message const&);     ///< Copies all.
    message& operator=(message&&) noexcept; ///< Leaves an unspecified message behind.
    ~message();

    /// Of this role, with this text.
    message(std::string r, std::string text) : role(std::move(r)), content(std::move(text)) {}

    /// What the model is and how it shall behave.
    static message system(std::string text) { return message("system", std::move(text)); }

    /// The same for newer models, which want it under this name.
    static message developer(std::string text) { return message("developer", std::move(text)); }

    /// What the user says.
    static message user(std::string text) { return message("user", std::move(text)); }

    /// What the model answered.
    static message assistant(std::string text) { return message("assistant", std::move(text)); }

    /// What a tool answered to a call.
    static message tool_result(tool_call const& call, std::string text)
    {
        message m("tool", std::move(text));
        m.tool_call_id = call.id;
        return m;
    }

    /// Adds a part.
    message& add(content_part part) &
    {
        parts.push_back(std::move(part));
        return *this;
    }

    /// @copydoc add
    message&& add(content_part part) && { return std::move(add(std::move(part))); }
};

} // namespace serin

#endif
