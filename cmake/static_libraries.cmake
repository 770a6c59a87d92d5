# gRPC, protobuf, Abseil and RE2 are linked from their archives where the system has those (Debian's
# -dev packages carry them): loading some 60 shared libraries of which the program uses a part took
# 20 ms of every start and megabytes of resident memory (bench/README.md). OpenSSL stays shared: its
# repairs must not wait for a new build. Sanitized builds keep to shared libraries, whose code is told
# from the program's.
if(SUPERNOVA_SANITIZE)
  set(default OFF)
else()
  set(default ON)
endif()
option(SUPERNOVA_STATIC_LIBRARIES "Link gRPC, protobuf, Abseil and RE2 from archives" ${default})

# <folder>/libNAME.so[.VERSION] -> <folder>/libNAME.a where that exists, anything else as it is.
function(supernova_archive library result)
  string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive "${library}")
  if(NOT archive MATCHES "^/" OR NOT EXISTS "${archive}")
    set(archive "${library}")
  endif()
  set(${result} "${archive}" PARENT_SCOPE)
endfunction()

# Points imported targets, and those of the same families that they lean on, at archives.
function(supernova_link_statically)
  foreach(target ${ARGN})
    get_property(done GLOBAL PROPERTY SUPERNOVA_STATIC_${target})
    if(done)
      continue()
    endif()
    set_property(GLOBAL PROPERTY SUPERNOVA_STATIC_${target} TRUE)
    get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
    foreach(property IMPORTED_LOCATION ${configurations})
      if(NOT property STREQUAL "IMPORTED_LOCATION")
        string(PREPEND property "IMPORTED_LOCATION_")
      endif()
      get_target_property(location ${target} ${property})
      if(location)
        supernova_archive("${location}" location)
        set_property(TARGET ${target} PROPERTY ${property} "${location}")
      endif()
    endforeach()
    get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
    if(NOT links)
      continue()
    endif()
    set(archives "")
    foreach(link ${links})
      if(link MATCHES "^(absl|gRPC|protobuf|re2|c-ares)::")
        supernova_link_statically(${link})
      else()
        supernova_archive("${link}" link)
      endif()
      list(APPEND archives "${link}")
    endforeach()
    set_property(TARGET ${target} PROPERTY INTERFACE_LINK_LIBRARIES "${archives}")
  endforeach()
endfunction()

if(SUPERNOVA_STATIC_LIBRARIES)
  # What the shared libraries knew themselves.
  set_property(TARGET re2::re2 PROPERTY INTERFACE_LINK_LIBRARIES PkgConfig::RE2)
  set_property(TARGET protobuf::libprotobuf APPEND PROPERTY INTERFACE_LINK_LIBRARIES ZLIB::ZLIB)
  supernova_link_statically(PkgConfig::RE2 gRPC::grpc++ absl::status absl::statusor absl::strings
    absl::any_invocable absl::inlined_vector absl::time absl::synchronization)
endif()
