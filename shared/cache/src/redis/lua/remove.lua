-- Removes a copy that is older than a mutation, or exactly one that must not stay.
-- KEYS: copy, index of its shard
-- ARGV: when the operation started and how long it may take (microseconds of Redis time), version, key,
--       as-of position of the one copy of exactly that version to remove ('' for every older one),
--       life of the tombstone left behind (ms; '' for none), what stands before every name of the shard, since which
--       position L2 is the source of truth ('' when it is not)
-- Returns one {outcome, live, version that stood there, levels it named}; outcome 1 removed or nothing there, 0 a newer
-- one stands, -1 too old.
local version, exact = ARGV[3], ARGV[5]
-- One copy that must not stay may go at any time: a newer certificate of the same version is as of another position.
if exact == '' and is_late(now_us(), ARGV[1], ARGV[2]) then return {{-1, 0, '', 0}} end
local old, foreign = look_at(KEYS[1])
-- What was loaded before cannot be stored any more: another may load it anew.
if exact == '' then redis.call('DEL', ARGV[7] .. 'f:' .. ARGV[4], ARGV[7] .. 'k:' .. ARGV[4]) end
if foreign then redis.call('DEL', KEYS[1]) end
local old_version = old and old.version or ''
local live = is_there(old, ARGV[8]) and not has_ended(old, now_us()) and 1 or 0
local named = old and old.levels or 0
-- The same removal again: its answer was lost.
if old and old.gone and old_version == version then return {{1, 1, '', 0}} end
if old then
  local goes = is_after(version, old_version)
  if exact ~= '' then goes = old_version == version and old.as_of == exact end
  if not goes then return {{0, live, old_version, named}} end
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[4])
  local gone = {rows = {}, tags = {}}
  note_gone(gone, ARGV[7], old.tags, ARGV[4])
  take_out(gone, ARGV[7])
  local books = open_books(ARGV[7])
  enter(books, old.share, -1, ARGV[4])
  keep_books(books, now_us() / 1000)
end
if ARGV[6] ~= '' then redis.call('SET', KEYS[1], tombstone_of(version), 'PX', ARGV[6]) end
return {{1, live, old_version, named}}
