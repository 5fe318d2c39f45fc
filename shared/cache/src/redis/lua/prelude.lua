-- What several scripts need; put in front of each of them.

local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- Whether an operation that started at `started` is older than `life` (microseconds of Redis time, as text).
local function is_late(now, started, life)
  return now - tonumber(started) > tonumber(life)
end

-- Some fields of a copy, and true where something that is no copy has its name: it has none then.
local function fields_of(copy, ...)
  local fields = redis.pcall('HMGET', copy, ...)
  if not fields['err'] then return fields, false end
  if string.find(fields['err'], 'WRONGTYPE', 1, true) == 1 then return {}, true end
  return redis.call('HMGET', copy, ...), false
end

-- Takes `key` out of the sorted set of `tag`, and the tag out of the set of tags when no key has it any more. That set
-- is the one of the empty tag, which no entry can have.
local function forget(tag_index, tag, key)
  local removed = redis.call('ZREM', tag_index .. tag, key)
  if redis.call('EXISTS', tag_index .. tag) == 0 then redis.call('ZREM', tag_index, tag) end
  return removed
end

-- Takes `key` out of the sorted sets of `tags`, a text in which a line feed stands before and after each tag.
local function untag(tag_index, tags, key)
  for tag in string.gmatch(tags or '', '[^\n]+') do forget(tag_index, tag, key) end
end

-- Whether a copy that says `gone` when it is a tombstone, and is stamped `stamp`, counts as there. While L2 is the
-- register it does only when it was stamped at or after `since`, the position at which that began ('' otherwise).
local function is_there(version, gone, stamp, since)
  return version and not gone and (since == '' or stamp >= since)
end
