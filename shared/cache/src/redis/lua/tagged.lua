-- Counts the keys of one shard that have each of some tags.
-- KEYS: index of the shard
-- ARGV: what stands before a key in the name of its copy, what stands before a tag in the name of its index, up to how many
--       members of an index their copies are looked for, ranges of keys, from, to, from, to..., tags...
-- Returns a count for each tag: of the copies where there are few, else of the members, which may have expired.
local copies, tag_index, few, ranges = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local first = 5 + 2 * ranges

local function count(index, from, to)
  local members = redis.call('ZLEXCOUNT', index, from, to)
  if members > few then return members end
  local there = 0
  for _, key in ipairs(redis.call('ZRANGEBYLEX', index, from, to)) do
    there = there + redis.call('EXISTS', copies .. key)
  end
  return there
end

local counts = {}
for i = first, #ARGV do
  local sum = 0
  for range = 5, first - 1, 2 do
    sum = sum + count(tag_index .. ARGV[i], ARGV[range], ARGV[range + 1])
  end
  counts[#counts + 1] = sum
end
return counts
