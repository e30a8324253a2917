// The Lua scripts that run inside Redis, each atomically. A session is a hash of its text `v` and its version `n`. A destroyed session has
// `d` instead until it expires. A script that writes ends with a read, because Redis stops tracking a key for the client that writes it. A
// full Redis rejects a script at its first write, so destroy starts with a write that frees memory.

interface Script {
  readonly lua: string
  readonly numberOfKeys: number
}

/** The first element of a reply. */
export const REPLIES = { absent: 0, ended: 1, same: 2, kept: 3, written: 4 } as const

/** ARGV: the version that the caller already has, or ''. */
const READ = `
local found = redis.call('HMGET', KEYS[1], 'n', 'd', 'v')
if found[2] then return {${REPLIES.ended}} end
if not found[1] then return {${REPLIES.absent}} end
local ttl = redis.call('PTTL', KEYS[1])
if found[1] == ARGV[1] then return {${REPLIES.same}, ttl} end
return {${REPLIES.kept}, ttl, found[1], found[3]}`

/** ARGV: text, ttl, expected version or '', version of a new session. */
const WRITE = `
local found = redis.call('HMGET', KEYS[1], 'n', 'd')
if found[2] then return {${REPLIES.ended}} end
local expected = ARGV[3]
if expected ~= '' and expected ~= (found[1] or '0') then
  if not found[1] then return {${REPLIES.absent}} end
  return {${REPLIES.kept}, redis.call('PTTL', KEYS[1]), found[1], redis.call('HGET', KEYS[1], 'v')}
end
local version = ARGV[4]
if found[1] then version = string.format('%.0f', found[1] + 1) end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'n', version)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('EXISTS', KEYS[1])
return {${REPLIES.written}, version}`

/** ARGV: ttl. */
const TOUCH = `
if redis.call('HEXISTS', KEYS[1], 'v') == 0 then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('EXISTS', KEYS[1])
return 1`

/** ARGV: ttl of the tombstone, expected version or ''. Replies -1 if the version is another. */
const DESTROY = `
if ARGV[2] ~= '' then
  local version = redis.call('HGET', KEYS[1], 'n')
  if version and version ~= ARGV[2] then return -1 end
end
local had = redis.call('HDEL', KEYS[1], 'v', 'n')
redis.call('HSET', KEYS[1], 'd', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return had`

/** KEYS: values, expiry times. ARGV: key, value, ttl, maximum number of entries, channel, message. */
const SHARE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)
local beyond = redis.call('ZCARD', KEYS[2]) - #gone - ARGV[4]
if beyond > 0 then
  for _, key in ipairs(redis.call('ZRANGE', KEYS[2], #gone, #gone + math.min(beyond, 100) - 1)) do gone[#gone + 1] = key end
end
if #gone > 0 then
  redis.call('HDEL', KEYS[1], unpack(gone))
  redis.call('ZREM', KEYS[2], unpack(gone))
end
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[3]) then redis.call('PEXPIRE', key, ARGV[3]) end
end
redis.call('PUBLISH', ARGV[5], ARGV[6])
return #gone`

/** KEYS as above. ARGV: offset, count; the entries that expire last come first. Replies key, value, remaining ttl of each entry. */
const SHARED = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.call('ZREVRANGEBYSCORE', KEYS[2], '+inf', now, 'WITHSCORES', 'LIMIT', ARGV[1], ARGV[2])
local page = {}
for i = 1, #found, 2 do
  local value = redis.call('HGET', KEYS[1], found[i])
  if value then
    page[#page + 1] = found[i]
    page[#page + 1] = value
    page[#page + 1] = string.format('%.0f', found[i + 1] - now)
  end
end
return page`

/** ioredis adds a method of each name to the client. The prefix keeps them apart from commands of the app. */
export const scripts = {
  switchyardRead: { lua: READ, numberOfKeys: 1 },
  switchyardWrite: { lua: WRITE, numberOfKeys: 1 },
  switchyardTouch: { lua: TOUCH, numberOfKeys: 1 },
  switchyardDestroy: { lua: DESTROY, numberOfKeys: 1 },
  switchyardShare: { lua: SHARE, numberOfKeys: 2 },
  switchyardShared: { lua: SHARED, numberOfKeys: 2 },
} as const satisfies Record<string, Script>

export type ScriptName = keyof typeof scripts
