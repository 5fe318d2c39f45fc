-- Reads what copies of one shard say but for their values.
-- KEYS: index of the shard
-- ARGV: what stands before a key in the name of its copy, since which position L2 is the source of truth ('' when it is not),
--       keys...
-- Returns for each key its copy up to the payload of the envelope, or '' where none is there.
local copies, since = ARGV[1], ARGV[2]

-- What stands in an envelope before its header says how long that is; behind it comes a seal.
local ENVELOPE_PREFIX, SEAL = 10, 8

local heads = {}
for i = 3, #ARGV do
  local copy = copies .. ARGV[i]
  local head = look_at(copy)
  heads[i - 2] = ''
  if is_there(head, since) then
    local at = head.tags_at + head.tag_bytes
    local a, b, c, d = string.byte(redis.call('GETRANGE', copy, at, at + ENVELOPE_PREFIX - 1), 7, 10)
    if d then
      local last = at + ENVELOPE_PREFIX + a + 256 * (b + 256 * (c + 256 * d)) + SEAL - 1
      heads[i - 2] = redis.call('GETRANGE', copy, 0, last)
    end
  end
end
return heads
