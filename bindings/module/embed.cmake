# Turns Lua files into one C file of byte arrays, so that the module and the
# host carry them. Runs as a script while building:
#   cmake -D OUT=embedded.c "-DFILES=a.lua;b.lua" [-D COMPILER=composio-embed]
#         -P embed.cmake
# Without COMPILER they stay text, which every Lua 5.4 can load; with it they
# are bytecode of the Lua it is linked with, since parsing them took longer than
# the rest of starting up.
set(ARRAYS "")
set(TABLE "")
foreach(FILE IN LISTS FILES)
  get_filename_component(NAME ${FILE} NAME_WE)
  set(CHUNK "@composio/${NAME}.lua") # as errors shall call it
  if(COMPILER)
    execute_process(COMMAND ${COMPILER} ${FILE} ${CHUNK} ${OUT}.bytecode
      COMMAND_ERROR_IS_FATAL ANY)
    set(FILE ${OUT}.bytecode)
  endif()
  file(READ ${FILE} HEX HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" HEX "${HEX}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," HEX "${HEX}")
  string(APPEND ARRAYS "static const unsigned char file_${NAME}[] = {\n${HEX}0\n};\n")
  string(APPEND TABLE
    "  { \"${NAME}\", \"${CHUNK}\", (const char *)file_${NAME}, sizeof(file_${NAME}) - 1 },\n")
endforeach()
file(REMOVE ${OUT}.bytecode)
file(WRITE ${OUT}.new
  "/* Generated from bindings/lua/composio; see bindings/embed.cmake. */\n"
  "#include \"module/embed.h\"\n\n${ARRAYS}\n"
  "const struct lca_embedded lca_embedded[] = {\n${TABLE}  { NULL, NULL, NULL, 0 }\n};\n")
file(COPY_FILE ${OUT}.new ${OUT} ONLY_IF_DIFFERENT)
file(REMOVE ${OUT}.new)
