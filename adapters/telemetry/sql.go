package telemetry

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// SQL follows queries, and how long a connection had to be waited for. What is not
// a part of something that is followed is left out.
func (t *Tracer) SQL() pgx.QueryTracer { return sqlTracer{t} }

type sqlTracer struct{ t *Tracer }

var (
	_ pgx.QueryTracer       = sqlTracer{}
	_ pgx.BatchTracer       = sqlTracer{}
	_ pgx.CopyFromTracer    = sqlTracer{}
	_ pgxpool.AcquireTracer = sqlTracer{}
)

func (s sqlTracer) start(ctx context.Context, name string) context.Context {
	if !trace.SpanFromContext(ctx).SpanContext().IsValid() {
		return ctx
	}
	ctx, _ = s.t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "postgresql"), attribute.String("db.operation.name", name),
	))
	return ctx
}

// stop ends what start began. Of an error only its code is told: the text may hold
// values.
func (sqlTracer) stop(ctx context.Context, err error) {
	span := trace.SpanFromContext(ctx)
	var pg *pgconn.PgError
	switch {
	case err == nil:
		end(span, "")
	case errors.As(err, &pg):
		span.SetAttributes(attribute.String("db.response.status_code", pg.Code))
		end(span, pg.Code)
	default:
		end(span, "failed")
	}
}

// nameOf is the name that a query has in sql/queries, else the word it begins with.
func nameOf(sql string) string {
	if rest, ok := strings.CutPrefix(sql, "-- name: "); ok {
		name, _, _ := strings.Cut(rest, " ")
		return name
	}
	for line := range strings.Lines(sql) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word != "" && !strings.HasPrefix(word, "--") && !strings.HasPrefix(word, "/*") {
			return strings.ToUpper(strings.TrimRight(word, ";"))
		}
	}
	return "SQL"
}

// TraceQueryStart begins to follow a query.
func (s sqlTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	return s.start(ctx, nameOf(d.SQL))
}

// TraceQueryEnd ends that.
func (s sqlTracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryEndData) {
	s.stop(ctx, d.Err)
}

// TraceBatchStart begins to follow several queries that are sent together.
func (s sqlTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return s.start(ctx, "batch")
}

// TraceBatchQuery tells nothing more.
func (sqlTracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd ends that.
func (s sqlTracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchEndData) {
	s.stop(ctx, d.Err)
}

// TraceCopyFromStart begins to follow many rows that are sent together.
func (s sqlTracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return s.start(ctx, "COPY")
}

// TraceCopyFromEnd ends that.
func (s sqlTracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, d pgx.TraceCopyFromEndData) {
	s.stop(ctx, d.Err)
}

// TraceAcquireStart begins to wait for a connection.
func (s sqlTracer) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	return s.start(ctx, "connection")
}

// TraceAcquireEnd ends that.
func (s sqlTracer) TraceAcquireEnd(ctx context.Context, _ *pgxpool.Pool, d pgxpool.TraceAcquireEndData) {
	s.stop(ctx, d.Err)
}
