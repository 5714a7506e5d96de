-- What bulk.lua tells report.lua while `after` runs: which items may have lost a link, since
-- an earlier session of the run carried their changes out and its replies are gone.
-- Must not know: what a report is, how results are read.

return {
  wanted = false, -- is there a report, so that it is worth finding out?
  of_item = {}, -- by the item's number
}
