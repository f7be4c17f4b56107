package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pg"
	"meetd/domain/lobby"
)

const (
	lobbyRooms  = 500
	lobbyGuests = 50 // of each room
)

// lobbyPolls is benchmark g: guests who poll, in a lobby of 500 rooms and in one
// of a single room. Fewer polls are sent than real guests would send, since two
// processors are not enough for 25,000 in a second: what counts is what one
// costs. The guests' throttle is off, because here one guest polls for many.
func lobbyPolls(ctx context.Context, b *bench) error {
	server, err := pg.Start(ctx, pg.Options{Dir: filepath.Join(b.dir, "lobby"), Durable: true})
	if err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	defer server.Close() //nolint:errcheck // thrown away
	many, err := openLobby(ctx, b, server, "many", lobbyRooms)
	if err != nil {
		return err
	}
	defer many.stop()
	one, err := openLobby(ctx, b, server, "one", 1)
	if err != nil {
		return err
	}
	defer one.stop()
	const connections = 16
	return b.compare("g", "lobby polls", fmt.Sprintf("%d rooms × %d", lobbyRooms, lobbyGuests), fmt.Sprintf("1 room × %d", lobbyGuests),
		[]string{"polls/s", "p99 ms", "server CPU µs/poll"}, func(isSubject bool) ([]float64, error) {
			l := one
			if isSubject {
				l = many
			}
			before := cpu(l.pid)
			got, err := hammer(ctx, l.address, connections, b.period, func(conn, n int) request {
				i := (conn*7919 + n*104729) % (len(l.rooms) * lobbyGuests)
				const body = `{"username":"Guest"}`
				return request{method: http.MethodPost, status: http.StatusOK, raw: fmt.Appendf(nil,
					"POST /api/v1.0/rooms/%s/request-entry/ HTTP/1.1\r\nHost: localhost\r\nCookie: lobbyParticipantId=%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
					l.rooms[i/lobbyGuests], lobbyCookie(i), len(body), body)}
			})
			if err != nil {
				return nil, err
			}
			return []float64{got.perSecond, float64(got.p99.Microseconds()) / 1000, (cpu(l.pid) - before) / float64(got.count) * 1e6}, nil
		})
}

func lobbyCookie(guest int) string { return fmt.Sprintf("benchmarkguest%012d", guest) }

// lobbyServer is meetd with a lobby in which everybody waits.
type lobbyServer struct {
	*process

	rooms []uuid.UUID
}

func openLobby(ctx context.Context, b *bench, server *pg.Server, database string, rooms int) (*lobbyServer, error) {
	b.say("filling a lobby of %d rooms …", rooms)
	admin, err := pgx.Connect(ctx, server.DSN("postgres"))
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	defer admin.Close(ctx) //nolint:errcheck // everything is written
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{database}.Sanitize()); err != nil {
		return nil, err //nolint:wrapcheck // names the statement
	}
	d := data{dsn: server.DSN(database)}
	env := d.env()
	env["REQUEST_ENTRY_THROTTLE_RATES"], env["LOBBY_WAITING_TIMEOUT"], env["LIVEKIT_API_URL"] = "", "3600", "http://127.0.0.1:9"
	if err := migrate(ctx, env); err != nil {
		return nil, err
	}
	l := &lobbyServer{}
	if err := l.fill(ctx, d.dsn, rooms); err != nil {
		return nil, err
	}
	l.process, err = launch(ctx, b.meetd, []string{"serve"}, env)
	return l, err
}

func (l *lobbyServer) fill(ctx context.Context, dsn string, rooms int) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // everything is written
	now := time.Now()
	var resourceRows, roomRows, entryRows [][]any
	for i := range rooms {
		room := uuid.New()
		l.rooms = append(l.rooms, room)
		resourceRows = append(resourceRows, []any{room, now, now})
		roomRows = append(roomRows, []any{room, fmt.Sprint("room ", i), fmt.Sprint("room-", i), []byte("{}"), "restricted"})
		for g := range lobbyGuests {
			id := lobby.Participant(lobbyCookie(i*lobbyGuests + g))
			entryRows = append(entryRows, []any{room, id, id.String(), "waiting", "Guest", "hsl(0, 50%, 50%)", now, now.Add(time.Hour)})
		}
	}
	for _, t := range []struct {
		table   pgx.Identifier
		columns []string
		rows    [][]any
	}{
		{pgx.Identifier{"meet_resource"}, []string{"id", "created_at", "updated_at"}, resourceRows},
		{pgx.Identifier{"meet_room"}, []string{"resource_id", "name", "slug", "configuration", "access_level"}, roomRows},
		{pgx.Identifier{"meetd", "lobby_entry"}, []string{"room_id", "participant_id", "identity", "status", "username", "color", "since", "expires_at"}, entryRows},
	} {
		if _, err := conn.CopyFrom(ctx, t.table, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return fmt.Errorf("fill %v: %w", t.table, err)
		}
	}
	_, err = conn.Exec(ctx, "VACUUM ANALYZE")
	return err //nolint:wrapcheck // names the statement
}
