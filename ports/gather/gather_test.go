package gather

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What comes while a batch is under way goes together in the next ones, which
// are no larger than allowed; nobody is left out.
func TestGathers(t *testing.T) {
	t.Parallel()
	const most, all = 4, 11
	begun, release := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	var sizes []int
	seen := map[int]int{}
	g := New(1, most, 0, func(_ context.Context, batch []*int) {
		mu.Lock()
		first := len(sizes) == 0
		sizes = append(sizes, len(batch))
		for _, i := range batch {
			seen[*i]++
		}
		mu.Unlock()
		if first {
			close(begun)
			<-release
		}
	})
	var wg sync.WaitGroup
	do := func(i int) {
		wg.Go(func() {
			if err := g.Do(t.Context(), &i); err != nil {
				t.Error(err)
			}
		})
	}
	do(0)
	<-begun
	for i := 1; i < all; i++ {
		do(i)
	}
	for waiting := 0; waiting < all-1; {
		g.mu.Lock()
		waiting = len(g.waiting)
		g.mu.Unlock()
	}
	close(release)
	wg.Wait()
	if !slices.Equal(sizes, []int{1, 4, 4, 2}) || len(seen) != all {
		t.Errorf("batches of %v, %d items", sizes, len(seen))
	}
	for i, n := range seen {
		if n != 1 {
			t.Errorf("item %d was done %d times", i, n)
		}
	}
}

// Who goes away does not take the others with him.
func TestLeaves(t *testing.T) {
	t.Parallel()
	begun, release, done := make(chan struct{}), make(chan struct{}), make(chan string, 3)
	g := New(1, 8, 0, func(_ context.Context, batch []string) {
		if batch[0] == "first" {
			close(begun)
			<-release
		}
		for _, s := range batch {
			done <- s
		}
	})
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.Do(t.Context(), "first") })
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- g.Do(ctx, "impatient") }()
	for waiting := 0; waiting == 0; {
		g.mu.Lock()
		waiting = len(g.waiting)
		g.mu.Unlock()
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient one got %v", err)
	}
	if err := g.Do(ctx, "too late"); !errors.Is(err, context.Canceled) {
		t.Errorf("one who had gone got %v", err)
	}
	close(release)
	wg.Wait()
	if first, second := <-done, <-done; first != "first" || second != "impatient" {
		t.Errorf("%s, %s", first, second)
	}
}

// A panic is an error for its batch, and nobody after it is kept waiting.
func TestPanic(t *testing.T) {
	t.Parallel()
	g := New(1, 8, 0, func(_ context.Context, batch []string) {
		if batch[0] == "bad" {
			panic("it is bad")
		}
	})
	if err := g.Do(t.Context(), "bad"); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "it is bad") {
		t.Errorf("got %v", err)
	}
	if err := g.Do(t.Context(), "good"); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// As many as came together are waited for, but no longer than the pause.
func TestWaitsForCompany(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pause time.Duration
		come  int // how many come after a batch of three
		want  []int
	}{
		"all come again": {time.Hour, 3, []int{1, 3, 3}},
		"one comes":      {time.Millisecond, 1, []int{1, 3, 1}},
		"nobody waits":   {0, 1, []int{1, 3, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, release := make(chan struct{}), make(chan struct{})
			var sizes []int
			g := New(1, 8, c.pause, func(_ context.Context, batch []string) {
				if batch[0] == "first" {
					close(begun)
					<-release
				}
				sizes = append(sizes, len(batch)) // one lane: never two at once
			})
			var wg sync.WaitGroup
			do := func(item string) {
				wg.Go(func() {
					if err := g.Do(t.Context(), item); err != nil {
						t.Error(err)
					}
				})
			}
			do("first")
			<-begun
			for range 3 {
				do("company")
			}
			for waiting := 0; waiting < 3; {
				g.mu.Lock()
				waiting = len(g.waiting)
				g.mu.Unlock()
			}
			close(release)
			wg.Wait()
			for range c.come {
				do("later")
			}
			wg.Wait()
			g.mu.Lock() // the lane is closed after the last answer
			defer g.mu.Unlock()
			if !slices.Equal(sizes, c.want) {
				t.Errorf("batches of %v, not %v", sizes, c.want)
			}
		})
	}
}
