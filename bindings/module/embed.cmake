# Turns Lua files into one C file of byte arrays, so that the module and the
# host carry them. Runs as a script while building:
#   cmake -D OUT=embedded.c "-DFILES=/lua/composio/a.lua;…" -D ROOT=/lua
#         [-D COMPILER=composio-embed] -P embed.cmake
# A file's module is named by its path below ROOT: composio.host.doctor.
# Without COMPILER they stay text, which every Lua 5.4 can load; with it they
# are bytecode of the Lua it is linked with, since parsing them took longer than
# the rest of starting up.
set(ARRAYS "")
set(TABLE "")
foreach(FILE IN LISTS FILES)
  file(RELATIVE_PATH PATH ${ROOT} ${FILE})
  set(CHUNK "@${PATH}") # as errors shall call it
  string(REGEX REPLACE "\\.lua$" "" NAME ${PATH})
  string(REPLACE "/" "." NAME ${NAME})
  string(REPLACE "." "_" SYMBOL ${NAME})
  if(COMPILER)
    execute_process(COMMAND ${COMPILER} ${FILE} ${CHUNK} ${OUT}.bytecode
      COMMAND_ERROR_IS_FATAL ANY)
    set(FILE ${OUT}.bytecode)
  endif()
  file(READ ${FILE} HEX HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" HEX "${HEX}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," HEX "${HEX}")
  string(APPEND ARRAYS "static const unsigned char file_${SYMBOL}[] = {\n${HEX}0\n};\n")
  string(APPEND TABLE
    "  { \"${NAME}\", \"${CHUNK}\", (const char *)file_${SYMBOL}, sizeof(file_${SYMBOL}) - 1 },\n")
endforeach()
file(REMOVE ${OUT}.bytecode)
file(WRITE ${OUT}.new
  "/* Generated from bindings/lua/composio; see bindings/module/embed.cmake. */\n"
  "#include \"module/embed.h\"\n\n${ARRAYS}\n"
  "const struct lca_embedded lca_embedded[] = {\n${TABLE}  { NULL, NULL, NULL, 0 }\n};\n")
file(COPY_FILE ${OUT}.new ${OUT} ONLY_IF_DIFFERENT)
file(REMOVE ${OUT}.new)
