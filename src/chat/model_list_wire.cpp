// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "model_list_wire.hpp"

#include "wire_read.hpp"

namespace serin {
namespace {

void read_model(json_value from, model_info& out)
{
    for (json_member const field : from.members())
    {
        if (key_is(field.key, "id"))
            out.id = field.value.string();
        else if (key_is(field.key, "owned_by"))
            out.owned_by = field.value.string();
        else if (key_is(field.key, "created"))
            out.created = field.value.integer();
        else if (!key_is(field.key, "object"))
            add_member(out.extra, field.key, field.value);
    }
}

} // namespace

error_code read_model_list(json_reader& reader, std::string_view body, model_list& out, server_error& err)
{
    json_value root;
    if (!reader.parse(body, root))
        return errc::malformed_response;

    json_value data = root;
    bool has_data = root.is_array();
    if (!has_data)
    {
        error_code const ec = error_in_answer(root, err);
        if (ec)
            return ec;
        for (json_member const field : root.members())
        {
            if (key_is(field.key, "data"))
            {
                data = field.value;
                has_data = data.is_array() || data.is_null(); // Null where there are none.
            }
            else if (!key_is(field.key, "object"))
                add_member(out.extra, field.key, field.value);
        }
    }
    if (!has_data)
        return errc::malformed_response;

    out.models.clear();
    for (json_value const item : data.items())
    {
        if (out.models.size() == max_answer_items)
            return errc::response_too_large;
        read_model(item, out.models.emplace_back());
        if (out.models.back().id.empty())
            return errc::malformed_response;
    }
    return {};
}

} // namespace serin
