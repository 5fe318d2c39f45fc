-- Writes copies of entries of one shard, each over an older one.
-- KEYS: index of the shard, copies...
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), since which position L2 is the
--       register ('' when it is not), what stands before a key in the name of its copy, what stands before a tag in the
--       name of its index; then for each copy: version, stamp, certified at (ms), expires at (ms), key, version and stamp
--       of a distrusted copy that may be overwritten whatever its age ('' for none), version that must be there ('' for
--       any, 'none' for no live copy), envelope, tags (a line feed before and after each), levels the PUT named (bits)
-- Returns for each {outcome, live, version that stood there, levels it named}; outcome 1 stored (or expired already), 0 a
-- newer one stands, -1 too old, -2 the expected version is not there; live: whether a live copy was there. What is no copy
-- and has the name of one is replaced.
local now = now_us()
local late = is_late(now, ARGV[1], ARGV[2])
local since, copy_prefix, tag_index = ARGV[3], ARGV[4], ARGV[5]

-- What comes into an index is noted, and done in as few commands as there are indexes.
local indexed, tagged = {}, {}

-- Adds a member to those that a sorted set is to get: pairs of its score and itself.
local function note(members, member)
  members[#members + 1] = 0
  members[#members + 1] = member
end

-- Gives an index its new members; returns whether it has grown.
local function grow(index, members)
  return redis.call('ZADD', index, unpack(members)) > 0
end

local function store(copy, version, stamp, certified, expires, key, seen, seen_stamp, expected, envelope, tags, levels)
  if late then return {-1, 0, '', 0} end
  local old, foreign = fields_of(copy, 'v', 'a', 'gone', 't', 'b')
  if foreign then redis.call('DEL', copy) end
  local old_version = old[1] or ''
  local live = is_there(old[1], old[3], old[2], since) and 1 or 0
  -- A copy from before L2 became the register may be overwritten like one that is distrusted.
  local passed = old[1] and not old[3] and live == 0
  local named = tonumber(old[5] or 0)

  -- The same write again: its answer was lost.
  if old_version == version and old[2] == stamp then return {1, 0, '', 0} end
  if expected == 'none' and live == 1 then return {-2, live, old_version, named} end
  if expected ~= '' and expected ~= 'none' and old_version ~= expected then return {-2, live, old_version, named} end

  local distrusted = old[1] and seen ~= '' and old[1] == seen and old[2] == seen_stamp
  if old[1] and not distrusted and not passed then
    if old_version > version then return {0, live, old_version, named} end
    if old_version == version and (since ~= '' or old[2] >= stamp) then return {0, live, old_version, named} end
  end

  if old[4] and old[4] ~= tags then untag(tag_index, old[4], key) end
  if tonumber(expires) * 1000 <= now then
    redis.call('DEL', copy)
    redis.call('ZREM', KEYS[1], key)
    return {1, live, old_version, named}
  end
  -- The same value certified anew keeps its counters; another value starts from none.
  if old[1] and old_version ~= version then redis.call('DEL', copy) end
  local fields = {'e', envelope, 'v', version, 'a', stamp, 'w', certified, 'b', levels}
  if tags ~= '' then fields[11], fields[12] = 't', tags end
  redis.call('HSET', copy, unpack(fields))
  redis.call('PEXPIREAT', copy, expires)
  note(indexed, key)
  for tag in string.gmatch(tags, '[^\n]+') do
    tagged[tag] = tagged[tag] or {}
    note(tagged[tag], key)
  end
  return {1, live, old_version, named}
end

local outcomes = {}
for i = 2, #KEYS do
  local at = 6 + (i - 2) * 11
  outcomes[i - 1] = store(KEYS[i], unpack(ARGV, at, at + 10))
end
if #indexed > 0 then
  local has_grown, tags = grow(KEYS[1], indexed), {}
  for tag, members in pairs(tagged) do
    -- A tag whose index has not grown is among the tags already.
    if grow(tag_index .. tag, members) then note(tags, tag) end
  end
  if #tags > 0 then redis.call('ZADD', tag_index, unpack(tags)) end
  -- What grows also cleans itself: of one member, drawn at random, of one index, whose turn it is by the clock. The sweep
  -- of maintenance finds the others.
  if has_grown or #tags > 0 then
    local turn = now % (#tags / 2 + 1)
    local index = turn == 0 and KEYS[1] or tag_index .. tags[2 * turn]
    local drawn = redis.call('ZRANDMEMBER', index)
    if redis.call('EXISTS', copy_prefix .. drawn) == 0 then redis.call('ZREM', index, drawn) end
  end
end
return outcomes
