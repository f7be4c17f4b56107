package livekit

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/livekit/protocol/auth"
	lk "github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// A Worker makes the egress request of one mode (recording.md §2).
type Worker interface {
	Request(r *recording.Recording, creds aws.Credentials) *lk.RoomCompositeEgressRequest
	credentials() aws.CredentialsProvider
}

// Target is where the egress uploads to.
type Target struct {
	Folder      string // key prefix
	Endpoint    string
	Region      string
	Bucket      string
	Credentials aws.CredentialsProvider
}

func (t Target) credentials() aws.CredentialsProvider { return t.Credentials }

func (t Target) output(r *recording.Recording, kind lk.EncodedFileType, creds aws.Credentials) []*lk.EncodedFileOutput {
	return []*lk.EncodedFileOutput{{
		FileType: kind,
		Filepath: r.Key(t.Folder),
		Output: &lk.EncodedFileOutput_S3{S3: &lk.S3Upload{
			Endpoint: t.Endpoint, AccessKey: creds.AccessKeyID, Secret: creds.SecretAccessKey, SessionToken: creds.SessionToken,
			Region: t.Region, Bucket: t.Bucket, ForcePathStyle: true,
		}},
	}}
}

// VideoComposite records the whole room as a film.
type VideoComposite struct {
	Target
	Encoding *lk.EncodingOptions // nil: what the egress takes by itself
}

// Request asks for the speaker layout as MP4.
func (w VideoComposite) Request(r *recording.Recording, creds aws.Credentials) *lk.RoomCompositeEgressRequest {
	req := &lk.RoomCompositeEgressRequest{
		RoomName:    r.RoomID.String(),
		Layout:      "speaker-light",
		FileOutputs: w.output(r, lk.EncodedFileType_MP4, creds),
	}
	if w.Encoding != nil {
		req.Options = &lk.RoomCompositeEgressRequest_Advanced{Advanced: w.Encoding}
	}
	return req
}

// AudioComposite records what is said, for a transcript.
type AudioComposite struct{ Target }

// Request asks for the mixed sound as Ogg.
func (w AudioComposite) Request(r *recording.Recording, creds aws.Credentials) *lk.RoomCompositeEgressRequest {
	return &lk.RoomCompositeEgressRequest{
		RoomName:    r.RoomID.String(),
		AudioOnly:   true,
		FileOutputs: w.output(r, lk.EncodedFileType_OGG, creds),
	}
}

// Recorder starts and stops egresses.
type Recorder struct {
	*Client
	Workers map[recording.Mode]Worker
}

var _ ports.Recorder = (*Recorder)(nil)

// Start asks for the egress of r.
func (r *Recorder) Start(ctx context.Context, rec *recording.Recording) (string, error) {
	worker, ok := r.Workers[rec.Mode]
	if !ok {
		return "", fault.About(fault.Upstream, "recording_worker_missing", string(rec.Mode))
	}
	ctx, cancel, err := r.with(ctx, &auth.VideoGrant{RoomRecord: true})
	if err != nil {
		return "", err
	}
	defer cancel()
	creds, err := worker.credentials().Retrieve(ctx)
	if err != nil {
		return "", fault.Wrap(fault.Upstream, "store_credentials", err)
	}
	info, err := r.egress.StartRoomCompositeEgress(ctx, worker.Request(rec, creds))
	if err != nil {
		return "", fault.Wrap(fault.Upstream, "livekit", translate(err, "StartRoomCompositeEgress"))
	}
	if info.GetEgressId() == "" {
		return "", fault.Wrap(fault.Upstream, "livekit", errors.New("egress ID not found in the response"))
	}
	return info.GetEgressId(), nil
}

// Stop asks the egress to end.
func (r *Recorder) Stop(ctx context.Context, workerID string) (recording.EgressStatus, error) {
	ctx, cancel, err := r.with(ctx, &auth.VideoGrant{RoomRecord: true})
	if err != nil {
		return "", err
	}
	defer cancel()
	info, err := r.egress.StopEgress(ctx, &lk.StopEgressRequest{EgressId: workerID})
	if err != nil {
		err = translate(err, "StopEgress")
		var te twirp.Error
		if errors.As(err, &te) && te.Code() == twirp.FailedPrecondition { // it has ended already
			err = fault.Wrap(fault.Conflict, "livekit_egress", err)
		}
		return "", fault.Wrap(fault.Upstream, "livekit", err)
	}
	if info.GetStatus() == lk.EgressStatus_EGRESS_STARTING { // also: not said
		return "", fault.Wrap(fault.Upstream, "livekit", errors.New("LiveKit response is missing the recording status"))
	}
	return status(info.GetStatus()), nil
}

// List lists what LiveKit remembers, however many pages that is.
func (r *Recorder) List(ctx context.Context) ([]ports.Egress, error) {
	var out []ports.Egress
	for next := (*lk.TokenPagination)(nil); ; {
		list, err := r.list(ctx, &lk.ListEgressRequest{PageToken: next})
		if err != nil {
			return nil, err
		}
		for _, info := range list.GetItems() {
			out = append(out, egress(info))
		}
		if next = list.GetNextPageToken(); next.GetToken() == "" {
			return out, nil
		}
	}
}

// Lookup asks for one egress.
func (r *Recorder) Lookup(ctx context.Context, workerID string) (ports.Egress, error) {
	if workerID == "" { // LiveKit would list all of them
		return ports.Egress{}, fault.New(fault.NotFound, "livekit_egress")
	}
	list, err := r.list(ctx, &lk.ListEgressRequest{EgressId: workerID})
	if err != nil {
		return ports.Egress{}, err
	}
	if len(list.GetItems()) == 0 {
		return ports.Egress{}, fault.About(fault.NotFound, "livekit_egress", workerID)
	}
	return egress(list.GetItems()[0]), nil
}

func (r *Recorder) list(ctx context.Context, what *lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
	ctx, cancel, err := r.with(ctx, &auth.VideoGrant{RoomRecord: true})
	if err != nil {
		return nil, err
	}
	defer cancel()
	list, err := r.egress.ListEgress(ctx, what)
	return list, translate(err, "ListEgress")
}

func egress(info *lk.EgressInfo) ports.Egress {
	e := ports.Egress{
		ID: info.GetEgressId(), Room: info.GetRoomName(), Status: status(info.GetStatus()),
		Elsewhere: info.GetBackupStorageUsed(),
	}
	for _, o := range info.GetRoomComposite().GetFileOutputs() {
		e.Files = append(e.Files, o.GetFilepath())
	}
	if files := info.GetFileResults(); len(files) > 0 {
		e.StartedAt, e.EndedAt = nanoseconds(files[0].GetStartedAt()), nanoseconds(files[0].GetEndedAt())
	}
	return e
}

// nanoseconds reads a time of LiveKit's; zero was not told.
func nanoseconds(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func status(s lk.EgressStatus) recording.EgressStatus {
	switch s {
	case lk.EgressStatus_EGRESS_STARTING:
		return recording.EgressStarting
	case lk.EgressStatus_EGRESS_ACTIVE:
		return recording.EgressActive
	case lk.EgressStatus_EGRESS_ENDING:
		return recording.EgressEnding
	case lk.EgressStatus_EGRESS_COMPLETE:
		return recording.EgressComplete
	case lk.EgressStatus_EGRESS_FAILED:
		return recording.EgressFailed
	case lk.EgressStatus_EGRESS_ABORTED:
		return recording.EgressAborted
	case lk.EgressStatus_EGRESS_LIMIT_REACHED:
		return recording.EgressLimitReached
	}
	return ""
}
