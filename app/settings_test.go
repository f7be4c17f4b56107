package app

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// Every variable that is read is explained, once; what is explained is read.
func TestSettingsAreExplained(t *testing.T) {
	t.Parallel()
	read := map[string]bool{}
	for _, s := range loadVars(t).Table() {
		read[s.Name] = true
	}
	seen := map[string]bool{}
	sections := settingsSections()
	if last := sections[len(sections)-1].title; last != withoutEffect {
		t.Fatalf("the last section is %s", last)
	}
	for _, s := range sections {
		for _, e := range s.entries {
			if seen[e.Name] {
				t.Errorf("%s is explained twice", e.Name)
			}
			seen[e.Name] = true
			if want := s.title != withoutEffect; read[e.Name] != want {
				t.Errorf("%s is explained under %q; it is read: %v", e.Name, s.title, read[e.Name])
			}
			if e.Value == "" {
				t.Errorf("%s has no explanation", e.Name)
			}
		}
	}
	for name := range read {
		if !seen[name] {
			t.Errorf("%s is not explained in settings.txt", name)
		}
	}
}

// Every variable of the Django backend is read, with its type and its default, or
// is known to have no effect.
func TestSettingsOfDjango(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile(filepath.Join("..", "testdata", "contract", "settings.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string][]Kind{
		"S": {KindText}, "B": {KindBoolean}, "I": {KindInteger}, "U": {KindUnsigned}, "F": {KindFloat}, "L": {KindList},
		"T": {KindTuples}, "D": {KindDict}, "X": {KindSecret}, "URL": {KindDatabaseURL},
	}
	// What is stricter here, or written in another way.
	otherKind := map[string]Kind{"AWS_S3_UPLOAD_POLICY_EXPIRATION": KindUnsigned, "FRONTEND_IDLE_DISCONNECT_WARNING_DELAY": KindInteger, "DJANGO_SENTRY_DSN": KindSecret}
	otherDefault := map[string]string{"DJANGO_EMAIL_PORT": "0"}
	settings := loadVars(t, "DJANGO_CONFIGURATION=Base").Table()
	lines := 0
	for line := range strings.Lines(string(contract)) {
		lines++
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		name, kind, def := f[0], f[1], f[2]
		i := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })
		if i < 0 {
			if !slices.ContainsFunc(inert(), func(p Param) bool { return p.Name == name }) {
				t.Errorf("%s is not read, and not known to have no effect", name)
			}
			continue
		}
		s := settings[i]
		if want, ok := otherKind[name]; !slices.Contains(kinds[kind], s.Kind) && !(ok && s.Kind == want) {
			t.Errorf("%s is read as %s, not as %s", name, s.Kind, kind)
		}
		if name == "DJANGO_LANGUAGES" || kind == "D" || name == "DJANGO_SECRET_KEY" {
			continue // written in other ways; other tests look at them
		}
		if want := cmp.Or(otherDefault[name], plainDefault(def)); s.Kind == KindSecret && s.Default != Secret(want).String() || s.Kind != KindSecret && s.Default != want {
			t.Errorf("%s has the default %q, not %q", name, s.Default, want)
		}
	}
	if lines < 200 {
		t.Errorf("only %d variables", lines)
	}
}

// plainDefault writes a default of the contract as the variable would be.
func plainDefault(text string) string {
	text = strings.Trim(text, "'")
	switch text {
	case "—", "[]", "{}":
		return ""
	case "True", "False":
		return strings.ToLower(text)
	case "4.0":
		return "4"
	}
	if list, ok := strings.CutPrefix(text, "["); ok {
		return strings.NewReplacer("'", "", "]", "", ", ", ",").Replace(list)
	}
	return text
}

func TestSettingsDocs(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	if err := loadVars(t, "DJANGO_CONFIGURATION=Base").WriteDocs(&got); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join("..", "docs", "settings.md")
	if *update {
		if err := os.WriteFile(page, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("docs/settings.md is not what meetd config --docs writes: %s", diff)
	}
}

func TestUnread(t *testing.T) {
	t.Parallel()
	got := loadVars(t, "REDIS_URL=redis://:pw@r", "CELERY_BROKER_URL=x", "SENTRY_DSN=y", "DATA_DIR=/d", "USER=me").Unread
	want := []string{
		"REDIS_URL has no effect: everything is in PostgreSQL",
		"CELERY_BROKER_URL has no effect: jobs are in PostgreSQL, and always on",
		"SENTRY_DSN has no effect: nothing reads it; DJANGO_SENTRY_DSN is meant",
		"DATA_DIR has no effect: nothing reads it",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
