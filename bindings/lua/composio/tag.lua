-- composio.tag: a word that a bulk's action or `after` gives its item. The ledger keeps
-- each tag of an item once, so that the counts are right after a resume, too.
-- Must not know: what tags mean, how they are stored.

local running_item = require "composio.running_item"

return function(composio, core, host)
  -- composio.tag "healed": the bulk returns counts.tags.healed; the summary shows it, and
  -- `show RUN --tag healed` lists the items.
  function composio.tag(name)
    core.check_dot("composio.tag", "tag", name)
    if type(name) ~= "string" or #name > 32 or not name:find "^[a-z0-9_-]+$" then
      core.usage(("composio.tag: expected 1 to 32 of a-z, 0-9, _ and -, got %s"):format(
        type(name) == "string" and ("%q"):format(name) or type(name)))
    elseif not host then
      core.usage "composio.tag needs the host: run this script with composio-lua"
    elseif running_item.number(core, host, "composio.tag") == 0 or core.checking then
      core.usage "composio.tag: call it in a bulk's action or its `after`: a tag is an item's"
    end
    host.tag(name)
  end
end
