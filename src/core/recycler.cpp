// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "recycler.hpp"

#include <utility>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SERIN_NO_RECYCLING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SERIN_NO_RECYCLING 1
#endif
#endif

namespace serin {

#if defined(SERIN_NO_RECYCLING)

void* allocate_recycled(std::size_t size)
{
    return ::operator new(size);
}

void free_recycled(void* block, std::size_t) noexcept
{
    ::operator delete(block);
}

std::string take_recycled_text() noexcept
{
    return {};
}

void recycle_text(std::string&&) noexcept {}

#else

namespace {

constexpr std::size_t recycler_step = 64; // Sizes are rounded up to a multiple.
constexpr std::size_t recycler_sizes = 32;
constexpr unsigned recycler_keeps = 64; // Blocks of each size: 2 MiB in all at worst.
constexpr unsigned recycler_texts = 16;
constexpr std::size_t recycler_longest_text = 16 * 1024;

struct free_block
{
    free_block* next;
};

// Set once the thread's blocks are gone: what ends later on it goes to the heap. A variable of its own, as it must
// outlive them.
thread_local bool recycler_closed = false;

struct free_blocks
{
    free_block* first[recycler_sizes] = {};
    unsigned count[recycler_sizes] = {};
    std::string texts[recycler_texts];
    unsigned text_count = 0;

    ~free_blocks()
    {
        recycler_closed = true;
        for (free_block* block : first)
            while (block)
            {
                free_block* const next = block->next;
                ::operator delete(block);
                block = next;
            }
    }
};

thread_local free_blocks recycler_blocks;

} // namespace

void* allocate_recycled(std::size_t size)
{
    std::size_t const kind = (size - 1) / recycler_step;
    if (kind >= recycler_sizes || recycler_closed)
        return ::operator new(size);
    free_blocks& blocks = recycler_blocks;
    free_block* const block = blocks.first[kind];
    if (!block)
        return ::operator new((kind + 1) * recycler_step);
    blocks.first[kind] = block->next;
    --blocks.count[kind];
    return block;
}

void free_recycled(void* p, std::size_t size) noexcept
{
    std::size_t const kind = (size - 1) / recycler_step;
    if (!p || kind >= recycler_sizes || recycler_closed || recycler_blocks.count[kind] == recycler_keeps)
    {
        ::operator delete(p);
        return;
    }
    free_blocks& blocks = recycler_blocks;
    blocks.first[kind] = ::new (p) free_block{blocks.first[kind]};
    ++blocks.count[kind];
}

std::string take_recycled_text() noexcept
{
    if (recycler_closed || recycler_blocks.text_count == 0)
        return {};
    return std::move(recycler_blocks.texts[--recycler_blocks.text_count]);
}

void recycle_text(std::string&& text) noexcept
{
    if (recycler_closed || recycler_blocks.text_count == recycler_texts || text.capacity() > recycler_longest_text)
        return;
    text.clear();
    recycler_blocks.texts[recycler_blocks.text_count++] = std::move(text);
}

#endif

} // namespace serin
