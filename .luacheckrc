-- What luacheck may assume: Lua 5.4, and busted's globals in specs.
std = "lua54"
max_line_length = 100
files["spec"] = { std = "+busted" }
files["bindings/lua/composio/composio.meta.lua"] = { ignore = { "2", "6" } }
-- It takes libraries from scripts: setting globals is its work.
files["bindings/lua/composio/sandbox.lua"] = { ignore = { "12" } }
exclude_files = { "build", "spec/interop/node_modules" }
