/** The arithmetic of windows.ts as Redis runs it: one script a request, by the clock of Redis. */
import { EPOCH_MS, type Window } from './windows.ts';

/**
 * KEYS: the limit's key. ARGV: want, least, then three a window: kind, microseconds a token, room in microseconds.
 * Gives granted, wait, index of the tightest window, remaining in it, reset, idle; times in microseconds. As one text,
 * which a client reads in half the time of six numbers.
 * The months are those of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
 */
export const TAKE = `
local function monthBegin(day)
  local days = day + 719468
  local era = math.floor(days / 146097)
  local ofEra = days - era * 146097
  local year = math.floor((ofEra - math.floor(ofEra / 1460) + math.floor(ofEra / 36524) - math.floor(ofEra / 146096)) / 365)
  local ofYear = ofEra - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * ofYear + 2) / 153)
  return day - (ofYear - math.floor((153 * month + 2) / 5))
end

local HOUR, DAY, EPOCH = 3600000000, 86400000000, ${EPOCH_MS / 1000}
local function calendar(kind, now)
  if kind == 'month' then
    local first = monthBegin(math.floor(now / DAY) + EPOCH / 86400)
    return (first - EPOCH / 86400) * DAY, (monthBegin(first + 31) - EPOCH / 86400) * DAY
  end
  local length = kind == 'hour' and HOUR or DAY
  local from = math.floor(now / length) * length
  return from, from + length
end

local time = redis.call('TIME')
local now = (time[1] - EPOCH) * 1000000 + time[2]
local want, least = tonumber(ARGV[1]), tonumber(ARGV[2])
local state = {}
for word in string.gmatch(redis.call('GET', KEYS[1]) or '', '%S+') do state[#state + 1] = tonumber(word) end

local granted, wait = want, 0
local froms, stands, ends = {}, {}, {}
local isCut = false
local count = (#ARGV - 2) / 3
for at = 1, count do
  local kind, step, room = ARGV[3 * at], tonumber(ARGV[3 * at + 1]), tonumber(ARGV[3 * at + 2])
  local from = now
  if kind ~= 'bucket' then from, ends[at] = calendar(kind, now) end
  froms[at] = from
  stands[at] = math.min(math.max(state[at] or from, from), from + room)
  isCut = isCut or (state[at] or 0) > stands[at]
  local left = math.floor((from + room - stands[at]) / step)
  granted = math.min(granted, left)
  if left < least then
    local till = kind == 'bucket' and stands[at] + least * step - room - from or ends[at] - now
    wait = math.max(wait, till)
  end
end
if granted < least then granted = 0 end

local tightest, remaining, reset, idle = 0, math.huge, 0, 0
local words = {}
for at = 1, count do
  local kind, step, room = ARGV[3 * at], tonumber(ARGV[3 * at + 1]), tonumber(ARGV[3 * at + 2])
  local after = math.max(stands[at] + granted * step, froms[at])
  words[at] = string.format('%.4f', after)
  local left = math.floor((froms[at] + room - after) / step)
  local full = kind == 'bucket' and after - froms[at] or ends[at] - now
  idle = math.max(idle, full)
  if left < remaining then tightest, remaining, reset = at - 1, left, full end
end
if granted ~= 0 or isCut then
  redis.call('SET', KEYS[1], table.concat(words, ' '), 'PX', math.max(1, math.ceil(idle / 1000)))
end
return string.format('%d %.0f %d %.0f %.0f %.0f', granted, math.ceil(wait), tightest, remaining, math.ceil(reset), math.ceil(idle))
`;

/** The script's arguments for these windows. */
export function windowArguments(windows: readonly Window[]): string[] {
  return windows.flatMap(({ kind, stepUs, roomUs }) => [kind, String(stepUs), String(roomUs)]);
}
