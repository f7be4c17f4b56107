package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The list and its search (http-users-rooms.md §1.2), where it is switched on.
func TestUserList(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"ALLOW_UNSECURE_USER_LISTING": "true"})
	var asker account
	for i, email := range []string{"david.bowman@work.com", "nicole.bowman@family.org", "nicole_foole@work.com", "frank_poole@work.com", "heywood_floyd@work.com"} {
		asker = s.login(t, fmt.Sprint("p", i))
		s.exec(t, `UPDATE meet_user SET email = $2, created_at = now() + make_interval(secs => $3) WHERE id = $1`, asker.ID, email, i)
	}
	type list struct {
		Count          int
		Next, Previous *string
		Results        []struct{ Email string }
	}
	ask := func(query string) (list, []string) {
		t.Helper()
		got := s.request(t, asker, http.MethodGet, "/api/v1.0/users/"+query, "", nil)
		var l list
		if err := json.Unmarshal(got.Body, &l); got.Status != 200 || err != nil {
			t.Fatalf("%s: %d %s", query, got.Status, got.Body)
		}
		var names []string
		for _, r := range l.Results {
			name, _, _ := strings.Cut(r.Email, "@")
			names = append(names, name)
		}
		return l, names
	}
	for query, want := range map[string][]string{
		"":                         {"heywood_floyd", "frank_poole", "nicole_foole", "nicole.bowman", "david.bowman"},
		"?q=david.bowman@work.com": {"david.bowman"},
		"?q=oole":                  {"frank_poole", "nicole_foole"},
		"?q=NICOLE":                {"nicole_foole", "nicole.bowman"},
		"?q=zzzz":                  nil,
		"?q=%25":                   nil,
		"?page=last":               {"heywood_floyd", "frank_poole", "nicole_foole", "nicole.bowman", "david.bowman"},
	} {
		l, got := ask(query)
		if diff := cmp.Diff(want, got); diff != "" || l.Count != len(want) || l.Next != nil || l.Previous != nil {
			t.Errorf("%q: %+v %s", query, l, diff)
		}
	}
	if got := s.request(t, asker, http.MethodGet, "/api/v1.0/users/?q=a%00b", "", nil); got.Status != 400 {
		t.Errorf("NUL: %d %s", got.Status, got.Body)
	}
	// What is too long is not even looked for.
	if l, got := ask("?q=" + strings.Repeat("%C3%A9", 1000) + "a%00"); l.Count != 0 || len(got) > 0 {
		t.Errorf("a long search: %+v", l)
	}
	for i := range 40 {
		s.login(t, fmt.Sprint("more", i))
	}
	base := s.URL + "/api/v1.0/users/"
	for query, want := range map[string]struct {
		count          int
		next, previous string
	}{
		"?z=1&page_size=3": {20, base + "?page=2&page_size=3&z=1", ""},
		"?page=2":          {20, base + "?page=3", base},
		"?page=3&z=%C3%A9": {5, "", base + "?page=2&z=%C3%A9"},
		"?page=last":       {5, "", base + "?page=2"},
	} {
		l, got := ask(query)
		if len(got) != want.count || l.Count != 45 || orEmpty(l.Next) != want.next || orEmpty(l.Previous) != want.previous {
			t.Errorf("%s: %d of %d, next %q, previous %q", query, len(got), l.Count, orEmpty(l.Next), orEmpty(l.Previous))
		}
	}
	if got := s.request(t, asker, http.MethodGet, "/api/v1.0/users/?page=4", "", nil); got.Status != 404 || string(got.Body) != `{"detail":"Invalid page."}` {
		t.Errorf("beyond the last page: %d %s", got.Status, got.Body)
	}
	if _, got := ask("?" + url.Values{"q": {"more1@example.org"}}.Encode()); len(got) == 0 || got[len(got)-1] == "" {
		t.Errorf("search among many: %v", got)
	}
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Two edits at the same time both count: neither writes what it did not change.
func TestUserEditsAtOnce(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	done := make(chan int)
	for i := range 20 {
		for _, body := range []string{fmt.Sprintf(`{"timezone":"Etc/GMT+%d"}`, i%10), fmt.Sprintf(`{"language":%q}`, []string{"fr-fr", "de-de"}[i%2])} {
			go func() {
				done <- s.ask(t, ada, http.MethodPatch, "/api/v1.0/users/"+ada.ID.String()+"/", body).Status
			}()
		}
		for range 2 {
			if code := <-done; code != 200 {
				t.Fatalf("status %d", code)
			}
		}
		var zone, language string
		if err := s.DB.QueryRow(t.Context(), `SELECT timezone, language FROM meet_user WHERE id = $1`, ada.ID).Scan(&zone, &language); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("Etc/GMT+%d", i%10); zone != want || language != []string{"fr-fr", "de-de"}[i%2] {
			t.Fatalf("round %d: %s %s", i, zone, language)
		}
	}
}

// A time zone is stored by its one name, and no way of writing one is a 500.
func TestTimezones(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	for _, name := range []string{"Europe/Paris", "Etc/GMT+12", "UTC", "America/Argentina/ComodRivadavia"} {
		if got := s.ask(t, ada, http.MethodPatch, "/api/v1.0/users/"+ada.ID.String()+"/", fmt.Sprintf(`{"timezone":%q}`, name)); got.Status != 200 {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	before := s.dump(t)
	for _, name := range []string{
		"America", "../UTC", "/UTC", "./UTC", "Europe//Paris", "Europe/./Paris", "Europe/Paris/", "localtime", "Local",
		strings.Repeat("./", 60) + "UTC", "Etc" + strings.Repeat("/", 100) + "UTC", strings.Repeat("a", 100000),
	} {
		got := s.ask(t, ada, http.MethodPatch, "/api/v1.0/users/"+ada.ID.String()+"/", fmt.Sprintf(`{"timezone":%q}`, name))
		wantAnswer(t, fmt.Sprintf("%.20s", name), got, 400, `{"timezone":["A valid timezone is required."]}`)
	}
	if s.dump(t) != before {
		t.Error("something was stored")
	}
}

// What Django's administration stores as a configuration, and is none, locks nobody
// out.
func TestConfigurationsThatAreNone(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	room := s.room(t, ada).String()
	for _, stored := range []string{`[]`, `null`, `"x"`, `5`, `{}`} {
		s.exec(t, `UPDATE meet_user SET default_room_configuration = $1`, stored)
		s.exec(t, `UPDATE meet_room SET configuration = $1`, stored)
		for path, want := range map[string]string{
			"users/me/":           `"default_room_configuration":{}`,
			"rooms/":              `"configuration":{}`,
			"rooms/" + room + "/": `"configuration":{}`,
		} {
			got := s.request(t, ada, http.MethodGet, "/api/v1.0/"+path, "", nil)
			if got.Status != http.StatusOK || !strings.Contains(string(got.Body), want) {
				t.Errorf("%s with %s: %d %s", path, stored, got.Status, got.Body)
			}
		}
	}
}
