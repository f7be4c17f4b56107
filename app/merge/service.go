package merge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

const (
	// firstBatch and mostAtOnce bound how many addresses go in one transaction.
	firstBatch = 200
	mostAtOnce = 2000
	// briefly is how long a transaction should take: accounts are locked in it.
	briefly = 400 * time.Millisecond
	// lookAtOnce is how many addresses are read at a time when only looking.
	lookAtOnce = 2000
	// tries is how often one address is tried while others hold its rows.
	tries = 5
)

// Service is the merging of accounts.
type Service struct {
	Accounts ports.AccountMerges
	Audit    ports.Audit
	Now      func() time.Time
}

// Merge merges all accounts with the same address. What it does goes to out, and
// the addresses it fails on to errs; then it returns an error that names them.
// Interrupted, it goes on where it was when it is called again.
func (s *Service) Merge(ctx context.Context, scope ports.MergeScope, out, errs io.Writer) error {
	w := bufio.NewWriter(out)
	return flushed(w, s.exclusively(ctx, func(run ports.MergeRun) error {
		addresses, err := s.found(ctx, scope, w)
		if err != nil {
			return err
		}
		journal, err := run.Unfinished(ctx, scope)
		resumed := err == nil
		if errors.Is(err, fault.NotFound) {
			if len(addresses) == 0 {
				return nil
			}
			journal, err = run.Begin(ctx, scope, s.Now())
		}
		if err != nil {
			return err
		}
		if resumed {
			printf(w, "[INFO] Journal %d was interrupted; it goes on.\n", journal)
		}
		m := merging{Service: s, run: run, journal: journal, scope: scope, out: w, errs: errs}
		if err := m.record(ctx, audit.MergeStarted, map[string]string{
			"addresses": strconv.Itoa(len(addresses)), "resumed": strconv.FormatBool(resumed),
		}); err != nil {
			return err
		}
		if err := inBatches(ctx, s.Now, addresses, m.merge, m.alone); err != nil {
			return err
		}
		return m.finish(ctx)
	}))
}

// exclusively runs fn while nobody else merges.
func (s *Service) exclusively(ctx context.Context, fn func(ports.MergeRun) error) error {
	err := s.Accounts.Alone(ctx, fn)
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "merge_running" {
		return errors.New("another merge, or the undoing of one, is running: try again when it has ended")
	}
	return err
}

// DryRun tells what Merge would do.
func (s *Service) DryRun(ctx context.Context, scope ports.MergeScope, out io.Writer) error {
	w := bufio.NewWriter(out)
	printf(w, "[DRY-RUN] No changes will be written.\n")
	addresses, err := s.found(ctx, scope, w)
	if err == nil && len(addresses) > 0 {
		err = s.look(ctx, scope, addresses, func(d user.Duplicates) {
			printGroup(w, d)
			rooms, recordings, files := 0, 0, 0
			for _, a := range d.Stale {
				rooms, recordings, files = rooms+a.Rooms, recordings+a.Recordings, files+a.Files
			}
			printf(w, "       [DRY-RUN] Would migrate: %d ResourceAccess, %d RecordingAccess, %d File(s).\n", rooms, recordings, files)
		})
		if err == nil {
			printDone(w, 0, 0)
		}
	}
	return flushed(w, err)
}

// found lists the addresses and tells how many there are.
func (s *Service) found(ctx context.Context, scope ports.MergeScope, w io.Writer) ([]string, error) {
	if scope.EmailFilter != "" {
		printf(w, "[INFO] Filtering emails containing '%s'.\n", scope.EmailFilter)
	}
	addresses, err := s.Accounts.Addresses(ctx, scope)
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		printf(w, "[INFO] No duplicate users found. Nothing to do.\n")
	} else {
		printf(w, "[INFO] Found %d email(s) with duplicate users.\n", len(addresses))
	}
	return addresses, nil
}

// look reads groups without changing anything.
func (s *Service) look(ctx context.Context, scope ports.MergeScope, addresses []string, show func(user.Duplicates)) error {
	for len(addresses) > 0 {
		n := min(lookAtOnce, len(addresses))
		groups, err := s.Accounts.Accounts(ctx, scope, addresses[:n])
		if err != nil {
			return err
		}
		for _, g := range groups {
			show(g)
		}
		addresses = addresses[n:]
	}
	return nil
}

// merging is one run.
type merging struct {
	*Service
	run     ports.MergeRun
	journal int64
	scope   ports.MergeScope
	out     *bufio.Writer
	errs    io.Writer

	groups, deleted int
	failed          []string
}

// inBatches does many at once, as many as can be done briefly, and those of a
// batch that failed one by one. A database that went away ends it, and a change
// of mind.
func inBatches[T any](ctx context.Context, now func() time.Time, all []T, many func(context.Context, []T) error, one func(context.Context, T) error) error {
	size := firstBatch
	for len(all) > 0 {
		batch := all[:min(size, len(all))]
		start := now()
		err := many(ctx, batch)
		if err != nil {
			for _, item := range batch {
				if stop := over(ctx, err); stop != nil {
					return stop
				}
				if err = one(ctx, item); err != nil {
					return err
				}
			}
		}
		all = all[len(batch):]
		switch took := now().Sub(start); {
		case took > briefly:
			size = max(1, size/2)
		case took < briefly/2:
			size = min(2*size, mostAtOnce)
		}
	}
	return nil
}

// over is the error that ends everything, if err is one.
func over(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; run the same command again to go on: %w", context.Cause(ctx))
	}
	if errors.Is(err, fault.Unavailable) {
		return fmt.Errorf("the database went away; run the same command again to go on: %w", err)
	}
	return nil
}

// patiently tries again while others hold what is needed.
func patiently(do func() error) error {
	err := do()
	for n := 1; n < tries && errors.Is(err, fault.Conflict); n++ {
		err = do()
	}
	return err
}

func (m *merging) merge(ctx context.Context, addresses []string) error {
	done, err := m.run.Merge(ctx, m.journal, m.scope, addresses, m.Now(), user.PlanMerge)
	if err != nil {
		return err
	}
	for _, d := range done {
		printGroup(m.out, d.Duplicates)
		m.groups++
		m.deleted += len(d.Stale)
	}
	_ = m.out.Flush() // it says so again at the end
	return nil
}

// alone merges one address whose batch failed.
func (m *merging) alone(ctx context.Context, address string) error {
	err := patiently(func() error { return m.merge(ctx, []string{address}) })
	if err == nil {
		return nil
	}
	if stop := over(ctx, err); stop != nil {
		return stop
	}
	m.failed = append(m.failed, address)
	groups, lookErr := m.Accounts.Accounts(ctx, m.scope, []string{address})
	for _, g := range groups {
		printGroup(m.out, g)
	}
	_ = m.out.Flush() // it says so again at the end
	if lookErr != nil {
		return lookErr
	}
	printf(m.errs, "[ERROR] Failed to merge '%s': %v\n", address, err)
	err = patiently(func() error { return m.run.FoldEmail(ctx, m.journal, m.scope, address, m.Now()) })
	if err != nil {
		if stop := over(ctx, err); stop != nil {
			return stop
		}
		printf(m.errs, "[ERROR] Failed to change the e-mail of '%s': %v\n", address, err)
	}
	return nil
}

func (m *merging) finish(ctx context.Context) error {
	totals, err := m.run.Finish(ctx, m.journal, m.Now())
	if err != nil {
		return err
	}
	if err := m.record(ctx, audit.MergeFinished, map[string]string{
		"groups": strconv.Itoa(m.groups), "accounts": strconv.Itoa(m.deleted), "failed": strconv.Itoa(len(m.failed)),
	}); err != nil {
		return err
	}
	printDone(m.out, m.groups, m.deleted)
	if totals.Groups > 0 {
		printf(m.out, "[INFO] Journal %d: undo with meetd unmerge-users %[1]d.\n", m.journal)
	}
	if len(m.failed) > 0 {
		return fmt.Errorf("Failed to merge %d email group(s): %s", len(m.failed), strings.Join(m.failed, ", ")) //nolint:staticcheck // the contract's words
	}
	return nil
}

func (m *merging) record(ctx context.Context, action audit.Action, details map[string]string) error {
	return m.Audit.Record(ctx, audit.Event{At: m.Now(), Action: action, Subject: strconv.FormatInt(m.journal, 10), Details: details})
}

// printf writes to a buffer, which tells of an error when it is flushed, or
// where nobody can be told.
func printf(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// flushed ends the output of a command.
func flushed(w *bufio.Writer, err error) error {
	if flushErr := w.Flush(); flushErr != nil {
		return errors.Join(err, fmt.Errorf("write the output: %w", flushErr))
	}
	return err
}

func printGroup(w io.Writer, d user.Duplicates) {
	printf(w, "[INFO] Email '%s': %d users — keeping %s (created %s).\n",
		d.Address, len(d.Stale)+1, d.Survivor.ID, day(d.Survivor.CreatedAt))
	for _, a := range d.Stale {
		printf(w, "       stale: %s (created %s)\n", a.ID, day(a.CreatedAt))
	}
}

func printDone(w io.Writer, groups, deleted int) {
	printf(w, "[DONE] Merged %d group(s), deleted %d user(s).\n", groups, deleted)
}

// day writes the day of a time, in UTC, as the contract has it.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
