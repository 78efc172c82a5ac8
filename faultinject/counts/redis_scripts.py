"""Lua scripts: Redis and Valkey run nothing else during a script.

If the server has lost its data, or has removed keys to make room, counts begin at zero: see `RESTORE`.

PREFIX:scenario             hash: layout, generation, id of the counts, scenario, seed, standing (all else that is in
                            force, as JSON), and a field for each set of rules with which a server began
PREFIX:rules:ID             hash; for each rule: m matches, o takes, d the due time of its rate, and, sent in the
                            background, n matches, i injections, f failures; for each reason: p requests that passed;
                            for all rules: requests that matched one, i injections, used (uses of these counts)
PREFIX:scopes:ID            hash: the same by scope; PREFIX:scopes-used:ID  sorted set: scopes by their last use
PREFIX:identities:ID        hash: the number of matches by identity; PREFIX:identities-used:ID
PREFIX:answers:BOUND        hash: armed, and by the part of a window: n its number, a answers, f failures
PREFIX:journal              stream: outcomes, if they are shared; see `counts.redis_journal`
"""

from __future__ import annotations

from faultinject.counts.memory import MOST_PAIRS, SET_BACK
from faultinject.rules.abort import PARTS

LAYOUT = "4"
EVENTS = 10_000
"""Lines of the journal that are kept, and up to a hundred more."""
LIVES = 7 * 24 * 3600
"""Seconds that a key lives after its last use."""

# The beginning of every script on counts. KEYS: rules, scopes, identities, scopes-used, identities-used.
_BEGIN = f"""
local rules, scopes, identities, scopes_used, identities_used = unpack(KEYS)
local used = redis.call('HINCRBY', rules, 'used', 1)
local lengthen = used % 64 == 1
-- Keeps the scopes or identities that were used last. A new set and its hash have no time to live yet: `lengthen`.
local function keep(last, hash, key, fields)
  local fresh = redis.call('ZADD', last, used, key) == 1
  if not fresh then return end
  local count = redis.call('ZCARD', last)
  lengthen = lengthen or count == 1
  while count > {MOST_PAIRS} do
    local oldest = redis.call('ZPOPMIN', last)[1]
    for _, field in ipairs(fields) do redis.call('HDEL', hash, field .. oldest) end
    count = count - 1
  end
end
local function live()
  if not lengthen then return end
  for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, {LIVES}) end
end
"""

# ARGV: seconds since the scenario took effect, and for each rule five: its number, scope, identity, rate and period.
# Returns how often these counts were used, and for each rule four: the number of the match in its scope and among those
# of its identity (both from 0), whether the rate is exceeded, and the number of takes.
MATCH = f"""{_BEGIN}
local at = tonumber(ARGV[1])
local results = {{used}}
redis.call('HINCRBY', rules, 'requests', 1)
local function exceeds(hash, field, limit, period)
  local gap = period / limit
  local due = tonumber(redis.call('HGET', hash, field) or at)
  if due - at > period + gap + {SET_BACK} then due = at end
  due = math.max(due, at) + gap
  if due - at > period + gap / 1000 then return 1 end
  redis.call('HSET', hash, field, string.format('%.17g', due))
  return 0
end
for i = 2, #ARGV, 5 do
  local rule, scope, identity, limit = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
  local place = redis.call('HINCRBY', rules, 'm' .. rule, 1)
  local hash, name = rules, rule
  if scope ~= '' then
    hash, name = scopes, scope
    keep(scopes_used, scopes, scope, {{'m', 'o', 'd'}})
    place = redis.call('HINCRBY', scopes, 'm' .. scope, 1)
  end
  keep(identities_used, identities, identity, {{'m'}})
  local n = redis.call('HINCRBY', identities, 'm' .. identity, 1)
  results[#results + 1] = place - 1
  results[#results + 1] = n - 1
  if limit then
    results[#results + 1] = exceeds(hash, 'd' .. name, limit, tonumber(ARGV[i + 4]))
  else
    results[#results + 1] = 1
  end
  results[#results + 1] = tonumber(redis.call('HGET', hash, 'o' .. name) or 0)
end
live()
return results
"""

# ARGV: rule, scope, and the most takes; without the third a take is returned. Returns the change of the number of
# takes: 1, 0 if none was left, or -1.
TAKE = f"""{_BEGIN}
local hash, field = rules, 'o' .. ARGV[1]
if ARGV[2] ~= '' then
  hash, field = scopes, 'o' .. ARGV[2]
  keep(scopes_used, scopes, ARGV[2], {{'m', 'o', 'd'}})
end
local by = ARGV[3] and 1 or -1
if ARGV[3] and tonumber(redis.call('HGET', hash, field) or 0) >= tonumber(ARGV[3]) then by = 0 end
redis.call('HINCRBY', hash, field, by)
live()
return by
"""

# KEYS: rules. ARGV: pairs of a field and its increment. No request waits for this script.
NOTE = f"""
for i = 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], {LIVES})
"""

# KEYS: the journal. ARGV: the number of a new stream, and lines.
PUSH = f"""
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local stream, number = ARGV[1], 0
if newest then stream, number = string.match(newest[1], '(%d+)-(%d+)') end
for i = 2, #ARGV do
  number = number + 1
  local id = stream .. '-' .. string.format('%d', number)
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', {EVENTS}, id, 'line', ARGV[i])
end
redis.call('EXPIRE', KEYS[1], {LIVES})
"""

# KEYS: the answers under a bound. ARGV: how often faults were switched on again, seconds of a part, and the further
# answers and failures. Returns the answers and failures of all processes within the window. No request waits for
# this script.
ANSWERS = f"""
local key, armed, width = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local before = tonumber(redis.call('HGET', key, 'armed') or armed)
if before > armed then return {{0, 0}} end
if before < armed then redis.call('DEL', key) end
local now = redis.call('TIME')
local part = math.floor((tonumber(now[1]) + tonumber(now[2]) / 1000000) / width)
local slot = part % {PARTS}
if tonumber(redis.call('HGET', key, 'n' .. slot) or -1) ~= part then
  local began = string.format('%d', part)
  redis.call('HSET', key, 'armed', armed, 'n' .. slot, began, 'a' .. slot, 0, 'f' .. slot, 0)
end
redis.call('HINCRBY', key, 'a' .. slot, ARGV[3])
redis.call('HINCRBY', key, 'f' .. slot, ARGV[4])
redis.call('EXPIRE', key, {LIVES})
local answers, failures = 0, 0
for i = 0, {PARTS} - 1 do
  local number, a, f = unpack(redis.call('HMGET', key, 'n' .. i, 'a' .. i, 'f' .. i))
  if number and math.abs(part - tonumber(number)) < {PARTS} then
    answers, failures = answers + tonumber(a), failures + tonumber(f)
  end
end
return {{answers, failures}}
"""

# The beginning of scripts on the scenario. KEYS: the scenario.
_PUBLISH = f"""
local key = KEYS[1]
local layout, generation, id, scenario, seed, standing =
  unpack(redis.call('HMGET', key, 'layout', 'generation', 'id', 'scenario', 'seed', 'standing'))
if layout and layout ~= '{LAYOUT}' then return {{'layout'}} end
local function publish(new, ...)
  generation = tostring(tonumber(generation or 0) + 1)
  if new ~= '' then id = new end
  redis.call('HSET', key, 'layout', '{LAYOUT}', 'generation', generation, 'id', id, ...)
  redis.call('EXPIRE', key, {LIVES})
end
"""

# ARGV: the new counts' id, scenario, seed and standing, whether the seed was chosen, whether other rules are
# replaced, the mark of the rules that a server began with, and the generation of the other rules that the caller
# replaces.
AGREE = f"""{_PUBLISH}
local new, mine, own_seed, own_standing, chosen, replaces, began, replaced = unpack(ARGV)
if layout then
  local same = scenario == mine and (chosen == '1' or seed == own_seed)
  -- A worker that starts later joins the scenario that was put in force after its server began.
  if same or (replaces == '0' and redis.call('HEXISTS', key, began) == 1) then
    redis.call('HSET', key, began, '')
    redis.call('EXPIRE', key, {LIVES})
    return {{'joined', generation, id, scenario, seed, standing}}
  end
  if replaces == '0' then return {{'differs'}} end
  if generation ~= replaced then return {{'others', generation, standing}} end
end
publish(new, 'scenario', mine, 'seed', own_seed, 'standing', own_standing, began, '')
return {{'published', generation, id, mine, own_seed, own_standing}}
"""

# ARGV: the id of new counts, or nothing if those that are there go on; scenario, seed and standing; and the
# generation and the id that must be in force still.
PUT = f"""{_PUBLISH}
local new, mine, own_seed, own_standing, after, its_id = unpack(ARGV)
if (generation or '') ~= after or (id or '') ~= its_id then return {{'changed'}} end
publish(new, 'scenario', mine, 'seed', own_seed, 'standing', own_standing)
return {{'published', generation, id, mine, own_seed, own_standing}}
"""

# ARGV: the last state in force, for a server that has nothing any more: its generation, id, scenario, seed and
# standing, and the mark of the rules with which the caller's server began.
RESTORE = f"""
if redis.call('EXISTS', KEYS[1]) == 1 then return end
redis.call('HSET', KEYS[1], 'layout', '{LAYOUT}', 'generation', ARGV[1], 'id', ARGV[2],
  'scenario', ARGV[3], 'seed', ARGV[4], 'standing', ARGV[5], ARGV[6], '')
redis.call('EXPIRE', KEYS[1], {LIVES})
"""

# KEYS: the scenario, and the counts that the caller follows: all of them live as long as some process asks, also the
# counts of a rule that almost no request matches.
LOOK = f"""
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, {LIVES}) end
return redis.call('HMGET', KEYS[1], 'generation', 'id')
"""

# KEYS: the scenario.
JOIN = "return redis.call('HMGET', KEYS[1], 'generation', 'id', 'scenario', 'seed', 'standing')"
