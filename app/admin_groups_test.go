package app_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// groupsPath is where the groups are.
const groupsPath = "/admin/auth/group/"

func groupPath(id int, what string) string { return groupsPath + strconv.Itoa(id) + "/" + what + "/" }

// allowed gives what the groups allow, by their names.
func (s *service) allowed(t *testing.T) []string {
	t.Helper()
	return s.lines(t, `SELECT g.name || ':' || coalesce((SELECT string_agg(' ' || p.codename, '' ORDER BY p.codename)
		FROM auth_group_permissions m JOIN auth_permission p ON p.id = m.permission_id WHERE m.group_id = g.id), '') FROM auth_group g ORDER BY g.name`)
}

// A group is made, its members may do what it allows, and no longer when it is
// changed or deleted.
func TestAdminGroups(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	root, ada := s.root(t, "root"), s.staff(t, "ada")
	sees := func(path string) bool {
		t.Helper()
		switch got := s.page(t, ada, path); got.Status {
		case http.StatusOK:
			return true
		case http.StatusForbidden:
		default:
			t.Fatalf("%s: %d %s", path, got.Status, got.Body)
		}
		return false
	}
	// Neither Django nor we have stored any permission in this database.
	added := s.submit(t, root, groupsPath+"add/", url.Values{"name": {"  Hôtes d'accueil "}, "permissions": {"core.view_room", "auth.view_group", "core.view_room"}})
	if got := s.told(t, root, added); !slices.Equal(got, []string{"success: The group “Hôtes d'accueil” was added successfully."}) {
		t.Fatalf("add: %q", got)
	}
	id := s.count(t, `SELECT id FROM auth_group`)
	if to := added.Header.Get("Location"); to != groupPath(id, "change") {
		t.Errorf("after it, the browser is sent to %s", to)
	}
	if got := s.allowed(t); !slices.Equal(got, []string{"Hôtes d'accueil: view_group view_room"}) {
		t.Errorf("groups: %q", got)
	}
	if sees("/admin/core/room/") {
		t.Error("who is not in the group may do what it allows")
	}
	user := url.Values{"language": {"en-us"}, "timezone": {"UTC"}, "is_active": {"on"}, "is_staff": {"on"}, "groups": {strconv.Itoa(id)}}
	if got := s.told(t, root, s.submit(t, root, "/admin/core/user/"+ada.ID.String()+"/change/", user)); !slices.Equal(got, []string{"success: “ada@example.org” was changed successfully."}) {
		t.Errorf("put somebody into it: %q", got)
	}
	if !sees("/admin/core/room/") || !sees(groupsPath) || sees("/admin/core/user/") {
		t.Error("a member may not do what the group allows, or more")
	}
	if page := string(s.page(t, root, groupsPath+"?q=ACCUEIL").Body); !strings.Contains(page, "1 entry") ||
		!strings.Contains(page, `<th scope="row"><a href="`+groupPath(id, "change")+`">Hôtes d&#39;accueil</a></th><td>1</td><td>2</td>`) {
		t.Errorf("the list: %s", page)
	}
	page := string(s.page(t, root, groupPath(id, "change")).Body)
	for _, want := range []string{`value="Hôtes d&#39;accueil"`, `value="core.view_room" checked`, `value="core.view_user">`, "<dt>Members</dt><dd>1</dd>", "/admin/log/?model=auth.group&amp;object="} {
		if !strings.Contains(page, want) {
			t.Errorf("the form does not hold %s: %s", want, page)
		}
	}
	// The same form changes nothing; another one counts at once.
	same := url.Values{"name": {"Hôtes d'accueil"}, "permissions": {"auth.view_group", "core.view_room"}}
	if got := s.told(t, root, s.submit(t, root, groupPath(id, "change"), same)); !slices.Equal(got, []string{"success: Nothing was changed."}) {
		t.Errorf("an unchanged form: %q", got)
	}
	if got := s.told(t, root, s.submit(t, root, groupPath(id, "change"), url.Values{
		"name": {"Hosts"}, "permissions": {"core.view_user", "auth.view_group"}, "id": {"77"}, "user": {root.ID.String()},
	})); !slices.Equal(got, []string{"success: “Hosts” was changed successfully."}) {
		t.Errorf("change: %q", got)
	}
	if got := s.allowed(t); !slices.Equal(got, []string{"Hosts: view_group view_user"}) {
		t.Errorf("groups: %q", got)
	}
	if sees("/admin/core/room/") || !sees("/admin/core/user/") {
		t.Error("a change does not count at once")
	}
	// One thing of two is one thing in the log.
	s.submit(t, root, groupPath(id, "change"), url.Values{"name": {"Team"}, "permissions": {"core.view_user", "auth.view_group"}, "_continue": {"1"}})
	s.submit(t, root, groupPath(id, "change"), url.Values{"name": {"Team"}, "permissions": {"core.view_user"}})
	// It is deleted after a question, and its members may do nothing any more.
	other := s.group(t, "Others", "core.view_room")
	s.join(t, ada, other)
	question := html.UnescapeString(string(s.page(t, root, groupPath(id, "delete")).Body))
	for _, want := range []string{"Are you sure you want to delete this group?", "1 membership: the user stays, and loses what the group allows", "1 permission of the group", "Yes, delete"} {
		if !strings.Contains(question, want) {
			t.Errorf("the question does not say %q: %s", want, question)
		}
	}
	if got := s.told(t, root, s.submit(t, root, groupPath(id, "delete"), nil)); !slices.Equal(got, []string{"success: The group “Team” was deleted successfully."}) {
		t.Errorf("delete: %q", got)
	}
	if sees("/admin/core/user/") || !sees("/admin/core/room/") {
		t.Error("its member still may do what it allowed, or lost another group")
	}
	if got := s.allowed(t); !slices.Equal(got, []string{"Others: view_room"}) {
		t.Errorf("groups: %q", got)
	}
	if got, want := s.adminLog(t, id), []string{
		`auth.group 1 Hôtes d'accueil [{"added":{}}]`,
		`auth.group 2 Hosts [{"changed":{"fields":["Name","Permissions"]}}]`,
		`auth.group 2 Team [{"changed":{"fields":["Name"]}}]`,
		`auth.group 2 Team [{"changed":{"fields":["Permissions"]}}]`,
		`auth.group 3 Team `,
	}; !slices.Equal(got, want) {
		t.Errorf("Django's log: %q", got)
	}
	subject := strconv.Itoa(id)
	if got, want := s.lines(t, `SELECT action || ' ' || subject || ' ' || details::text FROM meetd.audit_event WHERE actor_id = '`+root.ID.String()+`' AND details->>'model' = 'auth.group' ORDER BY id`), []string{
		`admin_added ` + subject + ` {"model": "auth.group", "permissions": "2"}`,
		`admin_changed ` + subject + ` {"model": "auth.group", "fields": "Name, Permissions", "permissions": "2"}`,
		`admin_changed ` + subject + ` {"model": "auth.group", "fields": "Name", "permissions": "2"}`,
		`admin_changed ` + subject + ` {"model": "auth.group", "fields": "Permissions", "permissions": "1"}`,
		`admin_deleted ` + subject + ` {"model": "auth.group", "members": "1", "permissions": "1"}`,
	}; !slices.Equal(got, want) {
		t.Errorf("audit log: %q", got)
	}
	// The history of a group is not that of something else with its number.
	s.exec(t, `INSERT INTO django_content_type (app_label, model) VALUES ('sites', 'site')`)
	s.exec(t, `INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag, change_message, content_type_id, user_id)
		SELECT now(), $1::text, 'a site', 2, '', t.id, $2 FROM django_content_type t WHERE t.model = 'site'`, subject, root.ID)
	if page := string(s.page(t, root, "/admin/log/?model=auth.group&object="+subject).Body); !strings.Contains(page, "5 entries") || strings.Contains(page, "a site") {
		t.Errorf("the history: %s", page)
	}
	// Several go at once.
	first, second := s.group(t, "First"), s.group(t, "Second", "core.view_user")
	form := url.Values{"action": {"delete_selected"}, "_selected_action": {strconv.Itoa(first), strconv.Itoa(second), "4711", "x", "0x1"}}
	if page := html.UnescapeString(string(s.submit(t, root, groupsPath, form).Body)); !strings.Contains(page, "delete these groups?") || !strings.Contains(page, "Group 4711") || !strings.Contains(page, "It is gone already.") {
		t.Errorf("the question: %s", page)
	}
	form.Set("confirm", "yes")
	if got := s.told(t, root, s.submit(t, root, groupsPath, form)); !slices.Equal(got, []string{"success: Successfully deleted 2 groups.", "warning: Group 4711: It is gone already."}) {
		t.Errorf("delete several: %q", got)
	}
	there := strconv.Itoa(other)
	for _, none := range []string{"4711", "0" + there, "+" + there, "-" + there, there + ".0", "x", "99999999999", root.ID.String()} {
		for _, what := range []string{"change", "delete"} {
			path := groupsPath + none + "/" + what + "/"
			if got := s.page(t, root, path); got.Status != http.StatusNotFound {
				t.Errorf("%s: %d", path, got.Status)
			}
			if got := s.submit(t, root, path, url.Values{"name": {"x"}}); got.Status != http.StatusNotFound {
				t.Errorf("%s, sent: %d", path, got.Status)
			}
		}
	}
}

// What is wrong with a group is said beside its field, and nothing is changed.
func TestAdminGroupFaults(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	root := s.root(t, "root")
	s.group(t, "Taken")
	id := s.group(t, "Crew", "core.view_room")
	for _, c := range []struct{ name, permission, want string }{
		{" \t", "core.view_room", "This field cannot be blank."},
		{strings.Repeat("é", 151), "core.view_room", "Ensure this value has at most 150 characters (it has 151)."},
		{"a\x00b", "core.view_room", "Null characters are not allowed."},
		{" Taken ", "core.view_room", "Group with this Name already exists."},
		{"New", "core.invented", "Select permissions of the list."},
		{"New", "core.view_room\x00", "Select permissions of the list."},
		{"New", "", "Select permissions of the list."},
	} {
		for _, path := range []string{groupsPath + "add/", groupPath(id, "change")} {
			before, entries := s.dump(t), s.count(t, `SELECT count(*) FROM django_admin_log`)
			got := s.submit(t, root, path, url.Values{"name": {c.name}, "permissions": {"core.view_user", c.permission}})
			if got.Status != http.StatusUnprocessableEntity || !strings.Contains(html.UnescapeString(string(got.Body)), c.want) {
				t.Errorf("%s, %+v: %d %s", path, c, got.Status, got.Body)
			}
			if s.dump(t) != before || s.count(t, `SELECT count(*) FROM django_admin_log`) != entries {
				t.Errorf("%s, %+v was refused and changed something", path, c)
			}
		}
	}
	// What was sent is still there to be corrected.
	if got := string(s.submit(t, root, groupPath(id, "change"), url.Values{"name": {"Taken"}, "permissions": {"core.view_user"}}).Body); !strings.Contains(got, `value="Taken"`) ||
		!strings.Contains(got, `value="core.view_user" checked`) || strings.Contains(got, `value="core.view_room" checked`) {
		t.Errorf("the form again: %s", got)
	}
	// Names differ by their case, and the longest fits.
	for _, name := range []string{"taken", strings.Repeat("é", 150)} {
		if got := s.submit(t, root, groupsPath+"add/", url.Values{"name": {name}}); got.Status != http.StatusSeeOther {
			t.Errorf("%q: %d %s", name, got.Status, got.Body)
		}
	}
	if got := s.page(t, root, groupsPath+"?q=%00"); got.Status != http.StatusBadRequest {
		t.Errorf("search for NUL: %d", got.Status)
	}
}

// Only superusers say what a group allows: nobody raises himself, or others, by a
// group, and nobody takes something from others by deleting one.
func TestAdminGroupRights(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	clerk := s.staff(t, "clerk", "auth.view_group", "auth.add_group", "auth.change_group", "auth.delete_group", "core.view_recording")
	own := s.group(t, "Clerks", "core.view_room")
	s.join(t, clerk, own)
	grab := []string{"core.view_room", "core.view_recording", "core.change_user", "core.delete_room"}
	if got := s.told(t, clerk, s.submit(t, clerk, groupPath(own, "change"), url.Values{"name": {"Writers"}, "permissions": grab})); !slices.Equal(got, []string{"success: “Writers” was changed successfully."}) {
		t.Errorf("rename: %q", got)
	}
	if got := s.told(t, clerk, s.submit(t, clerk, groupPath(own, "change"), url.Values{"name": {"Writers"}})); !slices.Equal(got, []string{"success: Nothing was changed."}) {
		t.Errorf("take everything away: %q", got)
	}
	s.submit(t, clerk, groupsPath+"add/", url.Values{"name": {"Kings"}, "permissions": grab})
	if got := s.allowed(t); !slices.Equal(got, []string{"Kings:", "Writers: view_room"}) {
		t.Errorf("a clerk made the groups %q", got)
	}
	if got := s.adminLog(t, own); !slices.Equal(got, []string{`auth.group 2 Writers [{"changed":{"fields":["Name"]}}]`}) {
		t.Errorf("Django's log: %q", got)
	}
	page := string(s.page(t, clerk, groupPath(own, "change")).Body)
	if strings.Contains(page, `name="permissions"`) || !strings.Contains(page, "(core.view_room)") || !strings.Contains(page, "only superusers change this") || strings.Contains(page, "Delete…") {
		t.Errorf("the form of a clerk: %s", page)
	}
	if page := string(s.page(t, clerk, groupsPath+"add/").Body); strings.Contains(page, `name="permissions"`) {
		t.Errorf("the form of a clerk: %s", page)
	}
	// With a group its members would lose something.
	if page := string(s.page(t, clerk, groupPath(own, "delete")).Body); !strings.Contains(page, "only superusers delete it") || strings.Contains(page, "Yes, delete") {
		t.Errorf("the question: %s", page)
	}
	before := s.dump(t)
	if got := s.submit(t, clerk, groupPath(own, "delete"), nil); got.Status != http.StatusForbidden || !strings.Contains(string(got.Body), "only superusers delete it") || s.dump(t) != before {
		t.Errorf("delete: %d %s", got.Status, got.Body)
	}
	kings := s.count(t, `SELECT id FROM auth_group WHERE name = 'Kings'`)
	if got := s.told(t, clerk, s.submit(t, clerk, groupsPath, url.Values{"action": {"delete_selected"}, "confirm": {"yes"}, "_selected_action": {strconv.Itoa(own), strconv.Itoa(kings)}})); !slices.Equal(got, []string{
		"success: Successfully deleted 1 group.", "warning: Writers: This group allows something to its members: only superusers delete it.",
	}) {
		t.Errorf("delete both: %q", got)
	}
	// Who may look, may only look.
	viewer := s.staff(t, "viewer", "auth.view_group")
	page = string(s.page(t, viewer, groupPath(own, "change")).Body)
	if !strings.Contains(page, "<dd>Writers</dd>") || strings.Contains(page, `id="name"`) || strings.Contains(page, ">Save<") {
		t.Errorf("the form of a viewer: %s", page)
	}
	if list := string(s.page(t, viewer, groupsPath).Body); !strings.Contains(list, ">Writers<") || strings.Contains(list, "Add group") || strings.Contains(list, "Delete selected") {
		t.Errorf("the list of a viewer: %s", list)
	}
}

// while has somebody else's transaction open during a request, which waits for it;
// then finish goes on with it, and it is committed.
func (s *service) while(t *testing.T, begin string, args []any, ask func() answer, finish func(tx pgx.Tx) error) answer {
	t.Helper()
	tx, err := s.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), begin, args...); err != nil {
		t.Fatal(err)
	}
	got := make(chan answer, 1)
	go func() { got <- ask() }()
	s.waitForLock(t)
	if finish != nil {
		if err := finish(tx); err != nil {
			t.Error(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	return <-got
}

// Whoever comes second hears what is the matter.
func TestAdminGroupRaces(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	root, ada := s.root(t, "root"), s.login(t, "ada")
	crew := s.group(t, "Crew", "core.view_room")
	s.join(t, ada, crew)
	send := func(as account, path string, form url.Values) func() answer {
		return func() answer { return s.submit(t, as, path, form) }
	}
	// Two take the same name.
	for i, path := range []string{groupsPath + "add/", groupPath(crew, "change")} {
		name := fmt.Sprintf("Twins %d", i)
		got := s.while(t, `INSERT INTO auth_group (name) VALUES ($1)`, []any{name}, send(root, path, url.Values{"name": {name}}), nil)
		if got.Status != http.StatusUnprocessableEntity || !strings.Contains(string(got.Body), "Group with this Name already exists.") {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	// Somebody is not a superuser any more when his turn comes.
	was := s.root(t, "was")
	before := s.allowed(t)
	got := s.while(t, `UPDATE meet_user SET is_superuser = false WHERE id = $1`, []any{was.ID},
		send(was, groupPath(crew, "change"), url.Values{"name": {"Crew"}, "permissions": {"core.delete_user"}}), nil)
	if now := s.allowed(t); got.Status != http.StatusForbidden || !slices.Equal(now, before) {
		t.Errorf("by somebody who was a superuser: %d, %q", got.Status, now)
	}
	// A member is changed: the deletion waits for that, and that not for it.
	got = s.while(t, `DELETE FROM meet_user_groups WHERE user_id = $1`, []any{ada.ID}, send(root, groupPath(crew, "delete"), nil), func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `SET LOCAL lock_timeout = '5s'`)
		if err == nil {
			_, err = tx.Exec(t.Context(), `INSERT INTO meet_user_groups (user_id, group_id) SELECT $1, id FROM auth_group WHERE name LIKE 'Twins%'`, ada.ID)
		}
		if err == nil {
			_, err = tx.Exec(t.Context(), `SELECT FROM auth_group WHERE id = $1 FOR KEY SHARE`, crew)
		}
		return err
	})
	if got.Status != http.StatusSeeOther {
		t.Errorf("delete while a member is changed: %d %s", got.Status, got.Body)
	}
	// A group goes while somebody is put into it, or while it is changed.
	for name, ask := range map[string]func(id int) answer{
		"join": func(id int) answer {
			return s.submit(t, root, "/admin/core/user/"+ada.ID.String()+"/change/", url.Values{"language": {"en-us"}, "timezone": {"UTC"}, "is_active": {"on"}, "groups": {strconv.Itoa(id)}})
		},
		"change": func(id int) answer { return s.submit(t, root, groupPath(id, "change"), url.Values{"name": {"Later"}}) },
		"delete": func(id int) answer { return s.submit(t, root, groupPath(id, "delete"), nil) },
	} {
		id := s.group(t, name)
		got := s.while(t, `DELETE FROM auth_group WHERE id = $1`, []any{id}, func() answer { return ask(id) }, nil)
		want := map[string]int{"join": http.StatusConflict}[name]
		if want == 0 {
			want = http.StatusNotFound
		}
		if got.Status != want {
			t.Errorf("%s a group that goes: %d %s", name, got.Status, got.Body)
		}
	}
	if left := s.lines(t, `SELECT name FROM auth_group ORDER BY name`); !slices.Equal(left, []string{"Twins 0", "Twins 1"}) {
		t.Errorf("groups: %q", left)
	}
}
