-- Closes an invalidation that has removed all it means, and with it those before that mean the same or less.
-- KEYS: journal, open invalidations
-- ARGV: position of its record, distinct keys it met, ms for which it is remembered that one was closed by another,
--       positions of the others...
-- Returns 1 when it is closed, by this or by one that meant as much and was later; or 0 when its record is lost, and it
-- must begin anew.
local function closed_by_another(at)
  return KEYS[2] .. ':' .. at
end

if redis.call('HDEL', KEYS[2], ARGV[1]) == 0 then return redis.call('EXISTS', closed_by_another(ARGV[1])) end
redis.call('XADD', KEYS[1], '*', 'kind', 'closed', 'of', ARGV[1], 'matched', ARGV[2])
for i = 4, #ARGV do
  -- Whoever began it may be at work still, and is not to begin anew: two at a time would do so in turn.
  if redis.call('HDEL', KEYS[2], ARGV[i]) == 1 then redis.call('SET', closed_by_another(ARGV[i]), '', 'PX', ARGV[3]) end
end
return 1
