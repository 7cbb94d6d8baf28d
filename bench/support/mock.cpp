// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// bench_mock SCRIPT.json: the mock provider with this script, for paced streams and faults. Prints its port; for every
// line read, prints how many requests it has seen, retries included; serves until its standard input ends.

#include <serin/mock/provider.hpp>
#include <serin/mock/script.hpp>

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

int main(int argc, char** argv)
{
    if (argc != 2)
    {
        std::cerr << "bench_mock SCRIPT.json\n";
        return 2;
    }
    std::ifstream file(argv[1], std::ios::binary);
    std::string const text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::string error;
    auto const script = serin::mock::load_script(text, error);
    if (!script)
    {
        std::cerr << "bench_mock: " << argv[1] << ": " << error << '\n';
        return 2;
    }
    serin::mock::provider_params params;
    params.log_capacity = 1; // Nobody reads the log.
    serin::mock::provider provider(params);
    provider.apply(*script);
    std::cout << provider.port() << std::endl;
    for (std::string line; std::getline(std::cin, line);)
        std::cout << provider.request_count() << std::endl;
    return 0;
}
