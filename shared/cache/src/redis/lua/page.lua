-- Reads the next keys of a shard that may have a tag, in order.
-- KEYS: index of the shard
-- ARGV: what stands before every name of the shard, tag, what the keys begin with, key after which ('' for the first),
--       most keys
-- Returns those that stand in rows, and those that the release before this one knows.
local shard, tag, prefix, after, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

-- The keys in a sorted set, less what stands before each of them there.
local function read(set, before)
  local from = after == '' and '[' .. before .. prefix or '(' .. before .. after
  local members = redis.call('ZRANGEBYLEX', set, from, '(' .. before .. prefix .. '\255', 'LIMIT', 0, most)
  if before ~= '' then
    for i, member in ipairs(members) do members[i] = string.sub(member, #before + 1) end
  end
  return members
end

return {read(rows_of(shard, tag)), read(shard .. 't:' .. tag, '')}
