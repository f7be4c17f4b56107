package summary

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/ports"
)

// service stands in for the summary service.
func service(t *testing.T, version int, answer http.HandlerFunc) Config {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return Config{Version: version, URL: s.URL + "/api/v2/async-jobs/transcribe/", Token: "sesame", Language: "de-de", Timeout: 10 * time.Second}
}

// recorded is a request in which every member has a value of its own.
func recorded() ports.SummaryRequest {
	return ports.SummaryRequest{
		Recording: uuid.MustParse("46d1a121-2426-484d-8fb3-09b5d886f7a8"), Since: time.Date(2026, 1, 16, 0, 20, 0, 123456000, time.UTC), Key: "recordings/46d1.ogg", URL: "http://minio:9000/b/recordings/46d1.ogg?X=1&Y=2",
		MetadataKey: "metadata/46d1-metadata.json", MetadataURL: "http://minio:9000/b/metadata/46d1-metadata.json?X=1&Y=3",
		Owner: ports.SummaryOwner{
			ID: uuid.MustParse("29f8c257-fdfb-430c-9579-081bb3dc6e8b"), Sub: "sub-1", Email: "ada@example.org", Language: "fr-fr", Timezone: "Europe/Paris",
		},
		RoomID: uuid.MustParse("0f3b7a52-9a3e-4b8e-8d3f-6f9b1c2d3e4f"), RoomName: `Été "2026" <b> %s`, Language: "fr",
		DownloadLink: "https://meet.example.org/recording/46d1?a=1&b=2",
		StartedAt:    time.Date(2026, 1, 15, 23, 30, 0, 0, time.UTC), EndedAt: time.Date(2026, 1, 16, 0, 15, 7, 123456789, time.UTC), WantsSummary: true,
	}
}

// unknown is a request of which only what always is known is known.
func unknown() ports.SummaryRequest {
	r := recorded()
	r.MetadataKey, r.MetadataURL, r.Language, r.StartedAt, r.EndedAt, r.WantsSummary = "", "", "", time.Time{}, time.Time{}, false
	r.Owner.Sub, r.Owner.Email, r.Owner.Language = "", "", ""
	return r
}

func TestBodies(t *testing.T) {
	t.Parallel()
	const title = `Réunion \"Été \"2026\" <b> %s\" du 2026-01-16 à 00:30`
	noEnd, noFile := recorded(), recorded()
	noEnd.EndedAt = time.Time{}
	noFile.MetadataKey = ""
	v2 := func(formLink, metadata string) string {
		return `{"user_sub":"sub-1","user_email":"ada@example.org","cloud_storage_url":"http://minio:9000/b/recordings/46d1.ogg?X=1&Y=2",` +
			`"language":"fr","context_language":"fr-fr","push_to_docs_config":{"user_email":"ada@example.org","title":"` + title + `",` +
			`"download_link":"https://meet.example.org/recording/46d1?a=1&b=2","form_link":` + formLink + `,"auto_create_summary":true},"metadata":` + metadata + `}`
	}
	const form = `"https://form?room_id=0f3b7a52-9a3e-4b8e-8d3f-6f9b1c2d3e4f"`
	for name, c := range map[string]struct {
		version int
		form    string
		request ports.SummaryRequest
		want    string
	}{
		"version 1": {
			1, "https://form", recorded(),
			`{"owner_id":"29f8c257-fdfb-430c-9579-081bb3dc6e8b","recording_filename":"recordings/46d1.ogg","metadata_filename":"metadata/46d1-metadata.json",` +
				`"email":"ada@example.org","sub":"sub-1","room":"Été \"2026\" <b> %s","language":"fr","owner_timezone":"Europe/Paris",` +
				`"download_link":"https://meet.example.org/recording/46d1?a=1&b=2","context_language":"fr-fr",` +
				`"recording_start_at":"2026-01-15T23:30:00+00:00","recording_end_at":"2026-01-16T00:15:07.123456+00:00"}`,
		},
		"version 1, nothing known": {
			1, "", unknown(),
			`{"owner_id":"29f8c257-fdfb-430c-9579-081bb3dc6e8b","recording_filename":"recordings/46d1.ogg","metadata_filename":null,` +
				`"email":null,"sub":null,"room":"Été \"2026\" <b> %s","language":null,"owner_timezone":"Europe/Paris",` +
				`"download_link":"https://meet.example.org/recording/46d1?a=1&b=2","context_language":null,"recording_start_at":null,"recording_end_at":null}`,
		},
		"version 2": {2, "https://form", recorded(), v2(form,
			`{"cloud_storage_url":"http://minio:9000/b/metadata/46d1-metadata.json?X=1&Y=3","started_at":"2026-01-15T23:30:00+00:00","ended_at":"2026-01-16T00:15:07.123456+00:00"}`)},
		"version 2, no form":  {2, "", noEnd, v2("null", "null")},
		"version 2, no end":   {2, "https://form", noEnd, v2(form, "null")},
		"version 2, no file":  {2, "https://form", noFile, v2("null", "null")},
		"version 2, no start": {2, "", unknown(), `{"user_sub":null,"user_email":null,"cloud_storage_url":"http://minio:9000/b/recordings/46d1.ogg?X=1&Y=2","language":"de","context_language":null,"push_to_docs_config":{"user_email":null,"title":"Transcription","download_link":"https://meet.example.org/recording/46d1?a=1&b=2","form_link":null,"auto_create_summary":false},"metadata":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked, body string
			conf := service(t, c.version, func(w http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				h := r.Header
				asked, body = strings.Join([]string{r.Method, r.URL.String(), h.Get("Authorization"), h.Get("Content-Type"), h.Get("Idempotency-Key")}, " "), string(b)
				_, _ = io.WriteString(w, `{"job_id":"job-1","type":"transcript","status":"pending"}`)
			})
			conf.FormURL = c.form
			job, err := New(conf).Submit(t.Context(), c.request)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[int]string{1: "", 2: "job-1"}[c.version]; job != want {
				t.Errorf("job %q, want %q", job, want)
			}
			if diff := cmp.Diff(c.want, body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if !json.Valid([]byte(body)) {
				t.Errorf("no JSON: %s", body)
			}
			if want := "POST /api/v2/async-jobs/transcribe/ Bearer sesame application/json 46d1a121-2426-484d-8fb3-09b5d886f7a8-1768522800123456"; asked != want {
				t.Errorf("%s, want %s", asked, want)
			}
		})
	}
}

func TestTitles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ language, zone, plain, dated string }{
		{"en-us", "America/Phoenix", "Transcription", `Meeting "R" on 2026-01-15 at 16:30`},
		{"fr-fr", "Europe/Paris", "Transcription", `Réunion "R" du 2026-01-16 à 00:30`},
		{"nl-nl", "Europe/Amsterdam", "Transcriptie", `Vergadering "R" op 2026-01-16 om 00:30`},
		{"DE", "UTC", "Transkription", `Besprechung "R" am 2026-01-15 um 23:30`},
		{"it-it", "No/Where", "Transcription", `Meeting "R" on 2026-01-15 at 23:30`},
		{"", "", "Transcription", `Meeting "R" on 2026-01-15 at 23:30`},
	} {
		r := recorded()
		r.RoomName, r.Owner.Language, r.Owner.Timezone = "R", c.language, c.zone
		if got := title(r); got != c.dated {
			t.Errorf("%s, %s: %q, want %q", c.language, c.zone, got, c.dated)
		}
		r.StartedAt = time.Time{}
		if got := title(r); got != c.plain {
			t.Errorf("%s without a time: %q, want %q", c.language, got, c.plain)
		}
	}
}

// A choice is passed on as it is; else the language of the service is taken,
// without its region.
func TestLanguage(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{{"en-us", "fr-fr", "en-us"}, {"", "EN-us", "en"}, {"", "nl", "nl"}} {
		r := recorded()
		r.Language = c[0]
		if got := (Config{Language: c[1]}).v2(r).Language; got != c[2] {
			t.Errorf("asked for %q, default %s: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		version, status int
		body            string
		job             string
		kind            fault.Kind
		says            string
	}{
		{1, 200, "anything", "", "", ""},
		{1, 204, "", "", "", ""},
		{1, 500, "", "", fault.Upstream, "500"},
		{2, 200, `{"job_id":"j"}`, "j", "", ""},
		{2, 202, ` {"job_id":"é"} `, "é", "", ""},
		{2, 200, `{"job_id":"` + long[:255] + `"}`, long[:255], "", ""},
		{2, 200, `{"job_id":"` + long + `"}`, "", fault.Invalid, "job_id"},
		{2, 200, `{"job_id":"a\u0000"}`, "", fault.Invalid, "job_id"},
		{2, 200, `{"job_id":""}`, "", fault.Invalid, "job_id"},
		{2, 200, `{"job_id":7}`, "", fault.Invalid, "job_id"},
		{2, 200, `{"job_id":null}`, "", fault.Invalid, "job_id"},
		{2, 200, `{"id":"j"}`, "", fault.Invalid, "job_id"},
		{2, 200, `["job_id"]`, "", fault.Invalid, "job_id"},
		{2, 200, `null`, "", fault.Invalid, "job_id"},
		{2, 200, ``, "", fault.Upstream, "no JSON"},
		{2, 204, ``, "", fault.Upstream, "no JSON"},
		{2, 200, `<html>`, "", fault.Upstream, "no JSON"},
		{2, 200, `{"job_id":"j"` + strings.Repeat(" ", maxAnswer-len(`{"job_id":"j"}`)) + `}`, "j", "", ""},
		{2, 200, `{"job_id":"j"` + strings.Repeat(" ", maxAnswer) + `}`, "", fault.Invalid, "longer than 1048576 bytes"},
		{2, 200, `{"job_id":"j","x":"` + strings.Repeat("x", 200_000) + `"}`, "j", "", ""},
		{2, 500, strings.Repeat("x", 2*maxAnswer), "", fault.Upstream, "500"},
		{2, 400, `{"job_id":"j"}`, "", fault.Invalid, "400"},
		{2, 401, `ada@example.org sesame`, "", fault.Upstream, "401"},
		{2, 403, ``, "", fault.Upstream, "403"},
		{2, 404, ``, "", fault.Upstream, "404"},
		{2, 413, ``, "", fault.Invalid, "413"},
		{2, 422, ``, "", fault.Invalid, "422"},
		{2, 408, ``, "", fault.Upstream, "408"},
		{2, 425, ``, "", fault.Upstream, "425"},
		{2, 429, ``, "", fault.Upstream, "429"},
		{2, 302, ``, "", fault.Upstream, "302"},
		{2, 500, ``, "", fault.Upstream, "500"},
		{2, 503, `{"job_id":"j"}`, "", fault.Upstream, "503"},
	} {
		conf := service(t, c.version, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		job, err := New(conf).Submit(t.Context(), recorded())
		if job != c.job || (c.kind == "") != (err == nil) || err != nil && (!errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("version %d, %d %.40q: %q, %v; want %q, %v %s", c.version, c.status, c.body, job, err, c.job, c.kind, c.says)
		}
		discreet(t, err)
	}
}

// discreet looks for what must not be in an error.
func discreet(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range []string{"sesame", "ada@", "http://", "https://", "/api", "X=1", "hunter2"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error holds %s: %v", secret, err)
		}
	}
}

// Neither the token nor the links go anywhere else.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was followed") }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 307, 308} {
		conf := service(t, 2, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) })
		if _, err := New(conf).Submit(t.Context(), recorded()); !errors.Is(err, fault.Upstream) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestOutOfReach(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for url, want := range map[string]fault.Kind{
		gone.URL + "/api?sesame":           fault.Upstream,
		"http://u:hunter2@127.0.0.1:1/api": fault.Upstream,
		"http://u:hunter2@h\x7f/api":       fault.Invalid,
		"http://u:hunter2@h:port/api":      fault.Invalid,
	} {
		_, err := New(Config{Version: 2, URL: url, Token: "sesame", Timeout: time.Second}).Submit(t.Context(), recorded())
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
		discreet(t, err)
	}
	conf := Config{Version: 2, URL: gone.URL, Token: "sesame\n", Timeout: time.Second}
	_, err := New(conf).Submit(t.Context(), recorded())
	if !errors.Is(err, fault.Upstream) {
		t.Errorf("a token with a line break: %v", err)
	}
	discreet(t, err)
}

// A service that says nothing is left after its time, and one that stops in the
// middle of its answer is tried again.
func TestSilence(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	conf := service(t, 2, func(http.ResponseWriter, *http.Request) { <-done })
	t.Cleanup(func() { close(done) })
	conf.Timeout = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := New(conf).Submit(ctx, recorded())
	if !errors.Is(err, fault.Upstream) || ctx.Err() != nil {
		t.Errorf("%v, %v", err, ctx.Err())
	}
	discreet(t, err)
	conf = service(t, 2, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"job_id":"j"}`)
	})
	if job, err := New(conf).Submit(t.Context(), recorded()); job != "" || !errors.Is(err, fault.Upstream) {
		t.Errorf("half an answer: %q, %v", job, err)
	}
}
