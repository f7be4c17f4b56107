package media

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// Config is what the installation decides about downloads.
type Config struct {
	Folder         string        // RECORDING_OUTPUT_FOLDER
	ExpirationDays int           // 0: never
	LinkExpiry     time.Duration // how long a link to the store works
}

// Service is the media capability.
type Service struct {
	Checks    ports.MediaChecks
	Signer    ports.ObjectSigner
	Presigner ports.ObjectPresigner
	Objects   ports.Objects
	Config    Config
	// OwnHost reports whether an absolute URL with this host is one of ours.
	OwnHost func(host string) bool
	Now     func() time.Time
	// Downloaded is told who has got which recording, or a part of it. nil: nobody is.
	Downloaded func(ctx context.Context, account, recording uuid.UUID, at time.Time)
}

// Request is what a browser asked for.
type Request struct {
	Session ports.SessionKey
	Method  string // of the browser's request
	Host    string // where it was sent to, if the proxy says so apart from the URL
	Target  string // its URL as sent: a path or an absolute URL
}

// Download is a file somebody may have.
type Download struct {
	Key         string
	Name        string // for the browser to save it as: ASCII letters, digits, - and . only
	ContentType string // what a recording of its mode is
	RequestedAt time.Time
	Account     uuid.UUID // who may have it
	Recording   uuid.UUID
}

// Decide checks one request. The order of the checks, and so which fault wins,
// is that of recording.md §7; a disabled account and an ended session are
// fault.Unauthenticated. Two rules are ours: only GET and HEAD, and an expired
// recording is refused.
func (s *Service) Decide(ctx context.Context, r Request) (Download, error) {
	addr, ok := recording.ParseAddress(s.Config.Folder, r.Target)
	ok = ok && (addr.Host == "" || s.OwnHost(addr.Host)) && (r.Host == "" || s.OwnHost(r.Host)) &&
		(r.Method == http.MethodGet || r.Method == http.MethodHead)
	now := s.Now()
	facts, err := s.Checks.MediaFacts(ctx, r.Session, addr.ID, now)
	if err != nil {
		return Download{}, err
	}
	rec := recording.Recording{CreatedAt: facts.CreatedAt}
	switch {
	case !ok:
		return Download{}, fault.New(fault.Forbidden, "permission")
	case addr.Extension != "ogg" && addr.Extension != "mp4":
		return Download{}, fault.New(fault.Invalid, "media_extension")
	case !facts.Found:
		return Download{}, fault.New(fault.NotFound, "storage_recording")
	case addr.Extension != facts.Mode.Extension():
		return Download{}, fault.New(fault.NotFound, "media_mode")
	case !facts.Role.Privileged(), !facts.Status.Downloadable(), rec.Expired(s.Config.ExpirationDays, now):
		return Download{}, fault.New(fault.Forbidden, "permission")
	}
	return Download{
		Key: recording.Key(s.Config.Folder, addr.ID, facts.Mode), Name: fileName(facts.Room, facts.CreatedAt, facts.Mode),
		ContentType: facts.Mode.ContentType(), RequestedAt: now,
		Account: facts.Account, Recording: addr.ID,
	}, nil
}

// Got notes that somebody has got what he asked for. To look whether it is there
// (HEAD) is no download.
func (s *Service) Got(ctx context.Context, method string, d Download) {
	if s.Downloaded != nil && method == http.MethodGet {
		s.Downloaded(ctx, d.Account, d.Recording, d.RequestedAt)
	}
}

// Authorize decides, and signs the fetch for the proxy that asked. When the
// proxy is told so, Got is to be called.
func (s *Service) Authorize(ctx context.Context, r Request) (Download, ports.SignedHeaders, error) {
	d, err := s.Decide(ctx, r)
	if err != nil {
		return d, ports.SignedHeaders{}, err
	}
	signed, err := s.Signer.Sign(ctx, r.Method, d.Key, d.RequestedAt)
	return d, signed, err
}

// Link decides, and returns a URL of the store that works for whoever holds it,
// until it expires.
func (s *Service) Link(ctx context.Context, r Request) (string, error) {
	d, err := s.Decide(ctx, r)
	if err != nil {
		return "", err
	}
	link, err := s.Presigner.Presign(ctx, ports.PresignRequest{
		Method: r.Method, Key: d.Key, At: d.RequestedAt, Expires: s.Config.LinkExpiry, Public: true,
		FileName: d.Name, ContentType: d.ContentType,
	})
	if err == nil {
		s.Got(ctx, r.Method, d)
	}
	return link, err
}

// Open decides, and opens the file to be sent by ourselves. header holds the
// range and conditional headers of the browser's request.
func (s *Service) Open(ctx context.Context, r Request, header http.Header) (Download, *ports.Fetched, error) {
	d, err := s.Decide(ctx, r)
	if err != nil {
		return d, nil, err
	}
	f, err := s.Objects.Fetch(ctx, r.Method, d.Key, header)
	if err == nil && (f.Status == http.StatusOK || f.Status == http.StatusPartialContent) {
		s.Got(ctx, r.Method, d)
	}
	return d, f, err
}
