-- Which keys of a shard have which tags: rows, each of the hash of a tag and a key, in 256 sorted sets by the first two
-- digits of the hash. Two tags of one hash are harmless: whoever finds a key by a tag asks its copy whether it has that.
-- Names of the shard are made with what stands before all of them. None of these sets may have a time to live: Redis,
-- when it is full, takes what has one, and an invalidation would not find the copies whose rows are gone.

-- Digits of the hash that stand in a row, before the key: with those in the name of its set, 64 bits of SHA-1.
local ROW_DIGITS = 14
-- How many values one command is given at most: Lua cannot spread many more.
local AT_ONCE = 4000
-- A tag of more bytes than the first stands in the list of all tags by its first ones, and its hash behind a character that
-- no tag has: the text of each copy's tags is with the copy, and twice would be as much as all the rest.
local MOST_LISTED, LISTED, BY_HASH = 59, 42, '\1'

-- How a tag stands in the list of all.
local function listed(tag)
  if #tag <= MOST_LISTED then return tag end
  local last = LISTED
  -- No character is cut.
  while last > 0 and math.floor(string.byte(tag, last + 1) / 64) == 2 do last = last - 1 end
  return string.sub(tag, 1, last) .. BY_HASH .. string.sub(redis.sha1hex(tag), 1, 2 + ROW_DIGITS)
end

-- The sorted set in which the keys of a tag stand, and what stands before each of them there. The tag may be as it stands in
-- the list.
local function rows_of(shard, tag)
  local hash = string.match(tag, BY_HASH .. '(%x+)$') or redis.sha1hex(tag)
  return shard .. 'r:' .. string.sub(hash, 1, 2), string.sub(hash, 3, 2 + ROW_DIGITS)
end

-- Adds to the values of one of many names.
local function note(noted, name, ...)
  local values = noted[name] or {}
  for _, value in ipairs({...}) do values[#values + 1] = value end
  noted[name] = values
end

-- Gives a command all of these values, in parts; returns the sum of what it says.
local function in_parts(command, name, values)
  local sum = 0
  for i = 1, #values, AT_ONCE do
    sum = sum + redis.call(command, name, unpack(values, i, math.min(i + AT_ONCE - 1, #values)))
  end
  return sum
end

-- Notes that a key no longer has `tags`, a text in which a line feed stands before and after each; what it has still,
-- `kept`, may have the same hash.
local function note_gone(gone, shard, tags, key, kept)
  local stays = {}
  for tag in string.gmatch(kept or '', '[^\n]+') do stays[table.concat({rows_of(shard, tag)})] = true end
  for tag in string.gmatch(tags or '', '[^\n]+') do
    local set, hash = rows_of(shard, tag)
    if not stays[set .. hash] then note(gone.rows, set, hash .. key) end
    gone.tags[tag] = true
  end
end

-- Whether some key has a tag.
local function is_used(shard, tag)
  local set, hash = rows_of(shard, tag)
  return redis.call('ZRANGEBYLEX', set, '[' .. hash, '(' .. hash .. '\255', 'LIMIT', 0, 1)[1] ~= nil
end

-- Takes out what was noted, and off the list of all tags those that no key has any more.
local function take_out(gone, shard)
  for set, rows in pairs(gone.rows) do in_parts('ZREM', set, rows) end
  local unused = {}
  for tag in pairs(gone.tags) do
    if not is_used(shard, tag) then unused[#unused + 1] = listed(tag) end
  end
  in_parts('ZREM', shard .. 't:', unused)
end
