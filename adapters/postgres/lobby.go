package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/fault"
	"meetd/domain/lobby"
)

type lobbies struct{ c conn }

// lobbyParticipant is what entries of the lobby are in faults.
const lobbyParticipant = "lobby_participant"

func (r lobbies) Get(ctx context.Context, room, participant uuid.UUID, now time.Time) (lobby.Entry, error) {
	row, err := q.LobbyGet(ctx, r.c, db.LobbyGetParams{RoomID: room, ParticipantID: participant, Now: now})
	return toEntry(row.MeetdLobbyEntry), translate(err, lobbyParticipant)
}

func (r lobbies) Renew(ctx context.Context, room, participant uuid.UUID, identity string, now, until time.Time) (lobby.Entry, time.Time, error) {
	row, err := q.LobbyRenew(ctx, r.c, db.LobbyRenewParams{
		RoomID: room, ParticipantID: participant, Identity: identity, Now: now, Until: until,
	})
	return toEntry(row.MeetdLobbyEntry), row.ToldAt, translate(err, lobbyParticipant)
}

func (r lobbies) Add(ctx context.Context, e lobby.Entry) (time.Time, error) {
	told, err := q.LobbyAdd(ctx, r.c, db.LobbyAddParams{
		RoomID: e.Room, ParticipantID: e.Participant, Identity: e.Identity, Status: string(e.Status), Username: e.Username,
		Color: e.Color, Client: e.Client, Since: e.Since, ExpiresAt: e.ExpiresAt,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return told, fault.New(fault.Conflict, lobbyParticipant)
	}
	return told, translate(err, lobbyParticipant)
}

func (r lobbies) Decide(ctx context.Context, room, participant uuid.UUID, s lobby.Status, now, until time.Time) error {
	n, err := q.LobbyDecide(ctx, r.c, db.LobbyDecideParams{
		RoomID: room, ParticipantID: participant, Status: string(s), Now: now, Until: until,
	})
	if err == nil && n == 0 {
		return fault.New(fault.NotFound, lobbyParticipant)
	}
	return translate(err, lobbyParticipant)
}

func (r lobbies) Waiting(ctx context.Context, room uuid.UUID, now time.Time, limit int) ([]lobby.Entry, error) {
	rows, err := q.LobbyWaiting(ctx, r.c, db.LobbyWaitingParams{RoomID: room, Now: now, MaxEntries: int32(limit)}) //nolint:gosec // a list that people look at
	if err != nil {
		return nil, translate(err, lobbyParticipant)
	}
	out := make([]lobby.Entry, len(rows))
	for i, row := range rows {
		out[i] = toEntry(row.MeetdLobbyEntry)
	}
	return out, nil
}

func (r lobbies) Told(ctx context.Context, room uuid.UUID, told, now time.Time) (bool, error) {
	n, err := q.LobbyTold(ctx, r.c, db.LobbyToldParams{RoomID: room, Told: told, Now: now})
	return n > 0, translate(err, lobbyParticipant)
}

func (r lobbies) Clear(ctx context.Context, room uuid.UUID) error {
	return translate(errors.Join(q.LobbyClearEntries(ctx, r.c, room), q.LobbyClearNotice(ctx, r.c, room)), lobbyParticipant)
}

func (r lobbies) Forget(ctx context.Context, room uuid.UUID, participant string) error {
	return translate(q.LobbyForget(ctx, r.c, db.LobbyForgetParams{RoomID: room, Identity: participant}), lobbyParticipant)
}

func (r lobbies) DeleteExpired(ctx context.Context, now time.Time) error {
	return translate(errors.Join(
		q.LobbyDeleteExpiredEntries(ctx, r.c, now), q.LobbyDeleteOldNotices(ctx, r.c, now.Add(-lobby.NoticePeriod)),
	), lobbyParticipant)
}

func toEntry(row db.MeetdLobbyEntry) lobby.Entry {
	return lobby.Entry{
		Room: row.RoomID, Participant: row.ParticipantID, Identity: row.Identity, Status: lobby.Status(row.Status),
		Username: row.Username, Color: row.Color, Client: row.Client, Since: row.Since, ExpiresAt: row.ExpiresAt,
	}
}
