-- Adds reads to the counters of copies that are still of the version that was read; never brings one back.
-- KEYS: copies of one slot
-- ARGV: for each: version, reads to add, time of the last one (ms)
-- Returns for each the fleet's reads, or -1 when that version is gone.
local MOST = 2 ^ 40 - 1
local totals = {}
for i, copy in ipairs(KEYS) do
  local version, reads, last = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local head = look_at(copy)
  if head and head.version == version then
    local before, last_before = struct.unpack('>I5I6', counters_of(head))
    reads = math.min(before + reads, MOST)
    redis.call('SETRANGE', copy, 26, struct.pack('>I5I6', reads, math.max(last_before, last)))
    totals[i] = reads
  else
    totals[i] = -1
  end
end
return totals
