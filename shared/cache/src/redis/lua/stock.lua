-- Adds up the book of an API key in one shard.
-- KEYS: the book
-- Returns {entries, bytes, bytes of indexes}.
local now = now_us() / 1000000
local sums, past = {0, 0, 0}, {}
local lines = redis.call('HGETALL', KEYS[1])
for i = 1, #lines, 2 do
  local entries, bytes, index = string.match(lines[i + 1], '^(%d+) (%d+) (%d+)$')
  if tonumber(lines[i]) > now then
    sums = {sums[1] + entries, sums[2] + bytes, sums[3] + index}
  else
    past[#past + 1] = lines[i]
  end
end
if #past > 0 then redis.call('HDEL', KEYS[1], unpack(past)) end
return sums
