//go:build browser

package app_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
)

// browser is a tab of Chromium in which no script runs.
type browser struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the tab in it
	s   *service
	bad []string // what the page complained of
}

func (s *service) browser(t *testing.T) *browser {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
	}
	if path := os.Getenv("MEETD_TEST_CHROMIUM"); path != "" {
		options = append(options, chromedp.ExecPath(path))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, s: s}
	if err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			b.bad = append(b.bad, fmt.Sprint(e.Type))
		case *network.EventLoadingFailed:
			if e.BlockedReason != "" {
				b.bad = append(b.bad, "blocked: "+string(e.BlockedReason))
			}
		}
	}); err != nil {
		t.Fatalf("start Chromium, which Debian has as chromium: %v", err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return b
}

func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

func get[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.s.URL + path))
}

// press sends the form of a button, or follows a link, and waits for the page.
func (b *browser) press(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("press %s: %v; the page says %s", selector, err, b.text())
	}
}

func (b *browser) fill(selector, text string) {
	b.t.Helper()
	b.run(chromedp.Focus(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// refill puts a text in place of what a field holds.
func (b *browser) refill(selector, text string) {
	b.t.Helper()
	b.run(chromedp.SetValue(chromedp.CSS(selector), text))
}

func (b *browser) text() string {
	b.t.Helper()
	return get(b, chromedp.Text(chromedp.CSS("body")))
}

func (b *browser) expect(words ...string) {
	b.t.Helper()
	text := b.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Fatalf("the page does not say %q:\n%s", w, text)
		}
	}
}

// at checks where the browser is.
func (b *browser) at(path string) {
	b.t.Helper()
	address := get(b, chromedp.Location())
	u, err := url.Parse(address)
	if err != nil || u.Path != path {
		b.t.Fatalf("the browser is at %s, want %s:\n%s", address, path, b.text())
	}
}

// shot keeps a picture of the page for whoever looks at them.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := b.t.ArtifactDir()
	if d := os.Getenv("MEETD_TEST_SCREENSHOTS"); d != "" {
		dir = d
	}
	png := get(b, chromedp.FullScreenshot(100))
	if len(png) < 1000 {
		b.t.Errorf("the picture %s is empty", name)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// look is how the browser shows pages from now on.
func (b *browser) look(width int64, scheme string) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 600})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// A superuser does his day's work in a real browser without scripts.
func TestBrowserAdmin(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	root := s.withPassword(t, "root")
	ada, bob := s.login(t, "ada"), s.login(t, "bob")
	for i := range 70 {
		id := s.room(t, ada)
		s.exec(t, `UPDATE meet_room SET name = $2, access_level = $3 WHERE resource_id = $1`, id, fmt.Sprintf("Weekly meeting %02d", i), []string{"public", "trusted", "restricted"}[i%3])
	}
	room := s.room(t, ada)
	s.exec(t, `UPDATE meet_room SET name = 'Board of directors', slug = 'board-of-directors', access_level = 'restricted', pin_code = '0472819365' WHERE resource_id = $1`, room)
	s.give(t, room, bob, "member")
	film := uuid.New()
	for i, status := range []string{"saved", "active", "notification_succeeded", "aborted", "failed_to_stop"} {
		id := s.recording(t, screen, status, roles{ada: "owner"})
		s.exec(t, `UPDATE meet_recording SET updated_at = now() - make_interval(hours => $2), created_at = now() - make_interval(hours => $2) WHERE id = $1`, id, i+1)
	}
	s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options, worker_id) VALUES ($1, now(), now(), 'saved', $2, 'screen_recording', '{"language": "en"}', 'EG_board')`, film, room)
	s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id) VALUES (gen_random_uuid(), now(), now(), '', 'owner', $1, $2)`, film, ada.ID)
	s.exec(t, `INSERT INTO meetd.river_job (kind, state, args, attempt, max_attempts, queue, priority, finalized_at, errors)
		VALUES ('mail_owner', 'discarded', '{"recording":"0192"}', 17, 17, 'mail', 1, now(), ARRAY['{"at":"2026-01-01T00:00:00Z","attempt":17,"error":"mail server: connection refused","trace":""}'::jsonb])`)

	b := s.browser(t)
	b.look(1280, "light")
	// Log in: first wrongly, then to where one wanted to be.
	b.open("/admin/core/room/?q=board")
	b.at("/admin/login/")
	b.shot("login")
	b.fill("#username", "root@Admin.example.org")
	b.fill("#password", "wrong")
	b.press("button.primary")
	b.expect("Please enter the correct email and password")
	b.shot("login-wrong")
	b.fill("#password", "correct-horse-battery")
	b.press("button.primary")
	b.at("/admin/core/room/")
	b.expect("Board of directors", "1 entry")
	b.press(`nav a[href="/admin/core/room/"]`)
	b.expect("76 entries", "Weekly meeting 00")
	b.shot("rooms")
	// Search, and edit what was found.
	b.fill("#q", "directors")
	b.press(".filters button")
	b.expect("1 entry")
	b.press(`th[scope="row"] a`)
	b.at("/admin/core/room/" + room.String() + "/change/")
	b.expect("ada@example.org", "bob@example.org")
	b.shot("room")
	b.refill("#name", "Board of trustees")
	b.fill(`input[name="new-0-user"]`, "nobody@example.org")
	b.press("button.primary")
	b.expect("Please correct the error below.", "There is no user with the id, e-mail")
	b.shot("room-wrong")
	b.refill(`input[name="new-0-user"]`, root.ID.String())
	b.press(`button[name="_continue"]`)
	b.expect("“Board of trustees” was changed successfully.", "board-of-trustees", "root@example.org")
	// An action on a recording, and its deletion after a question.
	b.open("/admin/core/recording/")
	b.shot("recordings")
	b.run(chromedp.Click(chromedp.CSS(fmt.Sprintf(`input[value="%s"]`, film))), chromedp.SetValue(chromedp.CSS("#action"), "resend_notification"))
	b.press(".actions button")
	b.expect("Successfully sent notifications for 1 recording(s).")
	b.shot("recordings-done")
	b.open("/admin/core/recording/" + film.String() + "/change/")
	b.shot("recording")
	b.press(".danger")
	b.at("/admin/core/recording/" + film.String() + "/delete/")
	b.expect("Are you sure", "its files in the bucket")
	b.shot("delete")
	b.press("button.danger")
	b.at("/admin/core/recording/")
	b.expect("was deleted successfully.")
	// A group is made, its name changed, and it goes after a question.
	b.press(`nav a[href="/admin/auth/group/"]`)
	b.expect("No groups match.")
	b.press(".head a")
	b.at("/admin/auth/group/add/")
	b.fill("#name", "Hosts")
	b.run(chromedp.Click(chromedp.CSS(`input[value="core.view_room"]`)))
	b.shot("group-add")
	b.press("button.primary")
	b.expect("The group “Hosts” was added successfully.")
	b.refill("#name", " ")
	b.press("button.primary")
	b.expect("This field cannot be blank.")
	b.shot("group-wrong")
	b.refill("#name", "Reception")
	b.press(`button[name="_continue"]`)
	b.expect("“Reception” was changed successfully.")
	b.shot("group")
	b.press(`nav a[href="/admin/auth/group/"]`)
	b.expect("Reception", "1 entry")
	b.shot("groups")
	b.press(`th[scope="row"] a`)
	b.press(".danger")
	b.expect("Are you sure you want to delete this group?", "1 permission of the group")
	b.shot("group-delete")
	b.press("button.danger")
	b.at("/admin/auth/group/")
	b.expect("The group “Reception” was deleted successfully.")
	// The rest, as it looks.
	b.open("/admin/stuck-recordings/")
	b.expect("Active")
	b.shot("stuck")
	b.open("/admin/jobs/")
	b.expect("connection refused")
	b.shot("jobs")
	b.open("/admin/core/user/")
	b.shot("users")
	b.open("/admin/core/user/" + root.ID.String() + "/change/")
	b.shot("user")
	b.open("/admin/core/user/add/")
	b.shot("user-add")
	b.open("/admin/log/")
	b.expect("Board of trustees", "Changed Name")
	b.shot("log")
	b.open("/admin/")
	b.shot("index")
	b.open("/admin/core/nothing/")
	b.shot("not-found")
	for name, path := range map[string]string{
		"index": "/admin/", "rooms": "/admin/core/room/", "room": "/admin/core/room/" + room.String() + "/change/",
		"recordings": "/admin/core/recording/", "user": "/admin/core/user/" + root.ID.String() + "/change/", "jobs": "/admin/jobs/",
	} {
		b.look(1280, "dark")
		b.open(path)
		b.shot("dark-" + name)
		b.look(390, "light")
		b.open(path)
		b.shot("narrow-" + name)
	}
	b.look(1280, "light")
	b.open("/admin/")
	b.press(".who button")
	b.at("/admin/login/")
	b.open("/admin/core/user/")
	b.at("/admin/login/")
	if len(b.bad) > 0 {
		t.Errorf("the browser complained: %q", b.bad)
	}
}
