-- Takes in what a census counted, unless a level was switched since it began.
-- KEYS: counts of the fleet, meta, census
-- ARGV: position at which a level had been switched when the count began ('0-0' for never), ms when it began, all that was
--       counted, and if it was L3 that was counted: values, bytes of their envelopes
-- Returns 1, or 0 when the count is of before a switch.
if (redis.call('HGET', KEYS[2], 'switched') or '0-0') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[3], ARGV[3])
if ARGV[4] then redis.call('HSET', KEYS[1], 'census', ARGV[2], 'rows', ARGV[4], 'row_bytes', ARGV[5]) end
return 1
