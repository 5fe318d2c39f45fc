-- Appends one record to the journal.
-- KEYS: journal, open invalidations
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), ms to keep,
--       most records to keep, what to keep as open under the record's position ('' for nothing),
--       field, value, field, value... to go with the time (ms)
-- Returns the record's position, or '' when the operation is too old.
local now = now_us()
if is_late(now, ARGV[1], ARGV[2]) then return '' end
-- The same invalidation again: its answer was lost.
if ARGV[5] ~= '' then
  local open = redis.call('HGETALL', KEYS[2])
  for i = 2, #open, 2 do
    if open[i] == ARGV[5] then return open[i - 1] end
  end
end
local oldest = string.format('%.0f', math.floor(now / 1000) - tonumber(ARGV[3]))
local id = redis.call('XADD', KEYS[1], 'MINID', '~', oldest, '*',
  'time', string.format('%.0f', math.floor(now / 1000)), unpack(ARGV, 6))
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], id, ARGV[5]) end
return id
