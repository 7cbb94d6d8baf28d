// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_CORE_RECYCLER_HPP
#define SERIN_SRC_CORE_RECYCLER_HPP

#include <cstddef>
#include <new>
#include <string>

namespace serin {

// Memory of what every call makes anew, coroutine frames above all. A thread keeps a few blocks of each size that was
// freed on it for whoever asks next; blocks may be freed on another thread than they came from. Under sanitizers, and
// for large blocks, it is the heap.
void* allocate_recycled(std::size_t size);
void free_recycled(void* block, std::size_t size) noexcept;

// The same for texts of some kilobytes: an empty one that may have room already, and one that is not needed any more.
std::string take_recycled_text() noexcept;
void recycle_text(std::string&& text) noexcept;

// For std::allocate_shared.
template <class T>
struct recycling_allocator
{
    using value_type = T;

    recycling_allocator() noexcept = default;
    template <class U>
    recycling_allocator(recycling_allocator<U> const&) noexcept
    {}

    T* allocate(std::size_t n)
    {
        static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        return static_cast<T*>(allocate_recycled(n * sizeof(T)));
    }

    void deallocate(T* p, std::size_t n) noexcept { free_recycled(p, n * sizeof(T)); }

    template <class U>
    bool operator==(recycling_allocator<U> const&) const noexcept
    {
        return true;
    }
};

// Base of classes whose objects are made with new for every call.
struct recycled
{
    static void* operator new(std::size_t size) { return allocate_recycled(size); }
    static void operator delete(void* p, std::size_t size) noexcept { free_recycled(p, size); }
};

} // namespace serin

#endif
