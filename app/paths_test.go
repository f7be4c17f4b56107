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
	got := s.request(t, ada, http.MethodPut, api+"rooms/abc-caf%c3%a9?x=%c3", "{}", nil)
	if to := got.Header.Get("Location"); got.Status != http.StatusMovedPermanently || to != api+"rooms/abc-caf%C3%A9/?x=%c3" {
		t.Errorf("a write without its slash: %d to %s", got.Status, to)
	}
}
