package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"meetd/adapters/devstack/store"
	"meetd/app"
)

func main() {
	store.Child()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if len(os.Args) > 1 && os.Args[1] == "baseline" {
		err = baseline(ctx, os.Getenv)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "meetd-bench:", err)
		os.Exit(1)
	}
}

// result is one line of the table.
type result struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	Subject  string  `json:"subject"`
	Baseline string  `json:"baseline"`
	Metric   string  `json:"metric"`
	Median   float64 `json:"ratio_median"`
	Min      float64 `json:"ratio_min"`
	Max      float64 `json:"ratio_max"`

	subject, baseline float64 // medians, in the unit of the metric
}

// bench is one run.
type bench struct {
	out    io.Writer
	dir    string        // throw-away
	meetd  string        // the program
	rounds int           // of A B B A
	period time.Duration // of one measurement

	accounts int // of benchmark f
	listed   int // rows of benchmark d

	results []result
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	set := flag.NewFlagSet("meetd-bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	only := set.String("only", "a,b,c,d,e,f,g,h", "benchmarks to run, separated by commas")
	rounds := set.Int("rounds", 3, "rounds of subject, baseline, baseline, subject")
	period := set.Duration("period", 3*time.Second, "how long one measurement takes")
	accounts := set.Int("accounts", 1_000_000, "size of the population of benchmark f")
	listed := set.Int("listed", 1_000_000, "how many rooms and recordings the larger database of benchmark d has; the smaller has a hundredth")
	file := set.String("json", "bench.json", "file to write the results to")
	if err := set.Parse(args); err != nil {
		return err //nolint:wrapcheck // flag has explained it
	}
	dir, err := os.MkdirTemp("", "meetd-bench-")
	if err != nil {
		return fmt.Errorf("throw-away folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the database's user must get through it
		return fmt.Errorf("throw-away folder: %w", err)
	}
	b := &bench{out: stdout, dir: dir, meetd: filepath.Join(dir, "meetd"), rounds: *rounds, period: *period, accounts: *accounts, listed: *listed}
	b.say("building meetd …")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.meetd, "meetd/cmd/meetd") //nolint:gosec // our own
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build meetd: %w\n%s", err, text)
	}
	all := map[string]func(context.Context, *bench) error{"a": mediaAuth, "b": downloads, "c": ingest, "d": lists, "e": startUp, "f": mergeAccounts, "g": lobbyPolls, "h": reconciliation}
	for _, id := range strings.Split(*only, ",") {
		measure, ok := all[id]
		if !ok {
			return fmt.Errorf("there is no benchmark %q; there are a, b, c, d, e, f, g and h", id)
		}
		if err := measure(ctx, b); err != nil {
			return fmt.Errorf("benchmark %s: %w", id, err)
		}
	}
	b.table()
	text, err := json.MarshalIndent(b.results, "", "  ")
	if err != nil {
		return fmt.Errorf("results: %w", err)
	}
	return os.WriteFile(*file, append(text, '\n'), 0o644) //nolint:gosec,wrapcheck // for everybody to read; names the file
}

func (b *bench) say(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format+"\n", args...) }

func (b *bench) table() {
	load, _ := os.ReadFile("/proc/loadavg")
	b.say("\nload average %s\n", strings.TrimSpace(string(load)))
	b.say("| | benchmark | metric | subject | baseline | ratio | min–max |")
	b.say("|---|---|---|---|---|---|---|")
	for _, r := range b.results {
		b.say("| %s | %s | %s | %s: %.4g | %s: %.4g | **%.2f** | %.2f–%.2f |",
			r.ID, r.Name, r.Metric, r.Subject, r.subject, r.Baseline, r.baseline, r.Median, r.Min, r.Max)
	}
}

// compare measures subject and baseline in turns. Each returns its figures in
// the order of metrics.
func (b *bench) compare(id, name, subject, base string, metrics []string, measure func(subject bool) ([]float64, error)) error {
	series := map[bool][][]float64{}
	for round := -1; round < b.rounds; round++ {
		order := []bool{true, false, false, true}
		if round < 0 {
			order = []bool{true, false} // warm-up
		}
		for _, isSubject := range order {
			figures, err := measure(isSubject)
			if err != nil {
				return err
			}
			if round >= 0 {
				series[isSubject] = append(series[isSubject], figures)
			}
		}
	}
	for m, metric := range metrics {
		var ratios, subjects, bases []float64
		for i := range series[true] {
			s, v := series[true][i][m], series[false][i][m]
			subjects, bases, ratios = append(subjects, s), append(bases, v), append(ratios, s/v)
		}
		b.results = append(b.results, result{
			ID: id, Name: name, Subject: subject, Baseline: base, Metric: metric,
			Median: median(ratios), Min: slices.Min(ratios), Max: slices.Max(ratios),
			subject: median(subjects), baseline: median(bases),
		})
		r := b.results[len(b.results)-1]
		b.say("%s %s, %s: %.4g against %.4g, ratio %.2f", id, name, metric, r.subject, r.baseline, r.Median)
	}
	return nil
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// migrate brings a database to what meetd needs.
func migrate(ctx context.Context, env map[string]string) error {
	c, err := app.Load(func(name string) (string, bool) { v, ok := env[name]; return v, ok }, os.ReadFile)
	if err != nil {
		return err //nolint:wrapcheck // names the variables
	}
	return app.Migrate(ctx, c, slog.New(slog.DiscardHandler)) //nolint:wrapcheck // says what to do
}
