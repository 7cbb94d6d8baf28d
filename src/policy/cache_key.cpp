// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "cache_key.hpp"

#include "../chat/json_writer.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace serin {
namespace {

// To be changed when what is hashed or stored changes.
constexpr std::string_view cache_key_version = "serin cache 1";

void append_canonical(std::string& out, json_value value);

void append_canonical_name(std::string& out, std::string_view name)
{
    json_writer writer(out, name.size() + 8);
    writer.string(name);
    writer.raw(':');
    writer.finish();
}

std::vector<json_member> sorted_members(json_value object)
{
    std::vector<json_member> members;
    for (json_member const member : object.members())
        members.push_back(member);
    std::stable_sort(
        members.begin(), members.end(), [](json_member const& a, json_member const& b) { return a.key < b.key; });
    return members;
}

void append_canonical_members(std::string& out, std::vector<json_member> const& members)
{
    char separator = '{';
    for (json_member const& member : members)
    {
        out += separator;
        separator = ',';
        append_canonical_name(out, member.key);
        append_canonical(out, member.value);
    }
    out += separator == '{' ? "{}" : "}";
}

void append_canonical(std::string& out, json_value value)
{
    if (value.is_object())
    {
        append_canonical_members(out, sorted_members(value));
    }
    else if (value.is_array())
    {
        char separator = '[';
        for (json_value const item : value.items())
        {
            out += separator;
            separator = ',';
            append_canonical(out, item);
        }
        out += separator == '[' ? "[]" : "]";
    }
    else
    {
        value.append_json(out);
    }
}

bool is_true_in(json_value object, std::string_view key) noexcept
{
    bool found = false;
    for (json_member const member : object.members())
        if (member.key == key)
            found = member.value.is_true();
    return found;
}

// What of a request only says how its answer is to be sent.
bool is_only_transport(json_member const& member) noexcept
{
    return member.key == "stream" || (member.key == "stream_options" && is_true_in(member.value, "include_usage"));
}

class sha256
{
public:
    sha256() : context_(EVP_MD_CTX_new())
    {
        if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
            throw std::bad_alloc();
    }

    // With its size, so that no two lists of texts are the same.
    void add(std::string_view text)
    {
        unsigned char size[8];
        std::uint64_t rest = text.size();
        for (unsigned char& byte : size)
        {
            byte = static_cast<unsigned char>(rest & 0xff);
            rest >>= 8;
        }
        if (EVP_DigestUpdate(context_.get(), size, sizeof size) != 1 ||
            EVP_DigestUpdate(context_.get(), text.data(), text.size()) != 1)
            throw std::bad_alloc();
    }

    std::string hex()
    {
        constexpr char digits[] = "0123456789abcdef";
        unsigned char bytes[32];
        unsigned size = 0;
        if (EVP_DigestFinal_ex(context_.get(), bytes, &size) != 1)
            throw std::bad_alloc();
        std::string text;
        text.reserve(2 * sizeof bytes);
        for (unsigned char const byte : bytes)
        {
            text += digits[byte >> 4];
            text += digits[byte & 15];
        }
        return text;
    }

private:
    struct freer
    {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, freer> context_;
};

} // namespace

std::string canonical_json(json_reader& reader, std::string_view text)
{
    std::string out;
    json_value root;
    if (reader.parse_exact(text, root))
        append_canonical(out, root);
    return out;
}

std::optional<cache_key> make_cache_key(json_reader& reader, cacheable_request const& request)
{
    json_value root;
    if (!reader.parse_exact(request.body, root) || !root.is_object())
        return std::nullopt;
    cache_key key;
    auto members = sorted_members(root);
    std::erase_if(members, is_only_transport);
    for (json_member const& member : members)
        if (member.key == "temperature")
            key.temperature = std::max(key.temperature, member.value.number());
    std::string body;
    body.reserve(request.body.size());
    append_canonical_members(body, members);

    sha256 hash;
    hash.add(cache_key_version);
    hash.add(request.endpoint);
    hash.add(request.group);
    hash.add(request.tenant);
    hash.add(body);
    key.digest = hash.hex();
    return key;
}

} // namespace serin
