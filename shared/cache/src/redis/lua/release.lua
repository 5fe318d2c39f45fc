-- Gives a lease back, if whoever gives it has it.
-- KEYS: lease
-- ARGV: name of whoever has taken it
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
