package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack"
	"meetd/adapters/devstack/livekit"
	"meetd/app"
)

// demo performs the main job and returns an error if any step went wrong.
func (w *world) demo(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "meetd-demo-")
	if err != nil {
		return fmt.Errorf("throw-away folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the database's user must get through it
		return fmt.Errorf("throw-away folder: %w", err)
	}
	l, err := app.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(dir, "service.log")) //nolint:gosec // in our own folder
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer logFile.Close() //nolint:errcheck // thrown away
	w.log = logFile
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.start(ctx, l, devstack.Options{Dir: dir}); err != nil {
		return errors.Join(err, l.Close())
	}
	service, stopService := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- w.app.Run(service, l) }()
	d := &demo{world: w, ctx: ctx, base: "http://" + l.Addr().String()}
	d.play()
	stopService()
	if err := <-ran; err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w.out, "\n%d steps, %d failed\n", d.steps, d.failed)
	if d.failed > 0 {
		return fmt.Errorf("%d of %d steps failed", d.failed, d.steps)
	}
	return nil
}

type demo struct {
	*world
	ctx           context.Context //nolint:containedctx // the demo is one call
	base          string
	steps, failed int
}

// step prints what happened and counts it.
func (d *demo) step(what string, err error) bool {
	d.steps++
	mark := "ok  "
	if err != nil {
		d.failed++
		mark, what = "FAIL", what+": "+err.Error()
	}
	_, _ = fmt.Fprintf(d.out, "%s  %s\n", mark, what)
	return err == nil
}

// play is the main job: record, download, and refuse everybody else.
func (d *demo) play() {
	ada, grace, nobody := newBrowser(d.ctx), newBrowser(d.ctx), newBrowser(d.ctx)
	if !d.step("Ada logs in with the OpenID provider", ada.login(d.base, "ada")) ||
		!d.step("Grace logs in too", grace.login(d.base, "grace")) {
		return
	}
	var room struct {
		ID      string `json:"id"`
		Slug    string `json:"slug"`
		LiveKit struct{ URL, Token string }
	}
	if !d.step("Ada creates the room «Weekly meeting»",
		ada.call("POST", d.base+"/api/v1.0/rooms/", map[string]string{"name": "Weekly meeting"}, 201, &room)) {
		return
	}
	d.step("LiveKit accepts her token", nobody.call("GET",
		room.LiveKit.URL+"/rtc/validate?access_token="+url.QueryEscape(room.LiveKit.Token), nil, 200, nil))
	_, err := d.stack.LiveKit.CreateRoom(d.ctx, room.ID)
	d.step("somebody joins: the LiveKit room is open", err)

	start, stop := d.base+"/api/v1.0/rooms/"+room.ID+"/start-recording/", d.base+"/api/v1.0/rooms/"+room.ID+"/stop-recording/"
	mode := map[string]string{"mode": "screen_recording"}
	d.step("refused: Grace may not record it (403)", grace.call("POST", start, mode, 403, nil))
	d.step("refused: an anonymous visitor may not record it (401)", nobody.call("POST", start, mode, 401, nil))
	if !d.step("Ada starts a recording", ada.call("POST", start, mode, 201, nil)) {
		return
	}
	d.step("refused: a second recording of the room (409)", ada.call("POST", start, mode, 409, nil))
	id, err := d.recordingID(room.ID)
	if !d.step("the recording is active", err) {
		return
	}
	d.step("the participants are told that it runs", d.awaitMetadata(room.ID, `"recording_status":"started"`))
	file := d.base + "/media/recordings/" + id + ".mp4"
	d.step("refused: it is not saved yet (403)", ada.call("GET", file, nil, 403, nil))
	d.step("Ada stops it", ada.call("POST", stop, nil, 200, nil))
	d.step("the file lands in the store, the event marks it saved", d.await(ada, id, "saved"))

	film, _ := livekit.Media(false)
	d.step(fmt.Sprintf("Ada downloads it: %d bytes, the same as were recorded", len(film)), ada.download(file, film))
	d.step("she can seek in it (206)", ada.seek(file, film))
	d.step("refused: an anonymous visitor (401)", nobody.call("GET", file, nil, 401, nil))
	d.step("refused: Grace, who has no access (403)", grace.call("GET", file, nil, 403, nil))
	d.step("refused: another extension (400)", ada.call("GET", strings.TrimSuffix(file, "mp4")+"exe", nil, 400, nil))
	d.step("refused: the sound of a film (404)", ada.call("GET", strings.TrimSuffix(file, "mp4")+"ogg", nil, 404, nil))
	d.step("refused: a way round by dot segments (403)", ada.call("GET", d.base+"/media/x/%2e%2e/recordings/"+id+".mp4", nil, 403, nil))
	d.step("the ingress gets signed headers for Ada", d.ingress(ada, id))
	d.step("Ada's access is revoked", d.exec("DELETE FROM meet_recording_access WHERE recording_id = $1", id))
	d.step("refused: her access was revoked a moment ago (403)", ada.call("GET", file, nil, 403, nil))
	var found strings.Builder
	err = app.Doctor(d.ctx, d.conf, "", time.Minute, time.Now, &found)
	if err != nil {
		err = fmt.Errorf("%w:\n%s", err, found.String())
	}
	d.step("meetd doctor finds nothing wrong", err)
	d.step("Ada logs out", ada.logout(d.base))
	d.step("refused: she is nobody now (401)", ada.call("GET", d.base+"/api/v1.0/users/me/", nil, 401, nil))
}

// recordingID looks into the database: the API does not tell the id at the start.
func (d *demo) recordingID(room string) (id string, err error) {
	conn, err := pgx.Connect(d.ctx, d.stack.Postgres.DSN("postgres"))
	if err != nil {
		return "", fmt.Errorf("database: %w", err)
	}
	defer conn.Close(d.ctx) //nolint:errcheck // nothing was written
	err = conn.QueryRow(d.ctx, "SELECT id::text FROM meet_recording WHERE room_id = $1 AND status = 'active'", room).Scan(&id)
	return id, err
}

func (d *demo) exec(query string, args ...any) error {
	conn, err := pgx.Connect(d.ctx, d.stack.Postgres.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Close(d.ctx) //nolint:errcheck // the statement has its own answer
	_, err = conn.Exec(d.ctx, query, args...)
	return err
}

// await polls the API until the recording has a status.
func (d *demo) await(b *browser, id, status string) error {
	var got struct{ Status string }
	return d.poll(func() (bool, error) {
		err := b.call("GET", d.base+"/api/v1.0/recordings/"+id+"/", nil, 200, &got)
		return got.Status == status, err
	}, func() string { return "it is still " + got.Status })
}

// awaitMetadata looks at the LiveKit room until its metadata holds a text.
func (d *demo) awaitMetadata(room, text string) error {
	metadata := ""
	return d.poll(func() (done bool, err error) {
		metadata, err = d.stack.LiveKit.Metadata(d.ctx, room)
		return strings.Contains(metadata, text), err
	}, func() string { return "the metadata is " + metadata })
}

// poll asks until done; state says what was seen last.
func (d *demo) poll(ask func() (bool, error), state func() string) error {
	ctx, cancel := context.WithTimeout(d.ctx, 15*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New(state())
		case <-tick.C:
		}
	}
}

// ingress asks as a proxy would, and fetches the object with the answer.
func (d *demo) ingress(b *browser, id string) error {
	path := "/media/recordings/" + id + ".mp4"
	resp, _, err := b.do("GET", d.base+"/api/v1.0/recordings/media-auth/", nil, http.Header{"X-Original-Url": {path}})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Authorization") == "" {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	object := d.stack.Store.Endpoint + "/" + devstack.Bucket + "/recordings/" + id + ".mp4"
	signed := http.Header{}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256"} {
		signed.Set(name, resp.Header.Get(name))
	}
	resp, _, err = b.do("GET", object, nil, signed)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the store answered %d", resp.StatusCode)
	}
	if err != nil {
		return err
	}
	resp, _, err = b.do("GET", object, nil, nil)
	if err == nil && resp.StatusCode != http.StatusForbidden {
		err = fmt.Errorf("without them the store answered %d", resp.StatusCode)
	}
	return err
}

// browser keeps cookies and follows redirects as browsers do.
type browser struct {
	ctx    context.Context //nolint:containedctx // lives as long as the demo
	client *http.Client
}

func newBrowser(ctx context.Context) *browser {
	jar, _ := cookiejar.New(nil) // without options it does not fail
	return &browser{ctx: ctx, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

func (b *browser) do(method, address string, body any, header http.Header) (*http.Response, []byte, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, nil, fmt.Errorf("body: %w", err)
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(b.ctx, method, address, content)
	if err != nil {
		return nil, nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, c := range b.client.Jar.Cookies(req.URL) {
		if c.Name == "csrftoken" {
			req.Header.Set("X-CSRFToken", c.Value)
		}
	}
	for name, v := range header {
		req.Header[name] = v
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("request: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("answer: %w", err)
	}
	return resp, answer, nil
}

// call expects a status and reads the JSON of the answer.
func (b *browser) call(method, address string, body any, status int, into any) error {
	resp, answer, err := b.do(method, address, body, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != status {
		return fmt.Errorf("status %d, expected %d: %.300s", resp.StatusCode, status, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return nil
}

var (
	formAction = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
	formHidden = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*>`)
	attribute  = regexp.MustCompile(`(name|value)="([^"]*)"`)
)

// login follows the redirects to the provider and fills in its form.
func (b *browser) login(base, name string) error {
	resp, form, err := b.do("GET", base+"/api/v1.0/authenticate/", nil, nil)
	if err != nil {
		return err
	}
	fields := url.Values{"username": {name}, "password": {name}}
	for _, input := range formHidden.FindAllString(string(form), -1) {
		var field, value string
		for _, m := range attribute.FindAllStringSubmatch(input, -1) {
			if m[1] == "name" {
				field = m[2]
			} else {
				value = html.UnescapeString(m[2])
			}
		}
		fields.Set(field, value)
	}
	target := resp.Request.URL
	if m := formAction.FindSubmatch(form); m != nil && len(m[1]) > 0 {
		if target, err = target.Parse(html.UnescapeString(string(m[1]))); err != nil {
			return fmt.Errorf("login form: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(b.ctx, http.MethodPost, target.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err = b.client.Do(req)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	var me struct{ Email string }
	if err := json.NewDecoder(resp.Body).Decode(&me); err != nil || me.Email != name+"@example.org" {
		return fmt.Errorf("ended at %s with status %d as %q", resp.Request.URL.Path, resp.StatusCode, me.Email)
	}
	return nil
}

// logout goes to the provider and back, and ends as nobody.
func (b *browser) logout(base string) error {
	resp, _, err := b.do("GET", base+"/api/v1.0/logout", nil, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusUnauthorized || !strings.HasSuffix(resp.Request.URL.Path, "/users/me/") {
		return fmt.Errorf("ended at %s with status %d", resp.Request.URL, resp.StatusCode)
	}
	return nil
}

func (b *browser) download(address string, want []byte) error {
	resp, got, err := b.do("GET", address, nil, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Equal(got, want) {
		return fmt.Errorf("status %d, %d bytes", resp.StatusCode, len(got))
	}
	return nil
}

func (b *browser) seek(address string, whole []byte) error {
	resp, got, err := b.do("GET", address, nil, http.Header{"Range": {"bytes=100-199"}})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusPartialContent || !slices.Equal(got, whole[100:200]) {
		return fmt.Errorf("status %d, %d bytes", resp.StatusCode, len(got))
	}
	return nil
}
