-- Draws copies of one shard at random.
-- KEYS: index of the shard
-- ARGV: most copies to draw, what stands before a key in the name of its copy
-- Returns {keys in the index, keys drawn, copies among them, bytes of their envelopes}.
local drawn = redis.call('ZRANDMEMBER', KEYS[1], ARGV[1])
local copies, bytes = 0, 0
for _, key in ipairs(drawn) do
  local size = redis.pcall('HSTRLEN', ARGV[2] .. key, 'e')
  -- What is no copy has no envelope.
  if type(size) == 'number' and size > 0 then
    copies = copies + 1
    bytes = bytes + size
  end
end
return {redis.call('ZCARD', KEYS[1]), #drawn, copies, bytes}
