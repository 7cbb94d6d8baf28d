// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../core/utf8.hpp"

#include <serin/observe/metric_family.hpp>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace serin {
namespace {

std::string prometheus_name(std::string_view name, bool is_label)
{
    std::string out;
    out.reserve(name.size());
    for (char const c : name)
    {
        bool const letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c == ':' && !is_label);
        bool const digit = c >= '0' && c <= '9' && !out.empty();
        out += letter || digit ? c : '_';
    }
    return out;
}

void append_suffix(std::string& name, std::string_view suffix)
{
    if (!std::string_view(name).ends_with(suffix))
        name += suffix;
}

std::string prometheus_name(metric_family const& f)
{
    std::string name = prometheus_name(f.name, false);
    if (f.unit == "s")
        append_suffix(name, "_seconds");
    else if (f.unit == "USD")
        append_suffix(name, "_dollars");
    if (f.kind == metric_kind::counter)
        append_suffix(name, "_total");
    return name;
}

std::string_view prometheus_type(metric_kind k) noexcept
{
    switch (k)
    {
    case metric_kind::counter: return "counter";
    case metric_kind::gauge: return "gauge";
    case metric_kind::histogram: return "histogram";
    case metric_kind::summary: return "summary";
    }
    return "untyped";
}

void append_escaped(std::string& out, std::string_view text, bool quotes_too)
{
    for (char const c : text)
    {
        if (c == '\\' || (c == '"' && quotes_too))
            out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
}

void append_number(std::string& out, double v)
{
    if (std::isnan(v))
        out += "NaN";
    else if (std::isinf(v))
        out += v > 0 ? "+Inf" : "-Inf";
    else
    {
        char digits[32];
        out.append(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
    }
}

class prometheus_lines
{
public:
    prometheus_lines(std::string& out, metric_family const& f) : out_(out), name_(prometheus_name(f))
    {
        out_ += "# HELP " + name_ + ' ';
        append_escaped(out_, f.help, false);
        out_ += "\n# TYPE " + name_ + ' ';
        out_ += prometheus_type(f.kind);
        out_ += '\n';
    }

    void add(metric_kind kind, metric_point const& p)
    {
        labels_.clear();
        for (metric_label const& l : p.labels)
            append_label(labels_, prometheus_name(l.name, true), repaired_utf8(l.value));
        switch (kind)
        {
        case metric_kind::counter:
        case metric_kind::gauge: line("", {}, p.value); break;
        case metric_kind::histogram: add_buckets(p); break;
        case metric_kind::summary:
            for (metric_quantile const& q : p.quantiles)
                line("", label("quantile", q.q), q.value);
            add_sum(p);
            break;
        }
    }

private:
    static void append_label(std::string& to, std::string_view name, std::string_view value)
    {
        if (!to.empty())
            to += ',';
        to += name;
        to += "=\"";
        append_escaped(to, value, true);
        to += '"';
    }

    static std::string label(std::string_view name, double value)
    {
        std::string number, out;
        append_number(number, value);
        append_label(out, name, number);
        return out;
    }

    void line(std::string_view suffix, std::string const& more, double value)
    {
        out_ += name_;
        out_ += suffix;
        if (!labels_.empty() || !more.empty())
        {
            out_ += '{' + labels_;
            if (!labels_.empty() && !more.empty())
                out_ += ',';
            out_ += more + '}';
        }
        out_ += ' ';
        append_number(out_, value);
        out_ += '\n';
    }

    void add_buckets(metric_point const& p)
    {
        std::uint64_t so_far = 0;
        for (std::size_t i = 0; i < p.bounds.size() && i < p.buckets.size(); ++i)
        {
            so_far += p.buckets[i];
            line("_bucket", label("le", p.bounds[i]), static_cast<double>(so_far));
        }
        line("_bucket", "le=\"+Inf\"", static_cast<double>(p.count));
        add_sum(p);
    }

    void add_sum(metric_point const& p)
    {
        line("_sum", {}, p.sum);
        line("_count", {}, static_cast<double>(p.count));
    }

    std::string& out_;
    std::string const name_;
    std::string labels_;
};

} // namespace

std::string to_prometheus_text(std::span<metric_family const> families)
{
    std::string out;
    for (metric_family const& f : families)
    {
        if (f.points.empty())
            continue;
        prometheus_lines lines(out, f);
        for (metric_point const& p : f.points)
            lines.add(f.kind, p);
    }
    return out;
}

} // namespace serin
