-- What pages ask of Redis: a script that writes keys of different names, and packs a session. It leaves nothing behind.
--
-- KEYS  1 and 2 any two that nothing else has

redis.call('SET', KEYS[1], cmsgpack.pack({'a session'}))
redis.call('SET', KEYS[2], 'a count')
redis.call('DEL', KEYS[1])
redis.call('DEL', KEYS[2])
