-- One coherence sync, atomically: who the server is, which epoch it is in, and what the journal says.
-- KEYS: journal, meta, open invalidations
-- ARGV: cursor or '' for a container that has none, most records to return after it, most records a reset returns,
--       ms of history it reads, '1' in cluster mode, version of the configuration document that the container has
-- Returns {seconds, microseconds, epoch, notes checked at, open, reset (0 or 1), records, configuration, microseconds in
-- the greatest version that was ahead of time when it was recorded, 0 for none}; open is a list
-- of positions and invalidations, records one of positions and fields, newest first, configuration is {version ('' when
-- it is lost), document ('' when the container has it), position at which a level was switched ('' for none), 1 while
-- operations of before may go on}
local t = redis.call('TIME')
local now_ms = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local cursor, limit = ARGV[1], tonumber(ARGV[2])

-- A server that is not the one `meta` speaks of (failed over, restarted, flushed), or that has lost its journal,
-- begins a new epoch: what was certified before may rest on records that are gone. So does a failover of any other server
-- of a cluster, which may have brought back copies that were removed. A replica does not see new records.
local server, is_replica = name_of_server()
if is_replica then return redis.error_reply('READONLY this server is a replica') end
local meta = redis.call('HMGET', KEYS[2], 'id', 'epoch', 'notes', 'config', 'switched', 'settled', 'ahead',
  'cluster', 'changed', 'looked')
local is_another = string.sub(meta[1] or '', 1, #server) ~= server
local keep
if ARGV[5] == '1' then
  is_another, keep = has_cluster_lost(KEYS[2], now_ms, server, is_another, meta[8], meta[9], meta[10])
end
local is_lost = redis.call('XLEN', KEYS[1]) == 0
if is_another or not meta[2] or is_lost then
  -- After every position that may have been given out before: a new server's clock may be behind the old one's.
  local seen_ms = tonumber(string.match(cursor, '^(%d+)-') or '0')
  local id = string.format('%.0f-0', math.max(now_ms + 5000, seen_ms + 1))
  local epoch = redis.pcall('XADD', KEYS[1], id, 'kind', 'epoch')
  if type(epoch) ~= 'string' then epoch = redis.call('XADD', KEYS[1], '*', 'kind', 'epoch') end
  meta[2] = epoch
  redis.call('HSET', KEYS[2], 'epoch', meta[2], unpack(keep or {'id', server}))
  -- It may have lost open invalidations that only the control table knows of: nobody has looked there since.
  redis.call('HDEL', KEYS[2], 'notes')
  meta[3] = ''
elseif keep then
  -- Where that is refused, the next sync looks again.
  redis.pcall('HSET', KEYS[2], unpack(keep))
end
-- What was certified while operations of the configuration before a switch could go on is confirmed once more.
if meta[6] and now_ms >= tonumber(meta[6]) then
  meta[2] = redis.call('XADD', KEYS[1], '*', 'kind', 'epoch')
  redis.call('HSET', KEYS[2], 'epoch', meta[2])
  redis.call('HDEL', KEYS[2], 'settled')
  meta[6] = false
end
local open = redis.call('HGETALL', KEYS[3])
local document = ''
if meta[4] and meta[4] ~= ARGV[6] then document = redis.call('HGET', KEYS[2], 'document') or '' end
local config = {meta[4] or '', document, meta[5] or '', meta[6] and 1 or 0}

-- The records after the cursor, newest first, if the record at the cursor is still there and not too many have come since.
-- Read from the end, which is where the cursor is: from the cursor on, Redis would look through a hundred before it.
if cursor ~= '' then
  local records = redis.call('XREVRANGE', KEYS[1], '+', cursor, 'COUNT', limit + 1)
  if records[1] and records[#records][1] == cursor then
    records[#records] = nil
    return {t[1], t[2], meta[2], meta[3] or '', open, 0, records, config, meta[7] or 0}
  end
end

-- Else the newest ones, newest first, back through the history and one more, so that the reader knows how far
-- it sees without a gap.
local from = string.format('%.0f', now_ms - tonumber(ARGV[4])) .. '-0'
local records = redis.call('XREVRANGE', KEYS[1], '+', from, 'COUNT', ARGV[3])
if #records < tonumber(ARGV[3]) then
  local older = redis.call('XREVRANGE', KEYS[1], '(' .. from, '-', 'COUNT', 1)
  if older[1] then records[#records + 1] = older[1] end
end
return {t[1], t[2], meta[2], meta[3] or '', open, 1, records, config, meta[7] or 0}
