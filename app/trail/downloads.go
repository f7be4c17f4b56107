package trail

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"meetd/ports"
)

const (
	// gatherPause is how long a download may wait to be written down.
	gatherPause = time.Second
	// mostSeen bounds how many downloads of this hour are remembered, and how many
	// wait to be written down while the database is away.
	mostSeen = 1 << 16
	// inOneGo is how many are written down by one statement.
	inOneGo = 1000
	// writePatience is how long that may take.
	writePatience = 10 * time.Second
)

// Downloads writes down who downloads what, once an hour for each account and
// recording: a film is asked for hundreds of times while somebody looks at it.
// Nobody waits for that. What is gathered is written down within a second or so,
// and before a normal end of the program. It must not be copied.
type Downloads struct {
	Audit ports.Audit
	Log   *slog.Logger

	writing sync.Mutex // held while something is written down

	mu      sync.Mutex
	hour    int64 // the newest one, since 1970
	seen    map[pair]struct{}
	waiting []ports.AuditedDownload
	lost    int
	timer   *time.Timer // nil: nothing waits
}

type pair struct{ account, recording uuid.UUID }

// Note notes a download.
func (d *Downloads) Note(ctx context.Context, account, recording uuid.UUID, at time.Time) {
	what := pair{account, recording}
	d.mu.Lock()
	defer d.mu.Unlock()
	if hour := at.Unix() / int64(time.Hour/time.Second); hour > d.hour {
		d.hour = hour
		clear(d.seen)
	}
	if _, ok := d.seen[what]; ok {
		return
	}
	if d.seen == nil || len(d.seen) >= mostSeen {
		d.seen = make(map[pair]struct{}) // the database knows what is twice
	}
	d.seen[what] = struct{}{}
	d.add(ctx, ports.AuditedDownload{At: at, Account: account, Recording: recording})
}

// add has downloads written down soon. d.mu is held.
func (d *Downloads) add(ctx context.Context, list ...ports.AuditedDownload) {
	if room := mostSeen - len(d.waiting); len(list) > room {
		d.lost += len(list) - room
		list = list[:room]
	}
	d.waiting = append(d.waiting, list...)
	if d.timer == nil {
		free := context.WithoutCancel(ctx)
		d.timer = time.AfterFunc(gatherPause, func() { d.Settle(free) })
	}
}

// Settle writes down what is gathered, and returns when that is done. What cannot
// be written down is tried again later.
func (d *Downloads) Settle(ctx context.Context) {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	if d.timer != nil {
		d.timer.Stop()
	}
	batch, lost := d.waiting, d.lost
	d.timer, d.waiting, d.lost = nil, nil, 0
	d.mu.Unlock()
	if lost > 0 {
		d.Log.ErrorContext(ctx, "downloads could not be written down: too many wait for the database", "downloads", lost)
	}
	for len(batch) > 0 {
		n := min(len(batch), inOneGo)
		if err := d.write(ctx, batch[:n]); err != nil {
			d.Log.WarnContext(ctx, "downloads are not written down yet; it will be tried again", "downloads", len(batch), "error", err)
			d.mu.Lock()
			d.add(ctx, batch...)
			d.mu.Unlock()
			return
		}
		batch = batch[n:]
	}
}

func (d *Downloads) write(ctx context.Context, list []ports.AuditedDownload) error {
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	return d.Audit.RecordDownloads(ctx, list...)
}
