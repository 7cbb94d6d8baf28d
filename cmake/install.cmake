# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

# Installs the libraries, their headers, the sources for serin::header_only, and the descriptions of all that for
# find_package and pkg-config.

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/serin)

install(TARGETS ${SERIN_LIBRARIES} serin_header_only EXPORT serin FILE_SET HEADERS)
install(EXPORT serin NAMESPACE serin:: FILE serinTargets.cmake DESTINATION ${package_dir})

install(FILES include/serin/src.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/serin)
install(DIRECTORY src/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/serin/src
    FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cpp"
    PATTERN "src/mock" EXCLUDE
    PATTERN "src/gateway" EXCLUDE
    PATTERN "src/redis" EXCLUDE
    PATTERN "src/http/server*" EXCLUDE)

configure_package_config_file(cmake/serinConfig.cmake.in ${PROJECT_BINARY_DIR}/serinConfig.cmake
    INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/serinConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/serinConfig.cmake ${PROJECT_BINARY_DIR}/serinConfigVersion.cmake
    DESTINATION ${package_dir})

set(private_requires "libssl >= 3.0")
set(private_libs "-lboost_url")
if(SERIN_HEADER_ONLY)
    set(pkg_requires "nlohmann_json >= 3.11 libssl >= 3.0 libcrypto >= 3.0")
    set(pkg_requires_private "")
    set(pkg_libs "${private_libs}")
    set(pkg_libs_private "")
elseif(BUILD_SHARED_LIBS)
    set(pkg_requires "nlohmann_json >= 3.11")
    set(pkg_requires_private "${private_requires}")
    set(pkg_libs "-L\${libdir} -lserin")
    set(pkg_libs_private "${private_libs}")
else()
    # A static library needs its dependencies whether or not the user says --static.
    set(pkg_requires "nlohmann_json >= 3.11 libssl >= 3.0 libcrypto >= 3.0")
    set(pkg_requires_private "")
    set(pkg_libs "-L\${libdir} -lserin ${private_libs}")
    set(pkg_libs_private "")
endif()
# Relative to the file itself, so that the installed tree can be moved.
file(RELATIVE_PATH pkg_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/serin.pc.in ${PROJECT_BINARY_DIR}/serin.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/serin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Apart, so that only programs that use it need hiredis.
if(TARGET serin_redis)
    install(TARGETS serin_redis EXPORT serin_redis FILE_SET HEADERS)
    install(EXPORT serin_redis NAMESPACE serin:: FILE serinRedisTargets.cmake DESTINATION ${package_dir})
    install(FILES cmake/find_hiredis.cmake DESTINATION ${package_dir})
endif()
