-- Reads the next keys of a shard that may have a tag, in order.
-- KEYS: index of the shard
-- ARGV: what stands before every name of the shard, tag ('' for the list of all tags), what the keys begin with, key
--       after which ('' for the first), most keys
local shard, tag, prefix, after, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local set, hash = shard .. 't:', ''
if tag ~= '' then set, hash = rows_of(shard, tag) end
local from = after == '' and '[' .. hash .. prefix or '(' .. hash .. after
local keys = redis.call('ZRANGEBYLEX', set, from, '(' .. hash .. prefix .. '\255', 'LIMIT', 0, most)
for i, row in ipairs(keys) do keys[i] = string.sub(row, #hash + 1) end
return keys
