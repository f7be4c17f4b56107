package app_test

import (
	"net/http"
	"strings"
	"testing"
)

// A path means what it says, however it is written.
func TestEscapedPaths(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	s.exec(t, `UPDATE meet_room SET slug = 'abc-cafe-hij' WHERE resource_id = $1`, room)
	recording := s.recording(t, screen, "saved", roles{ada: "owner"})
	const api = "/api/v1.0/"
	for path, want := range map[string]string{
		"rooms/abc-cafe-hij/":      room.String(),
		"rooms/abc%2Dcafe%2dhij/":  room.String(),
		"rooms/abc-caf%c3%a9-hij/": room.String(),
		"rooms/abc-caf%C3%A9-hij":  room.String(),
		"%72ooms/":                 room.String(),
		"recordings/urn%3Auuid%3a" + recording.String() + "/": recording.String(),
		"recordings/%7B" + recording.String() + "%7d/":        recording.String(),
		"users/%6de/": ada.ID.String(),
	} {
		if got := s.request(t, ada, http.MethodGet, api+path, "", nil); got.Status != http.StatusOK || !strings.Contains(string(got.Body), want) {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	for _, path := range []string{"rooms/abc%2Fcafe-hij/", "rooms/abc-cafe-hij%2f", "rooms%2fabc-cafe-hij/", "users%2Fme/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			got := s.request(t, ada, method, api+path, "", nil)
			if got.Status != http.StatusNotFound || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%s %s: %d %s", method, path, got.Status, got.Body)
			}
		}
	}
	if got := s.request(t, account{}, http.MethodGet, "/api/v1.0", "", nil); got.Status != http.StatusOK || !strings.Contains(string(got.Body), "/api/v1.0/rooms/") {
		t.Errorf("the root without its slash: %d %s", got.Status, got.Body)
	}
	if got := s.request(t, ada, http.MethodPost, "/api/v1.0", "", nil); got.Status != http.StatusMovedPermanently || got.Header.Get("Location") != api {
		t.Errorf("a write to the root without its slash: %d to %s", got.Status, got.Header.Get("Location"))
	}
	got := s.request(t, ada, http.MethodPut, api+"rooms/abc-caf%c3%a9?x=%c3", "{}", nil)
	if to := got.Header.Get("Location"); got.Status != http.StatusMovedPermanently || to != api+"rooms/abc-caf%C3%A9/?x=%c3" {
		t.Errorf("a write without its slash: %d to %s", got.Status, to)
	}
}

// Who may not come is told so before he is told that the method is not there.
func TestWrongMethods(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{
		"ROOMKIT_ENABLED": "true", "ROOMKIT_SERVER_TO_SERVER_API_TOKEN": "gateway-token-of-32-characters-00",
	})
	ada := s.login(t, "ada")
	csrf := func(token string) http.Header {
		return http.Header{"Cookie": {s.cookie + "=" + ada.Secret + "; csrftoken=" + strings.Repeat("a", 32)}, "X-Csrftoken": {strings.Repeat("a", 32)}, "Authorization": {token}}
	}
	room := "rooms/" + s.room(t, ada).String() + "/"
	const session = "Session"
	for _, c := range []struct {
		methods   string
		path      string
		anonymous int
		challenge string
		token     string // that is good enough
		allow     string
	}{
		{"PUT PATCH DELETE PURGE", "rooms/", 401, session, "", "GET, POST, HEAD, OPTIONS"},
		{"POST PURGE", room, 401, session, "", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"},
		{"DELETE PURGE MKCOL", "users/", 401, session, "", "GET, HEAD, OPTIONS"},
		{"GET PURGE", room + "invite/", 401, session, "", "POST, OPTIONS"},
		{"GET PURGE", room + "request-entry/", 405, "", "", "POST, OPTIONS"},
		{"GET PURGE", room + "toggle-hand/", 405, "", "", ""},
		{"GET PURGE", "diagnostics/connection/", 405, "", "", "POST, OPTIONS"},
		{"GET PURGE", "roomkit/join/", 401, "Bearer realm='Roomkit server to server'", "Bearer gateway-token-of-32-characters-00", "POST, OPTIONS"},
		{"GET PUT PURGE", "recordings/storage-hook/", 401, "Bearer realm='Storage event API'", "Bearer storage-hook-token", "POST, OPTIONS"},
		{"PURGE", "config/", 405, "", "", "GET, HEAD, OPTIONS"},
		{"DELETE PURGE", "authenticate/", 405, "", "", "GET, HEAD, OPTIONS"},
	} {
		for method := range strings.FieldsSeq(c.methods) {
			got := s.request(t, account{}, method, "/api/v1.0/"+c.path, "", nil)
			if got.Status != c.anonymous || got.Header.Get("WWW-Authenticate") != c.challenge {
				t.Errorf("%s %s: %d %s, challenge %q", method, c.path, got.Status, got.Body, got.Header.Get("WWW-Authenticate"))
			}
			if c.allow == "" {
				continue
			}
			got = s.request(t, account{}, method, "/api/v1.0/"+c.path, "", csrf(c.token))
			if got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != c.allow {
				t.Errorf("%s %s of who may come: %d %s, Allow %s", method, c.path, got.Status, got.Body, got.Header.Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/api/v1.0/nowhere/", "/api/v1.0/rooms/a/b/", "/api/"} {
		if got := s.request(t, ada, "PURGE", path, "", nil); got.Status != http.StatusNotFound {
			t.Errorf("PURGE %s: %d", path, got.Status)
		}
	}
}

// What there is not is switched off: that is how the front end understands it.
func TestAbsentFeatures(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"FILE_UPLOAD_ENABLED": "true"})
	ada := s.login(t, "ada")
	for _, path := range []string{
		"files/", "files?page=1", "files/media-auth/", "files/46d1a121-2426-484d-8fb3-09b5d886f7a8/", "files/x/upload-ended/",
		"addons/sessions/init/", "addons/sessions/poll/", "addons/sessions/exchange/",
	} {
		for _, as := range []account{{}, ada} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, "PURGE"} {
				if method != http.MethodGet && strings.Contains(path, "?") {
					continue // a write without its slash is sent on
				}
				wantAnswer(t, method+" "+path, s.request(t, as, method, "/api/v1.0/"+path, "", nil), 404, `{"detail":"Not found."}`)
			}
		}
	}
	got := s.request(t, account{}, http.MethodGet, "/api/v1.0/config/", "", nil)
	if got.Status != http.StatusOK || !strings.Contains(string(got.Body), `"upload_is_enabled":false`) {
		t.Errorf("config: %d %s", got.Status, got.Body)
	}
}
