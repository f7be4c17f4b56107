-- name: AuditEventInsert :exec
INSERT INTO meetd.audit_event (at, action, actor_id, subject, details) VALUES ($1, $2, $3, $4, $5);
