// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What the fuzz targets share.

#ifndef SERIN_TESTS_FUZZ_FUZZ_HPP
#define SERIN_TESTS_FUZZ_FUZZ_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

namespace fuzz {

inline void require(bool condition)
{
    if (!condition)
        std::abort();
}

// Bytes in memory of exactly their size, so that a sanitizer sees a look past them.
class exact_copy
{
    std::size_t size_;
    std::unique_ptr<char[]> bytes_;

public:
    explicit exact_copy(std::string_view from) : size_(from.size()), bytes_(new char[from.size()])
    {
        if (size_ != 0)
            std::memcpy(bytes_.get(), from.data(), size_);
    }

    std::string_view view() const { return std::string_view(bytes_.get(), size_); }
};

// Takes the first byte off the input, as an option; 0 if there is none.
inline unsigned take_option(std::string_view& input)
{
    if (input.empty())
        return 0;
    auto const option = static_cast<unsigned char>(input.front());
    input.remove_prefix(1);
    return option;
}

inline std::string_view as_text(std::uint8_t const* bytes, std::size_t size)
{
    return std::string_view(reinterpret_cast<char const*>(bytes), size);
}

} // namespace fuzz

#endif
