package app

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// documents reads the YAML documents of a file.
func documents(t *testing.T, path ...string) []map[string]any {
	t.Helper()
	f, err := os.Open(filepath.Join(append([]string{".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	var out []map[string]any
	for d := yaml.NewDecoder(f); ; {
		var doc map[string]any
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, doc)
	}
}

// at follows keys and indexes into a document.
func at(t *testing.T, in any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := in.(map[string]any)
			if !ok || m[step] == nil {
				t.Fatalf("there is no %v in %v", step, in)
			}
			in = m[step]
		case int:
			in = in.([]any)[step] //nolint:forcetypeassert // the test says so
		}
	}
	return in
}

// wantRead checks that the variables are some that meetd reads, and can be used.
func wantRead(t *testing.T, vars map[string]any) {
	t.Helper()
	var list []string
	for name, value := range vars {
		text, ok := value.(string)
		if !ok {
			t.Errorf("%s is no text: quote it", name)
		}
		list = append(list, name+"="+text)
	}
	slices.Sort(list)
	c := loadVars(t, list...)
	for _, v := range list {
		name, _, _ := strings.Cut(v, "=")
		if !slices.ContainsFunc(c.Table(), func(s Setting) bool { return s.Name == name && s.Source != SourceDefault }) {
			t.Errorf("%s is not read", name)
		}
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
}

// The variables in the examples are some that meetd reads, and it starts with them.
func TestCompose(t *testing.T) {
	t.Parallel()
	compose := documents(t, "compose.yaml")[0]
	wantRead(t, at(t, compose, "x-meetd", "environment").(map[string]any)) //nolint:forcetypeassert // the test says so
	dex := documents(t, "deploy", "compose", "dex.yaml")[0]
	env := at(t, compose, "x-meetd", "environment")
	for name, want := range map[string]any{
		"OIDC_OP_URL": at(t, dex, "issuer"), "OIDC_RP_CLIENT_ID": at(t, dex, "staticClients", 0, "id"),
		"OIDC_RP_CLIENT_SECRET": at(t, dex, "staticClients", 0, "secret"),
	} {
		if got := at(t, env, name); got != want {
			t.Errorf("%s is %v, but the provider has %v", name, got, want)
		}
	}
	for _, service := range []string{"nginx", "dex", "postgres", "minio", "redis", "livekit", "egress"} {
		if image, _ := at(t, compose, "services", service, "image").(string); !regexp.MustCompile(`^[a-z./-]+:v?[\w.-]*\d[\w.-]*$`).MatchString(image) || strings.HasSuffix(image, "latest") {
			t.Errorf("%s runs %q, which is no fixed version", service, image)
		}
	}
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	vars := map[string]any{}
	for _, doc := range documents(t, "deploy", "kubernetes", "meetd.yaml") {
		kind := at(t, doc, "kind")
		if at(t, doc, "metadata", "name") == "" || at(t, doc, "apiVersion") == "" {
			t.Errorf("%v has no name or version", kind)
		}
		switch kind {
		case "ConfigMap", "Secret":
			key := map[any]string{"ConfigMap": "data", "Secret": "stringData"}[kind]
			for name, value := range at(t, doc, key).(map[string]any) { //nolint:forcetypeassert // the test says so
				vars[name] = value
			}
		case "Job", "Deployment":
			pod := at(t, doc, "spec", "template", "spec")
			container := at(t, pod, "containers", 0)
			if at(t, pod, "securityContext", "runAsNonRoot") != true || at(t, pod, "securityContext", "runAsUser") != 65532 ||
				at(t, container, "securityContext", "readOnlyRootFilesystem") != true {
				t.Errorf("%v has too many rights", kind)
			}
			if args := at(t, container, "args", 0); args != "migrate" && args != "serve" {
				t.Errorf("%v runs %v", kind, args)
			}
			if kind == "Job" {
				continue
			}
			for probe, want := range map[string]string{"startupProbe": "/__lbheartbeat__", "livenessProbe": "/__lbheartbeat__", "readinessProbe": "/__heartbeat__"} {
				if got := at(t, container, probe, "httpGet", "path"); got != want {
					t.Errorf("%s asks %v", probe, got)
				}
			}
			if seconds, _ := at(t, pod, "terminationGracePeriodSeconds").(int); float64(seconds) <= 2*grace.Seconds() {
				t.Errorf("%d seconds to stop are too few", seconds)
			}
		}
	}
	wantRead(t, vars)
}
