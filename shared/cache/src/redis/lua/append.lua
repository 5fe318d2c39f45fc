-- Appends one record to the journal.
-- KEYS: journal
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), ms to keep,
--       most records to keep, field, value, field, value...
-- Returns the record's position, or '' when the operation is too old.
local t = redis.call('TIME')
local now_us = tonumber(t[1]) * 1000000 + tonumber(t[2])
if now_us - tonumber(ARGV[1]) > tonumber(ARGV[2]) then return '' end
local oldest = string.format('%.0f', math.floor(now_us / 1000) - tonumber(ARGV[3]))
local id = redis.call('XADD', KEYS[1], 'MINID', '~', oldest, '*', unpack(ARGV, 5))
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[4])
return id
