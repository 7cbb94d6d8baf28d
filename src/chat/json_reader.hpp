// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CHAT_JSON_READER_HPP
#define SERIN_SRC_CHAT_JSON_READER_HPP

#include "json_block.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace serin {

class json_reader;

/// What a JSON value is.
enum class json_kind : std::uint8_t
{
    null,    ///< null
    boolean, ///< true or false
    number,  ///< A number; its text is kept.
    string,  ///< A string, which also a key is.
    array,   ///< [...]
    object,  ///< {...}
};

/// One value of a text that a @ref json_reader holds; valid until the reader parses again. Asking a value for what it
/// is not gives an empty answer, not an error: what servers send is read leniently.
class json_value
{
    json_reader const* reader_ = nullptr;
    std::uint32_t node_ = 0;

    friend class json_reader;
    json_value(json_reader const* r, std::uint32_t n) noexcept : reader_(r), node_(n) {}

public:
    class item_range;
    class member_range;

    json_value() noexcept {}

    json_kind kind() const noexcept;
    bool is_null() const noexcept { return kind() == json_kind::null; }
    bool is_number() const noexcept { return kind() == json_kind::number; }
    bool is_string() const noexcept { return kind() == json_kind::string; }
    bool is_array() const noexcept { return kind() == json_kind::array; }
    bool is_object() const noexcept { return kind() == json_kind::object; }

    /// Whether this is true.
    bool is_true() const noexcept;

    /// The characters of a string, without escapes; else empty.
    std::string_view string() const noexcept;

    /// A number, cut to the range of the type; `otherwise` if it is none.
    std::int64_t integer(std::int64_t otherwise = 0) const noexcept;

    /// A number, 0 if it is negative or none.
    std::uint64_t count() const noexcept;

    /// A number; 0 if it is none, infinite if it is too large.
    double number() const noexcept;

    /// Whether an object or an array holds anything.
    bool has_content() const noexcept;

    /// The elements of an array; nothing if it is none.
    item_range items() const noexcept;

    /// The members of an object; nothing if it is none.
    member_range members() const noexcept;

    /// Appends the value's JSON text, as it was but for the escapes of a string.
    void append_json(std::string& out) const;
};

/// A member of an object.
struct json_member
{
    std::string_view key;
    json_value value;
};

/// Reads JSON: checks a text as RFC 8259 has it and notes where its values are. Lenient only where servers are wrong
/// and no harm is done: a byte order mark is skipped; invalid UTF-8 and halves of surrogate pairs become U+FFFD.
/// Holds the text, and 16 bytes for each value in it; gives the memory back after a large text.
class json_reader
{
    friend class json_value;
    friend class json_value::item_range;
    friend class json_value::member_range;

    struct cursor;

    struct node
    {
        std::uint32_t begin; // in the buffer, or in decoded_
        std::uint32_t size;
        std::uint32_t next; // the first node after this value
        json_kind kind;
        bool decoded; // a string that had escapes: lies in decoded_
    };

    std::unique_ptr<char[]> buffer_;  // the text, and zeros
    std::unique_ptr<char[]> decoded_; // strings that had escapes, as large as the buffer; made when needed
    std::size_t capacity_ = 0;
    char* decoded_end_ = nullptr;
    std::unique_ptr<node[]> nodes_;
    std::uint32_t node_count_ = 0;
    std::uint32_t node_capacity_ = 0;
    json_bytes seen_; // what strings hold: whether there are other bytes than ASCII

    bool parse_valid(std::string_view text);
    bool load(std::string_view text);
    bool make_room() noexcept;
    char const* walk(char const* p);
    char const* read_string(char const* p, cursor& at);
    char const* read_escaped(char const* begin, char const* p);
    static char const* read_unicode_escape(char const* p, char*& to) noexcept;
    static char const* read_number(char const* p, cursor& at) noexcept;
    static char const* read_word(char const* p, std::string_view word, json_kind kind, cursor& at) noexcept;
    std::string_view text_of(node const& n) const noexcept;

public:
    json_reader() {}
    json_reader(json_reader const&) = delete;
    json_reader& operator=(json_reader const&) = delete;

    /// Takes a text. False if it is not JSON, nests deeper than 256, or has more than 8 million values.
    bool parse(std::string_view text, json_value& root);

    /// Takes what a text is from `at` on as an object: what stands before was seen in another text, where a member of
    /// the outermost object began at `at`. False too if there is no member.
    bool parse_members_from(std::string_view text, std::size_t at, json_value& root);

    /// Where in the text the key of a member begins, its quote: if it has no escapes, and nothing before it was
    /// repaired or left out.
    std::size_t position_of_key(std::string_view key) const noexcept
    {
        return static_cast<std::size_t>(
            reinterpret_cast<std::uintptr_t>(key.data()) - reinterpret_cast<std::uintptr_t>(buffer_.get()) - 1);
    }

    /// The same without leniency, for texts that are to be passed on as they are.
    bool parse_exact(std::string_view text, json_value& root);

    /// Frees the memory.
    void release() noexcept;
};

/// See @ref json_value::items.
class json_value::item_range
{
    json_reader const* reader_;
    std::uint32_t first_;
    std::uint32_t last_;

public:
    class iterator
    {
        json_reader const* reader_;
        std::uint32_t node_;

    public:
        iterator(json_reader const* r, std::uint32_t n) noexcept : reader_(r), node_(n) {}
        json_value operator*() const noexcept { return json_value(reader_, node_); }
        iterator& operator++() noexcept
        {
            node_ = reader_->nodes_[node_].next;
            return *this;
        }
        bool operator!=(iterator const& other) const noexcept { return node_ != other.node_; }
    };

    item_range(json_reader const* r, std::uint32_t first, std::uint32_t last) noexcept
        : reader_(r),
          first_(first),
          last_(last)
    {}
    iterator begin() const noexcept { return iterator(reader_, first_); }
    iterator end() const noexcept { return iterator(reader_, last_); }
};

/// See @ref json_value::members.
class json_value::member_range
{
    json_reader const* reader_;
    std::uint32_t first_;
    std::uint32_t last_;

public:
    class iterator
    {
        json_reader const* reader_;
        std::uint32_t node_; // of the key; the value's is the next

    public:
        iterator(json_reader const* r, std::uint32_t n) noexcept : reader_(r), node_(n) {}
        json_member operator*() const noexcept
        {
            return json_member{reader_->text_of(reader_->nodes_[node_]), json_value(reader_, node_ + 1)};
        }
        iterator& operator++() noexcept
        {
            node_ = reader_->nodes_[node_ + 1].next;
            return *this;
        }
        bool operator!=(iterator const& other) const noexcept { return node_ != other.node_; }
    };

    member_range(json_reader const* r, std::uint32_t first, std::uint32_t last) noexcept
        : reader_(r),
          first_(first),
          last_(last)
    {}
    iterator begin() const noexcept { return iterator(reader_, first_); }
    iterator end() const noexcept { return iterator(reader_, last_); }
};

inline std::string_view json_reader::text_of(node const& n) const noexcept
{
    return std::string_view((n.decoded ? decoded_.get() : buffer_.get()) + n.begin, n.size);
}

inline json_kind json_value::kind() const noexcept
{
    return reader_ ? reader_->nodes_[node_].kind : json_kind::null;
}

inline std::string_view json_value::string() const noexcept
{
    return is_string() ? reader_->text_of(reader_->nodes_[node_]) : std::string_view();
}

inline bool json_value::has_content() const noexcept
{
    return (is_array() || is_object()) && reader_->nodes_[node_].next != node_ + 1;
}

inline json_value::item_range json_value::items() const noexcept
{
    return is_array() ? item_range(reader_, node_ + 1, reader_->nodes_[node_].next) : item_range(nullptr, 0, 0);
}

inline json_value::member_range json_value::members() const noexcept
{
    return is_object() ? member_range(reader_, node_ + 1, reader_->nodes_[node_].next) : member_range(nullptr, 0, 0);
}

} // namespace serin

#endif
