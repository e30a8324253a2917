-- One visitor a connection: -- <path> <cookie>…. Visitor n asks <path>/n with the nth cookie, and the answer names its number. Reports as
-- wrk-report.lua does.

dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'wrk-report.lua')

local texts = {}
local asked = 0

-- wrk does not say for which connection it asks, but asks in the order in which the answers came: the connection that was answered is the
-- next to ask.
local upcoming, first, last = {}, 1, 0

function init(arguments)
  for index = 2, #arguments do
    texts[index - 1] = wrk.format('GET', arguments[1] .. '/' .. (index - 1), { Host = wrk.headers.Host, Cookie = arguments[index] })
  end
end

function request()
  if first > last then
    asked = asked + 1
    return texts[(asked - 1) % #texts + 1]
  end
  local text = upcoming[first]
  upcoming[first] = nil
  first = first + 1
  return text
end

function response(_, headers)
  last = last + 1
  upcoming[last] = texts[tonumber(headers.Visitor)]
end
