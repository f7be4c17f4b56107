package meetd_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Nothing comes in unseen: every module that go.mod names is in docs/dependencies.md,
// those that the program links are called so, and may be passed on.
func TestDependencies(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (program|development) \\| .+ \\|$").FindAllStringSubmatch(string(page), -1) {
		listed[row[1]] = row[2]
	}
	direct := map[string]bool{}
	_, required, _ := strings.Cut(string(mod), "\nrequire (") // and not what is excluded
	for _, row := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(required, -1) {
		direct[row[1]] = true
	}
	if len(direct) < 20 {
		t.Fatalf("go.mod is read as %v", direct)
	}
	if a, b := slices.Sorted(maps.Keys(direct)), slices.Sorted(maps.Keys(listed)); !slices.Equal(a, b) {
		t.Errorf("go.mod has\n%s\ndocs/dependencies.md has\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	linked := map[string]bool{}
	for line := range strings.Lines(modulesOf(t, "./cmd/meetd")) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		if path == "" || path == "meetd" {
			continue
		}
		linked[path] = true
		if kind := licence(t, dir); kind == "" {
			t.Errorf("%s has no licence that is known to be fine", path)
		}
	}
	for path := range direct {
		if listed[path] == "program" && !linked[path] { // the others may be linked by way of these
			t.Errorf("%s is not linked into the program", path)
		}
	}
}

func modulesOf(t *testing.T, program string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Dir}}{{end}}", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// licence names the licence in a folder; empty: none that is known.
func licence(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !regexp.MustCompile(`(?i)^((un)?licen[sc]e|copying)`).MatchString(f.Name()) || f.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		flat := strings.Join(strings.Fields(string(text)), " ")
		for _, l := range [][2]string{
			{"Apache 2.0", "Apache License"},
			{"MIT", "Permission is hereby granted, free of charge"},
			{"BSD", "Redistribution and use in source and binary forms"},
			{"MPL 2.0", "Mozilla Public License"},
			{"Unlicense", "This is free and unencumbered software released into the public domain"},
			{"ISC", "Permission to use, copy, modify, and/or distribute"},
		} {
			if strings.Contains(flat, l[1]) && !strings.Contains(flat, "GNU GENERAL PUBLIC LICENSE Version") {
				return l[0]
			}
		}
	}
	return ""
}
