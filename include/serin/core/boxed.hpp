// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_BOXED_HPP
#define SERIN_CORE_BOXED_HPP

#include <memory>
#include <utility>

namespace serin {

// A value on the heap, copied as one. On its way into an operation a request passes through half a dozen hands: large
// ones are costly to move each time.
template <class T>
class boxed
{
    std::unique_ptr<T> value_;

public:
    explicit boxed(T&& value) : value_(std::make_unique<T>(std::move(value))) {}
    boxed(boxed const& other) : value_(std::make_unique<T>(*other)) {}
    boxed(boxed&&) noexcept = default;
    boxed& operator=(boxed const&) = delete;
    boxed& operator=(boxed&&) noexcept = default;
    ~boxed() = default;

    T& operator*() const noexcept { return *value_; }
};

} // namespace serin

#endif
