-- What the fleet has counted, and what the L1s of its containers hold.
-- KEYS: counts of the fleet, gauges of the containers, journal
-- ARGV: ms of one window, windows to add up, windows to tell of one by one
-- Returns {counts since they began, counts of the windows, containers, their copies, bytes of the texts, bytes of
-- memory, records in the journal, position of the newest or '', windows}; counts are lists of names and values, and a
-- window is {ms when it began, counts}, the oldest first.
local now_ms = math.floor(now_us() / 1000)

local sums, recent, told = {}, {}, {}
local current = math.floor(now_ms / ARGV[1])
for number = current - ARGV[2], current do
  local window = redis.call('HGETALL', KEYS[1] .. ':' .. string.format('%.0f', number))
  if number > current - ARGV[3] then told[#told + 1] = {number * ARGV[1], window} end
  for i = 1, #window, 2 do sums[window[i]] = (sums[window[i]] or 0) + tonumber(window[i + 1]) end
end
for name, value in pairs(sums) do
  recent[#recent + 1] = name
  recent[#recent + 1] = value
end

local containers, copies, texts, memory = 0, 0, 0, 0
local function hold(sign, held, text, bytes)
  copies, texts, memory = copies + sign * held, texts + sign * text, memory + sign * bytes
end
for _, gauges in ipairs(redis.call('HVALS', KEYS[2])) do
  local until_ms, held, text, bytes, forecast = string.match(gauges, '^(%d+) %d+ (%d+) (%d+) (%d+)(.*)$')
  if until_ms and tonumber(until_ms) > now_ms then
    containers = containers + 1
    hold(1, held, text, bytes)
    -- What has expired since the container said so: it may sleep.
    for at, gone, gone_text, gone_bytes in string.gmatch(forecast, ' (%d+) (%d+) (%d+) (%d+)') do
      if tonumber(at) <= now_ms then hold(-1, gone, gone_text, gone_bytes) end
    end
  end
end

local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
return {redis.call('HGETALL', KEYS[1]), recent, containers, copies, texts, memory,
  redis.call('XLEN', KEYS[3]), newest and newest[1] or '', told}
