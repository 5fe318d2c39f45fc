-- Says that an invalidation is undone. One that is recorded from now on must be newer: it could not be told from one that
-- was there before, and would pass over what came back.
-- KEYS: meta
-- ARGV: version of the invalidation
local undone = redis.call('HGET', KEYS[1], 'undone')
if not undone or undone < ARGV[1] then redis.call('HSET', KEYS[1], 'undone', ARGV[1]) end
return 1
