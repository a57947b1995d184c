-- Take a code's counts out of the way, so that nothing is added to them while they are booked.
--
-- KEYS  1 the code's visits, 2 the batch that they become, 3 the batches on their way, 4 the codes with new visits
-- ARGV  1 the code
-- Returns 1, or 0 where there was nothing to take.

redis.call('SREM', KEYS[4], ARGV[1])  -- also of one whose visits were taken before it was put there
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('SADD', KEYS[3], KEYS[2])
return 1
