-- Takes out of an index the members whose copies are gone.
-- KEYS: index
-- ARGV: what stands before a key in the name of its copy, what stands before a tag in the name of its index, tag ('' for
--       the index of all keys), keys...
-- Returns how many were taken out.
local copies, tag_index, tag = ARGV[1], ARGV[2], ARGV[3]
local removed = 0
for i = 4, #ARGV do
  if redis.call('EXISTS', copies .. ARGV[i]) == 0 then
    if tag == '' then
      removed = removed + redis.call('ZREM', KEYS[1], ARGV[i])
    else
      removed = removed + forget(tag_index, tag, ARGV[i])
    end
  end
end
return removed
