// Command report reads what go test -json writes and shows it for people: a line
// for each package, and everything that a failed or skipped test printed. It
// appends the numbers of passed, failed and skipped tests to the file that its
// argument names, and fails if a test failed or none ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// run is a test, or a package if the test has no name, that has not ended yet.
type run struct {
	pkg, test string
}

type report struct {
	out                     io.Writer
	output                  map[run][]string
	passed, failed, skipped int
	// failing are the packages with a failed test.
	failing map[string]bool
}

func main() {
	r := report{out: os.Stdout, output: map[run][]string{}, failing: map[string]bool{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	if err := r.count(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	if r.passed == 0 && r.failed == 0 {
		fmt.Fprintln(os.Stderr, "report: no test ran")
	}
	if r.failed > 0 || r.passed == 0 {
		os.Exit(1)
	}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(r.out, lines.Text()) // not from a test: the Go tool itself
			continue
		}
		r.take(e)
	}
	return lines.Err()
}

func (r *report) take(e event) {
	at := run{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "run":
		r.output[at] = nil
	case "output":
		r.output[at] = append(r.output[at], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.end(e)
			return
		}
		switch e.Action {
		case "pass":
			r.passed++
		case "fail":
			r.fail(e.Package)
		case "skip":
			r.skipped++
		}
		if e.Action != "pass" {
			r.print(at)
		}
		delete(r.output, at)
	}
}

func (r *report) fail(pkg string) {
	r.failed++
	r.failing[pkg] = true
}

// end of a package. What is left was running when it ended. A package that fails
// without a failed test, because it cannot be built for one, counts as one.
func (r *report) end(e event) {
	if e.Action == "fail" {
		left := make([]run, 0, 1)
		for at := range r.output {
			if at.pkg == e.Package && at.test != "" {
				left = append(left, at)
			}
		}
		slices.SortFunc(left, func(a, b run) int { return strings.Compare(a.test, b.test) })
		for _, at := range left {
			r.fail(e.Package)
			r.print(at)
			delete(r.output, at)
		}
		if !r.failing[e.Package] {
			r.fail(e.Package)
		}
		r.print(run{e.Package, ""})
	} else if e.Action == "pass" {
		fmt.Fprintf(r.out, "ok    %s  %.1f s\n", e.Package, e.Elapsed)
	}
	delete(r.output, run{e.Package, ""})
}

func (r *report) print(at run) {
	fmt.Fprintf(r.out, "----  %s  %s\n%s", at.pkg, at.test, strings.Join(r.output[at], ""))
}

func (r *report) count(file string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, r.passed, r.failed, r.skipped)
	if closed := f.Close(); err == nil {
		err = closed
	}
	fmt.Fprintf(r.out, "%d tests passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return err
}
