-- Estimates what one shard holds, by keys drawn at random.
-- KEYS: index of the shard
-- ARGV: copies to find, most keys to draw for them, what stands before a key in the name of its copy
-- Returns {keys in the index, keys drawn, copies among them, bytes of their envelopes}; the copies are to the keys drawn
-- as those of the shard are to its keys.
local wanted, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local indexed = redis.call('ZCARD', KEYS[1])
local drawn, copies, bytes = 0, 0, 0

-- Looks at keys until there is one copy more than is wanted. That one does not count, nor does its key: by when it turns
-- up, more of the keys are copies than of those that were not looked at.
local function look(keys)
  for _, key in ipairs(keys) do
    -- What is no copy has no envelope.
    local text = redis.pcall('GETRANGE', ARGV[3] .. key, 0, LOOK - 1)
    local head = type(text) == 'string' and head_in(text)
    local size = head and head.envelope or 0
    if size > 0 and copies == wanted then return true end
    drawn = drawn + 1
    if size > 0 then
      copies = copies + 1
      bytes = bytes + size
    end
  end
end

if indexed <= wanted then
  look(redis.call('ZRANGE', KEYS[1], 0, -1))
else
  -- Each by itself, so that they come in no order.
  repeat until look(redis.call('ZRANDMEMBER', KEYS[1], -wanted)) or drawn >= most
end
return {indexed, drawn, copies, bytes}
