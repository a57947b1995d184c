-- A visitor follows a member's link: keep the link in the session, and count the visit. One round trip, no SQL.
--
-- KEYS  1 the live code, 2 the visitor's session, 3 a new session, 4 the drawn code's visits,
--       5 the codes with new visits, 6 the version of everybody's figures
-- ARGV  1 moment, 2 drawn code that the live one stands for, as far as is known, 3 channel, 4 invitation or "",
--       5 most links that are kept, 6 seconds that a session lasts, 7 and 8 the fields of the day's visits and visitors,
--       "" where nothing is to be counted
-- Returns, with that version: 'unknown', 'member', 'kept' (in the session that was there) or 'new', or, where it is another one, the drawn
-- code behind a '>'. Only 'kept' and 'new' have written anything.

local version = redis.call('GET', KEYS[6])
local drawn = redis.call('GET', KEYS[1])
if not drawn then return {'unknown', version} end
if drawn ~= ARGV[2] then return {'>' .. drawn, version} end

local at, code, channel, invitation = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local packed = redis.call('GET', KEYS[2])
local session = packed and cmsgpack.unpack(packed) or {_permanent = true}
if session._user_id then return {'member', version} end

local links, again = session.visits or {}, false
for _, link in ipairs(links) do
  again = again or (link.code == code and string.sub(link.at, 1, 10) == string.sub(at, 1, 10))
end
links[#links + 1] = {at = at, code = code, channel = channel, invitation = invitation}
if #links > tonumber(ARGV[5]) then table.remove(links, 2) end
session.visits = links
redis.call('SET', packed and KEYS[2] or KEYS[3], cmsgpack.pack(session), 'EX', ARGV[6])

if ARGV[7] ~= '' then
  redis.call('HINCRBY', KEYS[4], ARGV[7], 1)
  if not again then redis.call('HINCRBY', KEYS[4], ARGV[8], 1) end
  redis.call('SADD', KEYS[5], code)
end
return {packed and 'kept' or 'new', version}
