package gather

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// errBroken is what those get whose batch ended in a panic.
var errBroken = errors.New("the work on a batch broke off")

// Gatherer does things of one kind together. It must not be copied.
type Gatherer[T any] struct {
	do    func(ctx context.Context, batch []T)
	lanes int
	most  int

	mu      sync.Mutex
	waiting []*entry[T]
	busy    int // batches under way
}

type entry[T any] struct {
	item T
	done chan struct{}
	err  error
}

// New makes a gatherer that calls do with at most so many items, and in as many
// lanes at the same time. do leaves the result of each in the item itself; its
// context is nobody's, so it has to set a limit of its own.
func New[T any](lanes, most int, do func(ctx context.Context, batch []T)) *Gatherer[T] {
	return &Gatherer[T]{do: do, lanes: lanes, most: most}
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
			if batch := g.next(); batch != nil {
				go g.workOn(free, batch)
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
	n := min(len(g.waiting), g.most)
	if n == 0 {
		g.busy--
		return nil
	}
	batch := g.waiting[:n:n]
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil // or its array would grow for ever
	}
	return batch
}

func (g *Gatherer[T]) workOn(ctx context.Context, batch []*entry[T]) {
	for batch != nil {
		g.work(ctx, batch)
		batch = g.next()
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
