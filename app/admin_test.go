package app_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/devstack/op"
)

// staff makes an account of staff that is logged in, with these permissions.
func (s *service) staff(t *testing.T, name string, permissions ...string) account {
	t.Helper()
	a := s.login(t, name)
	s.exec(t, `UPDATE meet_user SET is_staff = true WHERE id = $1`, a.ID)
	for _, p := range permissions {
		s.permit(t, a, p)
	}
	return a
}

// permit gives a permission as Django stores it.
func (s *service) permit(t *testing.T, a account, permission string) {
	t.Helper()
	s.exec(t, `INSERT INTO meet_user_user_permissions (user_id, permission_id) VALUES ($1, $2)`, a.ID, s.permission(t, permission))
}

// permission makes a permission as Django does, unless it is there, and gives its id.
func (s *service) permission(t *testing.T, permission string) int {
	t.Helper()
	app, codename, _ := strings.Cut(permission, ".")
	_, model, _ := strings.Cut(codename, "_")
	s.exec(t, `INSERT INTO django_content_type (app_label, model) VALUES ($1, $2) ON CONFLICT DO NOTHING`, app, model)
	s.exec(t, `INSERT INTO auth_permission (name, content_type_id, codename)
		SELECT $3, id, $3 FROM django_content_type WHERE app_label = $1 AND model = $2 ON CONFLICT DO NOTHING`, app, model, codename)
	return s.count(t, `SELECT p.id FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
		WHERE t.app_label = $1 AND t.model = $2 AND p.codename = $3`, app, model, codename)
}

// group makes a group that allows something.
func (s *service) group(t *testing.T, name string, permissions ...string) int {
	t.Helper()
	s.exec(t, `INSERT INTO auth_group (name) VALUES ($1)`, name)
	id := s.count(t, `SELECT id FROM auth_group WHERE name = $1`, name)
	for _, p := range permissions {
		s.exec(t, `INSERT INTO auth_group_permissions (group_id, permission_id) VALUES ($1, $2)`, id, s.permission(t, p))
	}
	return id
}

// join puts somebody into a group.
func (s *service) join(t *testing.T, a account, group int) {
	t.Helper()
	s.exec(t, `INSERT INTO meet_user_groups (user_id, group_id) VALUES ($1, $2)`, a.ID, group)
}

// root makes a superuser who is logged in.
func (s *service) root(t *testing.T, name string) account {
	t.Helper()
	a := s.staff(t, name)
	s.exec(t, `UPDATE meet_user SET is_superuser = true WHERE id = $1`, a.ID)
	return a
}

// page asks for a page of the administration.
func (s *service) page(t *testing.T, as account, path string) answer {
	t.Helper()
	return s.request(t, as, http.MethodGet, path, "", http.Header{"Origin": {"http://localhost:3000"}})
}

// adminToken is a CSRF token, which is the same in the cookie and in the form.
const adminToken = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"

// submit sends a form of the administration.
func (s *service) submit(t *testing.T, as account, path string, form url.Values) answer {
	t.Helper()
	sent := url.Values{"csrfmiddlewaretoken": {adminToken}}
	for k, v := range form {
		sent[k] = v
	}
	cookies := "csrftoken=" + adminToken
	if as.Secret != "" {
		cookies += "; " + s.cookie + "=" + as.Secret
	}
	return s.request(t, account{}, http.MethodPost, path, sent.Encode(), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {cookies},
	})
}

var note = regexp.MustCompile(`<li class="note (\w+)"><strong class="hidden">[^<]*</strong>([^<]*)</li>`)

// told gives the messages of the page that an answer leads to.
func (s *service) told(t *testing.T, as account, a answer) []string {
	t.Helper()
	if a.Status != http.StatusSeeOther {
		t.Fatalf("%d %s, want a redirect", a.Status, a.Body)
	}
	next := s.page(t, as, a.Header.Get("Location"))
	var out []string
	for _, m := range note.FindAllStringSubmatch(string(next.Body), -1) {
		out = append(out, m[1]+": "+html.UnescapeString(m[2]))
	}
	if again := s.page(t, as, a.Header.Get("Location")); note.Match(again.Body) {
		t.Error("a message is told twice")
	}
	return out
}

// adminLog gives the change log as Django reads it.
func (s *service) adminLog(t *testing.T, object any) []string {
	t.Helper()
	return s.lines(t, `SELECT t.app_label || '.' || t.model || ' ' || l.action_flag || ' ' || l.object_repr || ' ' || l.change_message
		FROM django_admin_log l JOIN django_content_type t ON t.id = l.content_type_id WHERE l.object_id = '`+fmt.Sprint(object)+`' ORDER BY l.id`)
}

// adminCallers are the columns of the matrix.
var adminCallers = []string{"anonymous", "nobody", "staff", "viewer", "changer", "deleter", "superuser"}

// adminRoutes says what each caller gets from every route: a viewer may look at
// everything, a changer also change and add, a deleter look and delete.
var adminRoutes = map[string]struct {
	form string
	want [7]int
}{
	"GET /admin/":                                    {``, [7]int{302, 403, 200, 200, 200, 200, 200}},
	"GET /admin/core/user/":                          {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
	"POST /admin/core/user/":                         {`action=delete_selected&confirm=yes&_selected_action={user}`, [7]int{302, 403, 403, 403, 403, 303, 303}},
	"GET /admin/core/user/add/":                      {``, [7]int{302, 403, 403, 403, 200, 403, 200}},
	"POST /admin/core/user/add/":                     {`admin_email={new}@example.org&language=en-us&timezone=UTC&password1=correct-horse-battery&password2=correct-horse-battery`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/core/user/{user}/change/":            {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
	"POST /admin/core/user/{user}/change/":           {`language=fr-fr&timezone=UTC&is_active=on`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/core/user/{user}/password/":          {``, [7]int{302, 403, 403, 403, 200, 403, 200}},
	"POST /admin/core/user/{user}/password/":         {`password1=correct-horse-battery&password2=correct-horse-battery`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"POST /admin/core/user/{user}/end-sessions/":     {``, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/core/user/{user}/delete/":            {``, [7]int{302, 403, 403, 403, 403, 200, 200}},
	"POST /admin/core/user/{user}/delete/":           {``, [7]int{302, 403, 403, 403, 403, 303, 303}},
	"GET /admin/auth/group/":                         {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
	"POST /admin/auth/group/":                        {`action=delete_selected&confirm=yes&_selected_action={group}`, [7]int{302, 403, 403, 403, 403, 303, 303}},
	"GET /admin/auth/group/add/":                     {``, [7]int{302, 403, 403, 403, 200, 403, 200}},
	"POST /admin/auth/group/add/":                    {`name={new}`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/auth/group/{group}/change/":          {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
	"POST /admin/auth/group/{group}/change/":         {`name={new}`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/auth/group/{group}/delete/":          {``, [7]int{302, 403, 403, 403, 403, 200, 200}},
	"POST /admin/auth/group/{group}/delete/":         {``, [7]int{302, 403, 403, 403, 403, 303, 303}},
	"GET /admin/core/room/":                          {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
	"POST /admin/core/room/":                         {`action=delete_selected&confirm=yes&_selected_action={room}`, [7]int{302, 403, 403, 403, 403, 303, 303}},
	"GET /admin/core/room/add/":                      {``, [7]int{302, 403, 403, 403, 200, 403, 200}},
	"POST /admin/core/room/add/":                     {`name={new}&access_level=public&configuration={}&new-0-user={user}&new-0-role=owner`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/core/room/{room}/change/":            {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
	"POST /admin/core/room/{room}/change/":           {`name={new}&access_level=public&configuration={}`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/core/room/{room}/delete/":            {``, [7]int{302, 403, 403, 403, 403, 200, 200}},
	"POST /admin/core/room/{room}/delete/":           {``, [7]int{302, 403, 403, 403, 403, 303, 303}},
	"GET /admin/core/recording/":                     {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
	"POST /admin/core/recording/":                    {`action=mark_as_failed_to_stop&_selected_action={recording}`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/core/recording/{recording}/change/":  {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
	"POST /admin/core/recording/{recording}/change/": {`external_process_id={new}`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"POST /admin/core/recording/{recording}/hold/":   {`reason=a+case`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"POST /admin/core/recording/{held}/release/":     {``, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/core/recording/{recording}/delete/":  {``, [7]int{302, 403, 403, 403, 403, 200, 200}},
	"POST /admin/core/recording/{recording}/delete/": {``, [7]int{302, 403, 403, 403, 403, 303, 303}},
	"GET /admin/stuck-recordings/":                   {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
	"POST /admin/stuck-recordings/":                  {`action=mark_as_failed_to_stop&_selected_action={recording}`, [7]int{302, 403, 403, 403, 303, 403, 303}},
	"GET /admin/jobs/":                               {``, [7]int{302, 403, 403, 403, 403, 403, 200}},
	"POST /admin/jobs/":                              {`action=retry&_selected_action=1`, [7]int{302, 403, 403, 403, 403, 403, 303}},
	"GET /admin/log/":                                {``, [7]int{302, 403, 403, 200, 200, 200, 200}},
}

// crew are the callers of the matrix.
func (s *service) crew(t *testing.T) map[string]account {
	t.Helper()
	var view, change, remove []string
	for _, m := range []string{"core.user", "auth.group", "core.room", "core.resourceaccess", "core.recording", "core.recordingaccess"} {
		app, model, _ := strings.Cut(m, ".")
		view = append(view, app+".view_"+model)
		change = append(change, app+".change_"+model, app+".add_"+model)
		remove = append(remove, app+".delete_"+model)
	}
	view = append(view, "admin.view_logentry")
	return map[string]account{
		"anonymous": {}, "nobody": s.login(t, "nobody"), "staff": s.staff(t, "staff"), "viewer": s.staff(t, "viewer", view...),
		"changer": s.staff(t, "changer", append(change, view...)...), "deleter": s.staff(t, "deleter", append(remove, view...)...),
		"superuser": s.root(t, "superuser"),
	}
}

// Who may not, gets a refusal, and nothing has happened.
func TestAdminMatrix(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_RECONCILE_PERIOD": "3600", "MEETD_JOB_WORKERS": "0"})
	crew := s.crew(t)
	cells, refusals := 0, 0
	for route, r := range adminRoutes {
		method, path, _ := strings.Cut(route, " ")
		for i, caller := range adminCallers {
			target := s.login(t, "target-"+uuid.NewString()[:8])
			held := s.recording(t, screen, "saved", roles{target: "owner"})
			s.exec(t, `INSERT INTO meetd.recording_hold (recording_id, reason, placed_at, placed_by) VALUES ($1, 'a case', now(), 'x')`, held)
			group := s.group(t, "group-"+uuid.NewString()[:8])
			s.join(t, target, group)
			names := strings.NewReplacer("{user}", target.ID.String(), "{group}", strconv.Itoa(group), "{room}", s.room(t, target).String(),
				"{recording}", s.recording(t, screen, "saved", roles{target: "owner"}).String(), "{held}", held.String(), "{new}", "new-"+uuid.NewString()[:8])
			before := s.everything(t)
			form, err := url.ParseQuery(names.Replace(r.form))
			if err != nil {
				t.Fatal(err)
			}
			var got answer
			if method == http.MethodGet {
				got = s.page(t, crew[caller], names.Replace(path))
			} else {
				got = s.submit(t, crew[caller], names.Replace(path), form)
			}
			cells++
			if got.Status != r.want[i] {
				t.Errorf("%s by %s: %d, want %d: %s", route, caller, got.Status, r.want[i], got.Body)
			}
			if policy := got.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'; ") ||
				strings.Contains(policy, "unsafe") || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s by %s: policy %q, %q", route, caller, policy, got.Header.Get("Cache-Control"))
			}
			if got.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s by %s may be read by other origins", route, caller)
			}
			if got.Status == http.StatusFound && !strings.HasPrefix(got.Header.Get("Location"), "/admin/login/?next=%2Fadmin%2F") {
				t.Errorf("%s by %s leads to %q", route, caller, got.Header.Get("Location"))
			}
			if r.want[i] == http.StatusSeeOther || method == http.MethodGet {
				continue
			}
			refusals++
			if s.everything(t) != before {
				t.Errorf("%s by %s was refused and changed something", route, caller)
			}
		}
	}
	t.Logf("%d cells, %d of them refused writes", cells, refusals)
}

// TestAdminMatrixIsWhole finds routes that were forgotten.
func TestAdminMatrixIsWhole(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join("..", "adapters", "http", "admin", "site.go"))
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	id := regexp.MustCompile(`\{\w+\}`)
	for route := range adminRoutes {
		covered[id.ReplaceAllString(route, ":id")] = true
	}
	found := 0
	for _, r := range regexp.MustCompile(`\{"(/admin/[^"]*)", ([\w.()]+), ([\w.()]+)\}`).FindAllStringSubmatch(string(source), -1) {
		for i, method := range []string{http.MethodGet, http.MethodPost} {
			if r[2+i] == "nil" {
				continue
			}
			found++
			if !covered[method+" "+r[1]] {
				t.Errorf("%s %s is not in the matrix", method, r[1])
			}
		}
	}
	if found != len(covered) {
		t.Errorf("%d routes, %d are in the matrix", found, len(covered))
	}
}

// Every write must show the token of the cookie, wherever it comes from.
func TestAdminCSRF(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	root := s.root(t, "root")
	before := s.dump(t)
	for route, r := range adminRoutes {
		method, path, _ := strings.Cut(route, " ")
		if method != http.MethodPost {
			continue
		}
		path = strings.NewReplacer("{user}", root.ID.String(), "{group}", "1", "{room}", uuid.NewString(), "{recording}", uuid.NewString(), "{held}", uuid.NewString()).Replace(path)
		for name, h := range map[string]http.Header{
			"no cookie": {}, "no field": {"Cookie": {"csrftoken=" + adminToken}}, "foreign origin": {"Origin": {"https://evil.example"}},
		} {
			h = h.Clone()
			h.Set("Content-Type", "application/x-www-form-urlencoded")
			h.Set("Cookie", strings.TrimPrefix(h.Get("Cookie")+"; "+s.cookie+"="+root.Secret, "; "))
			body := r.form
			if name == "foreign origin" {
				h.Set("Cookie", h.Get("Cookie")+"; csrftoken="+adminToken)
				body += "&csrfmiddlewaretoken=" + adminToken
			}
			got := s.request(t, account{}, method, path, body, h)
			if got.Status != http.StatusForbidden || !strings.Contains(string(got.Body), "not valid any more") {
				t.Errorf("%s, %s: %d %s", route, name, got.Status, got.Body)
			}
		}
	}
	if s.dump(t) != before {
		t.Error("a forged form changed something")
	}
	// The token of a page is the one that fits its cookie, in another form each time.
	first, second := s.page(t, account{}, "/admin/login/"), s.page(t, account{}, "/admin/login/")
	field := regexp.MustCompile(`name="csrfmiddlewaretoken" value="([A-Za-z0-9]{64})"`)
	a, b := field.FindSubmatch(first.Body), field.FindSubmatch(second.Body)
	if a == nil || b == nil || string(a[1]) == string(b[1]) {
		t.Fatal("a page has no token, or always the same")
	}
	cookie := regexp.MustCompile(`csrftoken=(\w{32});`).FindStringSubmatch(first.Header.Get("Set-Cookie"))
	if cookie == nil {
		t.Fatalf("no CSRF cookie: %v", first.Header)
	}
	got := s.request(t, account{}, http.MethodPost, "/admin/login/", url.Values{
		"csrfmiddlewaretoken": {string(a[1])}, "username": {"x@example.org"}, "password": {"x"},
	}.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Cookie": {"csrftoken=" + cookie[1]}})
	if got.Status != http.StatusOK || !strings.Contains(string(got.Body), "Please enter the correct email and password") {
		t.Errorf("a good token is refused: %d %s", got.Status, got.Body)
	}
}

// s3cret, hashed by Django with fewer rounds than today.
const oldHash = "pbkdf2_sha256$1000$abcdefghijklmnopqrstuv$q+SlAk8PS4ZnJxYnZfUX7zLjmUl2wdtUOf7V/ADD/a0="

// staffPassword is long enough.
const staffPassword = "correct-horse-battery"

// withPassword makes a superuser with an admin e-mail and that password, who is logged out.
func (s *service) withPassword(t *testing.T, name string) account {
	t.Helper()
	a := s.root(t, name)
	if got := s.submit(t, a, "/admin/core/user/"+a.ID.String()+"/password/", url.Values{"password1": {staffPassword}, "password2": {staffPassword}}); got.Status != http.StatusSeeOther {
		t.Fatalf("set a password: %d %s", got.Status, got.Body)
	}
	s.exec(t, `UPDATE meet_user SET admin_email = $2 WHERE id = $1`, a.ID, name+"@Admin.example.org")
	return account{ID: a.ID}
}

// logInAs sends the login form and gives the session.
func (s *service) logInAs(t *testing.T, email, password, next, old string) (answer, account) {
	t.Helper()
	got := s.submit(t, account{Secret: old}, "/admin/login/", url.Values{"username": {email}, "password": {password}, "next": {next}})
	for _, c := range got.Header.Values("Set-Cookie") {
		if name, value, _ := strings.Cut(strings.SplitN(c, ";", 2)[0], "="); name == s.cookie {
			return got, account{Secret: value}
		}
	}
	return got, account{}
}

func TestAdminLogin(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	const password = staffPassword
	root := s.withPassword(t, "root")
	const email = "root@Admin.example.org"

	// Whatever is wrong, the same is said.
	other := s.withPassword(t, "disabled")
	s.exec(t, `UPDATE meet_user SET is_active = false WHERE id = $1`, other.ID)
	none := s.withPassword(t, "nostaff")
	s.exec(t, `UPDATE meet_user SET is_staff = false, is_superuser = false WHERE id = $1`, none.ID)
	for name, c := range map[string][2]string{
		"wrong password": {email, "wrong"}, "other case": {"root@admin.example.org", password}, "unknown": {"who@example.org", password},
		"empty password": {email, ""}, "disabled": {"disabled@Admin.example.org", password}, "not staff": {"nostaff@Admin.example.org", password},
		"NUL": {"root\x00@Admin.example.org", password}, "long": {email, strings.Repeat("a", 100_000)},
	} {
		got, session := s.logInAs(t, c[0], c[1], "/admin/", "")
		if got.Status != http.StatusOK || session.Secret != "" || !strings.Contains(string(got.Body),
			"Please enter the correct email and password for a staff account. Note that both fields may be case-sensitive.") {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}

	// An account that is not there takes as long, but for what the machine does besides.
	quickest := map[string]time.Duration{"nowhere@example.org": time.Hour, email: time.Hour}
	alike := false
	for tries := 0; tries < 6 && !alike; tries++ {
		for email := range quickest {
			start := time.Now()
			s.logInAs(t, email, "wrong", "/admin/", "")
			quickest[email] = min(quickest[email], time.Since(start))
		}
		unknown, wrong := quickest["nowhere@example.org"], quickest[email]
		alike = unknown > wrong/2 && wrong > unknown/2
	}
	if !alike {
		t.Errorf("an unknown account and a wrong password take %v", quickest)
	}

	// A login begins a new session, which works for the API too.
	old := s.login(t, "visitor")
	got, session := s.logInAs(t, email, password, "/admin/core/room/?q=a", old.Secret)
	if got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/admin/core/room/?q=a" || len(session.Secret) != 32 {
		t.Fatalf("log in: %d, to %q, session %q", got.Status, got.Header.Get("Location"), session.Secret)
	}
	if session.Secret == old.Secret || s.page(t, old, "/admin/core/room/").Status != http.StatusFound {
		t.Error("the session from before the login lives on")
	}
	if got := s.request(t, session, http.MethodGet, "/api/v1.0/users/me/", "", nil); got.Status != http.StatusOK || !strings.Contains(string(got.Body), root.ID.String()) {
		t.Errorf("the API: %d %s", got.Status, got.Body)
	}
	if got := s.lines(t, `SELECT (last_login IS NOT NULL)::text FROM meet_user WHERE id = '`+root.ID.String()+`'`); got[0] != "true" {
		t.Error("the login was not noted")
	}
	if got := s.page(t, session, "/admin/login/?next=/admin/log/"); got.Status != http.StatusFound || got.Header.Get("Location") != "/admin/log/" {
		t.Errorf("the login page, logged in: %d to %q", got.Status, got.Header.Get("Location"))
	}

	// Logging out needs the token, and ends the session everywhere.
	if got := s.request(t, session, http.MethodPost, "/admin/logout/", "", nil); got.Status != http.StatusForbidden {
		t.Errorf("a forged logout: %d", got.Status)
	}
	if got := s.submit(t, session, "/admin/logout/", nil); got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/admin/login/" {
		t.Errorf("log out: %d to %q", got.Status, got.Header.Get("Location"))
	}
	if got := s.request(t, session, http.MethodGet, "/api/v1.0/users/me/", "", nil); got.Status != http.StatusUnauthorized {
		t.Errorf("after the logout: %d", got.Status)
	}

	// An old hash is read, and replaced by a better one.
	s.exec(t, `UPDATE meet_user SET password = $2 WHERE id = $1`, root.ID, oldHash)
	if got, session := s.logInAs(t, email, "s3cret", "/admin/", ""); got.Status != http.StatusSeeOther || session.Secret == "" {
		t.Errorf("with an old hash: %d %s", got.Status, got.Body)
	}
	if got := s.lines(t, `SELECT substr(password, 1, 22) FROM meet_user WHERE id = '`+root.ID.String()+`'`); got[0] != "pbkdf2_sha256$1000000$" {
		t.Errorf("the hash is still %s", got[0])
	}

	// Whoever tries too often has to wait, with the right password too.
	for range 25 {
		s.logInAs(t, "guess@example.org", "", "/admin/", "")
	}
	if got, _ := s.logInAs(t, "guess@example.org", "", "/admin/", ""); got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
		t.Errorf("after many tries: %d", got.Status)
	}
}

// No return target leads away from the administration.
func TestAdminLoginTargets(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	root := s.root(t, "root")
	for next, want := range map[string]string{
		"/admin/core/user/?q=x%20y": "/admin/core/user/?q=x%20y", "/admin/": "/admin/", "": "/admin/", "/": "/admin/", "/api/v1.0/logout/": "/admin/",
		"//evil.example/admin/": "/admin/", `/\evil.example`: "/admin/", `/admin/\..\..`: "/admin/", "https://evil.example/admin/": "/admin/",
		"https:evil.example": "/admin/", "javascript:alert(1)": "/admin/", "/admin/\r\nSet-Cookie: x=y": "/admin/", "/admin/\t//evil": "/admin/",
		"///evil.example": "/admin/", "admin/": "/admin/", "user@evil.example": "/admin/", "/admin%2F..": "/admin/",
	} {
		got := s.page(t, root, "/admin/login/?next="+url.QueryEscape(next))
		if got.Status != http.StatusFound || got.Header.Get("Location") != want {
			t.Errorf("next=%q leads to %q, want %q", next, got.Header.Get("Location"), want)
		}
	}
	got := s.page(t, account{}, "/admin/core/room/?q=%26next=//evil")
	if got.Header.Get("Location") != "/admin/login/?next=%2Fadmin%2Fcore%2Froom%2F%3Fq%3D%2526next%3D%2F%2Fevil" {
		t.Errorf("an anonymous visitor is sent to %q", got.Header.Get("Location"))
	}
	if got := s.page(t, account{}, "/admin?x=1"); got.Status != http.StatusMovedPermanently || got.Header.Get("Location") != "/admin/?x=1" {
		t.Errorf("without the last slash: %d to %q", got.Status, got.Header.Get("Location"))
	}
	if got := s.page(t, root, "/admin/core/nothing/"); got.Status != http.StatusNotFound || !strings.Contains(string(got.Body), "Not found") {
		t.Errorf("an unknown page: %d", got.Status)
	}
}

// Staff get in with OpenID Connect, to where they wanted to be.
func TestAdminLoginAtProvider(t *testing.T) {
	t.Parallel()
	s := signIn(t, nil, op.User{Sub: "sub-eve", Username: "eve", Password: "eve", Email: "eve@example.org"})
	v := s.visitor(t)
	v.login("", "ada")
	s.exec(t, `UPDATE meet_user SET is_staff = true, is_superuser = true WHERE sub = 'sub-ada'`)
	v = s.visitor(t)
	_, page := v.get("/admin/login/?next=/admin/core/room/")
	button := regexp.MustCompile(`<a class="button wide" href="([^"]*)">Sign in with OpenID Connect`).FindStringSubmatch(page)
	if button == nil {
		t.Fatalf("no button: %s", page)
	}
	resp, _ := v.get(html.UnescapeString(button[1]))
	resp, _ = v.get(v.atProvider(resp.Header.Get("Location"), "ada"))
	if to := resp.Header.Get("Location"); to != "/admin/core/room/" {
		t.Fatalf("after the login the browser is sent to %q", to)
	}
	if resp, page := v.get("/admin/core/room/"); resp.StatusCode != http.StatusOK || !strings.Contains(page, "<h1>Rooms</h1>") {
		t.Errorf("the administration: %d %s", resp.StatusCode, page)
	}
	// Somebody else is told so, and can log out.
	v = s.visitor(t)
	v.login("", "eve")
	resp, page = v.get("/admin/")
	if resp.StatusCode != http.StatusForbidden || !strings.Contains(page, "may not use the administration") || !strings.Contains(page, `action="/admin/logout/"`) {
		t.Errorf("not staff: %d %s", resp.StatusCode, page)
	}
	token := regexp.MustCompile(`name="csrfmiddlewaretoken" value="(\w+)"`).FindStringSubmatch(page)
	if resp, _ := v.do(http.MethodPost, "/admin/logout/", url.Values{"csrfmiddlewaretoken": {token[1]}}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("log out: %d", resp.StatusCode)
	}
	if resp, _ := v.get("/admin/"); resp.StatusCode != http.StatusFound {
		t.Errorf("after the logout: %d", resp.StatusCode)
	}
}

func TestAdminRoomChanges(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	root, ada, bob := s.root(t, "root"), s.login(t, "ada"), s.login(t, "bob")
	room := s.room(t, ada)
	access := s.lines(t, `SELECT id FROM meet_resource_access WHERE resource_id = '`+room.String()+`'`)[0]
	path := "/admin/core/room/" + room.String() + "/change/"
	same := s.lines(t, `SELECT name FROM meet_room WHERE resource_id = '`+room.String()+`'`)[0]
	form := func(pairs ...string) url.Values {
		f := url.Values{"name": {same}, "access_level": {"restricted"}, "configuration": {"{}"}}
		for i := 0; i < len(pairs); i += 2 {
			f.Set(pairs[i], pairs[i+1])
		}
		return f
	}

	// The last owner stays.
	for _, f := range []url.Values{form("role-"+access, "member"), form("remove-"+access, "on", "name", "Other")} {
		before := s.dump(t)
		got := s.submit(t, root, path, f)
		if got.Status != http.StatusForbidden || !strings.Contains(string(got.Body), "A resource should keep at least one owner.") {
			t.Errorf("%v: %d %s", f, got.Status, got.Body)
		}
		if s.dump(t) != before {
			t.Errorf("%v was refused and changed something", f)
		}
	}
	// Nothing sent that is not a field counts, and nothing new is nothing.
	if got := s.told(t, root, s.submit(t, root, path, form("slug", "stolen", "id", uuid.NewString(), "created_at", "2000-01-01"))); !slices.Equal(got, []string{"success: Nothing was changed."}) {
		t.Errorf("an unchanged form: %q", got)
	}
	// Another owner takes over; the slug follows the name.
	got := s.told(t, root, s.submit(t, root, path, form("name", "Weekly Ünïcode", "access_level", "public", "pin_code", "1234",
		"configuration", `{"everyone_can_mute": false}`, "role-"+access, "member", "new-0-user", "bob@example.org", "new-0-role", "owner")))
	if !slices.Equal(got, []string{"success: “Weekly Ünïcode” was changed successfully."}) {
		t.Errorf("change: %q", got)
	}
	if got := s.lines(t, `SELECT name || '|' || slug || '|' || access_level || '|' || pin_code || '|' || configuration FROM meet_room WHERE resource_id = '`+room.String()+`'`); got[0] != `Weekly Ünïcode|weekly-unicode|public|1234|{"everyone_can_mute": false}` {
		t.Errorf("the room is %s", got[0])
	}
	if got := s.lines(t, `SELECT user_id || ' ' || role FROM meet_resource_access WHERE resource_id = '`+room.String()+`' ORDER BY role`); !slices.Equal(got, []string{ada.ID.String() + " member", bob.ID.String() + " owner"}) {
		t.Errorf("roles: %q", got)
	}
	if got, want := s.adminLog(t, room), []string{`core.room 2 Weekly Ünïcode [{"changed":{"fields":["Name","Access level","Configuration","Room PIN code"]}},` +
		`{"changed":{"fields":["Role"],"name":"Resource access","object":"ada@example.org (member)"}},{"added":{"name":"Resource access","object":"bob@example.org (owner)"}}]`}; !slices.Equal(got, want) {
		t.Errorf("Django's log: %q", got)
	}
	if got := s.lines(t, `SELECT details->>'model' FROM meetd.audit_event WHERE action = 'admin_changed' AND actor_id = '`+root.ID.String()+`'`); !slices.Equal(got, []string{"core.room"}) {
		t.Errorf("audit log: %q", got)
	}
	if got := s.lines(t, `SELECT count(*)::text FROM meetd.river_job WHERE kind = 'show_room'`); got[0] != "1" {
		t.Errorf("%s jobs show the room to those in it", got[0])
	}
	// What is wrong is said beside its field, and nothing is changed.
	taken := s.lines(t, `SELECT name FROM meet_room WHERE resource_id = '`+s.room(t, ada).String()+`'`)[0]
	for want, f := range map[string]url.Values{
		"This field cannot be blank.":                  form("name", "  "),
		"Room with this Slug already exists.":          form("name", taken),
		"is reserved.":                                 form("name", uuid.NewString()),
		"Ensure this value has at most 500 characters": form("name", strings.Repeat("é", 501)),
		"Ensure this value has at most 100 characters": form("name", strings.Repeat("e", 101)),
		"Select an access level of the list.":          form("access_level", "everybody"),
		"Enter a JSON object":                          form("configuration", "[1]"),
		"can_publish_sources must be":                  form("configuration", `{"can_publish_sources":["radio"]}`),
		"There is no user with the id, e-mail":         form("new-1-user", "who@example.org", "new-1-role", "member"),
		"Resource access with this User and Resource":  form("new-1-user", "ada@example.org", "new-1-role", "member"),
		"Select a role of the list.":                   form("new-1-user", "root@example.org", "new-1-role", "king"),
		"Several users have the e-mail":                form("new-0-user", "twin@example.org", "new-0-role", "member"),
	} {
		if strings.HasPrefix(want, "Several") {
			for _, name := range []string{"one", "two"} {
				s.exec(t, `UPDATE meet_user SET email = 'twin@example.org' WHERE id = $1`, s.login(t, name).ID)
			}
		}
		before := s.dump(t)
		got := s.submit(t, root, path, f)
		if got.Status != http.StatusUnprocessableEntity || !strings.Contains(html.UnescapeString(string(got.Body)), want) {
			t.Errorf("%v: %d, want %q: %s", f, got.Status, want, got.Body)
		}
		if s.dump(t) != before {
			t.Errorf("%v was refused and changed something", f)
		}
	}
}

func TestAdminUserChanges(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	root := s.root(t, "root")
	clerk := s.staff(t, "clerk", "core.view_user", "core.change_user", "core.add_user", "core.delete_user")
	path := func(a account, what string) string { return "/admin/core/user/" + a.ID.String() + "/" + what + "/" }
	form := func(pairs ...string) url.Values {
		f := url.Values{"language": {"en-us"}, "timezone": {"UTC"}, "is_active": {"on"}}
		for i := 0; i < len(pairs); i += 2 {
			if f.Del(pairs[i]); pairs[i+1] != "" {
				f.Add(pairs[i], pairs[i+1])
			}
		}
		return f
	}
	// Nobody makes himself, or others, more than he is.
	flags := `SELECT is_staff || ' ' || is_superuser || ' ' || (SELECT count(*) FROM meet_user_user_permissions p WHERE p.user_id = u.id) FROM meet_user u WHERE id = `
	grab := form("is_superuser", "on", "is_staff", "on", "user_permissions", "core.delete_room", "password", "x", "sub", "stolen", "email", "e@x.org", "id", uuid.NewString(), "timezone", "Europe/Paris")
	s.submit(t, clerk, path(clerk, "change"), grab)
	if got := s.lines(t, flags+`'`+clerk.ID.String()+`'`)[0]; got != "true false 4" {
		t.Errorf("a clerk made himself %s", got)
	}
	if got := s.lines(t, `SELECT sub || ' ' || email || ' ' || timezone FROM meet_user WHERE id = '`+clerk.ID.String()+`'`)[0]; got != "sub-clerk clerk@example.org Europe/Paris" {
		t.Errorf("the clerk is %s", got)
	}
	ada := s.login(t, "ada")
	s.submit(t, clerk, path(ada, "change"), grab)
	if got := s.lines(t, flags+`'`+ada.ID.String()+`'`)[0]; got != "false false 0" {
		t.Errorf("a clerk made somebody %s", got)
	}
	// Accounts of staff are for superusers.
	for _, what := range []string{"change", "password", "end-sessions", "delete"} {
		before := s.dump(t)
		f := form("password1", "correct-horse-battery", "password2", "correct-horse-battery")
		if got := s.submit(t, clerk, path(root, what), f); got.Status != http.StatusForbidden || s.dump(t) != before {
			t.Errorf("%s of a superuser by a clerk: %d", what, got.Status)
		}
	}
	// Nobody locks himself out.
	for field, f := range map[string]url.Values{
		"You cannot disable your own account":                form("is_active", "", "is_staff", "on", "is_superuser", "on"),
		"You cannot take the staff status from yourself":     form("is_superuser", "on"),
		"You cannot take the superuser status from yourself": form("is_staff", "on"),
	} {
		if got := s.submit(t, root, path(root, "change"), f); got.Status != http.StatusUnprocessableEntity || !strings.Contains(string(got.Body), field) {
			t.Errorf("%s: %d", field, got.Status)
		}
	}
	if got := s.submit(t, root, path(root, "delete"), nil); got.Status != http.StatusConflict || !strings.Contains(string(got.Body), "You cannot delete your own account") {
		t.Errorf("delete oneself: %d", got.Status)
	}
	// A superuser gives rights, which count at once; what Django does not know yet is
	// added as it would.
	group := strconv.Itoa(s.group(t, "Helpers"))
	f := form("is_staff", "on", "timezone", "Europe/Paris", "groups", group, "user_permissions", "core.view_room")
	f.Add("user_permissions", "core.view_recording")
	f.Add("user_permissions", "core.invented")
	if got := s.told(t, root, s.submit(t, root, path(ada, "change"), f)); !slices.Equal(got, []string{"success: “ada@example.org” was changed successfully."}) {
		t.Errorf("give rights: %q", got)
	}
	if got := s.page(t, ada, "/admin/core/room/").Status; got != http.StatusOK {
		t.Errorf("the rooms, with the permission: %d", got)
	}
	if got := s.adminLog(t, ada.ID); got[len(got)-1] != `core.user 2 ada@example.org [{"changed":{"fields":["Staff status","Groups","User permissions"]}}]` {
		t.Errorf("Django's log: %q", got)
	}
	// Who is disabled, or has another password, is out at once.
	for name, do := range map[string]func(account) answer{
		"disabled": func(a account) answer { return s.submit(t, root, path(a, "change"), form("is_active", "")) },
		"new password": func(a account) answer {
			return s.submit(t, root, path(a, "password"), url.Values{"password1": {"correct-horse-battery"}, "password2": {"correct-horse-battery"}})
		},
		"sessions ended": func(a account) answer { return s.submit(t, root, path(a, "end-sessions"), nil) },
		"deleted":        func(a account) answer { return s.submit(t, root, path(a, "delete"), nil) },
	} {
		a := s.login(t, strings.ReplaceAll(name, " ", "-"))
		if got := do(a); got.Status != http.StatusSeeOther {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		if got := s.request(t, a, http.MethodGet, "/api/v1.0/users/me/", "", nil); got.Status != http.StatusUnauthorized {
			t.Errorf("%s: still logged in: %d", name, got.Status)
		}
		if got := s.lines(t, `SELECT count(*)::text FROM meetd.session WHERE user_id = '`+a.ID.String()+`'`); got[0] != "0" {
			t.Errorf("%s: %s sessions are left", name, got[0])
		}
	}
	// A new account signs in with what it was given.
	add := func(pairs ...string) url.Values {
		return form(append([]string{"admin_email", "new@example.org", "password1", "correct-horse-battery", "password2", "correct-horse-battery"}, pairs...)...)
	}
	if got := s.told(t, root, s.submit(t, root, "/admin/core/user/add/", add("is_staff", "on"))); got[len(got)-1] != "success: The user “new@example.org” was added successfully." {
		t.Fatalf("add: %q", got)
	}
	if got, session := s.logInAs(t, "new@example.org", "correct-horse-battery", "/admin/", ""); got.Status != http.StatusSeeOther || s.page(t, session, "/admin/").Status != http.StatusOK {
		t.Errorf("the new account cannot sign in: %d", got.Status)
	}
	for want, f := range map[string]url.Values{
		"User with this Admin email address already exists.": add(),
		"Enter a valid email address.":                       add("admin_email", "new"),
		"the user signs in with it":                          add("admin_email", ""),
		"Use at least 12 characters.":                        add("admin_email", "b@example.org", "password1", "short", "password2", "short"),
		"The two passwords are not the same.":                add("admin_email", "b@example.org", "password2", "correct-horse-batterz"),
		"Invalid timezone 'Nope/Zone'":                       add("admin_email", "b@example.org", "timezone", "Nope/Zone"),
		"Select a language of the list.":                     add("admin_email", "b@example.org", "language", "xx"),
	} {
		before := s.dump(t)
		if got := s.submit(t, root, "/admin/core/user/add/", f); got.Status != http.StatusUnprocessableEntity || !strings.Contains(html.UnescapeString(string(got.Body)), want) || s.dump(t) != before {
			t.Errorf("%v: %d, want %q: %s", f, got.Status, want, got.Body)
		} else if strings.Contains(string(got.Body), "correct-horse") {
			t.Error("a page holds a password")
		}
	}
	// The files of an account keep it.
	owner := s.login(t, "owner")
	s.exec(t, `INSERT INTO file (id, created_at, updated_at, type, title, filename, upload_state, creator_id) VALUES ($1, now(), now(), 'background_image', 'x', 'x', 'ready', $2)`, uuid.New(), owner.ID)
	if got := s.submit(t, root, path(owner, "delete"), nil); got.Status != http.StatusConflict || !strings.Contains(string(got.Body), "A user who has files cannot be deleted") {
		t.Errorf("delete who has files: %d", got.Status)
	}
}

// A new room begins as open as the installation has it.
func TestAdminNewRoomLevel(t *testing.T) {
	t.Parallel()
	for level, env := range map[string]map[string]string{"public": nil, "restricted": {"RESOURCE_DEFAULT_ACCESS_LEVEL": "restricted"}} {
		s := startService(t, env)
		page := string(s.page(t, s.root(t, "root"), "/admin/core/room/add/").Body)
		if want := `<option value="` + level + `" selected>`; strings.Count(page, want) != 1 {
			t.Errorf("%s is not chosen: %s", level, page)
		}
	}
}

func TestAdminRecordingActions(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0", "RECORDING_EXPIRATION_DAYS": "7"})
	root, ada := s.root(t, "root"), s.login(t, "ada")
	made := func(mode, status string, access roles) string { return s.recording(t, mode, status, access).String() }
	act := func(action string, ids ...string) []string {
		t.Helper()
		return s.told(t, root, s.submit(t, root, "/admin/core/recording/", url.Values{"action": {action}, "_selected_action": ids}))
	}
	jobs := func(kind string) int {
		return len(s.lines(t, `SELECT id::text FROM meetd.river_job WHERE kind = '`+kind+`'`))
	}

	saved, told := made(screen, "saved", roles{ada: "owner"}), made(screen, "notification_succeeded", roles{ada: "owner"})
	s.exec(t, `INSERT INTO meetd.notice (recording_id, kind, recipient, created_at, done_at) VALUES ($1, 'mail', $2, now(), now())`, told, ada.ID)
	old, nobody, running, written := made(screen, "saved", roles{ada: "owner"}), made(screen, "saved", nil), made(screen, "active", roles{ada: "owner"}), made(transcript, "saved", roles{ada: "owner"})
	s.exec(t, `UPDATE meet_recording SET created_at = now() - interval '8 days' WHERE id = $1`, old)
	got := act("resend_notification", saved, told, old, nobody, running, written, uuid.NewString(), saved)
	if want := []string{
		"error: Failed to notify for recording " + nobody, "error: Failed to notify for recording " + running + ": there is no file",
		"error: Failed to notify for recording " + written + ": Summary service not configured",
		"success: Successfully sent notifications for 2 recording(s).", "warning: Skipped 1 expired recording(s).",
	}; !slices.Equal(got, want) {
		t.Errorf("resend: %q", got)
	}
	if n := jobs("mail_owner"); n != 2 {
		t.Errorf("%d mails are on their way", n)
	}
	if got := s.lines(t, `SELECT status || ' ' || (SELECT count(*) FROM meetd.notice n WHERE n.recording_id = r.id AND done_at IS NULL) FROM meet_recording r WHERE id IN ('`+saved+`', '`+told+`') ORDER BY 1`); !slices.Equal(got, []string{"notification_succeeded 1", "saved 1"}) {
		t.Errorf("after it: %q", got)
	}

	initiated, active, stopped := made(screen, "initiated", nil), made(screen, "active", nil), made(screen, "stopped", nil)
	if got := act("mark_as_failed_to_stop", initiated, active, stopped, saved, told); !slices.Equal(got, []string{
		"success: 3 recording(s) successfully marked as 'Failed to Stop'.", "warning: Skipped 2 recording(s) with an ineligible status.",
	}) {
		t.Errorf("mark: %q", got)
	}
	if got := s.lines(t, `SELECT DISTINCT status || ' ' || unsure FROM meet_recording r JOIN meetd.recording_state s ON s.recording_id = r.id WHERE id IN ('`+initiated+`', '`+active+`', '`+stopped+`')`); !slices.Equal(got, []string{"failed_to_stop true"}) {
		t.Errorf("after it: %q", got)
	}
	if n := jobs("stop_egress"); n != 3 {
		t.Errorf("%d egresses are asked to end", n)
	}
	if got := act("mark_as_failed_to_stop"); !slices.Equal(got, []string{"warning: Items must be selected in order to perform actions on them. No items have been changed."}) {
		t.Errorf("nothing selected: %q", got)
	}
	if got := act("", saved); !slices.Equal(got, []string{"warning: No action selected."}) {
		t.Errorf("no action: %q", got)
	}

	// A legal hold is placed, shown, respected and released.
	path := "/admin/core/recording/" + saved + "/"
	if got := s.told(t, root, s.submit(t, root, path+"hold/", url.Values{"reason": {"case 7 <b>"}})); !strings.Contains(got[0], "nobody can delete it") {
		t.Errorf("hold: %q", got)
	}
	if page := string(s.page(t, root, path+"delete/").Body); !strings.Contains(page, "It is on legal hold and cannot be deleted: case 7 &lt;b&gt;") || strings.Contains(page, "Yes, delete") {
		t.Errorf("the question does not tell of the hold: %s", page)
	}
	if got := s.submit(t, root, path+"delete/", nil); got.Status != http.StatusForbidden || !strings.Contains(string(got.Body), "This recording is on legal hold") {
		t.Errorf("delete: %d", got.Status)
	}
	room := s.lines(t, `SELECT room_id::text FROM meet_recording WHERE id = '`+saved+`'`)[0]
	if got := s.submit(t, root, "/admin/core/room/"+room+"/delete/", nil); got.Status != http.StatusForbidden || !strings.Contains(string(got.Body), "on legal hold") {
		t.Errorf("delete its room: %d", got.Status)
	}
	// Several are deleted after a question that shows them; what cannot be stays.
	question := s.submit(t, root, "/admin/core/recording/", url.Values{"action": {"delete_selected"}, "_selected_action": {saved, told}})
	if question.Status != http.StatusOK || !strings.Contains(string(question.Body), "its files in the bucket (recordings/"+told+".mp4)") {
		t.Errorf("the question: %d %s", question.Status, question.Body)
	}
	answer := s.told(t, root, s.submit(t, root, "/admin/core/recording/", url.Values{"action": {"delete_selected"}, "confirm": {"yes"}, "_selected_action": {saved, told}}))
	if want := []string{"success: Successfully deleted 1 recording.", "warning: Recording " + saved + " (saved): This recording is on legal hold and cannot be deleted. Release the hold first."}; !slices.Equal(answer, want) {
		t.Errorf("delete both: %q", answer)
	}
	if n := jobs("delete_objects"); n != 1 {
		t.Errorf("%d recordings have their files removed", n)
	}
	id := uuid.MustParse(told)
	if got := s.adminLog(t, id); got[len(got)-1] != "core.recording 3 Recording "+told+" (notification_succeeded) " {
		t.Errorf("Django's log: %q", got)
	}
	if got := s.told(t, root, s.submit(t, root, path+"release/", nil)); !slices.Equal(got, []string{"success: The legal hold was released."}) {
		t.Errorf("release: %q", got)
	}
	if got := s.told(t, root, s.submit(t, root, "/admin/core/room/"+room+"/delete/", nil)); !strings.HasSuffix(got[0], "was deleted successfully.") {
		t.Errorf("delete its room after that: %q", got)
	}
	if got := s.lines(t, `SELECT count(*)::text FROM meet_recording WHERE id = '`+saved+`'`); got[0] != "0" {
		t.Error("the recording outlived its room")
	}
	// Roles of people and teams, and the job's name.
	path = "/admin/core/recording/" + old + "/change/"
	got = s.told(t, root, s.submit(t, root, path, url.Values{
		"external_process_id": {"job-1"}, "new-1-team": {"legal"}, "new-1-role": {"administrator"},
	}))
	if !strings.Contains(got[0], "was changed successfully") {
		t.Errorf("change: %q", got)
	}
	if got := s.adminLog(t, uuid.MustParse(old)); got[len(got)-1] != `core.recording 2 Recording `+old+` (saved) [{"changed":{"fields":["External Process ID"]}},{"added":{"name":"Recording/user relation","object":"legal (administrator)"}}]` {
		t.Errorf("Django's log: %q", got)
	}
	for want, f := range map[string]url.Values{
		"This user is already in this recording.":    {"external_process_id": {"job-1"}, "new-0-user": {"ada@example.org"}, "new-0-role": {"member"}},
		"This team is already in this recording.":    {"external_process_id": {"job-1"}, "new-0-team": {"legal"}, "new-0-role": {"member"}},
		"Either user or team must be set, not both.": {"external_process_id": {"job-1"}, "new-0-team": {"a"}, "new-0-user": {"ada@example.org"}, "new-0-role": {"member"}},
	} {
		if got := s.submit(t, root, path, f); got.Status != http.StatusUnprocessableEntity || !strings.Contains(string(got.Body), want) {
			t.Errorf("%v: %d", f, got.Status)
		}
	}
	if got := s.submit(t, root, "/admin/core/recording/"+nobody+"/change/", url.Values{"external_process_id": {"job-1"}}); got.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(string(got.Body), "Recording with this External Process ID already exists.") {
		t.Errorf("a job that another recording has: %d", got.Status)
	}
}

// Pages of rows that are equal in their order show each row once, forward and back.
func TestAdminPages(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	root := s.root(t, "root")
	s.exec(t, `CREATE TABLE n AS SELECT i, gen_random_uuid() AS id FROM generate_series(1, 230) i`)
	s.exec(t, `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, email, sub, full_name, language, timezone, is_device, is_staff, is_active, default_room_configuration)
		SELECT id, '!', false, date_trunc('day', now()), date_trunc('day', now()), 'same-' || (i % 3) || '@tie.org', 'tie-' || i, 'Tie', 'en-us', 'UTC', false, false, i % 7 <> 0, '{}' FROM n`)
	s.exec(t, `INSERT INTO meet_resource (id, created_at, updated_at) SELECT id, date_trunc('day', now()), now() FROM n`)
	s.exec(t, `INSERT INTO meet_room (resource_id, name, slug, configuration, access_level) SELECT id, 'same name', 's' || i, '{}', 'public' FROM n`)
	s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options) SELECT id, date_trunc('day', now()), now(), 'saved', id, 'transcript', '{}' FROM n`)
	s.exec(t, `INSERT INTO auth_group (name) SELECT 'same name ' || i FROM n`)
	link := func(rel string, page []byte) string {
		m := regexp.MustCompile(`rel="` + rel + `" href="([^"]*)"`).FindSubmatch(page)
		if m == nil {
			return ""
		}
		return html.UnescapeString(string(m[1]))
	}
	for path, want := range map[string]int{
		"/admin/core/user/": 231, "/admin/core/user/?o=created": 231, "/admin/core/user/?o=created&r=1": 231, "/admin/core/user/?o=email": 231, "/admin/core/user/?o=name&r=1": 231,
		"/admin/core/user/?q=tie.org": 230, "/admin/core/user/?is_active=no": 32, "/admin/core/user/?q=TIE&is_active=yes&o=email": 198, "/admin/core/user/?q=%25": 0, "/admin/core/user/?q=nobody": 0,
		"/admin/auth/group/": 230, "/admin/auth/group/?o=name&r=1": 230, "/admin/auth/group/?q=NAME+22": 11, "/admin/auth/group/?q=name_": 0,
		"/admin/core/room/": 230, "/admin/core/room/?o=created": 230, "/admin/core/room/?access_level=public&created=today&r=1": 230, "/admin/core/room/?access_level=trusted": 0, "/admin/core/room/?q=ame+na": 230,
		"/admin/core/recording/": 230, "/admin/core/recording/?o=status": 230, "/admin/core/recording/?status=saved&mode=transcript&created=week": 230, "/admin/core/recording/?status=active": 0, "/admin/core/recording/?q=s22": 11,
	} {
		seen := map[string]bool{}
		pages, last := 0, ""
		row := regexp.MustCompile(`<th scope="row"><a href="([^"]*)"`)
		for next := path; next != ""; pages++ {
			got := s.page(t, root, next)
			if got.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", next, got.Status, got.Body)
			}
			for _, m := range row.FindAllSubmatch(got.Body, -1) {
				if seen[string(m[1])] {
					t.Fatalf("%s: %s is on two pages", path, m[1])
				}
				seen[string(m[1])] = true
			}
			if entries := fmt.Sprintf("%d entries", want); want != 0 && !strings.Contains(string(got.Body), entries) {
				t.Errorf("%s does not say %q", next, entries)
			}
			last, next = next, link("next", got.Body)
		}
		if len(seen) != want {
			t.Errorf("%s: %d rows, want %d", path, len(seen), want)
		}
		back := 0
		for previous := last; previous != ""; back++ {
			got := s.page(t, root, previous)
			for _, m := range row.FindAllSubmatch(got.Body, -1) {
				delete(seen, string(m[1]))
			}
			previous = link("prev", got.Body)
		}
		if len(seen) != 0 || back != pages {
			t.Errorf("%s: going back, %d rows are missed on %d of %d pages", path, len(seen), back, pages)
		}
	}
	for _, bad := range []string{"x", "W10", strings.Repeat("A", 5000), "WyJuYW1lIiwiYVx1MDAwMCIsImIiXQ", "WyJjcmVhdGVkIiwieCIsIngiXQ"} {
		if got := s.page(t, root, "/admin/core/user/?o=created&after="+bad); got.Status != http.StatusBadRequest {
			t.Errorf("after=%q: %d", bad, got.Status)
		}
	}
	for path, want := range map[string]string{
		"/admin/core/user/?q=" + root.ID.String(): "1 entry", "/admin/core/user/?q=sub-root": "1 entry",
		"/admin/core/recording/?room=nonsense": "There is no such page", "/admin/log/?user=x": "There is no such page",
	} {
		if got := s.page(t, root, path); !strings.Contains(string(got.Body), want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
}

// What people call things is text on every page.
func TestAdminEscapes(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	root := s.root(t, "root")
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	a := s.login(t, "evil")
	s.exec(t, `UPDATE meet_user SET full_name = $2::text, short_name = $2::text, email = $2::text, admin_email = $2::text, sub = $2::text, language = '"<b>', timezone = $2::text WHERE id = $1`, a.ID, evil)
	room := s.room(t, a)
	s.exec(t, `UPDATE meet_room SET name = $2::text, slug = $2::text, pin_code = $2::text, configuration = jsonb_build_object($2::text, $2::text) WHERE resource_id = $1`, room, evil)
	id := s.recording(t, screen, "active", roles{a: "owner"})
	s.exec(t, `UPDATE meet_recording SET room_id = $2, worker_id = $3::text, external_process_id = $3::text, options = jsonb_build_object($3::text, $3::text), updated_at = now() - interval '1 day' WHERE id = $1`, id, room, evil)
	s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id) VALUES ($1, now(), now(), $2, 'member', $3)`, uuid.New(), evil, id)
	s.exec(t, `INSERT INTO django_content_type (app_label, model) VALUES ('core', 'room')`)
	s.exec(t, `INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag, change_message, content_type_id, user_id)
		SELECT now(), $1::text, $1::text, 2, $1::text, t.id, $2 FROM django_content_type t`, evil, root.ID)
	group := "/admin/auth/group/" + strconv.Itoa(s.group(t, evil, "core.view_room"))
	s.exec(t, `UPDATE auth_permission SET name = $1`, evil)
	for _, path := range []string{
		"/admin/", "/admin/log/", "/admin/jobs/?state=all&kind=" + url.QueryEscape(evil), "/admin/stuck-recordings/",
		"/admin/core/user/?q=" + url.QueryEscape(evil), "/admin/core/user/", "/admin/core/user/" + a.ID.String() + "/change/", "/admin/core/user/" + a.ID.String() + "/delete/",
		"/admin/core/user/" + a.ID.String() + "/password/", "/admin/core/room/", "/admin/core/room/" + room.String() + "/change/", "/admin/core/room/" + room.String() + "/delete/",
		"/admin/auth/group/?q=" + url.QueryEscape(evil), "/admin/auth/group/", group + "/change/", group + "/delete/",
		"/admin/core/recording/", "/admin/core/recording/" + id.String() + "/change/", "/admin/core/recording/" + id.String() + "/delete/", "/admin/login/?next=" + url.QueryEscape("/admin/"+evil),
	} {
		got := s.page(t, root, path)
		if body := string(got.Body); strings.Contains(body, "<script") || strings.Contains(body, "<img") || strings.Contains(body, "<b>") || strings.Contains(body, " style=") {
			t.Errorf("%s: %d holds markup of others: %s", path, got.Status, body)
		}
		if got.Status != http.StatusOK && !strings.Contains(path, "login") {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
}

func TestAdminJobs(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	root := s.root(t, "root")
	s.exec(t, `INSERT INTO meetd.river_job (kind, state, args, attempt, max_attempts, queue, priority, finalized_at, errors)
		VALUES ('mail_owner', 'discarded', '{"recording":"r1"}', 17, 17, 'mail', 1, now(), ARRAY['{"at":"2026-01-01T00:00:00Z","attempt":17,"error":"smtp://u:hunter2@h refused","trace":""}'::jsonb])`)
	id := s.lines(t, `SELECT id::text FROM meetd.river_job WHERE kind = 'mail_owner'`)[0]
	page := string(s.page(t, root, "/admin/jobs/").Body)
	if !strings.Contains(page, "Discarded") || !strings.Contains(page, "17 of 17") || !strings.Contains(page, "refused") || strings.Contains(page, "hunter2") {
		t.Errorf("the list: %s", page)
	}
	if got := s.told(t, root, s.submit(t, root, "/admin/jobs/", url.Values{"action": {"retry"}, "_selected_action": {id, "999999"}})); !slices.Equal(got, []string{
		"success: Job " + id + " is available.", "warning: There is no job 999999 any more.",
	}) {
		t.Errorf("retry: %q", got)
	}
	if got := s.told(t, root, s.submit(t, root, "/admin/jobs/", url.Values{"action": {"cancel"}, "_selected_action": {id}})); !slices.Equal(got, []string{"success: Job " + id + " is cancelled."}) {
		t.Errorf("cancel: %q", got)
	}
	if got := s.lines(t, `SELECT action || ' ' || subject FROM meetd.audit_event WHERE action LIKE 'job%' ORDER BY id`); !slices.Equal(got, []string{"job_retried " + id, "job_cancelled " + id}) {
		t.Errorf("audit log: %q", got)
	}
}
