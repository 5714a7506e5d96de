# A copy of the operation table with three more rows, at its end: nothing else of
# it is changed. TABLE and ROWS are read, OUT is written.
file(READ ${TABLE} text)
set(open "static const struct ca_api rows[] = {\n")
string(FIND "${text}" "${open}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "${TABLE} has no table of rows that begins as before")
endif()
string(REPLACE "${open}" "#include \"${ROWS}\"\n${open}  IMAGINARY_ROWS\n" text "${text}")
file(WRITE ${OUT} "${text}")
