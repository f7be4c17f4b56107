package merge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/ports"
)

// Undo restores the accounts that a merge deleted and gives back to them what is
// still there and unchanged. What cannot be restored is told line by line in out.
// A journal that was undone is left alone. Interrupted, it goes on where it was
// when it is called again.
func (s *Service) Undo(ctx context.Context, journal int64, out, errs io.Writer) error {
	w := bufio.NewWriter(out)
	return flushed(w, s.exclusively(ctx, func(run ports.MergeRun) error {
		groups, err := run.BeginUndo(ctx, journal, s.Now())
		var f *fault.Error
		switch {
		case errors.As(err, &f) && f.Code == "merge_undone":
			printf(w, "[INFO] Journal %d was undone on %s. Nothing to do.\n", journal, f.Subject)
			return nil
		case errors.As(err, &f) && f.Code == "merge_later":
			return fmt.Errorf("journal %s merged some of the same accounts later: undo it first, with meetd unmerge-users %[1]s", f.Subject)
		case errors.Is(err, fault.NotFound):
			return fmt.Errorf("there is no journal %d", journal)
		case err != nil:
			return err
		}
		u := undoing{Service: s, run: run, errs: errs}
		for _, wave := range apart(groups) {
			if err := inBatches(ctx, s.Now, wave, u.together, u.alone); err != nil {
				return err
			}
		}
		return u.finish(ctx, journal, w)
	}))
}

// apart keeps groups of the same address from being restored together. An address
// is in a journal twice when its survivor was merged again by a resumed run: what
// was merged last, and comes first, must be restored first.
func apart(groups []ports.MergedGroup) [][]ports.MergedGroup {
	var waves [][]ports.MergedGroup
	seen := map[string]int{}
	for _, g := range groups {
		n := seen[g.Address]
		seen[g.Address]++
		if n == len(waves) {
			waves = append(waves, nil)
		}
		waves[n] = append(waves[n], g)
	}
	return waves
}

// undoing is one run.
type undoing struct {
	*Service
	run    ports.MergeRun
	errs   io.Writer
	failed []string // addresses
}

func (u *undoing) together(ctx context.Context, groups []ports.MergedGroup) error {
	return u.run.Undo(ctx, groups, u.Now())
}

// alone restores one group whose batch failed.
func (u *undoing) alone(ctx context.Context, g ports.MergedGroup) error {
	if slices.Contains(u.failed, g.Address) {
		return nil // a later merge of it could not be undone
	}
	err := patiently(func() error { return u.together(ctx, []ports.MergedGroup{g}) })
	if err == nil {
		return nil
	}
	if stop := over(ctx, err); stop != nil {
		return stop
	}
	u.failed = append(u.failed, g.Address)
	printf(u.errs, "[ERROR] Failed to restore '%s': %v\n", g.Address, err)
	return nil
}

func (u *undoing) finish(ctx context.Context, journal int64, w io.Writer) error {
	totals, left, err := u.run.FinishUndo(ctx, journal, u.Now())
	if err != nil {
		return err
	}
	for _, l := range left {
		printf(w, "[SKIPPED] Email '%s', account %s, %s: %s.\n", l.Address, l.Account, l.What, l.Why)
	}
	if err := u.Audit.Record(ctx, audit.Event{
		At: u.Now(), Action: audit.MergeUndone, Subject: strconv.FormatInt(journal, 10),
		Details: map[string]string{
			"groups": strconv.Itoa(totals.Groups), "accounts": strconv.Itoa(totals.Accounts),
			"skipped": strconv.Itoa(len(left)), "failed": strconv.Itoa(len(u.failed)),
		},
	}); err != nil {
		return err
	}
	printf(w, "[DONE] Restored %d group(s), %d user(s); %d thing(s) skipped.\n", totals.Groups, totals.Accounts, len(left))
	if len(u.failed) > 0 {
		return fmt.Errorf("Failed to restore %d email group(s): %s", len(u.failed), strings.Join(u.failed, ", ")) //nolint:staticcheck // in the words of a merge
	}
	return nil
}
