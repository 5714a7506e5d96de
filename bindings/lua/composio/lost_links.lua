-- What bulk.lua tells report.lua while `after` runs: which items may have lost a link,
-- because an earlier session of the run sent their changes and the ledger does not keep
-- replies.
-- Must not know: what a report is, how results are read.

return {
  wanted = false, -- does the script write a report? Otherwise nobody needs `of_item`
  of_item = {}, -- by the item's number
}
