package http

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/metrics"
	"meetd/app/media"
	"meetd/app/trail"
	"meetd/domain/access"
	"meetd/domain/recording"
	"meetd/ports"
)

type allow struct{}

func (allow) MediaFacts(context.Context, ports.SessionKey, uuid.UUID, time.Time) (ports.MediaFacts, error) {
	return ports.MediaFacts{Found: true, Account: uuid.UUID{1}, Status: recording.Saved, Mode: recording.ScreenRecording, Role: access.Owner}, nil
}

// writesDown is an audit trail that takes everything.
type writesDown struct{ ports.Audit }

func (writesDown) RecordDownloads(context.Context, ...ports.AuditedDownload) error { return nil }

type signer struct{}

func (signer) Sign(context.Context, string, string, time.Time) (ports.SignedHeaders, error) {
	return ports.SignedHeaders{Authorization: "AWS4-HMAC-SHA256 x", Date: "d", ContentSHA256: "s"}, nil
}

// BenchmarkMediaAuth is all of a check that is not the database and the
// signature: what routing, cookies, headers and the log cost, and being counted.
func BenchmarkMediaAuth(b *testing.B) {
	b.Run("plain", func(b *testing.B) { benchMediaAuth(b, nil) })
	b.Run("counted", func(b *testing.B) {
		m := metrics.New(metrics.Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		benchMediaAuth(b, func(_ context.Context, x Exchange) {
			m.Requested(metrics.Request{Method: x.Method, Route: x.Route, Status: x.Status, Media: x.Media, Took: x.Took})
		})
	})
}

func benchMediaAuth(b *testing.B, answered func(context.Context, Exchange)) {
	b.Helper()
	downloads := &trail.Downloads{Audit: writesDown{}, Log: slog.New(slog.DiscardHandler)}
	s := &Server{
		Answered: answered,
		Config:   Config{AllowedHosts: []string{"*"}, MediaProxy: Nginx, SessionCookie: "sessionid", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
		Media: &media.Service{
			Checks: allow{}, Signer: signer{}, Now: time.Now, Config: media.Config{Folder: "recordings"}, OwnHost: func(string) bool { return true },
			Downloaded: downloads.Note,
		},
		Now: time.Now, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	}
	h := s.Handler()
	r := httptest.NewRequest(http.MethodGet, "/api/v1.0/recordings/media-auth/", nil)
	r.Header.Set("X-Original-URL", "/media/recordings/46d1a121-2426-484d-8fb3-09b5d886f7a8.mp4")
	r.AddCookie(&http.Cookie{Name: "sessionid", Value: "0123456789abcdef0123456789abcdef"})
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
	}
}
