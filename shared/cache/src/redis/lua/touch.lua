-- Adds reads to the counters of copies that are still of the version that was read; never brings one back.
-- KEYS: copies of one slot
-- ARGV: for each: version, reads to add, time of the last one (ms)
-- Returns for each the fleet's reads, or -1 when that version is gone.
local totals = {}
for i, copy in ipairs(KEYS) do
  local version, reads, last = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  local old = fields_of(copy, 'v', 'l')
  if old[1] == version then
    totals[i] = redis.call('HINCRBY', copy, 'n', reads)
    if not old[2] or tonumber(old[2]) < tonumber(last) then redis.call('HSET', copy, 'l', last) end
  else
    totals[i] = -1
  end
end
return totals
