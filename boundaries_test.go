// Package meetd_test checks the rules that hold between the folders. The map of
// the folders is in README.md, what each is for in its doc.go.
package meetd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// impure are packages of the standard library that the domain does without.
var impure = []string{"context", "database", "embed", "encoding/json", "io", "log", "net/http", "os", "testing"}

// everyone may use these, the domain included.
var everyone = []string{"github.com/google/uuid", "golang.org/x/text/unicode/norm"}

// broken says which rule the package from breaks by importing the package to,
// and nothing if it breaks none. Packages of meetd are named by their folders,
// and test means that a file ending in _test.go does it.
func broken(from, to string, test bool) string {
	standard := !strings.Contains(to, ".") && !ours(to)
	switch {
	case strings.HasSuffix(to, "test") && ours(to) && !test && !strings.HasSuffix(from, "test"):
		return "a package whose name ends in test is for tests"
	case to == "app" && !under(from, "cmd") && (from != "app" || !test):
		return "app ties everything together: only cmd and its own tests know it"
	case under(to, "cmd"):
		return "nothing is below a program"
	case test:
		return ""
	case under(from, "domain"):
		if standard && !under(to, impure...) || slices.Contains(everyone, to) || under(to, "domain") {
			return ""
		}
		return "the domain is pure"
	case from == "ports":
		if standard || slices.Contains(everyone, to) || under(to, "domain") {
			return ""
		}
		return "ports name what the use cases need, in words of the domain"
	case under(from, "app") && from != "app":
		if standard || slices.Contains(everyone, to) || under(to, "domain", "ports", from) {
			return ""
		}
		return "a use case knows the domain and the ports, and neither a technology nor its neighbors"
	case under(from, "adapters") && under(to, "app"):
		if under(from, "adapters/http", "adapters/jobs") {
			return ""
		}
		return "only the adapters that drive the use cases know them"
	case under(from, "adapters/devstack"):
		if !under(to, "adapters") || under(to, "adapters/devstack") || from == "adapters/devstack/pgtest" && to == "adapters/postgres" {
			return ""
		}
		return "the development servers do not know the adapters that talk to them"
	case under(from, "adapters"):
		own := strings.Join(strings.SplitN(from, "/", 3)[:2], "/")
		if !under(to, "adapters") || under(to, own) {
			return ""
		}
		return "an adapter knows no other adapter"
	case under(to, "adapters/devstack") && !under(from, "cmd/meetd-dev", "cmd/meetd-bench"):
		return "the development servers are for development"
	}
	return ""
}

// under tells whether the package is one of the folders or inside one.
func under(pkg string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return pkg == f || strings.HasPrefix(pkg, f+"/") })
}

func ours(pkg string) bool {
	return under(pkg, "domain", "ports", "app", "adapters", "cmd", "deploy", "sql")
}

func TestRulesAreBroken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		test     bool
		want     bool
	}{
		{"domain/room", "strings", false, false},
		{"domain/room", "github.com/google/uuid", false, false},
		{"domain/room", "domain/access", false, false},
		{"domain/room", "context", false, true},
		{"domain/room", "log/slog", false, true},
		{"domain/room", "database/sql/driver", false, true},
		{"domain/room", "net/http/httptest", true, false},
		{"domain/room", "ports", false, true},
		{"domain/room", "github.com/jackc/pgx/v5", false, true},
		{"ports", "context", false, false},
		{"ports", "app/rooms", false, true},
		{"ports", "github.com/labstack/echo/v4", false, true},
		{"app/rooms", "ports", false, false},
		{"app/rooms", "log/slog", false, false},
		{"app/rooms", "app/recordings", false, true},
		{"app/rooms", "adapters/token", false, true},
		{"app/rooms", "adapters/token", true, false},
		{"app/rooms", "github.com/livekit/protocol/livekit", false, true},
		{"app", "adapters/postgres", false, false},
		{"app", "adapters/devstack/op", false, true},
		{"app", "adapters/devstack/op", true, false},
		{"app", "app", true, false},
		{"app", "cmd/meetd", false, true},
		{"app/rooms", "app", true, true},
		{"adapters/http", "app", false, true},
		{"adapters/http", "app/rooms", false, false},
		{"adapters/jobs", "app/recordings", false, false},
		{"adapters/s3", "app/recordings", false, true},
		{"adapters/s3", "adapters/livekit", false, true},
		{"adapters/s3", "adapters/devstack/store", false, true},
		{"adapters/s3", "adapters/devstack/store", true, false},
		{"adapters/postgres", "adapters/postgres/internal/db", false, false},
		{"adapters/devstack/livekit", "adapters/devstack/programs", false, false},
		{"adapters/devstack/livekit", "adapters/livekit", false, true},
		{"adapters/devstack/pgtest", "adapters/postgres", false, false},
		{"adapters/devstack/pg", "adapters/devstack/pgtest", false, true},
		{"adapters/devstack/pg", "adapters/devstack/pgtest", true, false},
		{"cmd/meetd", "app", false, false},
		{"cmd/meetd", "adapters/devstack", false, true},
		{"cmd/meetd-dev", "adapters/devstack", false, false},
	} {
		if got := broken(c.from, c.to, c.test); (got != "") != c.want {
			t.Errorf("%s imports %s (test %t): %q, want a broken rule: %t", c.from, c.to, c.test, got, c.want)
		}
	}
}

func TestImports(t *testing.T) {
	t.Parallel()
	for name, f := range parse(t) {
		from, test := path.Dir(name), strings.HasSuffix(name, "_test.go")
		for _, i := range f.Imports {
			to := strings.TrimPrefix(unquote(t, i.Path), "meetd/")
			if rule := broken(from, to, test); rule != "" {
				t.Errorf("%s imports %s: %s", name, to, rule)
			}
		}
	}
}

// TestProgramIsLean looks at what is linked into the service itself.
func TestProgramIsLean(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/meetd").Output()
	if err != nil {
		t.Fatalf("list the dependencies of cmd/meetd: %v", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "meetd/app") {
		t.Fatalf("cmd/meetd has no app among its %d dependencies", len(deps))
	}
	for _, dep := range deps {
		if under(dep, "testing", "meetd/adapters/devstack", "github.com/alicebob/miniredis", "github.com/fergusstrange",
			"github.com/gofiber", "github.com/moby", "github.com/testcontainers", "github.com/versity") {
			t.Errorf("cmd/meetd is linked with %s, which is for development and tests", dep)
		}
	}
}

func TestEveryPackageIsExplained(t *testing.T) {
	t.Parallel()
	files := map[string][]string{}
	explained := map[string]bool{}
	for name, f := range parse(t) {
		if ast.IsGenerated(f) || strings.HasSuffix(name, "_test.go") {
			continue
		}
		dir := path.Dir(name)
		files[dir] = append(files[dir], name)
		explained[dir] = explained[dir] || f.Doc != nil && path.Base(name) == "doc.go"
	}
	for dir, names := range files {
		if !explained[dir] && len(names) > 1 {
			t.Errorf("%s has no doc.go that says what the package is for", dir)
		}
	}
}

var statement = regexp.MustCompile(`(?s)\bSELECT\b.+\bFROM\b|\bINSERT INTO\b|\bUPDATE\b.+\bSET\b|\bDELETE FROM\b`)

func TestQueriesAreInTheirPlace(t *testing.T) {
	t.Parallel()
	for name, f := range parse(t) {
		if strings.HasSuffix(name, "_test.go") || under(name, "adapters/postgres", "cmd/meetd-dev", "cmd/meetd-bench") {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && statement.MatchString(unquote(t, l)) {
				t.Errorf("%s has an SQL statement, which belongs to sql/queries: %s", name, l.Value)
			}
			return true
		})
	}
	for _, s := range []string{"SELECT 1\nFROM room", "INSERT INTO room VALUES (1)", "UPDATE room\nSET a = 1", "DELETE FROM room"} {
		if !statement.MatchString(s) {
			t.Errorf("%q is not seen as SQL", s)
		}
	}
}

// parse reads every Go file of this module, whatever its build tags. That this
// process reads them itself keeps an old result of this test from being reused.
func parse(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || err == nil {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) == ".go" {
			files[filepath.ToSlash(name)], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("read the %d Go files of this module: %v", len(files), err)
	}
	return files
}

func unquote(t *testing.T, l *ast.BasicLit) string {
	t.Helper()
	s, err := strconv.Unquote(l.Value)
	if err != nil {
		t.Fatalf("%s: %v", l.Value, err)
	}
	return s
}
