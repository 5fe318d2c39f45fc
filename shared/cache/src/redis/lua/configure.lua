-- Publishes the configuration document, unless this one or a later one is known.
-- KEYS: journal, meta, counts of the fleet, census
-- ARGV: version of the document, the document, version that switched a level last (0 for none), ms for which operations
--       of the configuration before may go on, field, value, field, value... to go with the record
-- Returns 1, 0 when it is known already, or 2 when another one is that is as new or newer.
local known = redis.call('HGET', KEYS[2], 'config')
if known and tonumber(known) >= tonumber(ARGV[1]) then
  return redis.call('HGET', KEYS[2], 'document') == ARGV[2] and 0 or 2
end
redis.call('HSET', KEYS[2], 'config', ARGV[1], 'document', ARGV[2])
if ARGV[1] == '0' then return 1 end
-- Where the document before is lost nobody can tell whether containers know of the switch: it counts as one.
if tonumber(ARGV[3]) <= tonumber(known or '0') then
  redis.call('XADD', KEYS[1], '*', 'kind', 'config', 'version', ARGV[1], unpack(ARGV, 5))
  return 1
end
local at = redis.call('XADD', KEYS[1], '*', 'kind', 'config', 'version', ARGV[1], 'switch', '1', unpack(ARGV, 5))
local settled = string.format('%.0f', math.floor(now_us() / 1000) + tonumber(ARGV[4]))
redis.call('HSET', KEYS[2], 'epoch', at, 'switched', at, 'settled', settled)
-- What there is is another question from now on: the next status or maintenance counts.
redis.call('HDEL', KEYS[3], 'census', 'rows', 'row_bytes')
redis.call('DEL', KEYS[4])
return 1
