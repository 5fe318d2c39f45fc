-- Appends one record to the journal.
-- KEYS: journal, open invalidations, meta
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), ms to keep,
--       most records to keep, what to keep as open under the record's position ('' for nothing),
--       time in the version of what was put or deleted (microseconds; 0 for none),
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
  'time', string.format('%.0f', math.floor(now / 1000)), unpack(ARGV, 7))
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], id, ARGV[5]) end
-- The clock went back. What begins later exceeds this version all the same, also when its record is gone.
if tonumber(ARGV[6]) > now and tonumber(ARGV[6]) > tonumber(redis.call('HGET', KEYS[3], 'ahead') or '0') then
  redis.call('HSET', KEYS[3], 'ahead', ARGV[6])
end
return id
