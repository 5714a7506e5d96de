# Finds Lua 5.4, whatever the system calls it, and refuses every other Lua by
# name. Gives composio_lua_headers, which all that includes lua.h links, and
# PkgConfig::LUA, which programs link and the module does not.
# Must not know: what is built with it.
set(LUA_NAMES lua5.4 lua-5.4 lua54 lua)

set(OTHERS "")
unset(LUA_NAME)
foreach(NAME IN LISTS LUA_NAMES)
  pkg_check_modules(LUA_AS_${NAME} QUIET ${NAME})
  if(NOT LUA_AS_${NAME}_FOUND)
    continue()
  endif()
  if(LUA_AS_${NAME}_VERSION VERSION_GREATER_EQUAL 5.4 AND
     LUA_AS_${NAME}_VERSION VERSION_LESS 5.5)
    set(LUA_NAME ${NAME})
    break()
  endif()
  pkg_get_variable(PLACE ${NAME} pcfiledir)
  list(APPEND OTHERS "${NAME} ${LUA_AS_${NAME}_VERSION} in ${PLACE}")
endforeach()
if(NOT LUA_NAME)
  list(JOIN OTHERS ", " OTHERS)
  list(JOIN LUA_NAMES ", " NAMES)
  if(NOT OTHERS)
    set(OTHERS "none (pkg-config was asked for ${NAMES})")
  endif()
  message(FATAL_ERROR "composio-lua needs Lua 5.4; found ${OTHERS}")
endif()
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET ${LUA_NAME})

# What is compiled is what is looked at: a directory that pkg-config names, or
# leaves out because the compiler looks there anyway.
unset(LUA_H)
find_path(LUA_H lua.h PATHS ${LUA_INCLUDE_DIRS} ${LUA_INCLUDEDIR}
  NO_DEFAULT_PATH NO_CACHE REQUIRED)
cmake_path(ABSOLUTE_PATH LUA_H NORMALIZE)
string(REGEX REPLACE "/$" "" LUA_H "${LUA_H}")
file(STRINGS ${LUA_H}/lua.h NUMBER REGEX "^#define[ \t]+LUA_VERSION_NUM[ \t]")
if(NOT NUMBER MATCHES "LUA_VERSION_NUM[ \t]+504$")
  message(FATAL_ERROR "composio-lua needs Lua 5.4; found ${LUA_NAME} "
    "${LUA_VERSION}, but ${LUA_H}/lua.h says: ${NUMBER}")
endif()
message(STATUS "Lua ${LUA_VERSION}: ${LUA_NAME}.pc, ${LUA_H}/lua.h")

# With -I these come before whatever headers lie beside those of libcurl and
# the other libraries, whose directories are -isystem.
add_library(composio_lua_headers INTERFACE)
target_include_directories(composio_lua_headers INTERFACE ${LUA_H})
