-- Lets one more wait, unless as many do.
-- KEYS: those who wait
-- ARGV: name of the one, for how long (ms), most at a time
-- Returns 1 when it may.
local now = math.floor(now_us() / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
local till = now + tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], till, ARGV[1])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last) + 1))
return 1
