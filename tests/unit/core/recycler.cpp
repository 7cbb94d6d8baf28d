// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/core/recycler.hpp"

#include "catch.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using serin::allocate_recycled;
using serin::free_recycled;

namespace {

thread_local std::shared_ptr<int> lasts_longer; // If it is used before the thread's blocks

} // namespace

TEST_CASE("recycler: blocks of every size are aligned and apart from each other")
{
    constexpr std::size_t sizes[] = {1, 2, 63, 64, 65, 1000, 2047, 2048, 2049, 100'000};
    for (int round = 0; round < 3; ++round)
    {
        std::vector<std::pair<unsigned char*, std::size_t>> blocks;
        for (std::size_t const size : sizes)
            for (int i = 0; i < 100; ++i) // More than are kept
            {
                auto* const block = static_cast<unsigned char*>(allocate_recycled(size));
                REQUIRE(reinterpret_cast<std::uintptr_t>(block) % __STDCPP_DEFAULT_NEW_ALIGNMENT__ == 0);
                std::memset(block, static_cast<int>(blocks.size() % 251), size);
                blocks.emplace_back(block, size);
            }
        for (std::size_t i = 0; i < blocks.size(); ++i)
        {
            auto const [block, size] = blocks[i];
            auto const mark = static_cast<unsigned char>(i % 251);
            if (block[0] != mark || block[size - 1] != mark)
                FAIL("block " << i << " of " << size << " bytes was overwritten");
            free_recycled(block, size);
        }
    }
    free_recycled(nullptr, 8);
}

TEST_CASE("recycler: blocks may be freed on another thread, and after a thread's others are gone")
{
    void* const block = allocate_recycled(100);
    std::thread([block] {
        lasts_longer = std::make_shared<int>(1);
        free_recycled(block, 100);
        lasts_longer = std::allocate_shared<int>(serin::recycling_allocator<int>(), 2);
    }).join();
    void* const another = allocate_recycled(100);
    std::memset(another, 1, 100);
    free_recycled(another, 100);
}

TEST_CASE("recycler: texts come back empty, and long ones not at all")
{
    for (std::size_t const size : {10, 5000, 1'000'000})
    {
        serin::recycle_text(std::string(size, 'x'));
        std::string const text = serin::take_recycled_text();
        CHECK(text.empty());
        CHECK(text.capacity() < 100'000);
    }
    // More than are kept.
    for (int i = 0; i < 100; ++i)
        serin::recycle_text(std::string(1000, 'y'));
    std::set<char const*> places;
    std::vector<std::string> texts;
    for (int i = 0; i < 100; ++i)
    {
        texts.push_back(serin::take_recycled_text());
        texts.back().assign(1000, 'z');
    }
    for (std::string const& text : texts)
        CHECK(places.insert(text.data()).second);
}
