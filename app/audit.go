package app

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/postgres"
	"meetd/app/trail"
	"meetd/domain/audit"
	"meetd/ports"
)

// VerifyAudit checks the audit trail of the configured database and writes what it
// found. expected is a hash that was noted down before; empty: none. It is an error
// when the trail is not what it was.
func VerifyAudit(ctx context.Context, c *Config, expected string, w io.Writer) error {
	var hash *audit.Hash
	if expected != "" {
		h, ok := audit.ParseHash(expected)
		if !ok {
			return fmt.Errorf("--expect: %s is no hash; it has 64 hexadecimal digits, as verify prints it", quote(expected))
		}
		hash = &h
	}
	return withTrail(ctx, c, func(s *trail.Service) error {
		r, err := s.Verify(ctx, hash)
		if err != nil {
			return err
		}
		if r.Broken != "" {
			return errors.Join(tell(w, nil, "%d events are as they were sealed.\n", r.Seals), fmt.Errorf("the audit trail is broken: %s", r.Broken))
		}
		err = tell(w, nil, "%d events and %[1]d seals are as they were; %d events wait to be sealed.\n", r.Seals, r.Waiting)
		if r.Known != 0 {
			err = errors.Join(err, tell(w, nil, "The expected hash is that of seal %d.\n", r.Known))
		}
		return errors.Join(err, tell(w, nil, "Head: seal %d, hash %s\n", r.Head.Seq, r.Head.Hash))
	})
}

// AuditExport says what of the audit trail is written out.
type AuditExport struct {
	Since, Until string // RFC 3339, on and before; empty: no limit
	Actor        string // id of an account; empty: all
	Subject      string // empty: all
	Format       string // jsonl or csv
}

// filter reads the options; its error explains what is wrong.
func (o AuditExport) filter() (f audit.Filter, err error) {
	for _, at := range []struct {
		name, text string
		to         *time.Time
	}{{"since", o.Since, &f.Since}, {"until", o.Until, &f.Until}} {
		if at.text == "" {
			continue
		}
		if *at.to, err = time.Parse(time.RFC3339, at.text); err != nil {
			return f, fmt.Errorf("--%s: %s is no time; write it like 2026-01-31T00:00:00Z", at.name, quote(at.text))
		}
	}
	if o.Actor != "" {
		if f.Actor, err = uuid.Parse(o.Actor); err != nil {
			return f, fmt.Errorf("--actor: %s is no id of an account", quote(o.Actor))
		}
	}
	if o.Format != "jsonl" && o.Format != "csv" {
		return f, fmt.Errorf("--format: %s is not known; use jsonl or csv", quote(o.Format))
	}
	f.Subject = o.Subject
	return f, nil
}

// Check explains what is wrong with the options.
func (o AuditExport) Check() error {
	_, err := o.filter()
	return err
}

// ExportAudit writes the events that are wanted, one line each. The options must
// have been checked.
func ExportAudit(ctx context.Context, c *Config, o AuditExport, w io.Writer) error {
	f, err := o.filter()
	if err != nil {
		return err
	}
	return withTrail(ctx, c, func(s *trail.Service) error {
		if o.Format == "csv" {
			return exportCSV(ctx, s, f, w)
		}
		out := json.NewEncoder(w)
		return s.Export(ctx, f, func(e ports.SealedEvent) error {
			if err := out.Encode(lineOf(e)); err != nil {
				return fmt.Errorf("write the audit trail: %w", err)
			}
			return nil
		})
	})
}

// auditLine is an event as it is written out (docs/audit.md).
type auditLine struct {
	ID      int64             `json:"id"`
	At      time.Time         `json:"at"`
	Action  audit.Action      `json:"action"`
	Actor   *uuid.UUID        `json:"actor"`
	Subject string            `json:"subject"`
	Details map[string]string `json:"details"`
	Seal    int64             `json:"seal,omitempty"` // 0: none yet
	Hash    string            `json:"hash,omitempty"`
}

func lineOf(e ports.SealedEvent) auditLine {
	line := auditLine{
		ID: e.Event.ID, At: e.Event.At.UTC(), Action: e.Event.Action, Subject: e.Event.Subject, Details: e.Event.Details,
	}
	if e.Event.Actor != uuid.Nil {
		line.Actor = &e.Event.Actor
	}
	if e.Seal != nil {
		line.Seal, line.Hash = e.Seal.Seq, e.Seal.Hash.String()
	}
	return line
}

func exportCSV(ctx context.Context, s *trail.Service, f audit.Filter, w io.Writer) error {
	out := csv.NewWriter(w)
	err := out.Write([]string{"id", "at", "action", "actor", "subject", "details", "seal", "hash"})
	if err == nil {
		err = s.Export(ctx, f, func(e ports.SealedEvent) error {
			line := lineOf(e)
			details, err := json.Marshal(line.Details)
			if err != nil {
				return fmt.Errorf("write the audit trail: %w", err)
			}
			actor, seal := "", ""
			if line.Actor != nil {
				actor = line.Actor.String()
			}
			if line.Seal != 0 {
				seal = strconv.FormatInt(line.Seal, 10)
			}
			return out.Write([]string{
				strconv.FormatInt(line.ID, 10), line.At.Format(time.RFC3339Nano), string(line.Action), actor, line.Subject, string(details), seal, line.Hash,
			})
		})
	}
	out.Flush()
	return errors.Join(err, out.Error())
}

func withTrail(ctx context.Context, c *Config, do func(*trail.Service) error) error {
	pool, err := openPool(ctx, c.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(&trail.Service{Trail: postgres.AuditTrail{Pool: pool}, Log: slog.New(slog.DiscardHandler)})
}
