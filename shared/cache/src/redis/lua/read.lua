-- Reads copies of one shard, as far as so many bytes of envelopes go.
-- KEYS: copies...
-- ARGV: most bytes of envelopes
-- Returns for each its envelope, version, stamp, when it was certified (ms), reads and when it was last read (ms); or the
-- bytes of its envelope, where there was no room for it any more.
local left, is_full, found = tonumber(ARGV[1]), false, {}
for i, copy in ipairs(KEYS) do
  if is_full then
    local bytes = redis.pcall('HSTRLEN', copy, 'e')
    found[i] = type(bytes) == 'number' and bytes or 0
  else
    local fields = fields_of(copy, 'e', 'v', 'a', 'w', 'n', 'l')
    local bytes = fields[1] and #fields[1] or 0
    is_full = bytes > left
    left = left - bytes
    if is_full then found[i] = bytes elseif bytes == 0 then found[i] = 0 else found[i] = fields end
  end
end
return found
