-- Takes in what a container has counted since its last report, once, and what its L1 holds now.
-- KEYS: counts of the fleet, gauges of the containers
-- ARGV: container, number of the report, ms for which the gauges count, what its L1 holds (copies, bytes of their texts,
--       bytes of memory), what of it will have expired by when (a space before each of: ms, copies, bytes, bytes),
--       entries and bytes that it added to L3, when the first of these were added (ms; 0 for none),
--       ms of one window, windows kept, greatest age of a copy that an audit found (ms), count, value, count, value...
-- Returns when the last census of L3 began, in ms, or ''.
local now_ms = math.floor(now_us() / 1000)
local known = redis.call('HGET', KEYS[2], ARGV[1])
local last = known and tonumber(string.match(known, '^%d+ (%d+)')) or 0
local census = redis.call('HGET', KEYS[1], 'census') or ''
if tonumber(ARGV[2]) > last then
  if #ARGV > 11 then
    local window = KEYS[1] .. ':' .. string.format('%.0f', math.floor(now_ms / ARGV[9]))
    redis.call('HSETNX', KEYS[1], 'since', string.format('%.0f', now_ms))
    for i = 12, #ARGV, 2 do
      redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
      redis.call('HINCRBY', window, ARGV[i], ARGV[i + 1])
    end
    redis.call('PEXPIRE', window, ARGV[9] * (ARGV[10] + 1))
  end
  if tonumber(ARGV[11]) > tonumber(redis.call('HGET', KEYS[1], 'oldest') or '0') then
    redis.call('HSET', KEYS[1], 'oldest', ARGV[11])
  end
  -- What the census has seen already does not count again.
  if ARGV[8] ~= '0' and (census == '' or tonumber(ARGV[8]) >= tonumber(census)) then
    redis.call('HINCRBY', KEYS[1], 'rows', ARGV[6])
    redis.call('HINCRBY', KEYS[1], 'row_bytes', ARGV[7])
  end
  local until_ms = string.format('%.0f', now_ms + ARGV[3])
  redis.call('HSET', KEYS[2], ARGV[1], until_ms .. ' ' .. ARGV[2] .. ' ' .. ARGV[4] .. ARGV[5])
end
-- Takes out one container, drawn at random, if it is gone: what grows also cleans itself.
local drawn = redis.call('HRANDFIELD', KEYS[2])
local gauges = drawn and redis.call('HGET', KEYS[2], drawn)
if gauges and tonumber(string.match(gauges, '^(%d+)')) <= now_ms then redis.call('HDEL', KEYS[2], drawn) end
return census
