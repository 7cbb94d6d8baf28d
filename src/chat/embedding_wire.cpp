// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "embedding_wire.hpp"

#include "base64.hpp"
#include "json_object_writer.hpp"
#include "json_writer.hpp"
#include "wire_read.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace serin {
namespace {

static_assert(std::numeric_limits<float>::is_iec559 && sizeof(float) == sizeof(std::uint32_t));

struct numbered_vector
{
    std::int64_t index = 0;
    std::vector<float> values;
};

// Vectors as bytes are 32-bit floats, lowest byte first.
bool read_float_bytes(std::string_view bytes, std::vector<float>& out)
{
    if (bytes.size() % sizeof(float) != 0)
        return false;
    out.reserve(bytes.size() / sizeof(float));
    for (std::size_t i = 0; i < bytes.size(); i += sizeof(float))
    {
        auto const byte = [&bytes, i](std::size_t k) {
            return std::uint32_t(static_cast<unsigned char>(bytes[i + k])) << (8 * k);
        };
        out.push_back(std::bit_cast<float>(byte(0) | byte(1) | byte(2) | byte(3)));
    }
    return std::all_of(out.begin(), out.end(), [](float x) { return std::isfinite(x); });
}

bool read_float_numbers(json_value from, std::vector<float>& out)
{
    std::size_t count = 0;
    for ([[maybe_unused]] json_value const item : from.items())
        ++count;
    out.reserve(count);
    for (json_value const item : from.items())
    {
        double const x = item.number();
        if (!item.is_number() || std::abs(x) > double(std::numeric_limits<float>::max()))
            return false;
        out.push_back(static_cast<float>(x));
    }
    return true;
}

// Takes what is in `from` in either form. `bytes` is memory to be used again.
bool read_vector(json_value from, std::string& bytes, std::vector<float>& out)
{
    bool const good = from.is_string() ? decode_base64(from.string(), bytes) && read_float_bytes(bytes, out)
                                       : read_float_numbers(from, out);
    return good && !out.empty();
}

error_code read_vectors(json_value from, std::size_t inputs, std::vector<numbered_vector>& out)
{
    std::string bytes;
    for (json_value const item : from.items())
    {
        if (out.size() == (inputs ? inputs : max_answer_items))
            return inputs ? errc::malformed_response : errc::response_too_large;
        numbered_vector found;
        found.index = static_cast<std::int64_t>(out.size());
        bool good = false;
        for (json_member const field : item.members())
        {
            if (key_is(field.key, "index"))
                found.index = field.value.integer(found.index);
            else if (key_is(field.key, "embedding"))
            {
                found.values.clear();
                good = read_vector(field.value, bytes, found.values);
            }
        }
        if (!good)
            return errc::malformed_response;
        out.push_back(std::move(found));
    }
    return out.empty() || (inputs && out.size() != inputs) ? errc::malformed_response : error_code();
}

// Puts the vectors at their indexes. False if some text would have two or none.
bool sort_vectors(std::vector<numbered_vector>& from, std::vector<std::vector<float>>& out)
{
    // Some servers number all alike: then the order in which they come is all there is.
    bool const alike = std::all_of(
        from.begin(), from.end(), [&from](numbered_vector const& v) { return v.index == from.front().index; });
    out.clear();
    out.resize(from.size());
    for (std::size_t i = 0; i < from.size(); ++i)
    {
        auto const place = alike ? i : static_cast<std::size_t>(from[i].index);
        if (place >= out.size() || !out[place].empty())
            return false;
        out[place] = std::move(from[i].values);
    }
    return true;
}

} // namespace

error_code write_embedding_tail(std::string& tail, embedding_request const& request, std::string& why)
{
    error_code const ec = request.validate(why);
    if (ec)
        return ec;

    std::size_t size = 128 + request.extra.size();
    for (std::string const& text : request.input)
        size += 4 + text.size() + text.size() / 16;
    json_writer out(tail, size);
    json_object_writer o(out, request.extra, json_object_writer::opened());
    o.strings_unless_empty("input", request.input);
    o.optional("dimensions", request.dimensions);
    if (request.encoding == embedding_encoding::base64)
        o.string("encoding_format", "base64");
    o.optional("user", request.end_user);
    o.close();
    out.finish();
    return {};
}

error_code read_embedding_response(
    json_reader& reader, std::string_view body, std::size_t inputs, embedding_response& out, server_error& err)
{
    json_value root;
    if (!reader.parse(body, root))
        return errc::malformed_response;
    error_code ec = error_in_answer(root, err);
    if (ec)
        return ec;

    json_value data;
    for (json_member const field : root.members())
    {
        if (key_is(field.key, "data"))
            data = field.value;
        else if (key_is(field.key, "model"))
            out.model = field.value.string();
        else if (key_is(field.key, "usage"))
        {
            token_usage found;
            if (read_usage(field.value, found))
                out.usage = std::move(found);
        }
        else if (!key_is(field.key, "object"))
            add_member(out.extra, field.key, field.value);
    }

    std::vector<numbered_vector> found;
    ec = read_vectors(data, inputs, found);
    if (ec)
        return ec;
    return sort_vectors(found, out.vectors) ? error_code() : make_error_code(errc::malformed_response);
}

} // namespace serin
