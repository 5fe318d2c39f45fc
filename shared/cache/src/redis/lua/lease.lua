-- Takes a container's report of the permits it has used, counts the request that waits for one, and lends permits.
-- KEYS: what was used and what is lent of one limit, what this container has reported and was lent
-- ARGV: number of the report, limit, most permits to lend, seconds of the window, seconds a lease lives,
--       second at which a request asks to be counted ('' for none), permits it needs, second, uses, second, uses...
-- Returns {seconds, microseconds, permits lent (-1 when a later report is known), 1 when the request was counted,
-- permits used in the window, second at which used ones begin to come back or, when the limit is reached, one can be
-- had again or, when the request was not counted, as many as it needs}
local t = redis.call('TIME')
local now = tonumber(t[1])
local number, limit, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local window, life, asks, needs = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local last = redis.call('HMGET', KEYS[2], 'report', 'lent', 'until', 'counted')
local known = tonumber(last[1] or '0')

-- Delivered late, by a connection that was given up: it was sent again since, and a later one has followed.
if number < known then return {t[1], t[2], -1, 0, 0, 0} end

-- Only what was used counts against the limit; what others were lent makes the lease smaller. Times to come that
-- nobody can have been given were written by a server whose clock was ahead.
local used, leased, uses = 0, 0, {}
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local kind, second, count = string.sub(held[i], 1, 1), tonumber(string.sub(held[i], 2)), tonumber(held[i + 1])
  if kind == 'u' and second > now - window and second <= now then
    used = used + count
    uses[second] = count
  elseif kind == 'l' and second > now and second <= now + life + 1 then
    if last[3] == tostring(second) then
      count = count - tonumber(last[2])
      redis.call('HSET', KEYS[1], held[i], count)
    end
    leased = leased + count
  else
    redis.call('HDEL', KEYS[1], held[i])
  end
end

local function use(second, count)
  second = math.min(second, now)
  if second <= now - window then return end
  redis.call('HINCRBY', KEYS[1], 'u' .. second, count)
  used = used + count
  uses[second] = (uses[second] or 0) + count
end

-- The same report again counts once: its answer was lost. One that comes so late that the request which asks would have
-- left the window does not count it, and so does not admit another by it.
local counted = tonumber(last[4] or '0')
if number > known then
  for i = 8, #ARGV, 2 do use(tonumber(ARGV[i]), tonumber(ARGV[i + 1])) end
  counted = (asks and asks > now - window and used + needs <= limit) and 1 or 0
  if counted == 1 then use(asks, needs) end
end

local lent = 0
if used < limit then lent = math.min(most, math.max(0, math.floor((limit - used - leased) / 2))) end
local till = now + life + 1
if lent > 0 then redis.call('HINCRBY', KEYS[1], 'l' .. till, lent) end
redis.call('HSET', KEYS[2], 'report', number, 'lent', lent, 'until', till, 'counted', counted)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, (window + life + 2) * 1000) end

local seconds, back, left = {}, now + window, used
for second in pairs(uses) do seconds[#seconds + 1] = second end
table.sort(seconds)
for _, second in ipairs(seconds) do
  left = left - uses[second]
  back = second + window
  if left + ((asks and counted == 0) and needs or 1) <= limit then break end
end
return {t[1], t[2], lent, counted, used, back}
