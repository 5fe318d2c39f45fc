-- Removes the copies of many keys of one shard that are older than an invalidation.
-- KEYS: index of the shard
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), version ('' to remove
--       nothing and only look), '1' to tell the tags of what is meant, life of the tombstones left behind (ms; '' for
--       none), what stands before every name of the shard, tags of which a copy must have one (a line feed before and
--       after each; '' for any copy), since which position L2 is the source of truth ('' when it is not), tags of which it must
--       have all, tags of which it must have none, keys...
-- Returns for each key, where a live copy was meant, its version, its as-of position ('' where this very command has removed it
-- before), and, if they are to be told, its tags; else ''. Or nothing when the operation is too old.
if is_late(now_us(), ARGV[1], ARGV[2]) then return {} end
local version, tell_tags, life, shard = ARGV[3], ARGV[4] == '1', ARGV[5], ARGV[6]
local now = now_us()
local tags, since, all, none = ARGV[7], ARGV[8], ARGV[9], ARGV[10]

-- How many of some tags a copy has, and how many they are.
local function count(has, of)
  local found, every = 0, 0
  for tag in string.gmatch(of, '[^\n]+') do
    every = every + 1
    if string.find(has, '\n' .. tag .. '\n', 1, true) then found = found + 1 end
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
local met, removed, unindexed, gone, books = {}, {}, {}, {rows = {}, tags = {}}, open_books(shard)
local older = {}

for i = 11, #ARGV do
  local key = ARGV[i]
  local copy = shard .. 'c:' .. key
  local old, foreign = look_at(copy)
  local is_older = old and (version == '' or is_after(version, old.version))
  local meant = is_older and not old.gone and is_indexed(old.tags) and is_chosen(old.tags)
  local said = ''
  -- Its own tombstone: the answer to the same command was lost.
  if old and old.gone and old.version == version then
    said = version
  elseif meant and is_there(old, since) and not has_ended(old, now) then
    said = old.version .. old.as_of .. (tell_tags and old.tags or '')
  end
  met[i - 10] = said
  if version ~= '' then
    if not old then
      if foreign then removed[#removed + 1] = copy end
      unindexed[#unindexed + 1], older[#older + 1] = key, shard .. 'k:' .. key
      note_gone(gone, shard, tags, key)
    elseif not is_indexed(old.tags) then
      if not old.gone then note_gone(gone, shard, tags, key, old.tags) end
    elseif meant then
      removed[#removed + 1], older[#older + 1] = copy, shard .. 'k:' .. key
      unindexed[#unindexed + 1] = key
      note_gone(gone, shard, old.tags, key)
      enter(books, old.share, -1, key)
    end
  end
end

if #removed > 0 then redis.call('DEL', unpack(removed)) end
if #unindexed > 0 then redis.call('ZREM', KEYS[1], unpack(unindexed)) end
take_out(gone, shard)
keep_books(books, now_us() / 1000)
remove_older(older)
if life ~= '' then
  local tombstone = tombstone_of(version)
  for _, copy in ipairs(removed) do redis.call('SET', copy, tombstone, 'PX', life) end
end
return met
