-- Appends one record to the journal.
-- KEYS: journal, open invalidations, meta, index
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), ms to keep,
--       most records to keep, what to keep as open under the record's position ('' for nothing),
--       time in the version of what was put or deleted (microseconds; 0 for none),
--       what bounds the open ones ('' for nothing): most of them, most bytes of their texts, age (ms) from which on
--       whoever began one has ended, whose this one is ('-' for nobody's), positions of those that it stands for; with a
--       space between each,
--       hash of the key that was put or deleted ('' for none), its version or that of an invalidation that begins
--       ('' for none), the body of an invalidation ('' for none),
--       field, value, field, value... to go with the time (ms)
-- Returns the record's position, '' when the operation is too old, 'full' when there are too many open ones, or 'behind'
-- and a version which that of an invalidation must exceed.
local now = now_us()
if is_late(now, ARGV[1], ARGV[2]) then return '' end
local passed = {}
if ARGV[5] ~= '' then
  local most, most_bytes, ended, account, rest = string.match(ARGV[7], '^(%d+) (%d+) (%d+) (%S+)(.*)')
  local open, texts, count, bytes = redis.call('HGETALL', KEYS[2]), {}, 0, 0
  -- No text of a client's has this: it would have a backslash before each quotation mark.
  local own, own_bytes, mark = 0, 0, '"of":"' .. (account or '-') .. '"'
  for i = 2, #open, 2 do
    -- The same invalidation again: its answer was lost.
    if open[i] == ARGV[5] then return open[i - 1] end
    texts[open[i - 1]] = open[i]
    count, bytes = count + 1, bytes + #open[i]
    if string.find(open[i], mark, 1, true) then own, own_bytes = own + 1, own_bytes + #open[i] end
  end
  -- One that is not newer than what was undone would pass over what that has brought back.
  local undone = ARGV[9] ~= '' and redis.call('HGET', KEYS[3], 'undone')
  if undone and ARGV[9] <= undone then return 'behind ' .. undone end
  -- Those that were left behind, and that mean the same or less, it takes the place of.
  local after = bytes + #ARGV[5]
  for at in string.gmatch(rest or '', '%d+%-%d+') do
    if texts[at] and tonumber(string.match(at, '^%d+')) < now / 1000 - tonumber(ended) then
      passed[#passed + 1] = at
      after = after - #texts[at]
    end
  end
  -- One alone always fits, and so does one in the place of others.
  -- Nobody may have more than what is left for all others.
  most, most_bytes = tonumber(most) or math.huge, tonumber(most_bytes) or math.huge
  local is_one_more = #passed == 0 and (count >= most or own >= most - count)
  local is_longer = after > bytes and (after > most_bytes or own_bytes > most_bytes - after)
  if count > #passed and (is_one_more or is_longer) then return 'full' end
end
local now_ms = math.floor(now / 1000)
local known = read_index(KEYS[4])
local before = known and unseen(KEYS[1], known['at'])
local oldest = string.format('%.0f', now_ms - tonumber(ARGV[3]))
local id = redis.call('XADD', KEYS[1], 'MINID', '~', oldest, '*',
  'time', string.format('%.0f', now_ms), unpack(ARGV, 11))
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], id, ARGV[5]) end
if #passed > 0 then redis.call('HDEL', KEYS[2], unpack(passed)) end
-- The index learns of it as well. One that has missed a record begins anew.
local newest = before and known['newest']
if not newest or now_ms - tonumber(known['began']) >= MOST_MS or tonumber(known['sweeps']) >= MOST_SWEEPS
  or redis.call('HLEN', KEYS[4] .. ':' .. newest) >= MOST_KEYS then
  newest = begin_generation(KEYS[4], known, id, string.format('%.0f', now_ms), before)
end
if ARGV[8] ~= '' then
  local generation, version = KEYS[4] .. ':' .. newest, ARGV[9]
  local last = redis.call('HGET', generation, ARGV[8])
  if last and string.sub(last, 1, VERSION_DIGITS) > version then version = string.sub(last, 1, VERSION_DIGITS) end
  redis.call('HSET', generation, ARGV[8], version .. id)
elseif ARGV[10] ~= '' then
  redis.call('XADD', KEYS[4] .. ':sweeps', id, 'body', ARGV[10])
  redis.call('HINCRBY', KEYS[4], 'sweeps', 1)
elseif ARGV[12] == 'warm' then
  redis.call('XADD', KEYS[4] .. ':named', 'MAXLEN', MOST_NAMED, id, unpack(ARGV, 11))
end
local count = string.format('%.0f', tonumber(known and known['count'] or '0') + (before or 0) + 1)
redis.call('HSET', KEYS[4], 'at', id, 'count', count)
-- The clock went back. What begins later exceeds this version all the same, also when its record is gone.
if tonumber(ARGV[6]) > now and tonumber(ARGV[6]) > tonumber(redis.call('HGET', KEYS[3], 'ahead') or '0') then
  redis.call('HSET', KEYS[3], 'ahead', ARGV[6])
end
return id
