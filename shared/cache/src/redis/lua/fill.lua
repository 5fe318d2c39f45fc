-- Reads a copy, and takes the lease to fill it where there is none, or its value has expired.
-- KEYS: copy, lease
-- ARGV: name of whoever takes it, life of the lease (ms), '1' to take it whatever copy is there, time of the reader (ms)
-- Returns {envelope, version, as-of position, when it was certified (ms), reads and when it was last read (ms)}, and what
-- came of the lease: 0 not asked for, because there is a live copy; -1 taken; -2 refused, because the server takes no writes;
-- else the ms that another has it for.
local fields = fields_of(KEYS[1], 'e', 'v', 'a', 'w', 'n', 'l', 'x')
local ends = fields[7]
fields[7] = nil
if fields[1] and not has_ended(ends, ARGV[4] * 1000) and ARGV[3] ~= '1' then return {fields, 0} end
local taken = redis.pcall('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
if type(taken) == 'table' and taken['err'] then return {fields, -2} end
if taken or redis.call('GET', KEYS[2]) == ARGV[1] then return {fields, -1} end
return {fields, math.max(1, redis.call('PTTL', KEYS[2]))}
