-- Writes a copy of an entry over an older one.
-- KEYS: copy, index of its shard
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), version, stamp,
--       certified at (ms), expires at (ms), key, version and stamp of a distrusted copy that may be overwritten
--       whatever its age ('' for none), version that must be there ('' for any, 'none' for no live copy),
--       since which position L2 is the register ('' when it is not), envelope, tags (a line feed before and after each),
--       what stands before a key in the name of its copy, what stands before a tag in the name of its index, levels the
--       PUT named (bits)
-- Returns {outcome, live, version that stood there, levels it named}; outcome 1 stored (or expired already), 0 a newer
-- one stands, -1 too old, -2 the expected version is not there; live: whether a live copy was there.
local now = now_us()
if is_late(now, ARGV[1], ARGV[2]) then return {-1, 0, '', 0} end
local version, stamp, key, tags, since = ARGV[3], ARGV[4], ARGV[7], ARGV[13], ARGV[11]
local old = redis.call('HMGET', KEYS[1], 'v', 'a', 'gone', 't', 'b')
local old_version = old[1] or ''
local live = is_there(old[1], old[3], old[2], since) and 1 or 0
-- A copy from before L2 became the register may be overwritten like one that is distrusted.
local passed = old[1] and not old[3] and live == 0
local named = tonumber(old[5] or 0)

-- The same write again: its answer was lost.
if old_version == version and old[2] == stamp then return {1, 0, '', 0} end
if ARGV[10] == 'none' and live == 1 then return {-2, live, old_version, named} end
if ARGV[10] ~= '' and ARGV[10] ~= 'none' and old_version ~= ARGV[10] then return {-2, live, old_version, named} end

local distrusted = old[1] and ARGV[8] ~= '' and old[1] == ARGV[8] and old[2] == ARGV[9]
if old[1] and not distrusted and not passed then
  if old_version > version then return {0, live, old_version, named} end
  if old_version == version and (since ~= '' or old[2] >= stamp) then return {0, live, old_version, named} end
end

if old[4] and old[4] ~= tags then untag(ARGV[15], old[4], key) end
if tonumber(ARGV[6]) * 1000 <= now then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], key)
  return {1, live, old_version, named}
end
-- The same value certified anew keeps its counters; another value starts from none.
if old_version ~= version then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'e', ARGV[12], 'v', version, 'a', stamp, 'w', ARGV[5], 'b', ARGV[16])
redis.call('PEXPIREAT', KEYS[1], ARGV[6])
redis.call('ZADD', KEYS[2], 0, key)
clean(KEYS[2], ARGV[14])
if tags ~= '' then
  redis.call('HSET', KEYS[1], 't', tags)
  for tag in string.gmatch(tags, '[^\n]+') do
    redis.call('ZADD', ARGV[15] .. tag, 0, key)
    redis.call('ZADD', ARGV[15], 0, tag)
    clean(ARGV[15] .. tag, ARGV[14])
  end
end
return {1, live, old_version, named}
