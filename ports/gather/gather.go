package gather

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// errBroken is what those get whose batch ended in a panic.
var errBroken = errors.New("the work on a batch broke off")

// Gatherer does things of one kind together. It must not be copied.
type Gatherer[T any] struct {
	do    func(ctx context.Context, batch []T)
	lanes int
	most  int
	pause time.Duration

	mu      sync.Mutex
	waiting []*entry[T]
	busy    int           // batches under way
	last    int           // size of the batch before
	enough  chan struct{} // closed when as many wait again; nil: no lane waits for them
}

type entry[T any] struct {
	item T
	done chan struct{}
	err  error
}

// New makes a gatherer that calls do with at most so many items, and in as many
// lanes at the same time. Before it takes fewer than were in the batch before, a lane
// waits for the others, for as long as pause at most: they are on their way. do leaves
// the result of each in the item itself; its context is nobody's, so it has to set a
// limit of its own.
func New[T any](lanes, most int, pause time.Duration, do func(ctx context.Context, batch []T)) *Gatherer[T] {
	return &Gatherer[T]{do: do, lanes: lanes, most: most, pause: pause}
}

// Do returns when the item was in a batch that is done, or with the error of ctx
// when that is over before; then the item may be done all the same.
func (g *Gatherer[T]) Do(ctx context.Context, item T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e := &entry[T]{item: item, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, e)
	if g.enough != nil && len(g.waiting) >= g.last {
		close(g.enough)
		g.enough = nil
	}
	leads := g.busy < g.lanes
	if leads {
		g.busy++
	}
	g.mu.Unlock()
	// Whoever begins does the first batch himself, which saves a goroutine where
	// there is no load. The others must not depend on his request.
	if free := context.WithoutCancel(ctx); leads {
		if batch := g.next(); batch != nil { // else another lane took it
			g.work(free, batch)
			if !g.closed() {
				go g.workOn(free)
			}
		}
	}
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next takes what waits; with nothing waiting the lane is closed.
func (g *Gatherer[T]) next() []*entry[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pause > 0 && len(g.waiting) > 0 && len(g.waiting) < g.last {
		if g.enough != nil { // another lane will take them
			g.busy--
			return nil
		}
		enough := make(chan struct{})
		g.enough = enough
		g.mu.Unlock()
		select {
		case <-enough:
		case <-time.After(g.pause):
		}
		g.mu.Lock()
		if g.enough == enough {
			g.enough = nil
		}
	}
	n := min(len(g.waiting), g.most)
	if n == 0 {
		g.busy--
		return nil
	}
	g.last = n
	batch := g.waiting[:n:n]
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil // or its array would grow for ever
	}
	return batch
}

// closed closes the lane if nothing waits.
func (g *Gatherer[T]) closed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) > 0 {
		return false
	}
	g.busy--
	return true
}

func (g *Gatherer[T]) workOn(ctx context.Context) {
	for batch := g.next(); batch != nil; batch = g.next() {
		g.work(ctx, batch)
	}
}

// work does one batch. A panic is an error for those in it: it must neither end
// the program nor keep the others waiting.
func (g *Gatherer[T]) work(ctx context.Context, batch []*entry[T]) {
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", errBroken, p, debug.Stack())
		}
		for _, e := range batch {
			e.err = err
			close(e.done)
		}
	}()
	items := make([]T, len(batch))
	for i, e := range batch {
		items[i] = e.item
	}
	g.do(ctx, items)
}
