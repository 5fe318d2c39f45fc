-- Takes out of the indexes of one shard the members whose copies are gone, and counts the others into books, a slice at a
-- time.
-- KEYS: index of the shard
-- ARGV: what stands before every name of the shard, where to go on: the index ('' for the first) and the member after
--       which ('' for the first of it), how much to look at: members, and indexes, each of which costs as much as several
-- Returns {index and member to go on after ('' and '' at the end), members looked at, members taken out}
local shard, part, after, left = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
-- As many members as take as long as going from one index to the next, and seeing whether a tag is used.
local INDEX_COSTS = 4

if part == '' then
  part = 'index'
  begin_count(shard)
end

-- The index that follows: that of all keys, the rows of tags, and what the release before this one knows them by.
local function next_part()
  local number = tonumber(string.match(part, '^r:(%x%x)$') or '', 16)
  if part == 'index' then return 'r:00' end
  if number and number < 255 then return string.format('r:%02x', number + 1) end
  local behind, following = number and '' or string.sub(part, 3), nil
  for _, list in ipairs({'t:', 'o:'}) do
    local tag = redis.call('ZRANGEBYLEX', shard .. list, '(' .. behind, '+', 'LIMIT', 0, 1)[1]
    if tag and not (following and is_after(tag, following)) then following = tag end
  end
  return following and 't:' .. following
end

-- Another may count as well, or have lost its place: then neither does any more.
local is_counting = part == 'index' and redis.call('GET', shard .. 'pass') == after
if part == 'index' and not is_counting then redis.call('DEL', shard .. 'pass') end

local looked, removed, lines = 0, 0, {}
while part and left > 0 do
  local key_at = string.sub(part, 1, 2) == 'r:' and ROW_DIGITS + 1 or 1
  local from = after == '' and '-' or '(' .. after
  local members, dead = redis.call('ZRANGEBYLEX', shard .. part, from, '+', 'LIMIT', 0, left), {}
  for _, member in ipairs(members) do
    local copy = shard .. 'k:' .. string.sub(member, key_at)
    if redis.call('EXISTS', copy) == 0 then
      dead[#dead + 1] = member
    elseif is_counting and part == 'index' then
      local said = redis.pcall('HGET', copy, 'q')
      if type(said) == 'string' then add_line(lines, said, 1) end
    end
  end
  removed = removed + in_parts('ZREM', shard .. part, dead)
  looked = looked + #members
  local is_whole = #members < left
  left = left - INDEX_COSTS - #members
  after = members[#members] or after
  if is_counting and part == 'index' then
    write_down(shard, 'p:', lines, now_us() / 1000)
    redis.call('SET', shard .. 'pass', after)
    lines = {}
  end
  if is_whole then
    local following = next_part()
    if is_counting and part == 'index' then end_count(shard) end
    if string.sub(part, 1, 2) == 't:' then forget_unused(shard, string.sub(part, 3)) end
    part, after = following, ''
  end
end
return {part or '', after, looked, removed}
