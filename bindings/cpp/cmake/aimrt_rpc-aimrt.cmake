# AimRT's target names and functions, for projects that were written for AimRT. Needs aimrt_rpc_root, the folder with aimrt_rpc_compat.h
# and the C++ headers (a list in a source tree), aimrt_rpc_aimrt_headers, AimRT's first include root, and aimrt_rpc_generator, the protoc
# plugin (may be empty: then it is looked for when a stub is wanted). aimrt_rpc_imported_scope is GLOBAL or empty.
include_guard(GLOBAL)

find_package(fmt QUIET) # the headers use std::format where the compiler has it and say so when they have neither
if(NOT TARGET protobuf::libprotobuf)
  find_package(Protobuf QUIET)
endif()

# aimrt_rpc_headers(target [folder ...]): an interface target with some of AimRT's include roots.
function(aimrt_rpc_headers target)
  add_library(${target} INTERFACE IMPORTED ${aimrt_rpc_imported_scope})
  set(roots "${aimrt_rpc_root}" "${aimrt_rpc_aimrt_headers}")
  foreach(folder IN LISTS ARGN)
    list(APPEND roots "${aimrt_rpc_aimrt_headers}/${folder}")
  endforeach()
  set_target_properties(${target} PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${roots}"
    INTERFACE_COMPILE_FEATURES cxx_std_20)
endfunction()

aimrt_rpc_headers(aimrt::common::util util)
aimrt_rpc_headers(aimrt::interface::aimrt_module_c_interface aimrt_module_c_interface)
aimrt_rpc_headers(aimrt::interface::aimrt_module_cpp_interface aimrt_module_cpp_interface)
aimrt_rpc_headers(aimrt::interface::aimrt_pkg_c_interface aimrt_pkg_c_interface)
aimrt_rpc_headers(aimrt::interface::aimrt_module_protobuf_interface aimrt_module_protobuf_interface)
aimrt_rpc_headers(aimrt::runtime::core)
if(TARGET fmt::fmt-header-only)
  set_property(TARGET aimrt::common::util APPEND PROPERTY INTERFACE_LINK_LIBRARIES fmt::fmt-header-only)
endif()
if(AIMRT_USE_FMT_LIB) # AimRT's own option: fmt also where the compiler has std::format
  set_property(TARGET aimrt::common::util APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS AIMRT_USE_FMT_LIB)
endif()
set_property(TARGET aimrt::interface::aimrt_module_cpp_interface APPEND PROPERTY INTERFACE_LINK_LIBRARIES
  aimrt::interface::aimrt_module_c_interface aimrt::common::util)
set_property(TARGET aimrt::interface::aimrt_pkg_c_interface APPEND PROPERTY INTERFACE_LINK_LIBRARIES
  aimrt::interface::aimrt_module_cpp_interface)
set_property(TARGET aimrt::interface::aimrt_module_protobuf_interface APPEND PROPERTY INTERFACE_LINK_LIBRARIES
  aimrt::interface::aimrt_module_cpp_interface)
if(TARGET protobuf::libprotobuf)
  set_property(TARGET aimrt::interface::aimrt_module_protobuf_interface APPEND PROPERTY INTERFACE_LINK_LIBRARIES protobuf::libprotobuf)
endif()
set_property(TARGET aimrt::runtime::core APPEND PROPERTY INTERFACE_LINK_LIBRARIES
  aimrt::interface::aimrt_module_cpp_interface aimrt_rpc::aimrt_rpc)

set(AIMRT_RPC_PROTOC_PLUGIN "${aimrt_rpc_generator}" CACHE FILEPATH "protoc-gen-aimrt_rpc; empty = look for it")
set_property(GLOBAL PROPERTY aimrt_rpc_link_of_messages "aimrt::interface::aimrt_module_protobuf_interface")

# aimrt_rpc_protoc_of(out): the protoc to run.
function(aimrt_rpc_protoc_of out)
  if(TARGET protobuf::protoc)
    set(${out} $<TARGET_FILE:protobuf::protoc> PARENT_SCOPE)
    return()
  endif()
  find_program(AIMRT_RPC_PROTOC protoc)
  if(NOT AIMRT_RPC_PROTOC)
    message(FATAL_ERROR "generating code from .proto files needs protoc; install protobuf or set AIMRT_RPC_PROTOC")
  endif()
  set(${out} "${AIMRT_RPC_PROTOC}" PARENT_SCOPE)
endfunction()

# aimrt_rpc_gencode(target kind gencode_path deps options file...): a static library of what protoc writes for the files. kind is messages
# or rpc.
function(aimrt_rpc_gencode target kind gencode_path deps options)
  aimrt_rpc_protoc_of(protoc)
  file(MAKE_DIRECTORY "${gencode_path}")
  set(folders)
  foreach(dep IN LISTS deps)
    get_target_property(dep_folders ${dep} AIMRT_RPC_PROTO_PATHS)
    if(dep_folders)
      list(APPEND folders ${dep_folders})
    endif()
  endforeach()
  foreach(file IN LISTS ARGN)
    get_filename_component(folder "${file}" DIRECTORY)
    list(PREPEND folders "${folder}")
  endforeach()
  list(REMOVE_DUPLICATES folders)
  set(include_flags)
  foreach(folder IN LISTS folders)
    list(APPEND include_flags "-I${folder}")
  endforeach()
  set(plugin_flags "--cpp_out=${gencode_path}")
  set(suffix .pb)
  set(plugin)
  if(kind STREQUAL "rpc")
    if(NOT AIMRT_RPC_PROTOC_PLUGIN)
      find_program(AIMRT_RPC_PROTOC_PLUGIN NAMES protoc-gen-aimrt_rpc protoc_plugin_cpp_gen_aimrt_cpp_rpc)
    endif()
    if(NOT AIMRT_RPC_PROTOC_PLUGIN)
      message(FATAL_ERROR "target ${target} needs the program protoc-gen-aimrt_rpc; build it with make programs or set AIMRT_RPC_PROTOC_PLUGIN")
    endif()
    set(plugin "${AIMRT_RPC_PROTOC_PLUGIN}")
    set(plugin_flags "--plugin=protoc-gen-aimrt_rpc=${plugin}" "--aimrt_rpc_out=lang=cpp:${gencode_path}")
    set(suffix .aimrt_rpc.pb)
  endif()
  set(sources)
  foreach(file IN LISTS ARGN)
    get_filename_component(name "${file}" NAME_WLE)
    set(written "${gencode_path}/${name}${suffix}.cc" "${gencode_path}/${name}${suffix}.h")
    add_custom_command(
      OUTPUT ${written}
      COMMAND ${protoc} ${include_flags} ${options} ${plugin_flags} "${file}"
      DEPENDS "${file}" ${plugin}
      COMMENT "Generating ${name}${suffix}.cc"
      VERBATIM)
    list(APPEND sources ${written})
  endforeach()
  add_library(${target} STATIC ${sources})
  get_property(interface GLOBAL PROPERTY aimrt_rpc_link_of_messages)
  target_link_libraries(${target} PUBLIC ${deps} ${interface})
  target_include_directories(${target} PUBLIC "${gencode_path}")
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON AIMRT_RPC_PROTO_PATHS "${folders}")
endfunction()

# TARGET_NAME t PROTO_PATH folder GENCODE_PATH folder [DEP_PROTO_TARGETS t...] [OPTIONS ...]: the messages of all .proto files of a folder.
function(add_protobuf_gencode_target_for_proto_path)
  cmake_parse_arguments(ARG "" "TARGET_NAME;PROTO_PATH;GENCODE_PATH" "DEP_PROTO_TARGETS;OPTIONS" ${ARGN})
  file(GLOB files CONFIGURE_DEPENDS "${ARG_PROTO_PATH}/*.proto")
  if(NOT files)
    message(FATAL_ERROR "target ${ARG_TARGET_NAME}: there is no .proto file in ${ARG_PROTO_PATH}")
  endif()
  aimrt_rpc_gencode(${ARG_TARGET_NAME} messages "${ARG_GENCODE_PATH}" "${ARG_DEP_PROTO_TARGETS}" "${ARG_OPTIONS}" ${files})
endfunction()

# TARGET_NAME t PROTO_FILE file GENCODE_PATH folder [...]: the messages of one file.
function(add_protobuf_gencode_target_for_one_proto_file)
  cmake_parse_arguments(ARG "" "TARGET_NAME;PROTO_FILE;GENCODE_PATH" "DEP_PROTO_TARGETS;OPTIONS" ${ARGN})
  aimrt_rpc_gencode(${ARG_TARGET_NAME} messages "${ARG_GENCODE_PATH}" "${ARG_DEP_PROTO_TARGETS}" "${ARG_OPTIONS}" ${ARG_PROTO_FILE})
endfunction()

# TARGET_NAME t PROTO_FILES file... GENCODE_PATH folder DEP_PROTO_TARGETS t... [OPTIONS ...]: the stubs of files whose messages are in a dep.
function(add_protobuf_aimrt_rpc_gencode_target_for_proto_files)
  cmake_parse_arguments(ARG "" "TARGET_NAME;GENCODE_PATH" "PROTO_FILES;DEP_PROTO_TARGETS;OPTIONS" ${ARGN})
  aimrt_rpc_gencode(${ARG_TARGET_NAME} rpc "${ARG_GENCODE_PATH}" "${ARG_DEP_PROTO_TARGETS}" "${ARG_OPTIONS}" ${ARG_PROTO_FILES})
endfunction()
