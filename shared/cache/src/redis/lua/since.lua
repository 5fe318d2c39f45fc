-- What the index says of keys, without a sync.
-- KEYS: journal, index
-- ARGV: cursor, hashes of the keys, one after another
-- Returns the position after which the index has everything, and for each key the greatest version and the last position
-- in one text, '' for nothing. Returns nothing where the record at the cursor is not there: this server may not be the
-- one that was read.
if not redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1], 'COUNT', 1)[1] then return {} end
local known = read_index(KEYS[2])
if not known or not unseen(KEYS[1], known['at']) then return {} end
local found = look(KEYS[2], known, ARGV[2], '', '')
if not found then return {} end
return {known['from' .. known['oldest']], unpack(found)}
