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

-- Whether a copy that says `gone` when it is a tombstone, and is stamped `stamp`, counts as there. While L2 is the
-- register it does only when it was stamped at or after `since`, the position at which that began ('' otherwise).
local function is_there(version, gone, stamp, since)
  return version and not gone and (since == '' or stamp >= since)
end

-- Whether the value of a copy has expired by `now` (microseconds). A copy that is kept beyond its life says in `ends` when
-- that is over (ms); any other is gone then.
local function has_ended(ends, now)
  return ends and tonumber(ends) * 1000 <= now
end
