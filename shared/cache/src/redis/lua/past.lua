-- What the index, the journal and the open invalidations say of one key. Changes nothing.
-- KEYS: journal, meta, open invalidations, index
-- ARGV: hash of the key, most invalidations to return, most bytes of them
-- Returns {ms, epoch, position at which a level was switched ('' for none), position after which the index has every put
-- and delete ('' where it is lost), position after which every invalidation is returned (the same), greatest version and
-- last position of the key in one text ('' for none), fields of the record that stands there, open invalidations, the
-- invalidations there were}; both are lists of positions and bodies, the second one newest first.
local meta = redis.call('HMGET', KEYS[2], 'epoch', 'switched')
local known = read_index(KEYS[4])
local found = known and unseen(KEYS[1], known['at']) and look(KEYS[4], known, ARGV[1], '', '')
local floor, swept, said, record, sweeps = '', '', '', {}, {}
if found then
  floor, said = known['from' .. known['oldest']], found[1]
  if said ~= '' then
    local at = string.sub(said, VERSION_DIGITS + 1)
    local stands = redis.call('XRANGE', KEYS[1], at, at)[1]
    record = stands and stands[2] or {}
  end
  local names = KEYS[4] .. ':sweeps'
  if redis.call('XLEN', names) >= tonumber(known['held']) + tonumber(known['sweeps']) then
    swept = floor
    local count, left = 0, tonumber(ARGV[3])
    for _, sweep in ipairs(redis.call('XREVRANGE', names, '+', '-', 'COUNT', ARGV[2] + 1)) do
      count, left = count + 1, left - #sweep[2][2]
      if left < 0 or count > tonumber(ARGV[2]) then
        swept = sweep[1]
        break
      end
      sweeps[#sweeps + 1], sweeps[#sweeps + 2] = sweep[1], sweep[2][2]
    end
  end
end
return {math.floor(now_us() / 1000), meta[1] or '', meta[2] or '', floor, swept, said, record,
  redis.call('HGETALL', KEYS[3]), sweeps}
