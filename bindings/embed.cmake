# Turns Lua files into one C file of byte arrays, so that the module and the
# host carry them, compiled already: parsing them took longer than the rest of
# starting up. Runs as a script while building:
#   cmake -D OUT=embedded.c -D LUAC=luac5.4 -D FILES=a.lua;b.lua -P embed.cmake
set(ARRAYS "")
set(TABLE "")
get_filename_component(WORK ${OUT} DIRECTORY)
foreach(FILE IN LISTS FILES)
  get_filename_component(NAME ${FILE} NAME_WE)
  # compiled beside a copy called as errors shall call it
  file(COPY ${FILE} DESTINATION ${WORK}/composio)
  execute_process(COMMAND ${LUAC} -o ${OUT}.luac composio/${NAME}.lua
    WORKING_DIRECTORY ${WORK} COMMAND_ERROR_IS_FATAL ANY)
  file(READ ${OUT}.luac HEX HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" HEX "${HEX}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," HEX "${HEX}")
  string(APPEND ARRAYS "static const unsigned char file_${NAME}[] = {\n${HEX}0\n};\n")
  string(APPEND TABLE
    "  { \"${NAME}\", \"@composio/${NAME}.lua\", (const char *)file_${NAME}, sizeof(file_${NAME}) - 1 },\n")
endforeach()
file(REMOVE ${OUT}.luac)
file(WRITE ${OUT}.new
  "/* Generated from bindings/lua/composio; see bindings/embed.cmake. */\n"
  "#include \"lua_embed.h\"\n\n${ARRAYS}\n"
  "const struct lca_embedded lca_embedded[] = {\n${TABLE}  { NULL, NULL, NULL, 0 }\n};\n")
file(COPY_FILE ${OUT}.new ${OUT} ONLY_IF_DIFFERENT)
file(REMOVE ${OUT}.new)
