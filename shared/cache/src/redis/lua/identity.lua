-- Which server this is, and whether any of its cluster may have lost what it was told; put in front of the sync.

-- What stands after `name` in a section of INFO; nil where that is not told. And whether the server is a replica.
-- One section at a time: the server writes all it is asked for, which is a fifth of a sync.
local function info_of(section, name)
  local info = redis.pcall('INFO', section)
  if type(info) ~= 'string' then return nil end
  if string.find(info, 'role:slave', 1, true) then return nil, true end
  -- Found as plain text first: a pattern that is tried at every place takes longer still.
  local at = string.find(info, name, 1, true)
  return at and string.match(info, '^%x+', at + #name)
end

-- The name of a server is that of its data set, which every start and every promotion changes; where that is not told,
-- the server's own.
local function name_of_server()
  local name, is_replica = info_of('replication', 'master_replid:')
  return name or info_of('server', 'run_id:') or 'unknown', is_replica
end

-- What CLUSTER INFO counts: when none of it has changed, no node has come, gone or taken slots.
local function numbers_of_cluster()
  local info = redis.pcall('CLUSTER', 'INFO')
  if type(info) ~= 'string' then return '' end
  local first = string.find(info, 'cluster_known_nodes:', 1, true)
  local last = first and string.find(info, 'cluster_my_epoch:', first, true)
  local to = last and string.find(info, '\r', last, true)
  return to and string.sub(info, first, to - 1) or string.match(info, 'cluster_current_epoch:%d+') or ''
end

-- The epoch among these numbers, as text. Every election takes the next one, and so does a server that is given slots,
-- unless its own is the greatest already.
local function epoch_of(numbers)
  return string.match(numbers, 'cluster_current_epoch:(%d+)') or ''
end

-- The primaries as this node sees them, by id: the epoch each has taken, how many slots it has, whether it has failed.
-- With them, whose replica every other node is, which one this node is, and what is to be kept of all that as a text.
-- Nothing where that is not told.
local function look_at_nodes()
  local nodes = redis.pcall('CLUSTER', 'NODES')
  if type(nodes) ~= 'string' then return nil end
  local primaries, replicas, me, lines = {}, {}, '', {}
  for line in string.gmatch(nodes, '[^\n]+') do
    -- Slots on their way stand in brackets, behind all others.
    local id, flags, primary, epoch, ranges = string.match(line, '^(%x+) %S+ (%S+) (%S+) %d+ %d+ (%d+) %S+([^%[]*)')
    if not id then return nil end
    flags = ',' .. flags .. ','
    if string.find(flags, ',myself,', 1, true) then me = id end
    if string.find(flags, ',master,', 1, true) then
      local slots = 0
      for first, last in string.gmatch(ranges, '(%d+)%-?(%d*)') do
        slots = slots + (tonumber(last) or tonumber(first)) - tonumber(first) + 1
      end
      local has_failed = string.find(flags, ',fail,', 1, true) ~= nil
      primaries[id] = {epoch = tonumber(epoch), slots = slots, has_failed = has_failed}
      lines[#lines + 1] = id .. ' ' .. epoch .. ' ' .. slots
    else
      replicas[id] = primary
      lines[#lines + 1] = id .. ' replica'
    end
  end
  table.sort(lines)
  return primaries, replicas, me, me .. '\n' .. table.concat(lines, '\n')
end

-- Reads a text that `look_at_nodes` has made: the primaries, the ids of all nodes, and which one the reader was.
local function recall_nodes(text)
  local primaries, known = {}, {}
  for id, epoch, slots in string.gmatch(text, '(%x+) (%S+) ?(%d*)') do
    known[id] = true
    if epoch ~= 'replica' then primaries[id] = {epoch = tonumber(epoch), slots = tonumber(slots)} end
  end
  return primaries, known, string.match(text, '^%x*')
end

-- Whether all that has happened from one look to the next is that slots were moved between primaries, by which nothing is
-- lost. What cannot be told is not.
local function have_slots_only_moved(before, known, now, replicas, epoch_before, epoch)
  local has_emptied, has_begun = false, false
  for id, was in pairs(before) do
    local is, follows = now[id], before[replicas[id] or false]
    if was.slots > 0 and not (is and is.slots > 0) then
      -- It gave away its last slot, which makes it a replica of the one that took it, or another was promoted in its place.
      has_emptied = true
      if is and is.has_failed or not is and not (follows and follows.slots > 0) then return false end
    end
  end
  local taken, count = {}, 0
  for id, is in pairs(now) do
    local was = before[id]
    count = count + 1
    if is.slots > 0 then
      -- A replica that was promoted.
      if not was then return false end
      -- A primary that was replaced, and has replaced the other again.
      if is.epoch ~= was.epoch and is.slots <= was.slots then return false end
      has_begun = has_begun or was.slots == 0
      taken[is.epoch] = true
    elseif not known[id] or was and was.epoch == 0 then
      -- It is new, and found out that others had its epoch. One that has lost its place is taken for a primary for a while.
      taken[is.epoch] = true
    end
  end
  -- One that was replaced is, too; then the other may have been a replica that was not known for one.
  if has_emptied and has_begun then return false end
  -- An epoch that nobody has was taken by an election: one that goes on, has failed, or whose winner has lost another.
  if not epoch_before or not epoch or epoch < epoch_before or epoch - epoch_before > count then return false end
  for taking = epoch_before + 1, epoch do
    if not taken[taking] then return false end
  end
  return true
end

-- How long nodes are looked at again after they have changed, and how often (ms): an election takes its epoch before its
-- winner takes the slots, by up to twice the cluster's node timeout. Until then, and long after, whatever was removed is
-- known from its record.
local SETTLING_MS, AGAIN_MS = 40000, 1000

-- Whether a server of the cluster may have lost something since the nodes were looked at last. `cluster`, `changed` and
-- `looked` are what was kept beside the journal then; `is_another` says whether the journal was in another data set. With
-- it, what is to be kept now, in fields and values; nil for nothing.
local function has_cluster_lost(meta, now_ms, server, is_another, cluster, changed, looked)
  local numbers = numbers_of_cluster()
  local has_changed = cluster ~= numbers
  changed = tonumber(changed or '0')
  local is_due = changed > 0 and math.abs(now_ms - tonumber(looked or '0')) >= AGAIN_MS
  if not (is_another or has_changed or is_due) then return false, nil end

  local kept = redis.call('HGET', meta, 'nodes')
  local primaries, replicas, me, text = look_at_nodes()
  local epoch_before, epoch = epoch_of(cluster or ''), epoch_of(numbers)
  local is_lost
  if primaries and kept and kept ~= '' then
    local before, known, me_before = recall_nodes(kept)
    is_lost = (is_another and me == me_before)
      or not have_slots_only_moved(before, known, primaries, replicas, tonumber(epoch_before), tonumber(epoch))
  else
    is_lost = is_another or epoch_before ~= epoch
  end
  if has_changed or (text or '') ~= kept then
    changed = now_ms
  elseif math.abs(now_ms - changed) >= SETTLING_MS then
    changed = 0
  end
  local keep = {'id', server .. ':' .. epoch, 'cluster', numbers, 'nodes', text or '',
    'changed', string.format('%.0f', changed), 'looked', string.format('%.0f', now_ms)}
  return is_lost, keep
end
