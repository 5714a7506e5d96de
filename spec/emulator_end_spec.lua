-- When the emulator ends, and how many connections it serves until then.
local server = require "spec.support.server"

local program = server.quote(server.build .. "/composio-emulator")

-- Runs bash with these lines; what they print, without the last end of line.
local function bash(lines)
  local pipe = assert(io.popen("bash -c " .. server.quote(lines) .. " 2>&1", "r"))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("\n$", ""))
end

-- Starts one whose standard input is a pipe that descriptor 4 holds open.
local function with_input(lines)
  return bash(([[
    dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
    mkfifo "$dir/in" "$dir/out"
    %s --until-eof --accounts 5 <"$dir/in" >"$dir/out" &
    emulator=$!
    exec 4>"$dir/in" 5<"$dir/out"
    read -r ready <&5
    port=$(sed 's/.*127.0.0.1:\([0-9]*\).*/\1/' <<<"$ready")
    ask() {
      exec 3<>"/dev/tcp/127.0.0.1/$port"
      printf 'GET /_emulator/stats HTTP/1.0\r\n\r\n' >&3
      head -n 1 <&3 | tr -d '\r'
    }
    %s]]):format(program, lines))
end

describe("the emulator", function()
  it("ends with its standard input under --until-eof", function()
    assert.equal("HTTP/1.1 200 OK\n0", with_input [[
      ask; exec 4>&-; wait $emulator; echo $?]])
  end)

  it("does not mind what is written there", function()
    assert.equal("HTTP/1.1 200 OK\n0", with_input [[
      head -c 20000 /dev/zero >&4; ask; exec 4>&-; wait $emulator; echo $?]])
  end)

  it("ends when all who hold that input were killed", function()
    assert.equal("HTTP/1.1 200 OK\n0", with_input [[
      sleep 60 5<&- & holder=$!; exec 4>&-
      ask; { kill -9 $holder; wait $holder; } 2>/dev/null
      wait $emulator; echo $?]])
  end)

  it("says so when there is no such input", function()
    local text = bash(program .. " --until-eof <&-; echo $?")
    assert.matches("no standard input to watch\n1$", text)
  end)

  it("lives on without its standard input otherwise", function()
    local emulator = server.emulator { "--accounts", "5" }
    assert.equal(5, emulator:stats().accounts)
    assert.is_true(emulator:stop())
  end)

  it("ends on INT and TERM, also while it answers nobody", function()
    for _, name in ipairs { "INT", "TERM" } do
      assert.equal("0", with_input("kill -" .. name .. " $emulator; wait $emulator; echo $?"))
    end
  end)

  -- More than select takes, where that is what waits: these wait their turn.
  it("serves more than a thousand connections", function()
    assert.equal("HTTP/1.1 200 OK\nHTTP/1.1 200 OK", with_input [[
      exec 2>/dev/null
      ulimit -n 4096
      for ((i = 10; i < 1110; i++)); do eval "exec $i<>/dev/tcp/127.0.0.1/$port"; done
      printf 'GET /_emulator/stats HTTP/1.0\r\n\r\n' >&10
      head -n 1 <&10 | tr -d '\r'
      for ((i = 10; i < 310; i++)); do eval "exec $i>&-"; done
      ask
      kill $emulator]])
  end)

  it("serves though it inherits more descriptors than select takes", function()
    local text = bash([[
      exec 2>/dev/null
      ulimit -n 4096
      dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
      mkfifo "$dir/out"
      (for ((i = 10; i < 1110; i++)); do eval "exec $i</dev/null"; done
      exec ]] .. program .. [[ --accounts 5 >"$dir/out") &
      emulator=$!
      read -r -t 10 ready <"$dir/out"
      port=$(sed 's/.*127.0.0.1:\([0-9]*\).*/\1/' <<<"$ready")
      exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /_emulator/stats HTTP/1.0\r\n\r\n' >&3
      head -n 1 <&3 | tr -d '\r'
      kill $emulator; wait $emulator; echo $?]])
    -- with select alone it cannot, and says so instead of a ready line
    assert.is_true(text == "HTTP/1.1 200 OK\n0" or text == "1", text)
  end)
end)
