-- Takes in how many values L3 holds, unless a level was switched since the count began.
-- KEYS: counts of the fleet, meta
-- ARGV: position at which a level had been switched when the count began ('0-0' for never), ms when it began, values,
--       bytes of their envelopes
-- Returns 1, or 0 when the count is of before a switch.
if (redis.call('HGET', KEYS[2], 'switched') or '0-0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'census', ARGV[2], 'rows', ARGV[3], 'row_bytes', ARGV[4])
return 1
