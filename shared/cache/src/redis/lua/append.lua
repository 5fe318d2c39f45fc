-- Appends one record to the journal.
-- KEYS: journal, open invalidations, meta
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), ms to keep,
--       most records to keep, what to keep as open under the record's position ('' for nothing),
--       time in the version of what was put or deleted (microseconds; 0 for none),
--       what bounds the open ones ('' for nothing): most of them, most bytes of their texts, age (ms) from which on
--       whoever began one has ended, positions of those that this one stands for; with a space between each,
--       field, value, field, value... to go with the time (ms)
-- Returns the record's position, '' when the operation is too old, or 'full' when there are too many open ones.
local now = now_us()
if is_late(now, ARGV[1], ARGV[2]) then return '' end
local passed = {}
if ARGV[5] ~= '' then
  local open, texts, count, bytes = redis.call('HGETALL', KEYS[2]), {}, 0, 0
  for i = 2, #open, 2 do
    -- The same invalidation again: its answer was lost.
    if open[i] == ARGV[5] then return open[i - 1] end
    texts[open[i - 1]] = open[i]
    count, bytes = count + 1, bytes + #open[i]
  end
  -- Those that were left behind, and that mean the same or less, it takes the place of.
  local most, most_bytes, ended, rest = string.match(ARGV[7], '^(%d+) (%d+) (%d+)(.*)')
  local after = bytes + #ARGV[5]
  for at in string.gmatch(rest or '', '%d+%-%d+') do
    if texts[at] and tonumber(string.match(at, '^%d+')) < now / 1000 - tonumber(ended) then
      passed[#passed + 1] = at
      after = after - #texts[at]
    end
  end
  -- One alone always fits, and so does one in the place of others.
  local is_one_more = #passed == 0 and count >= (tonumber(most) or math.huge)
  local is_longer = after > bytes and after > (tonumber(most_bytes) or math.huge)
  if count > #passed and (is_one_more or is_longer) then return 'full' end
end
local oldest = string.format('%.0f', math.floor(now / 1000) - tonumber(ARGV[3]))
local id = redis.call('XADD', KEYS[1], 'MINID', '~', oldest, '*',
  'time', string.format('%.0f', math.floor(now / 1000)), unpack(ARGV, 8))
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], id, ARGV[5]) end
if #passed > 0 then redis.call('HDEL', KEYS[2], unpack(passed)) end
-- The clock went back. What begins later exceeds this version all the same, also when its record is gone.
if tonumber(ARGV[6]) > now and tonumber(ARGV[6]) > tonumber(redis.call('HGET', KEYS[3], 'ahead') or '0') then
  redis.call('HSET', KEYS[3], 'ahead', ARGV[6])
end
return id
