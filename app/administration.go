package app

import (
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	httpapi "meetd/adapters/http"
	"meetd/adapters/http/admin"
	"meetd/adapters/jobs"
	"meetd/adapters/password"
	"meetd/adapters/postgres"
	"meetd/app/accounts"
	"meetd/app/administration"
	"meetd/app/recordings"
	"meetd/app/rooms"
	"meetd/domain/room"
)

// newAdmin ties the administration to the other capabilities.
func newAdmin(
	c *Config, store *postgres.Store, pool *pgxpool.Pool,
	recordingSvc *recordings.Service, roomSvc *rooms.Service, accountSvc *accounts.Service, now func() time.Time,
) (*admin.Site, error) {
	queue, err := jobs.NewAdmin(pool)
	if err != nil {
		return nil, err
	}
	conf := administration.Config{
		Language: c.Users.LanguageCode, AccessLevel: room.AccessLevel(c.Rooms.DefaultAccessLevel), Folder: c.Recording.OutputFolder, KnowsTimezone: accounts.KnowsTimezone,
	}
	if c.Recording.ExpirationDays != nil {
		conf.ExpirationDays = *c.Recording.ExpirationDays
	}
	for _, l := range c.Users.Languages {
		conf.Languages = append(conf.Languages, administration.Language{Code: l.Code, Name: l.Label})
	}
	return &admin.Site{
		Accounts: accountSvc,
		Provider: httpapi.API + "/authenticate/?" + url.QueryEscape(c.OIDC.RedirectFieldName) + "=",
		Service: &administration.Service{
			Store: store, Passwords: password.Hasher{}, Queue: queue, DrawPIN: roomSvc.DrawPIN, Config: conf, Now: now, NewID: uuid.New,
			Recordings: administration.Recordings{
				Remind: recordingSvc.Remind, GiveUp: recordingSvc.GiveUp, Remove: recordingSvc.Remove, RemoveOf: recordingSvc.RemoveOf,
				Hold: recordingSvc.HoldIn, Release: recordingSvc.ReleaseIn,
			},
		},
	}, nil
}
