// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Loaded into a program with LD_PRELOAD: counts its allocations and its system calls on sockets, and writes the
// counts to the file that BENCH_COUNT_FILE names when the program ends.

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

extern "C"
{
    void* __libc_malloc(std::size_t);
    void* __libc_calloc(std::size_t, std::size_t);
    void* __libc_realloc(void*, std::size_t);
    void* __libc_memalign(std::size_t, std::size_t);
}

namespace {

std::atomic<unsigned long> allocations, allocated_bytes, sends, receives, waits, controls;
std::atomic<bool> is_socket[65536];

void count_allocation(std::size_t size)
{
    allocations.fetch_add(1, std::memory_order_relaxed);
    allocated_bytes.fetch_add(size, std::memory_order_relaxed);
}

bool on_socket(int fd)
{
    return fd >= 0 && fd < 65536 && is_socket[fd].load(std::memory_order_relaxed);
}

template <class Function>
Function next(char const* name)
{
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

struct at_end
{
    ~at_end()
    {
        char const* const path = std::getenv("BENCH_COUNT_FILE");
        auto* const file = path ? std::fopen(path, "w") : nullptr;
        if (!file)
            return;
        std::fprintf(file,
            "{\"allocations\": %lu, \"allocated_bytes\": %lu, \"sends\": %lu, \"receives\": %lu, \"epoll_wait\": %lu, "
            "\"epoll_ctl\": %lu}\n",
            allocations.load(), allocated_bytes.load(), sends.load(), receives.load(), waits.load(), controls.load());
        std::fclose(file);
    }
} const end;

} // namespace

extern "C"
{
    void* malloc(std::size_t size)
    {
        count_allocation(size);
        return __libc_malloc(size);
    }

    void* calloc(std::size_t count, std::size_t size)
    {
        count_allocation(count * size);
        return __libc_calloc(count, size);
    }

    void* realloc(void* old, std::size_t size)
    {
        count_allocation(size);
        return __libc_realloc(old, size);
    }

    void* memalign(std::size_t alignment, std::size_t size)
    {
        count_allocation(size);
        return __libc_memalign(alignment, size);
    }

    void* aligned_alloc(std::size_t alignment, std::size_t size)
    {
        count_allocation(size);
        return __libc_memalign(alignment, size);
    }

    int posix_memalign(void** out, std::size_t alignment, std::size_t size)
    {
        count_allocation(size);
        *out = __libc_memalign(alignment, size);
        return *out ? 0 : 12;
    }

    int socket(int domain, int type, int protocol)
    {
        static auto const real = next<int (*)(int, int, int)>("socket");
        int const fd = real(domain, type, protocol);
        if (fd >= 0 && fd < 65536)
            is_socket[fd].store(true, std::memory_order_relaxed);
        return fd;
    }

    int close(int fd)
    {
        static auto const real = next<int (*)(int)>("close");
        if (on_socket(fd))
            is_socket[fd].store(false, std::memory_order_relaxed);
        return real(fd);
    }

    ssize_t send(int fd, void const* data, std::size_t size, int flags)
    {
        static auto const real = next<ssize_t (*)(int, void const*, std::size_t, int)>("send");
        sends.fetch_add(1, std::memory_order_relaxed);
        return real(fd, data, size, flags);
    }

    ssize_t sendmsg(int fd, msghdr const* message, int flags)
    {
        static auto const real = next<ssize_t (*)(int, msghdr const*, int)>("sendmsg");
        sends.fetch_add(1, std::memory_order_relaxed);
        return real(fd, message, flags);
    }

    ssize_t write(int fd, void const* data, std::size_t size)
    {
        static auto const real = next<ssize_t (*)(int, void const*, std::size_t)>("write");
        if (on_socket(fd))
            sends.fetch_add(1, std::memory_order_relaxed);
        return real(fd, data, size);
    }

    ssize_t writev(int fd, iovec const* parts, int count)
    {
        static auto const real = next<ssize_t (*)(int, iovec const*, int)>("writev");
        if (on_socket(fd))
            sends.fetch_add(1, std::memory_order_relaxed);
        return real(fd, parts, count);
    }

    ssize_t recv(int fd, void* data, std::size_t size, int flags)
    {
        static auto const real = next<ssize_t (*)(int, void*, std::size_t, int)>("recv");
        receives.fetch_add(1, std::memory_order_relaxed);
        return real(fd, data, size, flags);
    }

    ssize_t recvfrom(int fd, void* data, std::size_t size, int flags, sockaddr* address, socklen_t* length)
    {
        static auto const real = next<ssize_t (*)(int, void*, std::size_t, int, sockaddr*, socklen_t*)>("recvfrom");
        receives.fetch_add(1, std::memory_order_relaxed);
        return real(fd, data, size, flags, address, length);
    }

    ssize_t recvmsg(int fd, msghdr* message, int flags)
    {
        static auto const real = next<ssize_t (*)(int, msghdr*, int)>("recvmsg");
        receives.fetch_add(1, std::memory_order_relaxed);
        return real(fd, message, flags);
    }

    ssize_t read(int fd, void* data, std::size_t size)
    {
        static auto const real = next<ssize_t (*)(int, void*, std::size_t)>("read");
        if (on_socket(fd))
            receives.fetch_add(1, std::memory_order_relaxed);
        return real(fd, data, size);
    }

    ssize_t readv(int fd, iovec const* parts, int count)
    {
        static auto const real = next<ssize_t (*)(int, iovec const*, int)>("readv");
        if (on_socket(fd))
            receives.fetch_add(1, std::memory_order_relaxed);
        return real(fd, parts, count);
    }

    int epoll_wait(int epoll, epoll_event* events, int size, int timeout)
    {
        static auto const real = next<int (*)(int, epoll_event*, int, int)>("epoll_wait");
        waits.fetch_add(1, std::memory_order_relaxed);
        return real(epoll, events, size, timeout);
    }

    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event)
    {
        static auto const real = next<int (*)(int, int, int, epoll_event*)>("epoll_ctl");
        controls.fetch_add(1, std::memory_order_relaxed);
        return real(epoll, operation, fd, event);
    }
}
