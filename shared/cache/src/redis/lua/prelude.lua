-- What several scripts need; put in front of each of them.

local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- Whether an operation that started at `started` is older than `life` (microseconds of Redis time, as text).
local function is_late(now, started, life)
  return now - tonumber(started) > tonumber(life)
end
