-- A visitor follows a member's link: keep the link in the session, and count the visit. One round trip, no SQL.
--
-- KEYS  1 the live code, 2 the visitor's session, 3 a new session, 4 the drawn code's visits,
--       5 the codes with new visits, 6 the version of everybody's figures
-- ARGV  1 drawn code that the live one stands for, as far as is known, 2 a session of this link alone,
--       3 most links that are kept, 4 seconds that a session lasts, 5 and 6 the fields of a visit by somebody new on
--       that day and by somebody who was here, "" where nothing is to be counted
-- Returns, with that version: 'unknown', 'member', 'kept' (in the session that was there) or 'new', or, where it is
-- another one, the drawn code behind a '>'. Only 'kept' and 'new' have written anything.

local version, drawn, there = unpack(redis.call('MGET', KEYS[6], KEYS[1], KEYS[2]))
if drawn ~= ARGV[1] then return {drawn and '>' .. drawn or 'unknown', version} end

local kept, again = ARGV[2], false
if there then
  local session, link = cmsgpack.unpack(there), cmsgpack.unpack(kept).visits[1]
  if session._user_id then return {'member', version} end
  local links = session.visits or {}
  for _, other in ipairs(links) do
    again = again or (other.code == link.code and string.sub(other.at, 1, 10) == string.sub(link.at, 1, 10))
  end
  links[#links + 1] = link
  if #links > tonumber(ARGV[3]) then table.remove(links, 2) end
  session.visits = links
  kept = cmsgpack.pack(session)
end
redis.call('SET', there and KEYS[2] or KEYS[3], kept, 'EX', ARGV[4])

-- A count that goes on has its code among those with new visits already.
local field = again and ARGV[6] or ARGV[5]
if field ~= '' and redis.call('HINCRBY', KEYS[4], field, 1) == 1 then redis.call('SADD', KEYS[5], ARGV[1]) end
return {there and 'kept' or 'new', version}
