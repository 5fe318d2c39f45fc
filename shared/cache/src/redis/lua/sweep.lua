-- Takes out of the indexes of one shard the members whose copies are gone, and counts the others into books, a slice at a
-- time. What the release before this one has kept of the keys goes as well.
-- KEYS: index of the shard
-- ARGV: what stands before every name of the shard, where to go on: the index ('' for the first) and the member after
--       which ('' for the first of it), how much to look at: members, and indexes, each of which costs as much as several
-- Returns {index and member to go on after ('' and '' at the end), members looked at, members taken out}
local shard, part, after, left = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
-- As many members as take as long as going from one index to the next, and seeing whether a tag is used.
local INDEX_COSTS = 4

if part == '' then
  part = 'index'
  remove_older({shard .. 'both'})
  begin_count(shard)
end

-- What follows: the index of all keys, the rows of tags, and the lists of tags, that of the release before this one last.
local function next_part()
  local number = tonumber(string.match(part, '^r:(%x%x)$') or '', 16)
  if part == 'index' then return 'r:00' end
  if number then return number < 255 and string.format('r:%02x', number + 1) or 't:' end
  return part == 't:' and 'o:' or nil
end

-- Another may count as well, or have lost its place: then neither does any more.
local is_counting = part == 'index' and redis.call('GET', shard .. 'pass') == after
if part == 'index' and not is_counting then redis.call('DEL', shard .. 'pass') end

local looked, removed, lines, older = 0, 0, {}, {}

-- Sees which members of an index have no copy any more.
local function look_through(members, key_at)
  local dead = {}
  for _, member in ipairs(members) do
    local key = string.sub(member, key_at)
    local copy = shard .. 'c:' .. key
    if part == 'index' then older[#older + 1] = shard .. 'k:' .. key end
    if redis.call('EXISTS', copy) == 0 then
      dead[#dead + 1] = member
    elseif is_counting and part == 'index' then
      local head = look_at(copy)
      if head then add_line(lines, head.share, 1) end
    end
  end
  looked, removed = looked + #members, removed + #dead
  return dead
end

-- Sees which tags of a list no key has any more. The release before this one had a set for each, and a list of long ones.
local function look_through_tags(tags)
  local unused = {}
  for _, tag in ipairs(tags) do
    older[#older + 1] = shard .. 't:' .. tag
    if part == 'o:' or not is_used(shard, tag) then unused[#unused + 1] = tag end
  end
  return unused
end

while part and left > 0 do
  local is_list = part == 't:' or part == 'o:'
  local costs = is_list and INDEX_COSTS or 1
  local most = math.ceil(left / costs)
  local from = after == '' and '-' or '(' .. after
  local members = redis.call('ZRANGEBYLEX', shard .. part, from, '+', 'LIMIT', 0, most)
  local dead = is_list and look_through_tags(members)
    or look_through(members, part == 'index' and 1 or ROW_DIGITS + 1)
  in_parts('ZREM', shard .. part, dead)
  left = left - INDEX_COSTS - costs * #members
  after = members[#members] or after
  if is_counting and part == 'index' then
    write_down(shard, 'p:', lines, now_us() / 1000)
    redis.call('SET', shard .. 'pass', after)
    lines = {}
  end
  if #members < most then
    if is_counting and part == 'index' then end_count(shard) end
    part, after = next_part(), ''
  end
end
remove_older(older)
return {part or '', after, looked, removed}
