package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// env makes the two functions of Load from a map of variables and a map of
// files. The file "unreadable" exists but cannot be read.
func env(vars, files map[string]string) (func(string) (string, bool), func(string) ([]byte, error)) {
	lookup := func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
	readFile := func(path string) ([]byte, error) {
		content, ok := files[path]
		switch {
		case path == "unreadable":
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
		case !ok:
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return []byte(content), nil
	}
	return lookup, readFile
}

// readOne reads one variable V with the text and returns what came of it.
func readOne[T any](t *testing.T, text string, get func(*reader) T) (T, string) {
	t.Helper()
	r := &reader{}
	r.lookup, r.readFile = env(map[string]string{"V": text}, nil)
	value := get(r)
	if len(r.settings) != 1 || r.settings[0].Name != "V" || r.settings[0].Source != SourceEnvironment {
		t.Errorf("remembered %+v, want V from the environment", r.settings)
	}
	if len(r.faults) == 0 {
		return value, ""
	}
	return value, errors.Join(r.faults...).Error()
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", " a ", "a\nb", "'quoted'"} {
		got, fault := readOne(t, text, func(r *reader) string { return r.text("V", "def") })
		if got != text || fault != "" {
			t.Errorf("%q: got %q, %q", text, got, fault)
		}
	}
}

func TestBoolean(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{
		"yes": true, "y": true, "true": true, "1": true, "True": true, "YES": true, " tRuE \n": true,
		"no": false, "n": false, "false": false, "0": false, "": false, "  ": false, "FALSE": false, "\tNo": false,
	}
	for text, want := range cases {
		got, fault := readOne(t, text, func(r *reader) bool { return r.boolean("V", !want) })
		if got != want || fault != "" {
			t.Errorf("%q: got %t, %q", text, got, fault)
		}
	}
	for _, text := range []string{"on", "off", "t", "2", "yes!", "10", "None"} {
		_, fault := readOne(t, text, func(r *reader) bool { return r.boolean("V", true) })
		if want := "V: Cannot interpret boolean value '" + text + "'; use true or false"; fault != want {
			t.Errorf("%q: fault %q, want %q", text, fault, want)
		}
	}
}

func TestIntegers(t *testing.T) {
	t.Parallel()
	const bad = math.MinInt // marks a fault
	cases := map[string]struct{ integer, unsigned int }{
		"5":                    {5, 5},
		" 42\n":                {42, 42},
		"1_000":                {1000, 1000},
		"+7":                   {7, 7},
		"007":                  {7, 7},
		"0":                    {0, 0},
		"-0":                   {0, 0},
		"-1":                   {-1, bad},
		"\u00a05\x1f":          {5, 5},
		"2147483647":           {2147483647, 2147483647},
		"2147483648":           {2147483648, bad},
		"":                     {bad, bad},
		" ":                    {bad, bad},
		"1.0":                  {bad, bad},
		"1e3":                  {bad, bad},
		"0x10":                 {bad, bad},
		"_1":                   {bad, bad},
		"1_":                   {bad, bad},
		"1__0":                 {bad, bad},
		"+ 7":                  {bad, bad},
		"--7":                  {bad, bad},
		"1 0":                  {bad, bad},
		"ten":                  {bad, bad},
		"99999999999999999999": {bad, bad},
	}
	check := func(kind, text, start string, got, want int, fault string) {
		switch {
		case want != bad && (got != want || fault != ""):
			t.Errorf("%s %q: got %d, %q, want %d", kind, text, got, fault, want)
		case want == bad && !strings.HasPrefix(fault, start):
			t.Errorf("%s %q: fault %q, want it to start with %q", kind, text, fault, start)
		}
	}
	for text, want := range cases {
		start := "V: Cannot interpret value '" + oneLine(text) + "'; use a whole number"
		got, fault := readOne(t, text, func(r *reader) int { return r.integer("V", 9) })
		check("I", text, start, got, want.integer, fault)
		opt, fault := readOne(t, text, func(r *reader) *int { return r.optionalInteger("V") })
		if opt == nil {
			opt = new(int)
		}
		check("optional I", text, start, *opt, want.integer, fault)
		got, fault = readOne(t, text, func(r *reader) int { return r.unsigned("V", 9) })
		check("U", text, start+" from 0 to 2147483647", got, want.unsigned, fault)
	}
	age, fault := readOne(t, "90", func(r *reader) time.Duration { return r.seconds("V", time.Hour) })
	if age != 90*time.Second || fault != "" {
		t.Errorf("seconds: got %v, %q", age, fault)
	}
}

func TestFloat(t *testing.T) {
	t.Parallel()
	cases := map[string]float64{
		"4": 4, " 4.5\n": 4.5, ".5": .5, "5.": 5, "1_0.2_5": 10.25, ".2_5": .25, "1e-3": .001, "-2E+2": -200, "+1": 1,
		"1_0e1_0": 10e10, "inf": math.Inf(1), "-Infinity": math.Inf(-1), "1e999": math.Inf(1), "NaN": math.NaN(),
	}
	for text, want := range cases {
		got, fault := readOne(t, text, func(r *reader) float64 { return r.float("V", 9) })
		same := got == want || math.IsNaN(got) && math.IsNaN(want)
		if !same || fault != "" {
			t.Errorf("%q: got %g, %q, want %g", text, got, fault, want)
		}
	}
	for _, text := range []string{"", ".", "1,5", "0x1p-2", "1__0", "_1", "1_.5", "1._5", "e5", "1e", "infinit", "1 2"} {
		_, fault := readOne(t, text, func(r *reader) float64 { return r.float("V", 9) })
		if want := "V: Cannot interpret value '" + text + "'; use a number"; fault != want {
			t.Errorf("%q: fault %q, want %q", text, fault, want)
		}
	}
}

func TestListAndTuples(t *testing.T) {
	t.Parallel()
	lists := map[string][]string{
		"":                  {},
		" , ,":              {},
		"a":                 {"a"},
		" a , b c,,d\n":     {"a", "b c", "d"},
		`["https://x"]`:     {`["https://x"]`},
		"a;b":               {"a;b"},
		`["x", "y"]`:        {`["x"`, `"y"]`},
		"https://x,http://": {"https://x", "http://"},
	}
	for text, want := range lists {
		got, fault := readOne(t, text, func(r *reader) []string { return r.list("V", "def") })
		if diff := cmp.Diff(want, got); diff != "" || fault != "" {
			t.Errorf("list %q: %s %s", text, diff, fault)
		}
	}
	tuples := map[string][][]string{
		"":                           nil,
		"; ;":                        nil,
		"fr,French":                  {{"fr", "French"}},
		" fr , French ; de,German; ": {{"fr", "French"}, {"de", "German"}},
		"a;b,c,,d":                   {{"a"}, {"b", "c", "d"}},
	}
	for text, want := range tuples {
		got, fault := readOne(t, text, func(r *reader) [][]string { return r.tuples("V", [][]string{{"def"}}) })
		if diff := cmp.Diff(want, got); diff != "" || fault != "" {
			t.Errorf("tuples %q: %s %s", text, diff, fault)
		}
	}
}

func TestDict(t *testing.T) {
	t.Parallel()
	def := Dict{{"def", true}}
	cases := map[string]string{
		"":                             `{}`,
		"{}":                           `{}`,
		"{'b': 1, 'a': None}":          `{"b":1,"a":null}`,
		`{"json": true}`:               `{"json":true}`,
		"{'id': 'G-1', 'on': True,}  ": `{"id":"G-1","on":true}`,
	}
	for text, want := range cases {
		got, fault := readOne(t, text, func(r *reader) Dict { return r.dict("V", def) })
		if b, err := json.Marshal(got); string(b) != want || err != nil || fault != "" {
			t.Errorf("%q: got %s, %v, %q, want %s", text, b, err, fault, want)
		}
	}
	for _, text := range []string{" ", "[]", "'text'", "{", "{'a'}", "dict()", strings.Repeat("x", 1000)} {
		_, fault := readOne(t, text, func(r *reader) Dict { return r.dict("V", def) })
		start := "V: Cannot interpret dict value " + quote(text) + "; "
		if !strings.HasPrefix(fault, start) || !strings.HasSuffix(fault, "; write it like {'key': 'value'}") {
			t.Errorf("%q: fault %q, want it to start with %q", text, fault, start)
		}
		if len(fault) > 400 {
			t.Errorf("fault of %d bytes is too long", len(fault))
		}
	}
}

func TestSecretValue(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/run/one": "s3cret\n", "/run/two": "s3cret\n\n", "/run/crlf": " s3cret \r\n", "/run/empty": ""}
	cases := []struct {
		name   string
		vars   map[string]string
		want   Secret
		source Source
		fault  string
	}{
		{"default", nil, "def", SourceDefault, ""},
		{"variable", map[string]string{"V": "plain\n"}, "plain\n", SourceEnvironment, ""},
		{"empty variable", map[string]string{"V": ""}, "", SourceEnvironment, ""},
		{"file", map[string]string{"V_FILE": "/run/one"}, "s3cret", SourceFile, ""},
		{"file wins", map[string]string{"V_FILE": "/run/one", "V": "plain"}, "s3cret", SourceFile, ""},
		{"one newline only", map[string]string{"V_FILE": "/run/two"}, "s3cret\n", SourceFile, ""},
		{"carriage return stays", map[string]string{"V_FILE": "/run/crlf"}, " s3cret \r", SourceFile, ""},
		{"empty file", map[string]string{"V_FILE": "/run/empty", "V": "plain"}, "", SourceFile, ""},
		{
			"missing file",
			map[string]string{"V_FILE": "/run/none", "V": "plain"},
			"", SourceFile,
			"V_FILE: Path '/run/none' does not exist.; create it or unset the variable",
		},
		{
			"empty path",
			map[string]string{"V_FILE": ""},
			"", SourceFile,
			"V_FILE: Path '' does not exist.; create it or unset the variable",
		},
		{
			"unreadable file",
			map[string]string{"V_FILE": "unreadable"},
			"", SourceFile,
			"V_FILE: Path 'unreadable' cannot be read: open unreadable: permission denied; make it readable or unset the variable",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := &reader{}
			r.lookup, r.readFile = env(c.vars, files)
			if got := r.secret("V", "def"); got.Reveal() != c.want.Reveal() {
				t.Errorf("got %q, want %q", got.Reveal(), c.want.Reveal())
			}
			fault := ""
			if len(r.faults) > 0 {
				fault = errors.Join(r.faults...).Error()
			}
			if fault != c.fault {
				t.Errorf("fault %q, want %q", fault, c.fault)
			}
			shown := ""
			if c.want != "" {
				shown = "***"
			}
			want := []Setting{{"V", KindSecret, "***", shown, c.source}}
			if diff := cmp.Diff(want, r.settings); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSettingsRemembered(t *testing.T) {
	t.Parallel()
	r := &reader{}
	r.lookup, r.readFile = env(map[string]string{
		"SET":   "5",
		"URL":   "redis://user:pa:ss@w0rd@host:1/0,redis://:two@host",
		"EMPTY": "",
		"FIXED": "false",
		"BAD":   "many",
	}, nil)
	r.unsigned("SET", 1)
	r.unsigned("UNSET", 2)
	r.text("URL", "http://u:p@h/")
	r.list("EMPTY", "a", "b")
	r.boolean("FIXED", false)
	r.override("true")
	r.float("BAD", 1.5)
	r.optionalInteger("OPTIONAL")
	r.tuples("TUPLES", [][]string{{"a", "b"}, {"c", "d"}})
	r.dict("DICT", Dict{{"z", "<&>"}, {"a", int64(1)}})
	r.databaseURL("DB")
	want := []Setting{
		{"SET", KindUnsigned, "1", "5", SourceEnvironment},
		{"UNSET", KindUnsigned, "2", "2", SourceDefault},
		{"URL", KindText, "http://u:***@h/", "redis://user:***@host", SourceEnvironment},
		{"EMPTY", KindList, "a,b", "", SourceEnvironment},
		{"FIXED", KindBoolean, "false", "true", SourceProfile},
		{"BAD", KindFloat, "1.5", "1.5", SourceEnvironment},
		{"OPTIONAL", KindInteger, "", "", SourceDefault},
		{"TUPLES", KindTuples, "a,b;c,d", "a,b;c,d", SourceDefault},
		{"DICT", KindDict, `{"z":"\u003c\u0026\u003e","a":1}`, `{"z":"\u003c\u0026\u003e","a":1}`, SourceDefault},
		{"DB", KindDatabaseURL, "", "", SourceDefault},
	}
	if diff := cmp.Diff(want, r.settings); diff != "" {
		t.Error(diff)
	}
	if len(r.faults) != 1 {
		t.Errorf("faults %v, want one", r.faults)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const text = "hunter2"
	s := Secret(text)
	held := struct {
		S Secret
		P *Secret
		L []Secret
		M map[string]Secret
	}{s, &s, []Secret{s}, map[string]Secret{"key": s}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10.3s", "%T %[1]v"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", held)
	}
	fmt.Fprintln(&out, fmt.Errorf("with %v", s), s.String(), s.GoString())
	for _, v := range []any{s, held} {
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("log", "secret", s, "held", held)
	}
	for _, leak := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text)} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in the output:\n%s", leak, &out)
		}
	}
	if b, err := json.Marshal([]Secret{s, ""}); string(b) != `["***",""]` || err != nil {
		t.Errorf("JSON %s, %v", b, err)
	}
	if got := fmt.Sprintf("%v|%v|%s", s, Secret(""), s.Reveal()); got != "***||hunter2" {
		t.Errorf("got %s", got)
	}
}
