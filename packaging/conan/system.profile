# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0
#
# Builds serin with the libraries that the system has, instead of packages of Conan's. scripts/package-test sets the
# variables to the versions it finds; without them those of Debian 12 stand.

{% set compiler, compiler_version, _ = detect_api.detect_default_compiler() %}

[settings]
os=Linux
arch={{ detect_api.detect_arch() }}
build_type=Release
compiler={{ compiler }}
compiler.version={{ detect_api.default_compiler_version(compiler, compiler_version) }}
compiler.libcxx=libstdc++11
compiler.cppstd=20

[platform_requires]
boost/{{ os.getenv("SERIN_BOOST_VERSION", "1.81.0") }}
nlohmann_json/{{ os.getenv("SERIN_NLOHMANN_JSON_VERSION", "3.11.2") }}
hiredis/{{ os.getenv("SERIN_HIREDIS_VERSION", "0.14.1") }}
openssl/{{ os.getenv("SERIN_OPENSSL_VERSION", "3.0.0") }}

[conf]
tools.cmake.cmaketoolchain:generator=Ninja
