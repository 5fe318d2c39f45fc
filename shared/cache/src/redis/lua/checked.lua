-- Remembers that the outage notes were read at a time; never an earlier one than is known.
-- KEYS: meta, journal
-- ARGV: ms of Redis time when the reading began, number of the generation of notes that was read, the epoch in which
--       they were read
-- Returns 1; 0 when that epoch has ended: what was put into the journal of a note may be lost with it, and nobody has read
-- the notes since.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[3] then return 0 end
local known = tonumber(redis.call('HGET', KEYS[1], 'notes') or '0')
-- A time to come was given out by a server whose clock was ahead.
if known > tonumber(redis.call('TIME')[1]) * 1000 + 1000 then known = 0 end
-- A generation begins when the notes of the one before are not read any more: an epoch takes their place. Whoever began it
-- may have been killed before it said so.
if tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[1], 'generation') or '0') then
  redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'epoch', redis.call('XADD', KEYS[2], '*', 'kind', 'epoch'))
end
if tonumber(ARGV[1]) >= known then redis.call('HSET', KEYS[1], 'notes', ARGV[1]) end
return 1
