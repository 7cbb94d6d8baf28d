# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

# cmake -DPORT_DIR=<folder> -DPACKAGES=<folder> -DBUILDTREES=<folder> -DFEATURES=<list> [-DLINKAGE=dynamic]
#       -P run_port.cmake
#
# Runs a port's portfile without vcpkg: its functions are played here, with the same effects on the package as far as
# this port meets them, and with the libraries of the system. Builds as vcpkg does for a triplet with release only.

cmake_minimum_required(VERSION 3.25)

set(CURRENT_PORT_DIR ${PORT_DIR})
set(CURRENT_PACKAGES_DIR ${PACKAGES})
set(LINKAGE "${LINKAGE}")
file(READ ${PORT_DIR}/vcpkg.json manifest)
string(JSON PORT GET "${manifest}" name)
file(REMOVE_RECURSE ${PACKAGES})

function(run)
    execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
endfunction()

function(vcpkg_check_features)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUT_FEATURE_OPTIONS" "FEATURES")
    set(options "")
    while(arg_FEATURES)
        list(POP_FRONT arg_FEATURES feature option)
        string(JSON ignored ERROR_VARIABLE unknown GET "${manifest}" features ${feature})
        if(unknown)
            message(FATAL_ERROR "vcpkg.json knows no feature ${feature}")
        endif()
        if(feature IN_LIST FEATURES)
            list(APPEND options -D${option}=ON)
        else()
            list(APPEND options -D${option}=OFF)
        endif()
    endwhile()
    set(${arg_OUT_FEATURE_OPTIONS} ${options} PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
    set(shared OFF)
    if(LINKAGE STREQUAL "dynamic")
        set(shared ON)
    endif()
    run(${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${BUILDTREES} -G Ninja -DCMAKE_BUILD_TYPE=Release
        -DCMAKE_INSTALL_PREFIX=${PACKAGES} -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_INSTALL_BINDIR=bin
        -DBUILD_SHARED_LIBS=${shared} ${arg_OPTIONS})
endfunction()

function(vcpkg_cmake_install)
    run(${CMAKE_COMMAND} --build ${BUILDTREES} --target install)
endfunction()

function(vcpkg_cmake_config_fixup)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "CONFIG_PATH;PACKAGE_NAME" "")
    if(NOT arg_PACKAGE_NAME)
        set(arg_PACKAGE_NAME ${PORT})
    endif()
    set(share ${PACKAGES}/share/${arg_PACKAGE_NAME})
    file(MAKE_DIRECTORY ${PACKAGES}/share)
    file(RENAME ${PACKAGES}/${arg_CONFIG_PATH} ${share})
    file(REMOVE_RECURSE ${PACKAGES}/lib/cmake) # As vcpkg does where that is the parent of CONFIG_PATH
    # They now lie two folders below the prefix instead of three.
    file(GLOB files ${share}/*.cmake)
    foreach(file IN LISTS files)
        file(READ ${file} text)
        string(REGEX REPLACE
            "get_filename_component\\(_IMPORT_PREFIX \"\\\${CMAKE_CURRENT_LIST_FILE}\" PATH\\)(\nget_filename_component\\(_IMPORT_PREFIX \"\\\${_IMPORT_PREFIX}\" PATH\\))*"
            "get_filename_component(_IMPORT_PREFIX \"\${CMAKE_CURRENT_LIST_FILE}\" PATH)\nget_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)\nget_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)"
            text "${text}")
        string(REPLACE "\${CMAKE_CURRENT_LIST_DIR}/../../../" "\${CMAKE_CURRENT_LIST_DIR}/../../" text "${text}")
        file(WRITE ${file} "${text}")
    endforeach()
endfunction()

function(vcpkg_fixup_pkgconfig)
    file(GLOB files ${PACKAGES}/lib/pkgconfig/*.pc)
    if(NOT files)
        message(FATAL_ERROR "no description for pkg-config")
    endif()
endfunction()

function(vcpkg_copy_tools)
    cmake_parse_arguments(PARSE_ARGV 0 arg "AUTO_CLEAN" "" "TOOL_NAMES")
    foreach(tool IN LISTS arg_TOOL_NAMES)
        file(COPY ${PACKAGES}/bin/${tool} DESTINATION ${PACKAGES}/tools/${PORT})
    endforeach()
    file(REMOVE_RECURSE ${PACKAGES}/bin)
endfunction()

function(vcpkg_install_copyright)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
    file(READ ${arg_FILE_LIST} text)
    file(WRITE ${PACKAGES}/share/${PORT}/copyright "${text}")
endfunction()

include(${PORT_DIR}/portfile.cmake)

# ---- What vcpkg complains about after a build

file(GLOB_RECURSE files LIST_DIRECTORIES true RELATIVE ${PACKAGES} ${PACKAGES}/*)
foreach(file IN LISTS files)
    if(file MATCHES "^(debug|lib/cmake|bin|share/doc)")
        message(FATAL_ERROR "the package must not have ${file}")
    endif()
    if(IS_DIRECTORY ${PACKAGES}/${file})
        file(GLOB inside ${PACKAGES}/${file}/*)
        if(NOT inside)
            message(FATAL_ERROR "the package has an empty folder, ${file}")
        endif()
    elseif(file MATCHES "[.](cmake|pc)$")
        file(READ ${PACKAGES}/${file} text)
        foreach(path ${PACKAGES} ${BUILDTREES} ${SOURCE_PATH})
            string(FIND "${text}" "${path}/" place)
            if(NOT place EQUAL -1)
                message(FATAL_ERROR "${file} names ${path}")
            endif()
        endforeach()
    endif()
endforeach()
foreach(file share/${PORT}/copyright share/${PORT}/usage share/${PORT}/${PORT}Config.cmake)
    if(NOT file IN_LIST files)
        message(FATAL_ERROR "the package has no ${file}")
    endif()
endforeach()
