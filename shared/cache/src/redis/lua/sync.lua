-- One coherence sync, atomically: who the server is, which epoch it is in, and what the journal says.
-- KEYS: journal, meta, open invalidations, index
-- ARGV: cursor or '' for a container that has none, most records to return after it, most bytes of them, how many records
--       the container knows that there were, '1' in cluster mode, version of the configuration document that the container
--       has, hashes of keys to look up, '1' to look them up also where there is no gap, hashes of keys to look up since the
--       cursor where there is one, name of the set of open invalidations that it has, position after which a fill asks for
--       invalidations ('' for none)
-- Returns {seconds, microseconds, epoch, notes checked at, open, gap (0 or 1), records, configuration, microseconds in
-- the greatest version that was ahead of time when it was recorded, 0 for none, position of the newest record where there
-- is a gap, records there were, {what the index says, what a fill asks for}}; open is {name of the set of them, '' for the empty one, 1 when the
-- container has it, else 0 and a list of positions and invalidations}, records one of positions and fields, newest first,
-- configuration is {version ('' when it is lost), document ('' when the container has it), position at which a level was
-- switched ('' for none), 1 while operations of before may go on}; what the index says is nothing when it was not asked, else the position after which
-- it has everything and for each key the greatest version and the last position in one text, '' for nothing.
-- What a fill asks for is nothing when it was not asked, else the position of the newest record, 1 where all invalidations
-- since follow (else 0, and none), and the position and text of each.
-- After a gap the records are the invalidations that lie in it, the newest where they are too many, and what was warmed in
-- the last minute.
local t = redis.call('TIME')
local now_ms = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local cursor, limit = ARGV[1], tonumber(ARGV[2])

-- A server that is not the one `meta` speaks of (failed over, restarted, flushed), or that has lost its journal,
-- begins a new epoch: what was certified before may rest on records that are gone. So does a failover of any other server
-- of a cluster, which may have brought back copies that were removed. A replica does not see new records.
--
-- Before the name of the server stands which copies its containers keep. To a release that keeps others, under names of
-- their own, it is another server, and to this one so is what that has left: while both run, neither removes what the other
-- has of a key, nor does one that goes on after them know of it.
local COPIES = 'c:'
-- How long an operation of such a release may go on after its sync (ms).
local EXCHANGE_MS = 45000
local server, is_replica = name_of_server()
server = COPIES .. server
if is_replica then return redis.error_reply('READONLY this server is a replica') end
local meta = redis.call('HMGET', KEYS[2], 'id', 'epoch', 'notes', 'config', 'switched', 'settled', 'ahead',
  'cluster', 'changed', 'looked', 'exchanged')
local keeps_others = meta[1] and string.sub(meta[1], 1, #COPIES) ~= COPIES
local is_another = string.sub(meta[1] or '', 1, #server) ~= server
local keep
if ARGV[5] == '1' then
  is_another, keep = has_cluster_lost(KEYS[2], now_ms, server, is_another, meta[8], meta[9], meta[10])
end
if keeps_others then
  is_another, meta[11] = true, string.format('%.0f', now_ms + EXCHANGE_MS)
  redis.call('HSET', KEYS[2], 'exchanged', meta[11])
end
local is_lost = redis.call('XLEN', KEYS[1]) == 0
if is_another or not meta[2] or is_lost then
  -- After every position that may have been given out before: a new server's clock may be behind the old one's.
  local seen_ms = tonumber(string.match(cursor, '^(%d+)-') or '0')
  local id = string.format('%.0f-0', math.max(now_ms + 5000, seen_ms + 1))
  local epoch = redis.pcall('XADD', KEYS[1], id, 'kind', 'epoch')
  if type(epoch) ~= 'string' then epoch = redis.call('XADD', KEYS[1], '*', 'kind', 'epoch') end
  meta[2] = epoch
  if not read_index(KEYS[4]) then
    begin_generation(KEYS[4], nil, epoch, string.format('%.0f', now_ms), false)
    redis.call('HSET', KEYS[4], 'at', epoch, 'count', 0)
  end
  redis.call('HSET', KEYS[2], 'epoch', meta[2], unpack(keep or {'id', server}))
  -- It may have lost open invalidations that only the control table knows of: nobody has looked there since.
  redis.call('HDEL', KEYS[2], 'notes')
  meta[3] = ''
elseif keep then
  -- Where that is refused, the next sync looks again.
  redis.pcall('HSET', KEYS[2], unpack(keep))
end
-- What was certified while operations of the configuration before a switch, or of a release that keeps other copies, could
-- go on is confirmed once more.
for i, till in pairs({[6] = 'settled', [11] = 'exchanged'}) do
  if meta[i] and now_ms >= tonumber(meta[i]) then
    meta[2] = redis.call('XADD', KEYS[1], '*', 'kind', 'epoch')
    redis.call('HSET', KEYS[2], 'epoch', meta[2])
    redis.call('HDEL', KEYS[2], till)
    meta[i] = false
  end
end
-- What stands at a position never changes: where the positions are the same, so are the invalidations.
local names = redis.call('HKEYS', KEYS[3])
local set = #names > 0 and redis.sha1hex(table.concat(names, ' ')) or ''
local is_known = set == ARGV[10]
local open = {set, is_known and 1 or 0, is_known and {} or redis.call('HGETALL', KEYS[3])}
local document = ''
if meta[4] and meta[4] ~= ARGV[6] then document = redis.call('HGET', KEYS[2], 'document') or '' end
local config = {meta[4] or '', document, meta[5] or '', meta[6] and 1 or 0}

-- A record without what containers do not ask for, and about how many bytes it takes to send.
local function brief(record)
  local fields, bytes = {}, #record[1] + 20
  for i = 1, #record[2], 2 do
    local name, value = record[2][i], record[2][i + 1]
    if name ~= 'time' and name ~= 'by' then
      fields[#fields + 1], fields[#fields + 2] = name, value
      bytes = bytes + #name + #value + 12
    end
  end
  return {record[1], fields}, bytes
end

local count = redis.call('HGET', KEYS[4], 'count') or '0'

-- The records after the cursor, newest first, if the record at the cursor is still there and not too many have come since;
-- nothing where there is a gap. Read from the end, which is where the cursor is: from the cursor on, Redis would look
-- through a hundred before it.
local function follow()
  if cursor == '' or tonumber(count) - tonumber(ARGV[4]) > limit then return nil end
  local records = redis.call('XREVRANGE', KEYS[1], '+', cursor, 'COUNT', limit + 1)
  if not records[1] or records[#records][1] ~= cursor then return nil end
  records[#records] = nil
  local left = tonumber(ARGV[3])
  for i, record in ipairs(records) do
    local bytes
    records[i], bytes = brief(record)
    left = left - bytes
    if left < 0 then return nil end
  end
  return records
end

local records = follow()
local gap, newest, said = records and 0 or 1, '', {}
if gap == 1 or ARGV[8] == '1' then
  newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
  local known = read_index(KEYS[4])
  local is_whole = known and unseen(KEYS[1], known['at'])
    and redis.call('XLEN', KEYS[4] .. ':sweeps') >= tonumber(known['held']) + tonumber(known['sweeps'])
  said = is_whole and look(KEYS[4], known, ARGV[7], gap == 1 and ARGV[9] or '', cursor == '' and '0-0' or cursor)
  if said then table.insert(said, 1, known['from' .. known['oldest']]) else said = {newest} end
end

-- The invalidations that lie in the gap. Of too many the oldest are left out, and the index counts as having everything
-- only after those. A container that has read the journal before has copies, and would doubt all of them and those in L2:
-- four times as many bytes are not too many for that.
if gap == 1 then
  records = {}
  local from, left = said[1], tonumber(ARGV[3])
  if cursor ~= '' then left = left * 4 end
  if cursor ~= '' and is_before(from, cursor) then from = cursor end
  for _, sweep in ipairs(redis.call('XREVRANGE', KEYS[4] .. ':sweeps', '+', '(' .. from, 'COUNT', limit + 1)) do
    left = left - #sweep[2][2] - 60
    if left < 0 or #records == limit then
      said[1] = sweep[1]
      break
    end
    records[#records + 1] = {sweep[1], {'kind', 'invalidate', 'body', sweep[2][2]}}
  end
  from, left = string.format('%.0f', now_ms - 60000), tonumber(ARGV[3])
  for _, named in ipairs(redis.call('XREVRANGE', KEYS[4] .. ':named', '+', from)) do
    local record, bytes = brief(named)
    left = left - bytes
    if left < 0 then break end
    records[#records + 1] = record
  end
end

-- The invalidations recorded after a position. More than these many, or bytes of them, are not told.
local MOST_ASKED, MOST_ASKED_BYTES = 1000, 65536
local function invalidations_after(since)
  local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
  local known = read_index(KEYS[4])
  local is_whole = known and unseen(KEYS[1], known['at'])
    and redis.call('XLEN', KEYS[4] .. ':sweeps') >= tonumber(known['held']) + tonumber(known['sweeps'])
  if not is_whole or is_before(since, kept_after(known)) then return {last, '0'} end
  local told, left = {last, '1'}, MOST_ASKED_BYTES
  for i, sweep in ipairs(redis.call('XRANGE', KEYS[4] .. ':sweeps', '(' .. since, '+', 'COUNT', MOST_ASKED + 1)) do
    left = left - #sweep[2][2]
    if left < 0 or i > MOST_ASKED then return {last, '0'} end
    told[#told + 1], told[#told + 2] = sweep[1], sweep[2][2]
  end
  return told
end

local fenced = ARGV[11] ~= '' and invalidations_after(ARGV[11]) or {}
return {t[1], t[2], meta[2], meta[3] or '', open, gap, records, config, meta[7] or 0, newest, count, {said, fenced}}
