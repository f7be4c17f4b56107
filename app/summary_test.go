package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"meetd/ports"
)

// The client gets what is configured, and there is none where something lacks.
func TestNewSummary(t *testing.T) {
	t.Parallel()
	var asked, body string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(text)
		asked, body = r.URL.Path+" "+r.Header.Get("Authorization"), string(text)
		_, _ = w.Write([]byte(`{"job_id":"j"}`))
	}))
	t.Cleanup(service.Close)
	vars := []string{
		"SUMMARY_SERVICE_ENDPOINT=" + service.URL + "/api/", "SUMMARY_SERVICE_API_TOKEN=t", "SUMMARY_SERVICE_VERSION=2",
		"DJANGO_LANGUAGE_CODE=nl-nl", "TRANSCRIPTION_SATISFACTION_FORM_BASE_URL=https://form",
	}
	job, err := newSummary(loadVars(t, vars...), nil).Submit(t.Context(), ports.SummaryRequest{MetadataKey: "m"})
	if err != nil || job != "j" || asked != "/api/ Bearer t" {
		t.Errorf("job %q, %v; asked %q", job, err, asked)
	}
	for _, want := range []string{`"language":"nl"`, `"form_link":"https://form?room_id=` + uuid.Nil.String()} {
		if !strings.Contains(body, want) {
			t.Errorf("it was told %s, which lacks %s", body, want)
		}
	}
	for _, lacking := range [][]string{nil, vars[:1], vars[1:]} {
		if newSummary(loadVars(t, lacking...), nil) != nil {
			t.Errorf("%v: a client of nothing", lacking)
		}
	}
}
