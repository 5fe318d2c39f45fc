-- Appends one record to the journal.
-- KEYS: journal, open invalidations, meta, index
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), ms to keep,
--       most records to keep, what to keep as open under the record's position ('' for nothing),
--       time in the version of what was put or deleted (microseconds; 0 for none),
--       hash and version of the key that was put or deleted ('' and '' for none), the body of an invalidation ('' for none),
--       field, value, field, value... to go with the time (ms)
-- Returns the record's position, or '' when the operation is too old.
local now = now_us()
if is_late(now, ARGV[1], ARGV[2]) then return '' end
-- The same invalidation again: its answer was lost.
if ARGV[5] ~= '' then
  local open = redis.call('HGETALL', KEYS[2])
  for i = 2, #open, 2 do
    if open[i] == ARGV[5] then return open[i - 1] end
  end
end
local now_ms = math.floor(now / 1000)
local known = read_index(KEYS[4])
local before = known and unseen(KEYS[1], known['at'])
local oldest = string.format('%.0f', now_ms - tonumber(ARGV[3]))
local id = redis.call('XADD', KEYS[1], 'MINID', '~', oldest, '*',
  'time', string.format('%.0f', now_ms), unpack(ARGV, 10))
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], id, ARGV[5]) end
-- The index learns of it as well. One that has missed a record begins anew.
local newest = before and known['newest']
if not newest or now_ms - tonumber(known['began']) >= MOST_MS or tonumber(known['sweeps']) >= MOST_SWEEPS
  or redis.call('HLEN', KEYS[4] .. ':' .. newest) >= MOST_KEYS then
  newest = begin_generation(KEYS[4], known, id, string.format('%.0f', now_ms), before)
end
if ARGV[7] ~= '' then
  local generation, version = KEYS[4] .. ':' .. newest, ARGV[8]
  local last = redis.call('HGET', generation, ARGV[7])
  if last and string.sub(last, 1, VERSION_DIGITS) > version then version = string.sub(last, 1, VERSION_DIGITS) end
  redis.call('HSET', generation, ARGV[7], version .. id)
elseif ARGV[9] ~= '' then
  redis.call('XADD', KEYS[4] .. ':sweeps', id, 'body', ARGV[9])
  redis.call('HINCRBY', KEYS[4], 'sweeps', 1)
elseif ARGV[11] == 'warm' then
  redis.call('XADD', KEYS[4] .. ':named', 'MAXLEN', MOST_NAMED, id, unpack(ARGV, 10))
end
local count = string.format('%.0f', tonumber(known and known['count'] or '0') + (before or 0) + 1)
redis.call('HSET', KEYS[4], 'at', id, 'count', count)
-- The clock went back. What begins later exceeds this version all the same, also when its record is gone.
if tonumber(ARGV[6]) > now and tonumber(ARGV[6]) > tonumber(redis.call('HGET', KEYS[3], 'ahead') or '0') then
  redis.call('HSET', KEYS[3], 'ahead', ARGV[6])
end
return id
