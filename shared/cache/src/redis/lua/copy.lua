-- A copy is one string; `redis/copies/form.rs` says what stands in it. Numbers begin with their greatest byte, so that
-- versions and positions sort byte by byte, as they are.
local MARK, HEAD, SHARE, ENDS = 193, 43, 29, 6
-- So much of a copy is read to look at it: all but long tags and the envelope.
local LOOK = 192

-- Whether a text comes after another, byte by byte; Lua's own order may be that of a language.
local function is_after(text, other)
  local shorter, from = math.min(#text, #other), 1
  if shorter >= 8 then
    local a, b = struct.unpack('>I4I4', text)
    local c, d = struct.unpack('>I4I4', other)
    if a ~= c then return a > c end
    if b ~= d then return b > d end
    from = 9
  end
  for i = from, shorter do
    local a, b = string.byte(text, i), string.byte(other, i)
    if a ~= b then return a > b end
  end
  return #text > #other
end

-- What stands at the beginning of a copy; nothing where that is no copy, and then whether it is something else.
local function head_in(text)
  if #text < HEAD or string.byte(text) ~= MARK then return nil, text ~= '' end
  local flags = string.byte(text, 2)
  if flags >= 16 and #text < HEAD + SHARE + ENDS then return nil, true end
  local tag_bytes, envelope = struct.unpack('>I2I4', text, 38)
  local head = {
    version = string.sub(text, 3, 10), as_of = string.sub(text, 11, 20), levels = flags % 8, text = text, share = '',
    tags_at = HEAD, tag_bytes = tag_bytes, envelope = envelope, gone = envelope == 0,
  }
  if flags % 32 >= 16 then
    head.share, head.tags_at = string.sub(text, HEAD + 1, HEAD + SHARE), HEAD + SHARE
  end
  if flags >= 32 then
    head.ends, head.tags_at = struct.unpack('>I6', text, head.tags_at + 1), head.tags_at + ENDS
  end
  return head, false
end

-- How often a copy was read and when it was last, as they stand there.
local function counters_of(head)
  return string.sub(head.text, 27, 37)
end

-- What stands in a copy before its envelope, and true where something that is no copy has its name: it has none then.
local function look_at(copy)
  local text = redis.pcall('GETRANGE', copy, 0, LOOK - 1)
  if type(text) == 'table' then
    if string.find(text['err'], 'WRONGTYPE', 1, true) == 1 then return nil, true end
    text = redis.call('GETRANGE', copy, 0, LOOK - 1)
  end
  local head, foreign = head_in(text)
  if head then
    local first, last = head.tags_at + 1, head.tags_at + head.tag_bytes
    head.tags = #text < last and redis.call('GETRANGE', copy, first - 1, last - 1) or string.sub(text, first, last)
  end
  return head, foreign
end

-- Whether a copy counts as there. While L2 is the source of truth it does only when it is as of `since` or later, the
-- position at which that began ('' otherwise).
local function is_there(head, since)
  return head and not head.gone and (since == '' or not is_after(since, head.as_of))
end

-- Whether the value of a copy has expired by `now` (microseconds). A copy that is kept beyond its life says when that is
-- over (ms); any other is gone then.
local function has_ended(head, now)
  return head and head.ends and head.ends * 1000 <= now
end

-- A copy that says only that what is older than a version is gone.
local function tombstone_of(version)
  return string.char(MARK, 0) .. version .. string.rep('\0', HEAD - 10)
end

-- Removes what the release before this one has kept of keys, which it would find again when it is deployed anew. In a slot
-- that is being moved that may be refused, and nothing else is to fail with it.
local function remove_older(names)
  if #names > 0 then redis.pcall('UNLINK', unpack(names)) end
end
