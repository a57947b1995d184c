-- A transaction begins to commit a change of figures.
-- KEYS: the versions of the members concerned, then for each the changes that are under way.
-- ARGV: a token of this change, and the seconds that it takes at most.
local now = redis.call('TIME')[1]
for index = 1, #KEYS / 2 do
    redis.call('HSET', KEYS[#KEYS / 2 + index], ARGV[1], now)
    redis.call('EXPIRE', KEYS[#KEYS / 2 + index], ARGV[2])
    redis.call('SET', KEYS[index], 'changing', 'EX', ARGV[2])
end
