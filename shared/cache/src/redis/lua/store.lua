-- Writes a copy of an entry over an older one.
-- KEYS: copy, index of its shard
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), version, stamp,
--       certified at (ms), expires at (ms), key, version and stamp of a distrusted copy that may be overwritten
--       whatever its age ('' for none), version that must be there ('' for any, 'none' for no live copy),
--       '1' when L2 is the register, envelope
-- Returns {outcome, live, version that stood there}; outcome 1 stored, 0 a newer one stands, -1 too old,
-- -2 the expected version is not there; live: whether a live copy was there.
local t = redis.call('TIME')
local now_us = tonumber(t[1]) * 1000000 + tonumber(t[2])
if now_us - tonumber(ARGV[1]) > tonumber(ARGV[2]) then return {-1, 0, ''} end
local version, stamp, register = ARGV[3], ARGV[4], ARGV[11] == '1'
local old = redis.call('HMGET', KEYS[1], 'v', 'a', 'gone')
local old_version = old[1] or ''
local live = (old[1] and not old[3]) and 1 or 0

if ARGV[10] == 'none' and live == 1 then return {-2, live, old_version} end
if ARGV[10] ~= '' and ARGV[10] ~= 'none' and old_version ~= ARGV[10] then return {-2, live, old_version} end

local distrusted = old[1] and ARGV[8] ~= '' and old[1] == ARGV[8] and old[2] == ARGV[9]
if old[1] and not distrusted then
  if old_version > version then return {0, live, old_version} end
  if old_version == version and (register or old[2] >= stamp) then return {0, live, old_version} end
end

if tonumber(ARGV[6]) * 1000 <= now_us then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[7])
  return {0, live, old_version}
end
-- The same value certified anew keeps its counters; another value starts from none.
if old_version ~= version then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'e', ARGV[12], 'v', version, 'a', stamp, 'w', ARGV[5])
redis.call('PEXPIREAT', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], 0, ARGV[7])
return {1, live, old_version}
