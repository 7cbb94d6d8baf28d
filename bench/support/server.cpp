// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The least that can answer: an epoll loop on loopback that sends prepared bytes, in a process of its own so that
// only the client is measured.
//
// bench_server --route NAME=FILE ... [--split NAME=FILE ...] [--cert FILE --key FILE]
//
// A request whose path begins with /NAME/ is answered with the file: *.sse as an event stream in HTTP chunks, one an
// event, anything else as JSON with a Content-Length. --split sends every event with a write of its own. Prints the
// port, serves until its standard input ends.

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

[[noreturn]] void die(std::string const& why)
{
    std::fprintf(stderr, "bench_server: %s\n", why.c_str());
    std::exit(2);
}

std::string read_file(std::string const& path)
{
    std::ifstream in(path, std::ios::binary);
    if (!in)
        die("cannot read " + path);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Head and body, and where each write of it ends.
struct answer
{
    std::string bytes;
    std::vector<std::size_t> writes;
};

answer make_answer(std::string const& path, bool split)
{
    auto const body = read_file(path);
    answer a;
    if (!path.ends_with(".sse"))
    {
        a.bytes = "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/json\r\nx-request-id: req_1\r\n"
                  "Content-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    else
    {
        a.bytes = "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/event-stream\r\nx-request-id: req_1\r\n"
                  "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (std::size_t from = 0; from < body.size();)
        {
            auto const blank = body.find("\n\n", from);
            auto const end = blank == std::string::npos ? body.size() : blank + 2;
            char size[24];
            std::snprintf(size, sizeof(size), "%zx\r\n", end - from);
            a.bytes += size;
            a.bytes.append(body, from, end - from);
            a.bytes += "\r\n";
            if (split)
                a.writes.push_back(a.bytes.size());
            from = end;
        }
        a.bytes += "0\r\n\r\n";
    }
    a.writes.push_back(a.bytes.size());
    return a;
}

struct connection
{
    int fd = -1;
    SSL* tls = nullptr;
    std::string in;
    answer const* out = nullptr;
    std::size_t sent = 0;
    std::size_t write = 0; // Index of the write that is under way.
    bool close_after = false;

    ~connection()
    {
        if (tls)
            SSL_free(tls);
        ::close(fd);
    }

    // Bytes moved; 0: not now; -1: the connection is over.
    long result(long n) const
    {
        if (tls)
        {
            if (n > 0)
                return n;
            auto const why = SSL_get_error(tls, static_cast<int>(n));
            ERR_clear_error();
            return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
        }
        if (n > 0)
            return n;
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }

    long receive(char* to, std::size_t size)
    {
        return result(tls ? SSL_read(tls, to, static_cast<int>(size)) : ::recv(fd, to, size, 0));
    }

    long send(char const* from, std::size_t size)
    {
        return result(tls ? SSL_write(tls, from, static_cast<int>(size)) : ::send(fd, from, size, MSG_NOSIGNAL));
    }
};

using routes = std::map<std::string, answer, std::less<>>;

std::size_t content_length(std::string_view head)
{
    static constexpr std::string_view name = "content-length:";
    for (std::size_t line = head.find("\r\n"); line != std::string_view::npos; line = head.find("\r\n", line + 2))
    {
        auto const field = head.substr(line + 2, name.size());
        if (field.size() == name.size() && ::strncasecmp(field.data(), name.data(), name.size()) == 0)
            return std::strtoul(head.data() + line + 2 + name.size(), nullptr, 10);
    }
    return 0;
}

// Takes a request out of what has arrived. False: not complete yet.
bool take_request(connection& c, routes const& all)
{
    auto const end = c.in.find("\r\n\r\n");
    if (end == std::string::npos)
        return false;
    std::string_view const head(c.in.data(), end + 2);
    auto const size = end + 4 + content_length(head);
    if (c.in.size() < size)
        return false;

    auto const slash = head.find('/');
    auto const name = head.substr(slash + 1, head.find('/', slash + 1) - slash - 1);
    auto const found = all.find(name);
    if (found == all.end())
        die("no route for " + std::string(head.substr(0, head.find("\r\n"))));
    c.out = &found->second;
    c.sent = 0;
    c.write = 0;
    c.close_after = head.find("onnection: close") != std::string_view::npos;
    c.in.erase(0, size);
    return true;
}

// Does all that can be done now. False: the connection is over.
bool serve(connection& c, routes const& all)
{
    for (;;)
    {
        while (c.out)
        {
            auto const n = c.send(c.out->bytes.data() + c.sent, c.out->writes[c.write] - c.sent);
            if (n < 0)
                return false;
            if (n == 0)
                return true;
            c.sent += static_cast<std::size_t>(n);
            if (c.sent == c.out->writes[c.write] && ++c.write == c.out->writes.size())
            {
                c.out = nullptr;
                if (c.close_after)
                    return false;
            }
        }
        if (take_request(c, all))
            continue;
        char buffer[16384];
        auto const n = c.receive(buffer, sizeof(buffer));
        if (n <= 0)
            return n == 0;
        c.in.append(buffer, static_cast<std::size_t>(n));
    }
}

SSL_CTX* make_tls(char const* cert, char const* key)
{
    auto* ctx = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        die("cannot use the certificate");
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

void add(int epoll, int fd, std::uint32_t events, void* data)
{
    epoll_event e{};
    e.events = events;
    e.data.ptr = data;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0)
        die("epoll_ctl failed");
}

} // namespace

int main(int argc, char** argv)
{
    routes all;
    char const* cert = nullptr;
    char const* key = nullptr;
    for (int i = 1; i + 1 < argc; i += 2)
    {
        std::string_view const name = argv[i];
        std::string const value = argv[i + 1];
        if (name == "--cert")
            cert = argv[i + 1];
        else if (name == "--key")
            key = argv[i + 1];
        else if ((name == "--route" || name == "--split") && value.find('=') != std::string::npos)
            all.emplace(
                value.substr(0, value.find('=')), make_answer(value.substr(value.find('=') + 1), name == "--split"));
        else
            die("unknown option " + std::string(name));
    }
    SSL_CTX* const tls = cert && key ? make_tls(cert, key) : nullptr;

    int const listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener, 4096) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        die("cannot listen");
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);

    int const epoll = ::epoll_create1(EPOLL_CLOEXEC);
    int input = STDIN_FILENO;
    add(epoll, listener, EPOLLIN, nullptr);
    add(epoll, input, EPOLLIN, &input);
    for (;;)
    {
        epoll_event events[256];
        int const count = ::epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < count; ++i)
        {
            if (events[i].data.ptr == &input)
                return 0;
            if (events[i].data.ptr == nullptr)
            {
                for (;;)
                {
                    int const fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                    if (fd < 0)
                        break;
                    int const on = 1;
                    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                    auto* c = new connection;
                    c->fd = fd;
                    if (tls)
                    {
                        c->tls = SSL_new(tls);
                        SSL_set_fd(c->tls, fd);
                        SSL_set_accept_state(c->tls);
                    }
                    add(epoll, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, c);
                }
                continue;
            }
            auto* c = static_cast<connection*>(events[i].data.ptr);
            if (!serve(*c, all))
                delete c;
        }
    }
}
