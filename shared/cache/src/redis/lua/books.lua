-- What each API key stores in a shard stands in a book, a hash: how much of it is struck out when. So a book is right while
-- copies expire, whoever overwrites or removes one: the copy says in its share how it was entered. For what Redis evicts, the sweep
-- of the indexes counts the copies into new books, `p:`, which take the place of the others when it has been through;
-- `pass` says up to which key it has come.

-- By when what expires then is struck out, in seconds: later by an eighth of its life at most, so that a book is short.
local function till_of(expires_ms, now_ms)
  local width = 1
  while width * 16000 <= expires_ms - now_ms do width = width * 2 end
  return math.ceil(expires_ms / 1000 / width) * width
end

-- The share of a copy: name of the API key, of 16 bytes, till when it counts, bytes, and bytes of indexes.
local function share_of(name, till, bytes, index)
  return name .. struct.pack('>I5I4I4', till, bytes, index)
end

-- Adds the share of a copy to lines of a book.
local function add_line(lines, share, sign)
  if share == '' then return false end
  local a, b, c, d, till, bytes, index = struct.unpack('>I4I4I4I4I5I4I4', share)
  local place = string.format('%08x%08x%08x%08x %.0f', a, b, c, d, till)
  local line = lines[place] or {0, 0, 0}
  lines[place] = {line[1] + sign, line[2] + sign * bytes, line[3] + sign * index}
  return true
end

-- Notes that the copy of a key, which has this share, comes (1) or goes (-1).
local function enter(books, share, sign, key)
  if not add_line(books.q, share, sign) then return end
  if books.at == nil then books.at = redis.call('GET', books.shard .. 'pass') end
  if books.at and not is_after(key, books.at) then add_line(books.p, share, sign) end
end

local function open_books(shard)
  return {shard = shard, q = {}, p = {}}
end

-- Writes down lines. What is taken out of a book that was lost is nothing.
local function write_down(shard, kind, lines, now_ms)
  for place, line in pairs(lines) do
    local name, till = string.match(place, '^(%x+) (%d+)$')
    local left = tonumber(till) * 1000 - now_ms
    if left > 0 then
      local book = shard .. kind .. name
      local entries, bytes, index = string.match(redis.call('HGET', book, till) or '0 0 0', '^(%d+) (%d+) (%d+)$')
      entries, bytes, index = entries + line[1], math.max(0, bytes + line[2]), math.max(0, index + line[3])
      if entries > 0 then
        redis.call('HSET', book, till, string.format('%.0f %.0f %.0f', entries, bytes, index))
        if redis.call('PTTL', book) < left then
          redis.call('PEXPIRE', book, string.format('%.0f', left))
          redis.call('SADD', shard .. 'names', name)
        end
      else
        redis.call('HDEL', book, till)
      end
    end
  end
end

local function keep_books(books, now_ms)
  write_down(books.shard, 'q:', books.q, now_ms)
  write_down(books.shard, 'p:', books.p, now_ms)
end

-- The sweep begins to count.
local function begin_count(shard)
  for _, name in ipairs(redis.call('SMEMBERS', shard .. 'names')) do redis.call('DEL', shard .. 'p:' .. name) end
  redis.call('SET', shard .. 'pass', '')
end

-- It has been through.
local function end_count(shard)
  for _, name in ipairs(redis.call('SMEMBERS', shard .. 'names')) do
    if redis.call('EXISTS', shard .. 'p:' .. name) == 1 then
      redis.call('RENAME', shard .. 'p:' .. name, shard .. 'q:' .. name)
    else
      redis.call('DEL', shard .. 'q:' .. name)
      redis.call('SREM', shard .. 'names', name)
    end
  end
  redis.call('DEL', shard .. 'pass')
end
