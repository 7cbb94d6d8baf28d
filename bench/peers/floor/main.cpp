// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The floor: the least that system calls allow. Bytes made once are sent, the answer's end is found, and nothing is
// read out of it; no pool, no deadline, no retry, no JSON. No client can be faster; this is none.

#include "../measure/measure.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

[[noreturn]] void die(char const* why)
{
    std::fprintf(stderr, "floor: %s\n", why);
    std::exit(1);
}

std::string escape(std::string_view text)
{
    std::string out;
    for (char const c : text)
    {
        if (c == '"' || c == '\\')
            out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out;
}

std::string make_body(bench::options const& opt)
{
    bench::prompt const p;
    auto const message = [](char const* role, std::string const& text) {
        return std::string("{\"role\":\"") + role + "\",\"content\":\"" + escape(text) + "\"}";
    };
    std::string body = "{\"model\":\"bench-model\",\"messages\":[" + message("system", p.system);
    for (long i = 0; i < opt.history; ++i)
        body += "," + message("user", p.user) + "," + message("assistant", p.system);
    body += "," + message("user", p.user) + "],\"temperature\":0.5,\"max_tokens\":512";
    if (opt.scenario == "stream")
        body += ",\"stream\":true";
    return body + "}";
}

struct url
{
    bool tls;
    std::string host;
    unsigned short port;
    std::string path;
};

url split(std::string const& text)
{
    auto const host = text.find("://") + 3;
    auto const slash = text.find('/', host);
    auto const colon = text.find(':', host);
    if (slash == std::string::npos || colon > slash)
        die("--base-url SCHEME://ADDRESS:PORT/PATH");
    return {text.starts_with("https"), text.substr(host, colon - host),
        static_cast<unsigned short>(std::atoi(text.c_str() + colon + 1)), text.substr(slash)};
}

struct connection
{
    int fd = -1;
    SSL* tls = nullptr;
    std::string in;
    std::size_t scanned = 0; // Up to there events have been counted.
    long events = 0;
    double first = 0;
    bench::clock_type::time_point begin;

    long receive(char* to, std::size_t size) const
    {
        if (!tls)
            return ::recv(fd, to, size, 0);
        auto const n = SSL_read(tls, to, static_cast<int>(size));
        if (n <= 0)
            errno = SSL_get_error(tls, n) == SSL_ERROR_WANT_READ ? EAGAIN : EIO;
        return n;
    }
};

class floor
{
    bench::options const& opt_;
    url to_;
    std::string request_;
    SSL_CTX* tls_ = nullptr;
    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<connection> connections_;
    long left_ = 0;
    long open_ = 0;

    void connect(connection& c)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(to_.port);
        ::inet_pton(AF_INET, to_.host.c_str(), &address.sin_addr);
        c.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int const on = 1;
        if (::connect(c.fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
            die("cannot connect");
        ::setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (to_.tls)
        {
            c.tls = SSL_new(tls_);
            SSL_set_fd(c.tls, c.fd);
            X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c.tls), to_.host.c_str());
            if (SSL_connect(c.tls) != 1)
                die("no TLS connection");
        }
        ::fcntl(c.fd, F_SETFL, O_NONBLOCK);
        epoll_event e{};
        e.events = EPOLLIN;
        e.data.ptr = &c;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &e);
    }

    void send(connection& c)
    {
        if (left_-- <= 0)
            return;
        ++open_;
        c.begin = bench::clock_type::now();
        c.in.clear();
        c.scanned = 0;
        c.events = 0;
        c.first = 0;
        auto const n = c.tls ? SSL_write(c.tls, request_.data(), static_cast<int>(request_.size()))
                             : ::send(c.fd, request_.data(), request_.size(), MSG_NOSIGNAL);
        if (n != static_cast<long>(request_.size()))
            die("a short write");
    }

    // Whether the whole answer is there.
    bool complete(connection& c) const
    {
        if (opt_.scenario == "stream")
        {
            for (std::size_t at = 0; (at = c.in.find("\n\n", c.scanned)) != std::string::npos; c.scanned = at + 2)
            {
                if (++c.events == 2) // The first has no token.
                    c.first = bench::since(c.begin);
            }
        }
        auto const head = c.in.find("\r\n\r\n");
        if (head == std::string::npos)
            return false;
        auto const length = c.in.find("ontent-Length: ");
        if (length > head)
            return c.in.ends_with("\r\n0\r\n\r\n");
        return c.in.size() >= head + 4 + std::strtoul(c.in.c_str() + length + 15, nullptr, 10);
    }

    void receive(connection& c, bench::figures& out)
    {
        static char buffer[65536];
        for (;;)
        {
            auto const n = c.receive(buffer, sizeof(buffer));
            if (n < 0 && errno == EAGAIN)
                return;
            if (n <= 0)
                die("the server closed a connection");
            c.in.append(buffer, static_cast<std::size_t>(n));
            if (complete(c))
                break;
            if (!c.tls && n < static_cast<long>(sizeof(buffer)))
                return;
        }
        auto const total = bench::since(c.begin);
        out.latencies.push_back(total);
        ++(c.in.starts_with("HTTP/1.1 200") ? out.ok : out.failed);
        if (opt_.scenario == "stream")
            out.add_stream(c.first, total, c.events - 3); // The role, the finish reason and [DONE] are no tokens.
        --open_;
        send(c);
    }

public:
    explicit floor(bench::options const& opt) : opt_(opt), to_(split(opt.base_urls.at(0)))
    {
        auto const body = make_body(opt);
        request_ = "POST " + to_.path + "/chat/completions HTTP/1.1\r\nHost: " + to_.host + ":" +
                   std::to_string(to_.port) + "\r\nAuthorization: Bearer " + bench::key +
                   "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                   body;
        if (to_.tls)
        {
            tls_ = SSL_CTX_new(TLS_client_method());
            SSL_CTX_set_verify(tls_, SSL_VERIFY_PEER, nullptr);
            if (SSL_CTX_load_verify_locations(tls_, opt.ca.c_str(), nullptr) != 1)
                die("cannot read --ca");
        }
        connections_.resize(static_cast<std::size_t>(opt.concurrency));
    }

    bench::figures run(long calls)
    {
        bench::figures out;
        left_ = calls;
        for (auto& c : connections_)
        {
            if (c.fd < 0)
                connect(c);
            send(c);
        }
        while (open_ > 0)
        {
            epoll_event events[256];
            int const count = ::epoll_wait(epoll_, events, 256, -1);
            for (int i = 0; i < count; ++i)
                receive(*static_cast<connection*>(events[i].data.ptr), out);
        }
        return out;
    }
};

} // namespace

int main(int argc, char** argv)
{
    if (argc == 2 && std::string_view(argv[1]) == "--version")
    {
        std::printf("{\"peer\": \"floor\", \"version\": \"epoll\"}\n");
        return 0;
    }
    auto const opt = bench::parse(argc, argv);
    floor client(opt);
    if (opt.warmup > 0)
        client.run(opt.warmup);
    bench::meter const meter;
    auto figures = client.run(opt.calls);
    meter.report("floor", "epoll", opt, figures);
    return 0;
}
