-- Adds up a book by `now` (s); returns {entries, bytes, bytes of indexes}.
local function stock_in(book, now)
  local sums, past = {0, 0, 0}, {}
  local lines = redis.call('HGETALL', book)
  for i = 1, #lines, 2 do
    local entries, bytes, index = string.match(lines[i + 1], '^(%d+) (%d+) (%d+)$')
    if tonumber(lines[i]) > now then
      sums = {sums[1] + entries, sums[2] + bytes, sums[3] + index}
    else
      past[#past + 1] = lines[i]
    end
  end
  if #past > 0 then redis.call('HDEL', book, unpack(past)) end
  return sums
end
