-- The index beside the journal. It answers for longer than the journal, and for one key at a time: where a key was put
-- or deleted last, and the greatest version that did it. Invalidations lie in a stream of their own.
--
-- It is kept in generations, which are forgotten as a whole: that bounds its memory. The hash `index` has the numbers of
-- the `newest` and the `oldest`, the record that each began with (`from` and its number), when the newest began (`began`,
-- ms), after which position and in which generation all invalidations are still there (`kept`), how many it has (`sweeps`) and those before it had then (`held`), the last record that the index has
-- seen (`at`), and how many it has seen since ever (`count`). Keys are named by 8 bytes of hash: where two share one, each
-- is taken for touched when the other is, which costs a question to L3 and never an answer.
local GENERATIONS, MOST_KEYS, MOST_SWEEPS, MOST_MS = 4, 50000, 250, 200000
-- How long invalidations are kept for fills at least, also where their generations are forgotten (ms), and most of them.
local KEPT_MS, MOST_KEPT = 70000, 5000
-- Warm records, which a container that comes to a gap is to hear of all the same.
local MOST_NAMED = 4
-- A field that each generation has from its beginning: without it the generation was evicted.
local BEGUN = ''
local HASH_BYTES, VERSION_DIGITS = 8, 20
-- Records that touch no key.
local HARMLESS = {closed = true, epoch = true, config = true, warm = true}
local MOST_HARMLESS = 16

-- Whether a position is before another one.
local function is_before(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  return a_ms < b_ms or (a_ms == b_ms and tonumber(a_seq) < tonumber(b_seq))
end

-- The hash `index` as a table, or nothing where it is lost.
local function read_index(index)
  local fields, list = {}, redis.call('HGETALL', index)
  for i = 1, #list, 2 do fields[list[i]] = list[i + 1] end
  return fields['at'] and fields
end

-- How many records came after the last one that the index has seen; nothing where one of them may touch a key: a release
-- that knows of no index wrote it.
local function unseen(journal, at)
  local records = redis.call('XREVRANGE', journal, '+', '(' .. at, 'COUNT', MOST_HARMLESS + 1)
  for _, record in ipairs(records) do
    local kind
    for i = 1, #record[2], 2 do
      if record[2][i] == 'kind' then kind = record[2][i + 1] end
    end
    if not HARMLESS[kind] then return nil end
  end
  return #records <= MOST_HARMLESS and #records or nil
end

-- After which position the index has every invalidation. A release that does not keep them for longer has begun the newest
-- generation where that is not said.
local function kept_after(known)
  local newest, after = string.match(known['kept'] or '', '^(%d+) (%d+%-%d+)$')
  return newest == known['newest'] and after or known['from' .. known['oldest']]
end

-- Forgets invalidations that neither a generation nor a fill asks for any more; returns after which position all are kept.
local function trim_sweeps(index, known, from, now_ms, keep)
  local after = from
  if keep then
    local old = string.format('%.0f-0', tonumber(now_ms) - KEPT_MS)
    if is_before(old, after) then after = old end
    local kept = kept_after(known)
    if is_before(after, kept) then after = kept end
  end
  redis.call('XTRIM', index .. ':sweeps', 'MINID', after)
  if redis.call('XTRIM', index .. ':sweeps', 'MAXLEN', MOST_KEPT) > 0 then
    after = redis.call('XRANGE', index .. ':sweeps', '-', '+', 'COUNT', 1)[1][1]
  end
  return after
end

-- Begins a generation with the record `id`. Of those before, the newest are kept, or none.
local function begin_generation(index, known, id, now_ms, keep)
  local newest = tonumber(known and known['newest'] or '0') + 1
  local oldest = tonumber(known and known['oldest'] or newest)
  local first = math.max(oldest, keep and newest - GENERATIONS + 1 or newest)
  for number = oldest, first - 1 do
    redis.call('UNLINK', index .. ':' .. number)
    redis.call('HDEL', index, 'from' .. number)
  end
  local from = first < newest and known['from' .. first] or id
  local after = trim_sweeps(index, known, from, now_ms, keep)
  redis.call('HSET', index, 'newest', newest, 'oldest', first, 'from' .. newest, id, 'began', now_ms, 'sweeps', 0,
    'held', redis.call('XLEN', index .. ':sweeps'), 'kept', newest .. ' ' .. after)
  redis.call('HSET', index .. ':' .. newest, BEGUN, id)
  return newest
end

-- What the index has of keys, whose hashes stand one after another in `asked` and `hot`: for each the greatest version
-- and the last position in one text, '' for nothing. For those of `hot` it looks no further back than `since`. Returns
-- nothing where a part of it is lost.
local function look(index, known, asked, hot, since)
  local hashes, found = {}, {}
  for at = 1, #asked, HASH_BYTES do hashes[#hashes + 1] = string.sub(asked, at, at + HASH_BYTES - 1) end
  local all = #hashes
  for at = 1, #hot, HASH_BYTES do hashes[#hashes + 1] = string.sub(hot, at, at + HASH_BYTES - 1) end
  for i = 1, #hashes do found[i] = '' end
  local wanted = #hashes
  for number = tonumber(known['newest']), tonumber(known['oldest']), -1 do
    if wanted == 0 then break end
    local held = redis.call('HMGET', index .. ':' .. number, BEGUN, unpack(hashes, 1, wanted))
    if not held[1] then return nil end
    for i = 1, wanted do
      local said = held[i + 1]
      if said and found[i] == '' then
        found[i] = said
      elseif said and string.sub(said, 1, VERSION_DIGITS) > string.sub(found[i], 1, VERSION_DIGITS) then
        found[i] = string.sub(said, 1, VERSION_DIGITS) .. string.sub(found[i], VERSION_DIGITS + 1)
      end
    end
    if wanted > all and not is_before(since, known['from' .. number]) then wanted = all end
  end
  return found
end
