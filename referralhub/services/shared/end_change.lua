-- It has committed, or failed. While others are under way the version stays as it is; one that takes too long was killed.
-- KEYS: as at the beginning. ARGV: the token, the seconds, the new version, and the seconds for which that is kept.
local oldest = redis.call('TIME')[1] - ARGV[2]
for index = 1, #KEYS / 2 do
    redis.call('HDEL', KEYS[#KEYS / 2 + index], ARGV[1])
    local others = redis.call('HGETALL', KEYS[#KEYS / 2 + index])
    for field = 1, #others, 2 do
        if tonumber(others[field + 1]) < oldest then
            redis.call('HDEL', KEYS[#KEYS / 2 + index], others[field])
        end
    end
    if redis.call('HLEN', KEYS[#KEYS / 2 + index]) == 0 then
        redis.call('SET', KEYS[index], ARGV[3], 'EX', ARGV[4])
    end
end
