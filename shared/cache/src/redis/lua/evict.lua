-- Removes the copies of many keys of one shard that are older than an invalidation.
-- KEYS: index of the shard
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), version ('' to remove
--       nothing and only look), '1' to tell the tags of what is meant, life of the tombstones left behind (ms; '' for
--       none), what stands before every name of the shard, tags of which a copy must have one (a line feed before and
--       after each; '' for any copy), since which position L2 is the register ('' when it is not), tags of which it must
--       have all, tags of which it must have none, keys...
-- Returns for each key, where a live copy was meant, its version, a space, its stamp ('' where this very command has
-- removed it before), and, if they are to be told, its tags; else ''. Or nothing when the operation is too old.
if is_late(now_us(), ARGV[1], ARGV[2]) then return {} end
local version, tell_tags, tombstone, shard = ARGV[3], ARGV[4] == '1', ARGV[5], ARGV[6]
local now = now_us()
local tags, since, all, none = ARGV[7], ARGV[8], ARGV[9], ARGV[10]

-- How many of some tags a copy has, and how many they are.
local function count(has, of)
  local found, every = 0, 0
  for tag in string.gmatch(of, '[^\n]+') do
    every = every + 1
    if has and string.find(has, '\n' .. tag .. '\n', 1, true) then found = found + 1 end
  end
  return found, every
end

-- Whether a copy is one that the index of one of the tags may have.
local function is_indexed(has)
  return tags == '' or count(has, tags) > 0
end

-- Whether of those it is one that is meant.
local function is_chosen(has)
  local found, every = count(has, all)
  return found == every and count(has, none) == 0
end

-- What goes is noted key by key and done in as few commands as there are sorted sets: one command for each key of each
-- would take most of the time.
local met, removed, unindexed, gone, books = {}, {}, {}, {rows = {}, older = {}}, open_books(shard)

for i = 11, #ARGV do
  local key = ARGV[i]
  local copy = shard .. 'k:' .. key
  local old, foreign = fields_of(copy, 'v', 'gone', 't', 'a', 'q', 'x')
  local meant = old[1] and not old[2] and is_indexed(old[3]) and is_chosen(old[3]) and (version == '' or old[1] < version)
  -- Its own tombstone: the answer to the same command was lost.
  local own = old[2] and old[1] == version
  local said = ''
  if own then
    said = version .. ' '
  elseif meant and is_there(old[1], old[2], old[4], since) and not has_ended(old[6], now) then
    said = old[1] .. ' ' .. old[4] .. (tell_tags and old[3] or '')
  end
  met[i - 10] = said
  if version ~= '' then
    if not old[1] then
      if foreign then removed[#removed + 1] = copy end
      unindexed[#unindexed + 1] = key
      note_gone(gone, shard, tags, key)
    elseif not is_indexed(old[3]) then
      if not old[2] then note_gone(gone, shard, tags, key, old[3]) end
    elseif meant then
      removed[#removed + 1] = copy
      unindexed[#unindexed + 1] = key
      note_gone(gone, shard, old[3], key)
      enter(books, old[5], -1, key)
    end
  end
end

if #removed > 0 then redis.call('DEL', unpack(removed)) end
if #unindexed > 0 then redis.call('ZREM', KEYS[1], unpack(unindexed)) end
take_out(gone, shard)
keep_books(books, now_us() / 1000)
if tombstone ~= '' then
  for _, copy in ipairs(removed) do
    redis.call('HSET', copy, 'v', version, 'a', '', 'gone', '1')
    redis.call('PEXPIRE', copy, tombstone)
  end
end
return met
