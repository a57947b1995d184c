-- What a million members leave behind in a year beside what `seed bulk` writes: mail, sign-ins, invitations, claims, sales.
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

-- Who was a customer before there was the program.
INSERT INTO customer (address_hash, since) SELECT md5('customer' || n), current_date - n % 1000 FROM generate_series(1, 100000) AS n;

-- One in fifty has a picture; one in twenty, and who brought many, chose a code of their own, some more than one.
INSERT INTO avatar (profile_id, digest, content, created)
SELECT id, md5('a' || id) || md5('b' || id), decode(repeat(md5('picture' || id), 60), 'hex'), created FROM profile WHERE id % 50 = 0;

INSERT INTO own_code (code, skeleton, profile_id, month, created)
SELECT 'friend-' || id || '-' || n, 'friend-' || id || '-' || n, id, date_trunc('month', now()) - interval '1 month' * n,
       date_trunc('month', now()) - interval '1 month' * n
FROM profile, generate_series(1, 3) AS n WHERE (n = 1 OR id % 60 = 0) AND (id % 20 = 0 OR referral_count >= 10);

-- One in five hundred was closed, of those who brought nobody.
UPDATE "user" SET is_active = false FROM profile WHERE profile.user_id = "user".id AND "user".id % 500 = 0 AND referral_count = 0;

-- A product has brought a part of the members, and knows them by numbers of its own.
INSERT INTO external_member (user_id, external_id, details, created, updated)
SELECT "user".id, 'customer-' || "user".id, '{"plan": "pro"}', "user".created, "user".created
FROM "user" JOIN profile ON profile.user_id = "user".id WHERE "user".id % 4 = 0 OR referral_count > 0;

-- The product speaks with one key; another product has not said anything for half a year.
INSERT INTO api_key (name, product, digest, beginning, scopes, created)
SELECT product, product, md5(product), 'rh_' || product, '["read", "events", "manage"]', now() - interval '1 year'
FROM unnest(ARRAY['default', 'app']) AS product;

INSERT INTO api_answer (api_key_id, key, digest, status, body, created)
SELECT (SELECT min(id) FROM api_key), md5('call' || n), md5('digest' || n), 201,
       '{"id":1,"kind":"adjustment","amount":10,"unit":"points"}', now() - interval '1 minute' * n
FROM generate_series(1, 40000) AS n;

-- What the product tells of: friends who signed up, their firms, and people of whom nobody knows who brought them.
INSERT INTO event_customer (kind, external_id, referral_id, created)
SELECT 'person', external_id, referral.id, external_member.created
FROM external_member JOIN profile USING (user_id) JOIN referral ON referral.friend_id = profile.id;
INSERT INTO event_customer (kind, external_id, referral_id, created)
SELECT 'organization', 'firm-' || id, id, created FROM referral WHERE id % 50 = 0;
INSERT INTO event_customer (kind, external_id, created)
SELECT 'person', 'stranger-' || n, now() - interval '10 minutes' * n FROM generate_series(1, 40000) AS n;
ANALYZE external_member, event_customer;

CREATE TEMPORARY TABLE told ON COMMIT DROP AS
SELECT 'signup' AS type, 'signup-' || id AS own_id, id AS customer_id, referral_id, NULL::bigint AS amount, NULL AS refund_of,
       'accepted' AS state, '' AS reason, created AS at
FROM event_customer WHERE referral_id IS NOT NULL AND kind = 'person'
UNION ALL
SELECT 'purchase', 'order-' || id || '-' || n, id, referral_id, 4900, NULL, 'accepted', '', created + interval '1 day' * n
FROM event_customer, generate_series(1, 3) AS n WHERE referral_id IS NOT NULL AND kind = 'person' AND (id % 6 = 0 OR id % 20 = n)
UNION ALL
SELECT 'refund', 'refund-' || id, id, referral_id, 2450, 'order-' || id || '-1', 'accepted', '', created + interval '5 days'
FROM event_customer WHERE referral_id IS NOT NULL AND kind = 'person' AND id % 30 = 0
UNION ALL  -- a few cannot be used, and some not yet
SELECT 'signup', 'broken-' || id, id, NULL, NULL, NULL, 'refused', 'click_broken', created
FROM event_customer WHERE external_id LIKE 'stranger-%' AND id % 200 = 0
UNION ALL
SELECT 'purchase', 'order-' || id, id, NULL, 4900, NULL, 'kept', 'unknown_customer', created
FROM event_customer WHERE external_id LIKE 'stranger-%' AND id % 4 = 1
UNION ALL
SELECT 'signup', 'early-' || id, id, NULL, NULL, NULL, 'kept', 'unknown_code', created
FROM event_customer WHERE external_id LIKE 'stranger-%' AND id % 100 = 2
UNION ALL
SELECT 'signup', 'alone-' || id, id, NULL, NULL, NULL, 'accepted', 'not_referred', created
FROM event_customer WHERE external_id LIKE 'stranger-%' AND id % 4 = 3;

INSERT INTO event (product, own_id, digest, type, customer_id, organization_id, referral_id, amount, currency, refund_of, details,
                   signup, state, reason_code, reason_values, api_key_id, occurred_at, created)
SELECT CASE WHEN told.customer_id % 20 = 0 AND at < now() - interval '6 months' THEN 'app' ELSE 'default' END, own_id, md5(own_id),
       type, told.customer_id, firm.id, told.referral_id, amount, CASE WHEN amount > 0 THEN 'EUR' END, refund_of, '{"plan": "pro"}',
       CASE reason WHEN 'unknown_code' THEN
           '{"code": "nobody12", "channel": "code", "visited_at": null, "invitation_id": null, "key": null, "email": null, "name": null}'
           ::jsonb END,
       state, reason, '{}', (SELECT min(id) FROM api_key), at, at
FROM told LEFT JOIN event_customer firm ON firm.referral_id = told.referral_id AND firm.kind = 'organization' WHERE at < now() ORDER BY at;
ANALYZE event;

-- What the sales earned, what was taken back after a refund, and what was paid out two days later, but for a few.
INSERT INTO conversion (event_id, referral_id, refunded, referrer_amount, friend_amount, referrer_unit, friend_unit, reason_code,
                        reason_values, created)
SELECT event.id, referral.id, coalesce(refund.amount, 0), (event.amount - coalesce(refund.amount, 0)) / 10, 0, 'EUR', 'EUR', '', '{}',
       event.created
FROM event JOIN referral ON referral.id = event.referral_id AND referral.state = 'confirmed'
LEFT JOIN event refund ON refund.type = 'refund' AND refund.refund_of = event.own_id
WHERE event.type = 'purchase' ORDER BY event.id;
ANALYZE conversion;

CREATE TEMPORARY TABLE line ON COMMIT DROP AS
SELECT nextval(pg_get_serial_sequence('reward_entry', 'id'))::integer AS id, ordered.* FROM (
    SELECT all_lines.*, row_number() OVER mine AS number, sum(amount) OVER mine AS balance FROM (
        SELECT 'referrer' AS kind, conversion.id AS conversion_id, referrer_id AS profile_id, referral.id AS referral_id,
               NULL::integer AS cause_id, 490 AS amount, conversion.created AS at
        FROM conversion JOIN referral ON referral.id = conversion.referral_id
        UNION ALL
        SELECT 'refund', conversion.id, referrer_id, referral.id, refund.id, -245, refund.created
        FROM conversion JOIN referral ON referral.id = conversion.referral_id JOIN event ON event.id = conversion.event_id
        JOIN event refund ON refund.type = 'refund' AND refund.refund_of = event.own_id
        UNION ALL
        SELECT 'payout', conversion.id, referrer_id, NULL, NULL, -490, conversion.created + interval '2 days'
        FROM conversion JOIN referral ON referral.id = conversion.referral_id
        WHERE refunded = 0 AND conversion.created < now() - interval '2 days' AND conversion.id % 20 > 0
    ) all_lines WINDOW mine AS (PARTITION BY profile_id ORDER BY at, conversion_id, amount DESC) ORDER BY at
) ordered;

INSERT INTO reward_entry (id, profile_id, referral_id, conversion_id, cause_id, kind, amount, balance, number, unit, note, available_at,
                          created)
SELECT id, profile_id, referral_id, CASE WHEN kind <> 'payout' THEN conversion_id END, cause_id, kind, amount, balance, number,
       'EUR', '', at, at
FROM line ORDER BY id;

INSERT INTO reward (entry_id, number, profile_id, amount, unit, state, reference, reason, payout_id, changed, created)
SELECT credit.id, 1, credit.profile_id, credit.amount, 'EUR',
       CASE WHEN payout.id IS NOT NULL THEN 'fulfilled' WHEN refund.id IS NOT NULL THEN 'withdrawn'
            WHEN credit.id % 10 = 0 THEN 'failed' ELSE 'due' END,
       CASE WHEN payout.id IS NOT NULL THEN 'payment ' || payout.id ELSE '' END, CASE WHEN refund.id IS NOT NULL THEN 'taken_back' ELSE '' END,
       payout.id, coalesce(payout.at, refund.at, credit.at), credit.at
FROM line credit LEFT JOIN line payout ON payout.conversion_id = credit.conversion_id AND payout.kind = 'payout'
LEFT JOIN line refund ON refund.conversion_id = credit.conversion_id AND refund.kind = 'refund'
WHERE credit.kind = 'referrer' ORDER BY credit.id;
INSERT INTO reward (entry_id, number, profile_id, amount, unit, state, reference, reason, changed, created)
SELECT entry_id, 2, profile_id, amount / 2, unit, 'due', '', '', changed, changed FROM reward WHERE state = 'withdrawn' ORDER BY id;

INSERT INTO reward_hold (profile_id, unit, until)
SELECT id, 'EUR', now() + interval '1 hour' * (id % 300 + 1) FROM profile WHERE id % 40 = 0;

-- Two addresses were told of what happened, one of all of it; messages are kept for a month, how many there were for ever.
INSERT INTO webhook_endpoint (url, types, secret, is_active, created)
SELECT 'https://shop.example.com/' || n, CASE n WHEN 1 THEN '[]' ELSE '["referral.confirmed"]' END::jsonb, '', true,
       now() - interval '1 year'
FROM generate_series(1, 2) AS n;

INSERT INTO webhook_sequence (object, object_id, last) SELECT 'member', user_id, 1 FROM external_member;
INSERT INTO webhook_sequence (object, object_id, last) SELECT 'referral', id, 2 FROM referral;

INSERT INTO webhook_message (public_id, type, object, object_id, sequence, body, key, created)
SELECT 'msg_' || left(md5(type || ':' || object_id), 24), type, object, object_id, sequence,
       '{"type":"' || type || '","sequence":' || sequence || ',"data":{"id":' || object_id || ',"link":"http://localhost/abcd1234/"' || more
       || '}}', type || ':' || object_id, created
FROM (
    SELECT 'member.created' AS type, 'member' AS object, user_id AS object_id, 1 AS sequence,
           ',"external_id":"' || external_id || '","email":null,"name":"","metadata":{"plan":"pro"}' AS more, created FROM external_member
    UNION ALL
    SELECT 'referral.created', 'referral', id, 1, ',"state":"pending","friend":"somebody"', created FROM referral
    UNION ALL
    SELECT 'referral.confirmed', 'referral', id, 2, ',"state":"confirmed","friend":"somebody"', decided_at
    FROM referral WHERE state = 'confirmed'
) happened WHERE created > now() - interval '30 days' ORDER BY created;

INSERT INTO webhook_delivery (message_id, endpoint_id, attempts, next_try_at, delivered_at)
SELECT message.id, endpoint.id, 1, CASE WHEN last - message.id < 20 THEN now() + interval '5 minutes' END,
       CASE WHEN last - message.id >= 20 AND message.id % 1000 > 0 THEN message.created + interval '1 second' END
FROM webhook_message message JOIN webhook_endpoint endpoint ON endpoint.types = '[]' OR endpoint.types ? message.type,
     (SELECT max(id) AS last FROM webhook_message) newest ORDER BY message.id;

INSERT INTO webhook_attempt (delivery_id, at, status, milliseconds, said)
SELECT webhook_delivery.id, created, CASE WHEN delivered_at IS NULL THEN 500 ELSE 200 END, 80, 'thanks'
FROM webhook_delivery JOIN webhook_message message ON message.id = message_id ORDER BY webhook_delivery.id;
