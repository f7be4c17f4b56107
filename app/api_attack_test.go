package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"meetd/adapters/devstack/mailbox"
)

// What a program is told once is told once, however many ask at the same time.
func TestCallbackHasOneReader(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"CREATION_CALLBACK_THROTTLE_RATES": "1000/minute"})
	ada := s.login(t, "ada")
	for range 5 {
		callback := uuid.NewString()
		wantAnswer(t, "create", s.write(t, ada, "/api/v1.0/rooms/", `{"name":"`+uuid.NewString()[:18]+`x","callback_id":"`+callback+`"}`), 201, "")
		told := make([]bool, 20)
		var wg sync.WaitGroup
		for i := range told {
			wg.Go(func() {
				got := s.write(t, account{}, "/api/v1.0/rooms/creation-callback/", `{"callback_id":"`+callback+`"}`)
				told[i] = strings.Contains(string(got.Body), `"slug"`)
			})
		}
		wg.Wait()
		readers := 0
		for _, yes := range told {
			if yes {
				readers++
			}
		}
		if readers != 1 {
			t.Errorf("%d of %d were told", readers, len(told))
		}
	}
}

// Nobody can be flooded with invitations, and nobody is invited when one address is
// none.
func TestInvitationsAreBounded(t *testing.T) {
	t.Parallel()
	box, env := mailServer(t, mailbox.Options{})
	s := startService(t, env)
	ada := s.login(t, "ada")
	path := "/api/v1.0/rooms/" + s.room(t, ada).String() + "/invite/"
	addresses := make([]string, 10_000)
	for i := range addresses {
		addresses[i] = fmt.Sprintf(`"guest%d@example.org"`, i)
	}
	for name, list := range map[string]string{
		"very many":       strings.Join(addresses, ","),
		"a second header": `"a@example.org\r\nBcc: b@example.org"`,
		"several in one":  `"a@example.org, b@example.org"`,
		"one is none":     `"a@example.org","b"`,
	} {
		if got := s.write(t, ada, path, `{"emails":[`+list+`]}`); got.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %.200s", name, got.Status, got.Body)
		}
	}
	if n := s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'invite'`); n != 0 || len(box.Mails()) != 0 {
		t.Errorf("%d invitations were noted, %d mails sent", n, len(box.Mails()))
	}
}

// A page far behind the end costs no more than one that is there.
func TestPagesFarAway(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	s.room(t, ada)
	for _, list := range []string{"rooms", "recordings", "resource-accesses", "users"} {
		for _, page := range []string{"2", "1000000", "9223372036854775807", "92233720368547758070", "-1", "0", "1e9", "x", "%00"} {
			if got := s.request(t, ada, http.MethodGet, "/api/v1.0/"+list+"/?page="+page, "", nil); got.Status != http.StatusNotFound {
				t.Errorf("%s, page %s: %d %.200s", list, page, got.Status, got.Body)
			}
		}
	}
}

// What a body says beyond what may be said has no effect.
func TestMassAssignment(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada, eve := s.login(t, "ada"), s.login(t, "eve")
	room := s.room(t, ada)
	more := `"id":"` + uuid.NewString() + `","is_staff":true,"is_superuser":true,"is_active":false,"sub":"other","email":"ada@other.org","password":"x","admin_email":"x@other.org",` +
		`"created_at":"2000-01-01T00:00:00Z","pin_code":"1","slug":"other","accesses":[{"user":"` + eve.ID.String() + `","role":"owner"}],"livekit":{},"is_administrable":true,"resource":"` + uuid.NewString() + `"`
	wantAnswer(t, "preferences", s.ask(t, ada, http.MethodPatch, "/api/v1.0/users/"+ada.ID.String()+"/", `{"language":"fr-fr",`+more+`}`), 200, "")
	wantAnswer(t, "a room", s.ask(t, ada, http.MethodPatch, "/api/v1.0/rooms/"+room.String()+"/", `{"access_level":"public",`+more+`}`), 200, "")
	for what, query := range map[string]string{
		"rights":   `SELECT count(*) FROM meet_user WHERE is_staff OR is_superuser OR NOT is_active OR sub = 'other' OR email = 'ada@other.org' OR admin_email IS NOT NULL OR created_at < '2001-01-01'`,
		"the room": `SELECT count(*) FROM meet_room WHERE slug = 'other' OR pin_code IS NOT NULL`,
		"a role":   `SELECT count(*) FROM meet_resource_access a JOIN meet_user u ON u.id = a.user_id WHERE u.full_name LIKE 'eve-%'`,
	} {
		if n := s.count(t, query); n != 0 {
			t.Errorf("%s changed: %d rows", what, n)
		}
	}
}
