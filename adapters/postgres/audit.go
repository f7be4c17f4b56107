package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/audit"
)

type auditLog struct{ c conn }

func (r auditLog) Record(ctx context.Context, e audit.Event) error {
	if e.Details == nil {
		e.Details = map[string]string{}
	}
	details, err := json.Marshal(e.Details)
	if err != nil {
		return fmt.Errorf("audit event: %w", err)
	}
	var actor *uuid.UUID
	if e.Actor != uuid.Nil {
		actor = &e.Actor
	}
	return translate(q.AuditEventInsert(ctx, r.c, db.AuditEventInsertParams{
		At: e.At, Action: string(e.Action), ActorID: actor, Subject: e.Subject, Details: details,
	}), "audit event")
}
