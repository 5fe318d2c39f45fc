-- One coherence sync, atomically: who the server is, which epoch it is in, and what the journal says.
-- KEYS: journal, meta
-- ARGV: cursor or '' for a container that has none, most records to return, ms of history a reset reads,
--       '1' in cluster mode
-- Returns {seconds, microseconds, epoch, notes checked at, reset (0 or 1), records}
local t = redis.call('TIME')
local now_ms = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local cursor, limit = ARGV[1], tonumber(ARGV[2])

-- A server that is not the one `meta` speaks of (failed over, restarted, flushed), or that has lost its journal,
-- begins a new epoch: what was certified before may rest on records that are gone.
local info = redis.pcall('INFO', 'server')
local identity = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or 'unknown'
if ARGV[4] == '1' then
  local cluster = redis.pcall('CLUSTER', 'INFO')
  if type(cluster) == 'string' then
    identity = identity .. ':' .. (string.match(cluster, 'cluster_current_epoch:(%d+)') or '')
  end
end
local meta = redis.call('HMGET', KEYS[2], 'id', 'epoch', 'notes')
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if meta[1] ~= identity or not meta[2] or not newest then
  -- Never before a position that this container has seen, even when this server's clock is behind.
  local epoch
  local floor_ms, floor_seq = string.match(cursor, '^(%d+)-(%d+)$')
  if floor_ms and tonumber(floor_ms) >= now_ms then
    local id = floor_ms .. '-' .. string.format('%.0f', tonumber(floor_seq) + 1)
    epoch = redis.pcall('XADD', KEYS[1], id, 'kind', 'epoch')
  end
  if type(epoch) ~= 'string' then epoch = redis.call('XADD', KEYS[1], '*', 'kind', 'epoch') end
  meta[2] = epoch
  redis.call('HSET', KEYS[2], 'id', identity, 'epoch', meta[2])
end

-- The records after the cursor, if the record at the cursor is still there and not too many have come since.
if cursor ~= '' then
  local records = redis.call('XRANGE', KEYS[1], cursor, '+', 'COUNT', limit + 1)
  if records[1] and records[1][1] == cursor and #records <= limit then
    table.remove(records, 1)
    return {t[1], t[2], meta[2], meta[3] or '', 0, records}
  end
end

-- Else the newest ones, newest first, back through the history and one more, so that the reader knows how far
-- it sees without a gap.
local from = string.format('%.0f', now_ms - tonumber(ARGV[3])) .. '-0'
local records = redis.call('XREVRANGE', KEYS[1], '+', from, 'COUNT', limit)
if #records < limit then
  local older = redis.call('XREVRANGE', KEYS[1], '(' .. from, '-', 'COUNT', 1)
  if older[1] then records[#records + 1] = older[1] end
end
return {t[1], t[2], meta[2], meta[3] or '', 1, records}
