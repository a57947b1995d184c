-- Adds counts, each batch once: one whose answer was lost is sent again under the same name.
-- KEYS: the counts, the newest batch of this process. ARGV: the batch's name, seconds to know it, then field and number.
if redis.call('GET', KEYS[2]) == ARGV[1] then
  return
end
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
