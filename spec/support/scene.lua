-- The setup of most spec files: one emulator for all specs of a file (or of a describe),
-- reset before each of them and stopped after the last.
--
--   local emulator, place
--   scene.of_host({ "--accounts", "230" }, function(...)
--     emulator, place = ...
--   end)
--       for specs of the program: `place` is a new directory to run it in, removed
--       after the spec (spec.support.host)
--
--   local emulator, accounts, client, configs
--   scene.of_module({ "--accounts", "60" }, function(...)
--     emulator, accounts, client, configs = ...
--   end)
--       for specs of the module: `client` lives as long as the emulator; accounts and
--       configs are its connected_accounts and auth_configs
--
--   scene.of_emulator({ "--accounts", "60" }, function(...)
--     emulator = ...
--   end)
--
-- The list is the emulator's command line; the function hands over what was made.
-- Must not know: what the specs are about.
local busted = require "busted"
local host = require "spec.support.host"
local server = require "spec.support.server"

local scene = {}

function scene.of_emulator(arguments, take)
  local emulator
  busted.setup(function()
    emulator = server.emulator(arguments)
    take(emulator)
  end)
  busted.teardown(function()
    emulator:stop()
  end)
  busted.before_each(function()
    emulator:reset()
  end)
end

function scene.of_host(arguments, take)
  local emulator, place
  scene.of_emulator(arguments, function(started)
    emulator = started
  end)
  busted.before_each(function()
    place = host.place(emulator)
    take(emulator, place)
  end)
  busted.after_each(function()
    place:remove()
  end)
end

function scene.of_module(arguments, take)
  local client
  scene.of_emulator(arguments, function(emulator)
    client = emulator:client()
    take(emulator, client.connected_accounts, client, client.auth_configs)
  end)
  busted.teardown(function()
    client:close()
  end)
end

return scene
