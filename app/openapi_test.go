package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"meetd/adapters/http/apidocs"
)

// described is the description of the API, against which every answer is held that
// a test gets.
var described = sync.OnceValue(newDescription)

type description struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
	paths    []describedPath

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema
	seen    map[string]bool // operations and their answers
}

type describedPath struct {
	template string
	pattern  *regexp.Regexp
	literals int
}

func newDescription() *description {
	text, err := apidocs.JSON()
	if err != nil {
		panic(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	d := &description{doc: doc.(map[string]any), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{}} //nolint:forcetypeassert // an object
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("openapi.json", doc); err != nil {
		panic(err)
	}
	for template := range d.at("#/paths") {
		p := describedPath{template: template, literals: len(regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(template, ""))}
		p.pattern = regexp.MustCompile(`^` + regexp.MustCompile(`\\\{[^}]*\\\}`).ReplaceAllString(regexp.QuoteMeta(template), `[^/]+`) + `$`)
		d.paths = append(d.paths, p)
	}
	slices.SortFunc(d.paths, func(a, b describedPath) int { return b.literals - a.literals })
	return d
}

// at follows a pointer; nil when nothing is there.
func (d *description) at(pointer string) map[string]any {
	in := d.doc
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		in, _ = in[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)].(map[string]any)
	}
	if ref, ok := in["$ref"].(string); ok {
		return d.at(ref)
	}
	return in
}

// where gives the pointer of what is at a pointer, behind references.
func (d *description) where(pointer string) string {
	in := d.doc
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		in, _ = in[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)].(map[string]any)
	}
	if ref, ok := in["$ref"].(string); ok {
		return d.where(ref)
	}
	return pointer
}

// check holds an answer against the description.
func (d *description) check(method, path string, status int, header http.Header, body []byte) error {
	if strings.HasPrefix(path, "/api/v1.0/") && status != http.StatusMovedPermanently && !strings.HasSuffix(path, "/") {
		path += "/" // it was answered as if it had one
	}
	i := slices.IndexFunc(d.paths, func(p describedPath) bool { return p.pattern.MatchString(path) })
	if i < 0 {
		if strings.HasPrefix(path, "/api/v1.0/") && status < http.StatusMultipleChoices && !strings.Contains(path, "media-auth") && !regexp.MustCompile(`/(swagger|redoc)[./]`).MatchString(path) {
			return errors.New("the path is not described")
		}
		return nil
	}
	path = strings.ReplaceAll(d.paths[i].template, "/", "~1")
	op := strings.ToLower(method)
	if op == "head" && d.at("#/paths/"+path+"/head") == nil {
		op = "get"
	}
	responses := "#/paths/" + path + "/" + op + "/responses"
	if d.at(responses) == nil {
		responses = "#/x-private"
	}
	at := d.where(fmt.Sprintf("%s/%d", responses, status))
	response := d.at(at)
	if response == nil {
		return fmt.Errorf("%d is not described", status)
	}
	d.mu.Lock()
	d.seen[op+" "+d.paths[i].template+" "+fmt.Sprint(status)] = true
	d.mu.Unlock()
	for name := range d.at(at + "/headers") {
		if d.at(at + "/headers/" + name)["required"] == true && header.Get(name) == "" {
			return fmt.Errorf("it has no header %s", name)
		}
	}
	if len(body) == 0 || status == http.StatusMovedPermanently || status == http.StatusFound {
		return nil
	}
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("its type %q: %w", header.Get("Content-Type"), err)
	}
	content := at + "/content/" + strings.ReplaceAll(kind, "/", "~1")
	if d.at(content) == nil {
		if d.at(at+"/content/*~1*") != nil {
			return nil
		}
		return fmt.Errorf("a body of type %s is not described", kind)
	}
	if kind != "application/json" || d.at(content)["schema"] == nil {
		return nil
	}
	schema, err := d.schema(content + "/schema")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("its body: %w", err)
	}
	return schema.Validate(value) //nolint:wrapcheck // a test
}

func (d *description) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.schemas[pointer]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile("openapi.json" + pointer)
	if err != nil {
		return nil, err //nolint:wrapcheck // a test
	}
	d.schemas[pointer] = s
	return s, nil
}

// checking is a transport that holds every answer against the description.
type checking struct {
	t    *testing.T
	base http.RoundTripper
}

func (c checking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // it stands for another
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
	if err == nil {
		if err := described().check(r.Method, r.URL.Path, resp.StatusCode, resp.Header, body); err != nil {
			c.t.Errorf("%s %s: %d %.300s is not as openapi.yaml has it: %v", r.Method, r.URL.Path, resp.StatusCode, body, err)
		}
	}
	return resp, nil
}

// ownAnswers checks only what the program at an address answers, and not the provider.
type ownAnswers struct {
	url   string
	check checking
}

func (o ownAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.String(), o.url+"/") {
		return o.check.RoundTrip(r)
	}
	return o.check.base.RoundTrip(r) //nolint:wrapcheck // it stands for another
}

// broken says at the end how reading ended.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

// The description is complete: every route and method of the program is in it, and it
// is served where the Django backend does it.
func TestDescription(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	got := s.request(t, account{}, http.MethodGet, "/api/v1.0/swagger.json", "", nil)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(got.Body, &doc); err != nil || got.Status != http.StatusOK || doc.OpenAPI != "3.1.1" {
		t.Fatalf("%d %.200s: %v", got.Status, got.Body, err)
	}
	for _, route := range apiRoutes(t) {
		method, path, _ := strings.Cut(route, " ")
		path = "/api/v1.0" + strings.ReplaceAll(path, ":id", "{id}")
		if doc.Paths[path][strings.ToLower(method)] == nil {
			t.Errorf("%s %s is not described", method, path)
		}
	}
	for _, path := range []string{"/api/v1.0/swagger/", "/api/v1.0/redoc/"} {
		got := s.request(t, account{}, http.MethodGet, path, "", nil)
		if got.Status != http.StatusOK || !strings.Contains(string(got.Body), "<code>/api/v1.0/rooms/{id}/start-recording/</code>") ||
			!strings.HasPrefix(got.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
			t.Errorf("%s: %d %.200s", path, got.Status, got.Body)
		}
	}
	off := startService(t, map[string]string{"DJANGO_CONFIGURATION": "Base", "DJANGO_ALLOWED_HOSTS": "*"})
	on := startService(t, map[string]string{"DJANGO_CONFIGURATION": "Base", "DJANGO_ALLOWED_HOSTS": "*", "MEETD_API_DOCS": "true"})
	for _, path := range []string{"/api/v1.0/swagger.json", "/api/v1.0/swagger/", "/api/v1.0/redoc/"} {
		if got := off.request(t, account{}, http.MethodGet, path, "", nil); got.Status != http.StatusNotFound {
			t.Errorf("%s is served: %d", path, got.Status)
		}
		if got := on.request(t, account{}, http.MethodGet, path, "", nil); got.Status != http.StatusOK {
			t.Errorf("%s is not served: %d", path, got.Status)
		}
	}
}

// The check finds what is not described.
func TestDescriptionIsHeld(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path string
		status       int
		kind, body   string
		ok           bool
	}{
		{"GET", "/api/v1.0/users/me/", 401, "application/json", `{"detail":"x"}`, true},
		{"GET", "/api/v1.0/users/me/", 401, "application/json", `{"detail":1}`, false},
		{"GET", "/api/v1.0/users/me/", 418, "application/json", `{"detail":"x"}`, false},
		{"GET", "/api/v1.0/users/me/", 200, "text/plain", `x`, false},
		{"GET", "/api/v1.0/users/me/", 200, "application/json", `{"id":"46d1a121-2426-484d-8fb3-09b5d886f7a8"}`, false},
		{"GET", "/api/v1.0/users/46d1a121-2426-484d-8fb3-09b5d886f7a8/", 405, "application/json", `{"detail":"x"}`, true},
		{"GET", "/api/v1.0/elsewhere/", 200, "application/json", `{}`, false},
		{"GET", "/api/v1.0/elsewhere/", 404, "text/html", `<p>`, true},
		{"POST", "/api/v1.0/rooms/webhooks-livekit/", 200, "application/json", `{"status":"success"}`, true},
		{"POST", "/api/v1.0/rooms/webhooks-livekit/", 200, "application/json", `{"status":"success","more":1}`, false},
		{"GET", "/api/v1.0/rooms/", 200, "application/json", `{"count":0,"next":null,"previous":null,"results":[]}`, true},
		{"GET", "/api/v1.0/rooms/", 200, "application/json", `{"count":1,"next":null,"previous":null,"results":[{"id":1}]}`, false},
	} {
		header := http.Header{"Content-Type": {c.kind}, "Www-Authenticate": {"Session"}}
		if err := newDescription().check(c.method, c.path, c.status, header, []byte(c.body)); (err == nil) != c.ok {
			t.Errorf("%s %s %d %s: %v", c.method, c.path, c.status, c.body, err)
		}
	}
	if err := newDescription().check("GET", "/api/v1.0/users/me/", 401, http.Header{}, nil); err == nil {
		t.Error("a header that must be there is missed")
	}
}

// The profiles of tests describe the API, and have what can be switched on.
func TestTestProfile(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"DJANGO_CONFIGURATION": "Test", "DJANGO_ALLOWED_HOSTS": "*"})
	if got := s.request(t, account{}, http.MethodGet, "/api/v1.0/swagger.json", "", nil); got.Status != http.StatusOK {
		t.Errorf("swagger: %d", got.Status)
	}
	got := s.request(t, account{}, http.MethodGet, "/api/v1.0/config/", "", nil)
	if !strings.Contains(string(got.Body), `"connection_test_enabled":true`) {
		t.Errorf("config: %s", got.Body)
	}
}
