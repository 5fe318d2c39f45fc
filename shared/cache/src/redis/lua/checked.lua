-- Remembers that the outage notes were read at a time; never an earlier one than is known.
-- KEYS: meta, journal
-- ARGV: ms of Redis time when the reading began, '1' to begin a new epoch as well
local known = tonumber(redis.call('HGET', KEYS[1], 'notes') or '0')
-- A time to come was given out by a server whose clock was ahead.
if known > tonumber(redis.call('TIME')[1]) * 1000 + 1000 then known = 0 end
if ARGV[2] == '1' then
  redis.call('HSET', KEYS[1], 'epoch', redis.call('XADD', KEYS[2], '*', 'kind', 'epoch'))
end
if tonumber(ARGV[1]) >= known then redis.call('HSET', KEYS[1], 'notes', ARGV[1]) end
return 1
