-- What a million members leave behind in a year beside what `seed bulk` writes: mail, sign-ins, invitations, claims.
INSERT INTO outbox (key, kind, user_id, address, payload, attempts, next_try_at, delivered_at, created)
SELECT 'year:' || id || ':' || n, CASE n WHEN 1 THEN 'verify_address' WHEN 2 THEN 'friend_joined' ELSE 'address_changed' END,
       id, CASE WHEN n = 3 THEN 'former-' || email END, '{}', 1, CASE WHEN n < 3 THEN created END,
       CASE WHEN n < 3 OR id % 100 > 0 THEN created END, created
FROM "user", generate_series(1, 3) AS n WHERE n < 3 OR id % 20 = 0;

INSERT INTO sign_in (id, user_id, browser, confirmed_at, last_seen_at, created)
SELECT id * 4 + n, id, 'Firefox on Linux', created, last_seen_at, created FROM "user", generate_series(0, 1) AS n
WHERE n = 0 OR id % 3 = 0;

-- One in a hundred has recovery codes; nobody asks for an app's code here.
INSERT INTO recovery_code (user_id, digest, created)
SELECT id, md5('recovery' || id || '-' || n), created FROM "user", generate_series(1, 10) AS n WHERE id % 100 = 0;

INSERT INTO one_time_token (purpose, user_id, address, digest, created, expires_at, used_at)
SELECT 'verify_address', id, email, md5('token' || id), created, created + interval '1 day', CASE WHEN id % 3 > 0 THEN created END
FROM "user" WHERE id % 5 = 0;

INSERT INTO sighting (profile_id, network, agent, created)
SELECT id, md5('network' || id / 3), md5('agent' || id % 50), created FROM profile;

INSERT INTO signup_facts (profile_id, sighting_id, seconds, trapped, members, created)
SELECT profile.id, min(sighting.id), 30, false, '[]', profile.created
FROM profile JOIN sighting ON sighting.profile_id = profile.id WHERE referred_by_id IS NOT NULL GROUP BY profile.id;

INSERT INTO invitation (profile_id, address, address_hash, words, state, changed, created)
SELECT id, 'invited-' || id || '-' || n || '@example.net', md5('address' || id || '-' || n), '', 'sent', created, created
FROM profile, generate_series(1, 500) AS n WHERE n <= least(referral_count, 500);

INSERT INTO outbox (key, kind, user_id, address, payload, attempts, next_try_at, delivered_at, created)
SELECT 'invitation:' || invitation.id, 'invitation', profile.user_id, address, jsonb_build_object('invitation_id', invitation.id),
       1, invitation.created, invitation.created, invitation.created
FROM invitation JOIN profile ON profile.id = invitation.profile_id;

INSERT INTO perk (name, description, price, unit, stock, fulfilment, is_active, created)
SELECT 'Mug ' || n, '', 10 * n, 'points', CASE WHEN n > 1 THEN 1000 END, CASE n WHEN 1 THEN 'coupon' ELSE 'by_hand' END, true, now()
FROM generate_series(1, 3) AS n;

INSERT INTO redemption (profile_id, perk_id, key, fulfilled_at, created)
SELECT id, (SELECT min(perk.id) FROM perk) + n % 3, 'year:' || n, CASE WHEN id % 100 > 0 THEN created END, created
FROM profile, generate_series(1, 200) AS n WHERE n <= least(referral_count, 200);

INSERT INTO coupon (perk_id, code, redemption_id)
SELECT perk_id, 'code-' || id, id FROM redemption WHERE perk_id = (SELECT min(id) FROM perk);
INSERT INTO coupon (perk_id, code) SELECT (SELECT min(id) FROM perk), 'free-' || n FROM generate_series(1, 2000) AS n;

-- Who misses a friend; a thousand of them are waiting for an answer.
INSERT INTO referral_claim (claimant_id, address, friend_id, joined_on, channel, words, state, reason, changed, created)
SELECT id, 'missed-' || id || '-' || n || '@example.net', CASE WHEN id % 3 = 0 THEN id + 1 END, created::date, 'whatsapp',
       'We met.', CASE WHEN id % 1000 = 0 THEN 'asked' WHEN id % 3 = 0 THEN 'declined' ELSE 'expired' END, '', now(),
       CASE WHEN id % 1000 = 0 THEN now() - interval '9 days' ELSE created END
FROM profile, generate_series(1, 50) AS n WHERE (n = 1 AND id % 10 = 0) OR n <= least(referral_count / 10, 50);

INSERT INTO appeal (referral_id, words, created) SELECT id, 'It was no robot.', created FROM referral WHERE id % 20 = 1;

INSERT INTO once (key, created) SELECT 'adjust:' || md5(n::text), now() FROM generate_series(1, 300000) AS n;
INSERT INTO mail_refusal (address_hash, created) SELECT md5('refusal' || n), now() FROM generate_series(1, 50000) AS n;
INSERT INTO former_address (address_hash, referral_id, created)
SELECT md5('former' || id), id, now() FROM referral WHERE id % 20 = 0;

INSERT INTO audit_log (role, action, subject, subject_id, before, after, reason, created, previous, digest)
SELECT 'operator', 'member.adjust', 'member', id, '{}', '{}', 'a present', created, md5('line' || id), md5('line' || id + 50)
FROM "user" WHERE id % 50 = 0 ORDER BY id;  -- each follows the one before
