-- Counts the keys of one shard that have each of some tags.
-- KEYS: index of the shard
-- ARGV: what stands before every name of the shard, up to how many members of an index their copies are looked for, ranges
--       of keys, from, to, from, to..., tags...
-- Returns a count for each tag, of the copies where there are few, else of the members, which may have expired; and the
-- text of each that is given as it stands in the list by its hash, '' where no copy is found that tells it.
local shard, few, ranges = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local first = 4 + 2 * ranges

-- The end of a range of keys where a hash stands before each.
local function behind(hash, bound)
  if bound == '-' then return '[' .. hash end
  if bound == '+' then return '(' .. hash .. '\255' end
  return string.sub(bound, 1, 1) .. hash .. string.sub(bound, 2)
end

local function count(index, from, to)
  local members = redis.call('ZLEXCOUNT', index, from, to)
  if members > few then return members end
  local there = 0
  for _, member in ipairs(redis.call('ZRANGEBYLEX', index, from, to)) do
    there = there + redis.call('EXISTS', shard .. 'c:' .. string.sub(member, ROW_DIGITS + 1))
  end
  return there
end

-- How many copies of a range are asked for the text of a tag at most: of those that an index names a quarter may be gone.
local MOST_ASKED = 32

-- The text of a tag that stands in the list by its hash.
local function text_of(tag, index, from, to)
  for _, member in ipairs(redis.call('ZRANGEBYLEX', index, from, to, 'LIMIT', 0, MOST_ASKED)) do
    local copy = look_at(shard .. 'c:' .. string.sub(member, ROW_DIGITS + 1))
    for text in string.gmatch(copy and copy.tags or '', '[^\n]+') do
      if listed(text) == tag then return text end
    end
  end
  return ''
end

local counts, texts = {}, {}
for i = first, #ARGV do
  local sum = 0
  local set, hash = rows_of(shard, ARGV[i])
  local text = string.find(ARGV[i], BY_HASH, 1, true) and ''
  for range = 4, first - 1, 2 do
    local from, to = ARGV[range], ARGV[range + 1]
    sum = sum + count(set, behind(hash, from), behind(hash, to))
    if text == '' then text = text_of(ARGV[i], set, behind(hash, from), behind(hash, to)) end
  end
  counts[#counts + 1], texts[#texts + 1] = sum, text or ''
end
return {counts, texts}
