# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import load

required_conan_version = ">=2.0"


class SerinConan(ConanFile):
    name = "serin"
    description = "Asynchronous LLM client library for C++20 and Boost.Asio"
    license = "BSL-1.0"
    topics = ("llm", "asio", "coroutines", "http", "openai")
    package_type = "library"

    settings = "os", "compiler", "build_type", "arch"
    options = {
        "shared": [True, False],
        "fPIC": [True, False],
        "header_only": [True, False],
        "with_redis": [True, False],
    }
    default_options = {
        "shared": False,
        "fPIC": True,
        "header_only": False,
        "with_redis": False,
    }

    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*"

    def set_version(self):
        # The one place where it stands.
        config = load(self, os.path.join(self.recipe_folder, "include/serin/core/config.hpp"))
        self.version = re.search(r'define SERIN_VERSION "(.*)"', config).group(1)

    # Read by set_version, also where only the recipe is at hand.
    exports = "include/serin/core/config.hpp"

    def configure(self):
        if self.options.header_only:
            self.package_type = "header-library"
            del self.options.shared
        if self.options.header_only or self.options.shared:
            self.options.rm_safe("fPIC")

    def requirements(self):
        self.requires("boost/[>=1.81 <2]", transitive_headers=True, transitive_libs=True)
        self.requires("nlohmann_json/[>=3.11 <4]", transitive_headers=True)
        self.requires("openssl/[>=3 <4]", transitive_libs=True)
        if self.options.with_redis:
            self.requires("hiredis/[>=0.14 <2]", transitive_libs=True)

    def package_id(self):
        if self.info.options.header_only:
            self.info.settings.clear()

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("serin is tried out on Linux only")
        if self.options.header_only and self.options.with_redis:
            raise ConanInvalidConfiguration("serin::redis is no part of the header-only library")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["SERIN_BUILD_TESTS"] = False
        toolchain.cache_variables["SERIN_BUILD_EXAMPLES"] = False
        toolchain.cache_variables["SERIN_BUILD_TOOLS"] = False
        toolchain.cache_variables["SERIN_HEADER_ONLY"] = bool(self.options.header_only)
        toolchain.cache_variables["SERIN_WITH_REDIS"] = bool(self.options.with_redis)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):
        # The package's own serinConfig.cmake defines serin::serin, serin::header_only, serin::mock and serin::redis.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = ["lib/cmake/serin"]
