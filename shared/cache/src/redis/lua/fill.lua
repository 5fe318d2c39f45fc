-- Reads a copy, and takes the lease to fill it where there is none, or its value has expired.
-- KEYS: copy, lease
-- ARGV: name of whoever takes it, life of the lease (ms), '1' to take it whatever copy is there, time of the reader (ms)
-- Returns {copy ('' for none), and what came of the lease}: 0 not asked for, because there is a live copy; -1 taken;
-- -2 refused, because the server takes no writes; else the ms that another has it for.
local text = redis.pcall('GET', KEYS[1])
local head = type(text) == 'string' and head_in(text)
if not head or head.gone then text = '' end
if text ~= '' and not has_ended(head, ARGV[4] * 1000) and ARGV[3] ~= '1' then return {text, 0} end
local taken = redis.pcall('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
if type(taken) == 'table' and taken['err'] then return {text, -2} end
if taken or redis.call('GET', KEYS[2]) == ARGV[1] then return {text, -1} end
return {text, math.max(1, redis.call('PTTL', KEYS[2]))}
