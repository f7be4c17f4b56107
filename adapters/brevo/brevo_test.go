package brevo

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"meetd/domain/fault"
)

// api stands in for Brevo.
func api(t *testing.T, answer http.HandlerFunc) (*httptest.Server, Config) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s, Config{URL: s.URL + "/v3", Key: "secret-key", Lists: []int64{3, 12}, Timeout: 10 * time.Second}
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	var got, body string
	_, c := api(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = strings.Join([]string{r.Method, r.URL.String(), r.Header.Get("Api-Key"), r.Header.Get("Content-Type"), r.Header.Get("Accept")}, " ")
		body = string(b)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id": 7}`))
	})
	for _, attributes := range []map[string]any{
		{"VISIO_USER": true, "N": 1, "VISIO_SOURCE": "ELSEWHERE"},
		nil,
	} {
		c.Attributes = attributes
		if err := New(c).SignUp(t.Context(), `ada+"x@example.org`); err != nil {
			t.Fatal(err)
		}
		own := ""
		if attributes != nil {
			own = `"N":1,"VISIO_SOURCE":["SIGNIN"],"VISIO_USER":true`
		} else {
			own = `"VISIO_SOURCE":["SIGNIN"]`
		}
		want := `{"email":"ada+\"x@example.org","attributes":{` + own + `},"listIds":[3,12],"updateEnabled":true}`
		if diff := cmp.Diff(want, body); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		if want := "POST /v3/contacts secret-key application/json application/json"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if attributes != nil && attributes["VISIO_SOURCE"] != "ELSEWHERE" {
			t.Error("the configuration was changed")
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		kind   fault.Kind
		says   string
	}{
		{200, "", "", ""},
		{201, `{"id": 1}`, "", ""},
		{204, "", "", ""},
		{201, "not json", "", ""},
		{302, "", fault.Invalid, "302"},
		{400, `{"code": "invalid_parameter", "message": "ada@example.org is not valid"}`, fault.Invalid, "400 (invalid_parameter)"},
		{400, `{"code": "ada@example.org"}`, fault.Invalid, "400 without a reason"},
		{403, "", fault.Upstream, "403 without a reason"},
		{401, `{"code": "unauthorized"}`, fault.Upstream, "401 (unauthorized)"},
		{404, "<html>", fault.Invalid, "404 without a reason"},
		{408, "", fault.Upstream, "408"},
		{429, `{"code": "too_many_requests"}`, fault.Upstream, "429 (too_many_requests)"},
		{500, "ada@example.org", fault.Upstream, "500 without a reason"},
		{503, strings.Repeat(" ", maxAnswer) + `{"code": "late"}`, fault.Upstream, "503 without a reason"},
	} {
		asked := 0
		_, conf := api(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			if c.status == http.StatusFound {
				w.Header().Set("Location", r.URL.Path)
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		})
		err := New(conf).SignUp(t.Context(), "ada@example.org")
		if asked != 1 {
			t.Errorf("%d: asked %d times", c.status, asked)
		}
		if c.kind == "" {
			if err != nil {
				t.Errorf("%d %q: %v", c.status, c.body, err)
			}
			continue
		}
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), "Failed to create contact in Brevo: it answers "+c.says) {
			t.Errorf("%d %q: %v", c.status, c.body, err)
		}
		if strings.Contains(err.Error(), "ada@") || strings.Contains(err.Error(), "secret-key") {
			t.Errorf("it tells too much: %v", err)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s, c := api(t, func(http.ResponseWriter, *http.Request) { <-release })
	c.Timeout = 20 * time.Millisecond
	if err := New(c).SignUp(t.Context(), "ada@example.org"); !errors.Is(err, fault.Upstream) || !strings.Contains(err.Error(), "Failed to create contact in Brevo") {
		t.Errorf("hanging: %v", err)
	}
	close(release)
	s.Close()
	if err := New(c).SignUp(t.Context(), "ada@example.org"); !errors.Is(err, fault.Upstream) || strings.Contains(err.Error(), "ada@") {
		t.Errorf("refused: %v", err)
	}
}
