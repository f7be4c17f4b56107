package recordings

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/user"
	"meetd/ports"
)

// Notification is how people are told that a recording is ready (recording.md §5).
type Notification struct {
	DownloadBase   string        // beginning of the link to a recording; empty: there is no page
	MetadataFolder string        // METADATA_COLLECTOR_OUTPUT_FOLDER
	URLExpiry      time.Duration // of what the summary service reads files with
}

// summaryFeature is on for those for whom the summary service also sums up what
// was said (recording.md §5).
const summaryFeature = "summary-enabled"

// Notify finds out who is to be told that recordings are saved, and notes a job
// for each of them, so that one who cannot be told keeps nobody else waiting. When
// all were told a recording has the status that says so.
func (s *Service) Notify(ctx context.Context, ids []uuid.UUID) error {
	var errs []error
	for _, id := range ids {
		errs = append(errs, s.Store.InTx(ctx, func(r ports.Repos) error {
			rec, err := r.Recordings.Get(ctx, id)
			if err != nil {
				return fault.IgnoreMissing(err)
			}
			return s.notify(ctx, r, rec)
		}))
	}
	return errors.Join(errs...)
}

// notify notes the jobs of one recording.
func (s *Service) notify(ctx context.Context, r ports.Repos, rec *recording.Recording) error {
	if err := r.Jobs.ShowRecording(ctx, rec.RoomID); err != nil || !rec.Status().Downloadable() {
		return err
	}
	owners, err := r.Recordings.Owners(ctx, rec.ID)
	if err != nil {
		return err
	}
	if len(owners) == 0 {
		s.Log.WarnContext(ctx, "No owner found for recording "+rec.ID.String())
		return nil
	}
	notices := s.notices(rec, owners)
	if len(notices) == 0 {
		s.Log.WarnContext(ctx, "Unknown recording mode "+string(rec.Mode), "recording", rec.ID)
		return nil
	}
	fresh, err := r.Notices.Add(ctx, s.Now(), notices...)
	for _, n := range fresh {
		if n.Kind == ports.SummaryNotice {
			err = errors.Join(err, r.Jobs.Summarize(ctx, rec.ID))
		} else {
			err = errors.Join(err, r.Jobs.MailOwner(ctx, rec.ID, n.Recipient))
		}
	}
	return err
}

// notices lists what is to be told: a transcript to the summary service, a film to
// its owners, and to the summary service too if that was asked for.
func (s *Service) notices(rec *recording.Recording, owners []*user.User) []ports.Notice {
	var out []ports.Notice
	if rec.Mode == recording.Transcript || rec.Mode == recording.ScreenRecording && rec.WantsTranscript() {
		out = append(out, ports.Notice{Recording: rec.ID, Kind: ports.SummaryNotice})
	}
	if rec.Mode == recording.ScreenRecording {
		for _, u := range owners {
			out = append(out, ports.Notice{Recording: rec.ID, Kind: ports.MailNotice, Recipient: u.ID})
		}
	}
	return out
}

// MailOwner writes to one owner that the recording is ready. One without an e-mail
// counts as told, and so does one who is none any more; owners he has left it to
// are told instead, as when his account was merged into another. fault.Invalid
// when the mail server will never take it.
func (s *Service) MailOwner(ctx context.Context, id, owner uuid.UUID) error {
	n := ports.Notice{Recording: id, Kind: ports.MailNotice, Recipient: owner}
	rec, _, err := s.untold(ctx, n)
	if err != nil || rec == nil {
		return err
	}
	repos := s.Store.Repos()
	owners, err := repos.Recordings.Owners(ctx, id)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(owners, func(u *user.User) bool { return u.ID == owner })
	if i < 0 {
		return s.told(ctx, n, s.notify)
	}
	u := owners[i]
	rm, err := repos.Rooms.Get(ctx, rec.RoomID)
	if err != nil {
		return fault.IgnoreMissing(err)
	}
	if u.Email != nil && *u.Email != "" {
		if err := s.Mailer.RecordingReady(ctx, ports.RecordingReady{
			To: *u.Email, Language: u.Language, Room: rm.Name, At: rec.CreatedAt.In(u.Zone()), Link: s.link(rec.ID),
			ExpirationDays: s.Config.ExpirationDays,
		}); err != nil {
			return err
		}
	}
	return s.told(ctx, n, nil)
}

// Summarize hands the recording to the summary service, for its newest owner.
// fault.Invalid when the service will never take it.
func (s *Service) Summarize(ctx context.Context, id uuid.UUID) error {
	n := ports.Notice{Recording: id, Kind: ports.SummaryNotice}
	rec, since, err := s.untold(ctx, n)
	if err != nil || rec == nil {
		return err
	}
	if s.Summary == nil {
		return fault.Wrap(fault.Invalid, "summary", errors.New("Summary service not configured")) //nolint:staticcheck // the words operators look for
	}
	owners, err := s.Store.Repos().Recordings.Owners(ctx, id)
	if err != nil {
		return err
	}
	if len(owners) == 0 { // since we looked
		return s.told(ctx, n, nil)
	}
	request, err := s.summaryRequest(ctx, rec, owners[len(owners)-1])
	if err != nil {
		return fault.IgnoreMissing(err)
	}
	request.Since = since
	job, err := s.Summary.Submit(ctx, request)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // what was handed in has to be written down
	if err := s.told(ctx, n, func(_ context.Context, _ ports.Repos, rec *recording.Recording) error {
		if job != "" {
			rec.ProcessedBy(job)
		}
		return nil
	}); errors.Is(err, fault.Conflict) {
		return fault.Wrap(fault.Invalid, "summary", errors.New("the summary service named a job that belongs to another recording; what becomes of it is not known: "+
			"see why the service gives two recordings one job, then have this job done again"))
	} else if err != nil || job == "" {
		return err
	}
	return s.settle(ctx, ports.FromSummary, job)
}

func (s *Service) summaryRequest(ctx context.Context, rec *recording.Recording, owner *user.User) (ports.SummaryRequest, error) {
	rm, err := s.Store.Repos().Rooms.Get(ctx, rec.RoomID)
	if err != nil {
		return ports.SummaryRequest{}, err
	}
	r := ports.SummaryRequest{
		Recording: rec.ID, Key: rec.Key(s.Config.Folder), Owner: ports.SummaryOwner{
			ID: owner.ID, Sub: orEmpty(owner.Sub), Email: orEmpty(owner.Email), Language: owner.Language, Timezone: owner.Timezone,
		},
		RoomID: rm.ID, RoomName: rm.Name, Language: rec.Language(), DownloadLink: s.link(rec.ID),
		WantsSummary: s.Analytics.Enabled(ctx, summaryFeature, owner.ID),
	}
	if s.collects(rec) {
		r.MetadataKey = recording.MetadataKey(s.Config.Notification.MetadataFolder, rec.ID)
		if r.MetadataURL, err = s.presign(ctx, r.MetadataKey); err != nil {
			return r, err
		}
	}
	if r.URL, err = s.presign(ctx, r.Key); err != nil {
		return r, err
	}
	// When it began and ended is told if LiveKit still knows.
	egress, err := s.Recorder.Lookup(ctx, rec.WorkerID())
	if err != nil {
		s.Log.WarnContext(ctx, "LiveKit does not tell when a recording began", "recording", rec.ID, "error", err)
	}
	r.StartedAt, r.EndedAt = egress.StartedAt, egress.EndedAt
	return r, nil
}

func (s *Service) presign(ctx context.Context, key string) (string, error) {
	return s.Presigner.Presign(ctx, ports.PresignRequest{
		Method: http.MethodGet, Key: key, Expires: s.Config.Notification.URLExpiry, At: s.Now(),
	})
}

// link is where a browser finds the recording.
func (s *Service) link(id uuid.UUID) string {
	return s.Config.Notification.DownloadBase + "/" + id.String()
}

// untold gives the recording of a notice that is still to be told, and since when
// it is; nil when there is nothing to tell any more. A notice that is gone, as with
// a person who was erased, may have been the last one.
func (s *Service) untold(ctx context.Context, n ports.Notice) (*recording.Recording, time.Time, error) {
	repos := s.Store.Repos()
	since, err := repos.Notices.Open(ctx, n)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil, since, s.told(ctx, n, nil)
	case err != nil:
		return nil, since, err
	}
	rec, err := repos.Recordings.Get(ctx, n.Recording)
	if err != nil {
		return nil, since, fault.IgnoreMissing(err)
	}
	return rec, since, nil
}

// told notes that somebody was told, and if he was the last, that all were. also
// is done with the recording in the same transaction; it may be nil.
func (s *Service) told(ctx context.Context, n ports.Notice, also func(context.Context, ports.Repos, *recording.Recording) error) error {
	var states []recording.Status
	err := s.Store.InTx(ctx, func(r ports.Repos) error {
		recs, err := r.Recordings.Lock(ctx, n.Recording) // so that two who are last count right
		if err != nil {
			return err
		}
		rec := recs[n.Recording]
		if rec == nil {
			return nil
		}
		if also != nil {
			if err := also(ctx, r, rec); err != nil {
				return err
			}
		}
		left, err := r.Notices.Done(ctx, n, s.Now())
		if err != nil {
			return err
		}
		if left == 0 {
			rec.Notify()
		}
		if rec.Status() != rec.Stored().Status {
			states = append(states, rec.Status())
		}
		return r.Recordings.Save(ctx, s.Now(), rec)
	})
	if err == nil {
		s.became(states...)
	}
	return err
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
