-- Writes copies of entries of one shard, each over an older one.
-- KEYS: index of the shard, copies...
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), since which position L2 is the
--       source of truth ('' when it is not), what stands before every name of the shard; then for each copy: gone at (ms), key,
--       version and as-of position of a distrusted copy that may be overwritten whatever its age ('' for none), version that must be
--       there ('' for any, 'none' for no live copy), whose stock it is in: name of the API key (16 bytes), bytes, bytes of
--       indexes (4 each; '' for nobody's), how much of that stock the shard may have: entries, bytes, bytes of indexes (4
--       each, the greatest number for no bound; '' for as much as there is), its head, when its value expires, if before the copy is gone (6 bytes; '' if not),
--       its tags (a line feed before and after each), its envelope
-- Returns for each {outcome, live, version that stood there, levels it named}; outcome 1 stored (or expired already), 0 a
-- newer one stands, -1 too old, -2 the expected version is not there, -3 there was no room, and nothing stands now; live: whether a live copy was there. What is no copy
-- and has the name of one is replaced.
local now = now_us()
local late = is_late(now, ARGV[1], ARGV[2])
local since, shard = ARGV[3], ARGV[4]

-- How many members of an index are drawn for each that comes in, to see whether their copies are there still: of those
-- that stand there, the dead are a quarter at most in the long run.
local DRAWN = 4
-- And how many at once.
local MOST_DRAWN = 200

-- What comes into an index is noted, and done in as few commands as there are indexes; what goes out of one goes first.
local indexed, tagged, tags_seen, gone = {}, {}, {}, {rows = {}, tags = {}}
local books = open_books(shard)

-- Gives an index its new members, in each of which the key begins at `key_at`; returns whether it has grown. What grows
-- also cleans itself; maintenance finds the others.
local function grow(index, members, key_at)
  local added = in_parts('ZADD', index, members)
  if added == 0 then return false end
  local dead, older = {}, {}
  for _, member in ipairs(redis.call('ZRANDMEMBER', index, -math.min(DRAWN * added, MOST_DRAWN))) do
    local key = string.sub(member, key_at)
    if redis.call('EXISTS', shard .. 'c:' .. key) == 0 then
      dead[#dead + 1], older[#older + 1] = member, shard .. 'k:' .. key
    end
  end
  in_parts('ZREM', index, dead)
  remove_older(older)
  return true
end

-- How a copy is entered into the book of whose stock it is in.
local function entered(stock, expires)
  local name, bytes, index = string.sub(stock, 1, 16), struct.unpack('>I4I4', stock, 17)
  return share_of(name, till_of(tonumber(expires), now / 1000), bytes, index)
end

local UNBOUNDED = 4294967295
-- What API keys have in the shard, with what this call has done.
local held = {}

-- What a share counts for a name.
local function counts(share, name)
  if string.sub(share, 1, 16) ~= name then return {0, 0, 0} end
  local till, bytes, index = struct.unpack('>I5I4I4', share, 17)
  return till * 1000000 > now and {1, bytes, index} or {0, 0, 0}
end

-- Notes that a copy with this share comes (1) or goes (-1).
local function count(share, sign, key)
  enter(books, share, sign, key)
  local name = string.sub(share, 1, 16)
  local sums = held[name]
  if not sums then return end
  local more = counts(share, name)
  held[name] = {sums[1] + sign * more[1], sums[2] + sign * more[2], sums[3] + sign * more[3]}
end

-- Whether a share may take the place of another within a bound. What is no larger than that always may.
local function has_room(share, old, room)
  local name, most = string.sub(share, 1, 16), {struct.unpack('>I4I4I4', room)}
  local has, was, more = held[name], counts(old, name), counts(share, name)
  for i = 1, 3 do
    if more[i] > was[i] and most[i] ~= UNBOUNDED and has[i] - was[i] + more[i] > most[i] then return false end
  end
  return true
end

local function store(copy, expires, key, seen, expected, stock, room, head, ends, tags, envelope)
  if late then return {-1, 0, '', 0} end
  local version, as_of = string.sub(head, 3, 10), string.sub(head, 11, 20)
  local old = look_at(copy)
  local old_version, old_as_of = old and old.version or '', old and old.as_of or ''
  local there = is_there(old, since)
  local live = there and not has_ended(old, now) and 1 or 0
  -- A copy from before L2 became the source of truth may be overwritten like one that is distrusted.
  local passed = old and not old.gone and not there
  local named = old and old.levels or 0

  -- The same write again: its answer was lost.
  if old_version == version and old_as_of == as_of then return {1, 0, '', 0} end
  if expected == 'none' and live == 1 then return {-2, live, old_version, named} end
  if expected ~= '' and expected ~= 'none' and old_version ~= expected then return {-2, live, old_version, named} end

  local distrusted = old and old_version .. old_as_of == seen
  if old and not distrusted and not passed then
    if is_after(old_version, version) then return {0, live, old_version, named} end
    if old_version == version and (since ~= '' or not is_after(as_of, old_as_of)) then
      return {0, live, old_version, named}
    end
  end

  local has_expired = tonumber(expires) * 1000 <= now
  local new_share = stock ~= '' and not has_expired and entered(stock, expires) or ''
  local is_full = new_share ~= '' and room ~= '' and not has_room(new_share, old and old.share or '', room)
  local goes = has_expired or is_full
  if old and (goes or old.tags ~= tags) then note_gone(gone, shard, old.tags, key) end
  if old and (goes or stock ~= '' or old_version ~= version) then count(old.share, -1, key) end
  if goes then
    redis.call('DEL', copy)
    redis.call('ZREM', KEYS[1], key)
    return {has_expired and 1 or -3, live, old_version, named}
  end
  -- The same value certified anew keeps its counters and its share; another value starts from none.
  local counters, share = string.sub(head, 27, 37), ''
  if old_version == version then counters, share = counters_of(old), old.share end
  if new_share ~= '' then
    share = new_share
    count(share, 1, key)
  end
  local flags = string.byte(head, 2) + (share ~= '' and 16 or 0)
  head = string.char(MARK, flags) .. string.sub(head, 3, 26) .. counters .. string.sub(head, 38)
  redis.call('SET', copy, head .. share .. ends .. tags .. envelope, 'PXAT', expires)
  -- Whoever was to fill it need not any more.
  redis.call('DEL', shard .. 'f:' .. key, shard .. 'k:' .. key)
  indexed[#indexed + 1], indexed[#indexed + 2] = 0, key
  for tag in string.gmatch(tags, '[^\n]+') do
    local set, hash = rows_of(shard, tag)
    note(tagged, set, 0, hash .. key)
    tags_seen[listed(tag)] = true
  end
  return {1, live, old_version, named}
end

local PARTS = 10
local outcomes = {}
for at = 5, #ARGV, PARTS do
  local stock, room = ARGV[at + 4], ARGV[at + 5]
  local name = string.sub(stock, 1, 16)
  if room ~= '' and stock ~= '' and not held[name] then
    local a, b, c, d = struct.unpack('>I4I4I4I4', name)
    held[name] = stock_in(shard .. 'q:' .. string.format('%08x%08x%08x%08x', a, b, c, d), now / 1000000)
  end
end
for i = 2, #KEYS do
  local at = 5 + (i - 2) * PARTS
  outcomes[i - 1] = store(KEYS[i], unpack(ARGV, at, at + PARTS - 1))
end
take_out(gone, shard)
if #indexed > 0 then grow(KEYS[1], indexed, 1) end
for set, members in pairs(tagged) do grow(set, members, ROW_DIGITS + 1) end
local list = {}
for tag in pairs(tags_seen) do list[#list + 1], list[#list + 2] = 0, tag end
in_parts('ZADD', shard .. 't:', list)
keep_books(books, now / 1000)
return outcomes
