-- .ci/run exited with 1 though everything had passed: with set -e, a kill of the lint that
-- had long ended decided the exit code. Runs it with commands that only say how they end.

local server = require "spec.support.server"

local COMMANDS = { "make", ".ci/setup", ".ci/debian13", ".ci/figures" }

-- Runs a copy of .ci/run in an empty folder. failing: the first argument of the command
-- that fails there, or nil. Returns the exit code.
local function run_ci(failing)
  local text = ([[
    cd "$(mktemp -d)" && mkdir .ci && cp '%s/.ci/run' .ci/run || exit 99
    printf '#!/bin/sh\n[ "$1" != "%s" ]\n' > command && chmod +x command
    for name in %s; do cp command "$name"; done
    PATH=$PWD:$PATH bash .ci/run > /dev/null 2>&1
    code=$?
    rm -rf "$PWD"
    exit $code
  ]]):format(server.root, failing or "-", table.concat(COMMANDS, " "))
  local _, _, code = os.execute(text)
  return code
end

describe(".ci/run", function()
  it("exits with 0 when every command has passed", function()
    assert.equal(0, run_ci())
  end)

  for _, target in ipairs { "demo", "lint", "test", "portable", "interop", "fuzz" } do
    it("fails when make " .. target .. " fails", function()
      assert.is_true(run_ci(target) > 0)
    end)
  end
end)
