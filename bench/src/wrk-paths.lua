-- Asks several paths: -- <any | in-turn | together> <body bytes> <path,path…>…, with a thread for each group of paths. Reports as
-- wrk-report.lua does.

dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'wrk-report.lua')

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set('group', threads)
end

local texts, successor = {}, {}
local asked = 0

-- wrk has one `request` for all connections of a thread and does not say for which of them it asks. But it asks in the order in which the
-- answers came, so the connection that was answered by one pool is the next to get the path after it.
local upcoming, first, last = {}, 1, 0

local function any()
  asked = asked + 1
  return texts[(asked - 1) % #texts + 1]
end

local function in_turn()
  if first > last then return any() end
  local text = upcoming[first]
  upcoming[first] = nil
  first = first + 1
  return text
end

local function answered(_, headers)
  last = last + 1
  upcoming[last] = successor[headers.pool]
end

function init(arguments)
  local order, bytes = arguments[1], tonumber(arguments[2])
  local body = bytes > 0 and string.rep('x', bytes) or nil
  local paths = {}
  for path in arguments[2 + group]:gmatch('[^,]+') do paths[#paths + 1] = path end
  for index, path in ipairs(paths) do texts[index] = wrk.format(body and 'POST' or 'GET', path, nil, body) end
  for index, path in ipairs(paths) do successor[path:match('^/(%a+)')] = texts[index % #paths + 1] end

  if order == 'together' then texts = { table.concat(texts) } end
  request = order == 'in-turn' and in_turn or any
  -- A script that defines it makes wrk read every head.
  if order == 'in-turn' then response = answered end
end
