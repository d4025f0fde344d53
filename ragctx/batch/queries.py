"""The job store's SQL. Tokens and calls leave out the roles of `ragctx.types.costs.UNMETERED_ROLES`, as budgets do."""

QUESTIONS = "SELECT question FROM rows WHERE position >= ? ORDER BY position LIMIT ?"
PENDING = """
SELECT r.position, r.turn, r.key, r.question, r.decision, r.money FROM rows r
LEFT JOIN answers a USING (position) LEFT JOIN failures f USING (position)
WHERE r.turn > ? AND a.position IS NULL AND coalesce(f.retry, 1) = 1 ORDER BY r.turn LIMIT ?
"""
WAYS = """
SELECT DISTINCT r.strategy FROM rows r LEFT JOIN answers a USING (position) LEFT JOIN failures f USING (position)
WHERE a.position IS NULL AND coalesce(f.retry, 1) = 1 ORDER BY r.strategy
"""
RESULTS = """
SELECT r.position, r.question, r.decision, a.answer, f.name, f.message, f.exit_code, f.attempts
FROM rows r LEFT JOIN answers a USING (position) LEFT JOIN failures f USING (position)
WHERE r.position > ? AND (a.position IS NOT NULL OR f.retry = 0) ORDER BY r.position LIMIT ?
"""
FAIL = """
INSERT INTO failures(position, name, message, exit_code, attempts) VALUES (?, ?, ?, ?, 1)
ON CONFLICT (position) DO UPDATE SET name = excluded.name, message = excluded.message,
exit_code = excluded.exit_code, attempts = attempts + 1, retry = 0
"""
SPENT = """
SELECT coalesce(sum(prompt) FILTER (WHERE role NOT IN ('encoder', 'ranker', 'scorer')), 0),
coalesce(sum(output) FILTER (WHERE role NOT IN ('encoder', 'ranker', 'scorer')), 0),
count(*) FILTER (WHERE role NOT IN ('encoder', 'ranker', 'scorer')), coalesce(sum(seconds), 0.0), sum(money)
FROM charges
"""
UNFINISHED = "SELECT coalesce(sum(money), 0.0) FROM charges WHERE row = ? AND claimed = 0"
FORGET_FAILED = """
DELETE FROM replies WHERE request IN
(SELECT c.request FROM charges c JOIN rows r ON r.key = c.row JOIN failures f USING (position) WHERE f.retry = 0)
"""
RETRY = "UPDATE failures SET retry = 1 WHERE retry = 0"
