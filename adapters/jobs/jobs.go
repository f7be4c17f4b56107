package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"meetd/app/accounts"
	"meetd/app/diagnostics"
	"meetd/app/dialin"
	"meetd/app/display"
	"meetd/app/entry"
	"meetd/app/files"
	"meetd/app/marketing"
	"meetd/app/outgoing"
	"meetd/app/recordings"
	"meetd/app/rooms"
	"meetd/app/trail"
	"meetd/ports"
)

// Schema is where River's tables are.
const Schema = "meetd"

// Servers that do not answer hold up only what is for them.
const (
	mailQueue    = "mail"     // what a mail server is asked
	serviceQueue = "services" // what the summary and marketing services are asked
)

const (
	// purgeDelay is how long after the start nothing is deleted: time for whoever
	// started it with a wrong RECORDING_EXPIRATION_DAYS.
	purgeDelay = 10 * time.Minute

	// purgePeriod is how long sessions, guests in lobbies, and counts of who asked how
	// often, stay after they have expired. Strangers make them, so there may be many.
	purgePeriod = 5 * time.Minute

	jobTimeout = time.Minute         // of a job that sets none itself
	givenUp    = 30 * 24 * time.Hour // is how long jobs stay that were given up
)

// Queue is the job queue of one node.
type Queue struct {
	client *river.Client[pgx.Tx]
	works  bool

	targets []string
}

// Config says how much a node works.
type Config struct {
	Workers   int           // jobs at a time; 0: jobs are only noted, for other nodes to work on
	Reconcile time.Duration // between two looks at unfinished recordings
	Targets   []string      // who is called about events; may be none
	// Failed is told of attempts that failed. nil: nobody is.
	Failed func(context.Context, Failure)
	Watch  []rivertype.Middleware // around noting jobs and working on them
}

// Services are the use cases that jobs call.
type Services struct {
	Accounts    *accounts.Service
	Rooms       *rooms.Service
	Entry       *entry.Service
	Recordings  *recordings.Service
	DialIn      *dialin.Service
	Display     *display.Service
	Diagnostics *diagnostics.Service
	Marketing   *marketing.Service
	Outgoing    *outgoing.Service
	Files       *files.Service
	Trail       *trail.Service
}

// New prepares the queue. Nothing is worked on before Start.
func New(pool *pgxpool.Pool, c Config, s Services, log *slog.Logger) (*Queue, error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &showRecording{svc: s.Display})
	river.AddWorker(workers, &stopEgress{svc: s.Recordings})
	river.AddWorker(workers, &showRoom{svc: s.Display})
	river.AddWorker(workers, &closeRoom{svc: s.Rooms})
	river.AddWorker(workers, &invite{svc: s.Rooms})
	river.AddWorker(workers, &openDialIn{svc: s.DialIn})
	river.AddWorker(workers, &closeDialIn{svc: s.DialIn})
	river.AddWorker(workers, &closeTest{svc: s.Diagnostics})
	river.AddWorker(workers, &announceLimit{svc: s.Recordings})
	river.AddWorker(workers, &collectMetadata{svc: s.Recordings})
	river.AddWorker(workers, &notify{svc: s.Recordings})
	river.AddWorker(workers, &mailOwner{svc: s.Recordings})
	river.AddWorker(workers, &summarize{svc: s.Recordings})
	river.AddWorker(workers, &deleteObjects{svc: s.Recordings})
	river.AddWorker(workers, &purgeRecordings{svc: s.Recordings})
	river.AddWorker(workers, &reconcile{svc: s.Recordings})
	river.AddWorker(workers, &purgeSessions{svc: s.Accounts})
	river.AddWorker(workers, &purgeRooms{rooms: s.Rooms, entry: s.Entry})
	river.AddWorker(workers, &marketingSignup{svc: s.Marketing})
	river.AddWorker(workers, &deliver{svc: s.Outgoing})
	river.AddWorker(workers, &purgeAnnouncements{svc: s.Outgoing})
	river.AddWorker(workers, &deleteFile{svc: s.Files})
	river.AddWorker(workers, &purgeFiles{svc: s.Files})
	river.AddWorker(workers, &sealTrail{svc: s.Trail})
	queues := map[string]river.QueueConfig{deliverQueue: {MaxWorkers: deliverWorkers}}
	for _, name := range []string{river.QueueDefault, mailQueue, serviceQueue} {
		queues[name] = river.QueueConfig{MaxWorkers: c.Workers}
	}
	if c.Workers == 0 {
		queues = nil
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema:       Schema,
		Logger:       log,
		Queues:       queues,
		Workers:      workers,
		Middleware:   c.Watch,
		ErrorHandler: &failures{log: log, tell: c.Failed},
		// A node that dies leaves its jobs as running. They are taken up again as
		// soon as none of them can be running any more.
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: jobTimeout,
		// What was given up can be looked at, and tried again, for a month.
		CancelledJobRetentionPeriod: givenUp,
		DiscardedJobRetentionPeriod: givenUp,
		PeriodicJobs: []*river.PeriodicJob{
			every(c.Reconcile, reconcileArgs{}),
			every(purgePeriod, purgeSessionsArgs{}),
			every(purgePeriod, purgeRoomsArgs{}),
			after(purgeDelay, time.Hour, purgeRecordingsArgs{}),
			after(purgeDelay, 24*time.Hour, purgeFilesArgs{}),
			every(time.Hour, purgeAnnouncementsArgs{}),
			every(sealPeriod, sealTrailArgs{}),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	return &Queue{client: client, works: c.Workers > 0, targets: c.Targets}, nil
}

// notDone are the states of jobs that are still to be done.
var notDone = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
	rivertype.JobStateRetryable, rivertype.JobStateScheduled,
}

// every makes a job periodic. One that is still waiting or running is not
// queued again.
func every(period time.Duration, args river.JobArgs) *river.PeriodicJob {
	return after(0, period, args)
}

// after is every, with a delay before each.
func after(delay, period time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(period), func() (river.JobArgs, *river.InsertOpts) {
		opts := river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByState: notDone}}
		if delay > 0 {
			opts.ScheduledAt = time.Now().Add(delay) //nolint:forbidigo // the queue goes by the machine's clock
		}
		return args, &opts
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

// Start begins to work. It returns at once.
func (q *Queue) Start(ctx context.Context) error {
	if !q.works {
		return nil
	}
	if err := q.client.Start(ctx); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	return nil
}

// Stop lets running jobs end, until ctx is over; then they are cancelled and
// done again later.
func (q *Queue) Stop(ctx context.Context) error {
	if !q.works {
		return nil
	}
	if err := q.client.Stop(ctx); err != nil {
		if err := q.client.StopAndCancel(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("stop the job queue: %w", err)
		}
	}
	return nil
}

// Outbox gives what notes the jobs of a transaction, and what stores them, if there
// are any, in the one that begun gives: they exist when it commits.
func (q *Queue) Outbox() (jobs ports.Jobs, flush func(ctx context.Context, begun func(context.Context) (pgx.Tx, error)) error) {
	o := &outbox{client: q.client, targets: q.targets}
	return o, o.flush
}

// outbox gathers the jobs of one transaction, so that many cost one round trip.
type outbox struct {
	client  *river.Client[pgx.Tx]
	noted   []river.InsertManyParams
	targets []string
}

func (o *outbox) flush(ctx context.Context, begun func(context.Context) (pgx.Tx, error)) error {
	if len(o.noted) == 0 {
		return nil
	}
	tx, err := begun(ctx)
	if err != nil {
		return fmt.Errorf("note jobs: %w", err)
	}
	if _, err := o.client.InsertManyTx(ctx, tx, o.noted); err != nil {
		return fmt.Errorf("note jobs: %w", err)
	}
	o.noted = nil
	return nil
}

func (o *outbox) ShowRecording(_ context.Context, room uuid.UUID) error {
	return o.note(showRecordingArgs{Room: room}, showAttempts)
}

func (o *outbox) ShowRoom(_ context.Context, room uuid.UUID) error {
	return o.note(showRoomArgs{Room: room}, showAttempts)
}

// showAttempts are few: what people in a room see is worth showing only while
// it lasts.
const showAttempts = 6

// note adds a job that is given up after so many attempts.
func (o *outbox) note(args river.JobArgs, attempts int) error {
	return o.noteWith(args, river.InsertOpts{MaxAttempts: attempts})
}

func (o *outbox) noteWith(args river.JobArgs, opts river.InsertOpts) error {
	o.noted = append(o.noted, river.InsertManyParams{Args: args, InsertOpts: &opts})
	return nil
}

type showRecordingArgs struct {
	Room uuid.UUID `json:"room"`
}

func (showRecordingArgs) Kind() string { return "show_recording" }

type showRecording struct {
	river.WorkerDefaults[showRecordingArgs]
	svc *display.Service
}

func (w *showRecording) Work(ctx context.Context, job *river.Job[showRecordingArgs]) error {
	return w.svc.Recording(ctx, job.Args.Room)
}

type showRoomArgs struct {
	Room uuid.UUID `json:"room"`
}

func (showRoomArgs) Kind() string { return "show_room" }

type showRoom struct {
	river.WorkerDefaults[showRoomArgs]
	svc *display.Service
}

func (w *showRoom) Work(ctx context.Context, job *river.Job[showRoomArgs]) error {
	return w.svc.Room(ctx, job.Args.Room)
}

type reconcileArgs struct{}

func (reconcileArgs) Kind() string { return "reconcile_recordings" }

type reconcile struct {
	river.WorkerDefaults[reconcileArgs]
	svc *recordings.Service
}

func (w *reconcile) Work(ctx context.Context, _ *river.Job[reconcileArgs]) error {
	return w.svc.Reconcile(ctx)
}

type purgeSessionsArgs struct{}

func (purgeSessionsArgs) Kind() string { return "purge_sessions" }

type purgeSessions struct {
	river.WorkerDefaults[purgeSessionsArgs]
	svc *accounts.Service
}

func (w *purgeSessions) Work(ctx context.Context, _ *river.Job[purgeSessionsArgs]) error {
	return w.svc.PurgeSessions(ctx)
}

type purgeRoomsArgs struct{}

func (purgeRoomsArgs) Kind() string { return "purge_rooms" }

// purgeRooms forgets what is kept around rooms for a while.
type purgeRooms struct {
	river.WorkerDefaults[purgeRoomsArgs]
	rooms *rooms.Service
	entry *entry.Service
}

func (w *purgeRooms) Work(ctx context.Context, _ *river.Job[purgeRoomsArgs]) error {
	return errors.Join(w.entry.Purge(ctx), w.rooms.PurgeCallbacks(ctx))
}
