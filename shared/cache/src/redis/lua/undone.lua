-- Says that something is back as a version. An invalidation that is recorded from now on must be newer: it would pass over
-- what is back, as if it had been there before that was removed.
-- KEYS: meta
-- ARGV: the version
local undone = redis.call('HGET', KEYS[1], 'undone')
if not undone or undone < ARGV[1] then redis.call('HSET', KEYS[1], 'undone', ARGV[1]) end
return 1
