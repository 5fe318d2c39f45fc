-- Counts the keys of one shard that have each of some tags.
-- KEYS: index of the shard
-- ARGV: what stands before every name of the shard, up to how many members of an index their copies are looked for, ranges
--       of keys, from, to, from, to..., tags...
-- Returns a count for each tag: of the copies where there are few, else of the members, which may have expired.
local shard, few, ranges = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local first = 4 + 2 * ranges

-- The end of a range of keys where a hash stands before each.
local function behind(hash, bound)
  if bound == '-' then return '[' .. hash end
  if bound == '+' then return '(' .. hash .. '\255' end
  return string.sub(bound, 1, 1) .. hash .. string.sub(bound, 2)
end

local function count(index, from, to, key_at)
  local members = redis.call('ZLEXCOUNT', index, from, to)
  if members > few then return members end
  local there = 0
  for _, member in ipairs(redis.call('ZRANGEBYLEX', index, from, to)) do
    there = there + redis.call('EXISTS', shard .. 'c:' .. string.sub(member, key_at))
  end
  return there
end

local counts = {}
for i = first, #ARGV do
  local sum, older = 0, 0
  local set, hash = rows_of(shard, ARGV[i])
  for range = 4, first - 1, 2 do
    local from, to = ARGV[range], ARGV[range + 1]
    sum = sum + count(set, behind(hash, from), behind(hash, to), ROW_DIGITS + 1)
    older = older + count(shard .. 't:' .. ARGV[i], from, to, 1)
  end
  counts[#counts + 1] = math.max(sum, older)
end
return counts
