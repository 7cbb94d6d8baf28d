// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "embedding.hpp"

#include <nlohmann/json.hpp>

#include <openssl/evp.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

namespace serin::mock {
namespace {

using nlohmann::json;

constexpr std::size_t embedding_default_dimensions = 8;
constexpr std::size_t embedding_max_dimensions = 4096;
constexpr std::size_t embedding_max_texts = 2048;

// FNV-1a: the same on every machine.
std::uint64_t embedding_seed(std::string_view text)
{
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (char const c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return hash;
}

std::vector<float> embedding_of(std::string_view text, std::size_t dimensions)
{
    std::mt19937_64 random(embedding_seed(text));
    std::vector<double> drawn(dimensions);
    double squares = 0;
    for (double& x : drawn)
    {
        x = static_cast<double>(random() >> 11) * 0x1p-52 - 1; // Bits of our own: distributions differ
        squares += x * x;
    }
    std::vector<float> values;
    values.reserve(dimensions);
    for (double const x : drawn)
        values.push_back(static_cast<float>(x / std::sqrt(squares)));
    return values;
}

// In base64, lowest byte first.
std::string embedding_base64(std::vector<float> const& values)
{
    std::vector<unsigned char> bytes;
    bytes.reserve(values.size() * 4);
    for (float const value : values)
    {
        auto const bits = std::bit_cast<std::uint32_t>(value);
        for (unsigned shift = 0; shift < 32; shift += 8)
            bytes.push_back(static_cast<unsigned char>(bits >> shift));
    }
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0'); // It writes a NUL too.
    int const size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

// One text or one array of tokens. Empty if it is neither.
std::string embedding_text(json const& input)
{
    if (input.is_string())
        return input.get<std::string>();
    return input.is_array() && !input.empty() && input.front().is_number() ? input.dump() : std::string();
}

} // namespace

std::string answer_embedding(json const& request, std::string& out)
{
    auto const input = request.find("input");
    if (input == request.end())
        return "you must provide an input parameter";
    bool const several = input->is_array() && !input->empty() && !input->front().is_number();
    json const inputs = several ? *input : json::array({*input});
    if (inputs.size() > embedding_max_texts)
        return "'input' may have at most 2048 items";

    std::size_t dimensions = embedding_default_dimensions;
    if (auto const wanted = request.find("dimensions"); wanted != request.end())
    {
        if (!wanted->is_number_unsigned() || wanted->get<std::uint64_t>() == 0 ||
            wanted->get<std::uint64_t>() > embedding_max_dimensions)
            return "'dimensions' must be between 1 and 4096";
        dimensions = wanted->get<std::size_t>();
    }
    auto const format = request.find("encoding_format");
    bool const base64 = format != request.end() && *format == "base64";
    if (format != request.end() && !base64 && *format != "float")
        return "'encoding_format' must be float or base64";

    json data = json::array();
    std::size_t tokens = 0;
    for (json const& item : inputs)
    {
        std::string const text = embedding_text(item);
        if (text.empty())
            return "'input' must be texts or tokens, and not empty";
        tokens += 1 + text.size() / 4;
        std::vector<float> const values = embedding_of(text, dimensions);
        json entry = {{"object", "embedding"}, {"index", data.size()}};
        if (base64)
            entry["embedding"] = embedding_base64(values);
        else
            entry["embedding"] = values;
        data.push_back(std::move(entry));
    }
    json const answer = {{"object", "list"}, {"data", std::move(data)}, {"model", request.at("model")},
        {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}};
    out = answer.dump();
    return {};
}

} // namespace serin::mock
