-- Gives the copy of one entry to other keys, as the library's own script would write it: copy, index, and indexes of
-- its tags.
-- KEYS: the copy
-- ARGV: the deployment's prefix, then shard, key, shard, key... of those that get it
local copy = redis.call('GET', KEYS[1])
local expires = redis.call('PEXPIRETIME', KEYS[1])
-- Nobody's stock: its tags follow its head.
local tags = string.sub(copy, 44, 43 + struct.unpack('>I2', copy, 38))
for i = 2, #ARGV, 2 do
  local slot, key = ARGV[1] .. '{e' .. ARGV[i] .. '}', ARGV[i + 1]
  redis.call('SET', slot .. 'c:' .. key, copy, 'PXAT', expires)
  redis.call('ZADD', slot .. 'index', 0, key)
  for tag in string.gmatch(tags, '[^\n]+') do
    local hash = redis.sha1hex(tag)
    redis.call('ZADD', slot .. 'r:' .. string.sub(hash, 1, 2), 0, string.sub(hash, 3, 16) .. key)
    redis.call('ZADD', slot .. 't:', 0, tag)
  end
end
return #ARGV
