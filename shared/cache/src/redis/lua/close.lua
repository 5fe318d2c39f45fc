-- Closes an invalidation that has removed all it means.
-- KEYS: journal, open invalidations
-- ARGV: position of its record, distinct keys it met
-- Returns 1, or 0 when it is not open any more: its record is lost, and it must begin anew.
if redis.call('HDEL', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('XADD', KEYS[1], '*', 'kind', 'closed', 'of', ARGV[1], 'matched', ARGV[2])
return 1
