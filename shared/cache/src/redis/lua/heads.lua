-- Reads what copies of one shard say but for their values.
-- KEYS: index of the shard
-- ARGV: what stands before a key in the name of its copy, since which position L2 is the register ('' when it is not),
--       keys...
-- Returns for each key {version, stamp, the envelope up to its payload, bytes of all of it}; the first is '' where no copy
-- is there.
local copies, since = ARGV[1], ARGV[2]

-- What stands before the header says how long that is; behind it comes a seal.
local function head_of(envelope)
  if #envelope < 10 then return envelope end
  local a, b, c, d = string.byte(envelope, 7, 10)
  return string.sub(envelope, 1, 18 + a + 256 * (b + 256 * (c + 256 * d)))
end

local heads = {}
for i = 3, #ARGV do
  local copy = fields_of(copies .. ARGV[i], 'v', 'gone', 'a', 'e')
  local version, gone, stamp, envelope = copy[1], copy[2], copy[3], copy[4]
  if envelope and is_there(version, gone, stamp, since) then
    heads[i - 2] = {version, stamp, head_of(envelope), #envelope}
  else
    heads[i - 2] = {'', '', '', 0}
  end
end
return heads
