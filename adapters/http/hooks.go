package http

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"meetd/app/recordings"
	"meetd/domain/fault"
	"meetd/ports"
)

// maxHook bounds what a hook is sent, in bytes: far above any real event.
const maxHook = 1 << 20

// checkHook is the bearer authentication of recording.md §4.
func checkHook(c echo.Context, h HookConfig, realm string) error {
	if !h.Auth {
		return nil
	}
	err := bearer(c.Request(), h.Token)
	if err != nil {
		c.Response().Header().Set("WWW-Authenticate", "Bearer realm='"+realm+"'")
	}
	return err
}

// isStore lets the object store in.
func (s *Server) isStore(c echo.Context) error {
	return checkHook(c, s.Config.StorageHook, "Storage event API")
}

// isWorker lets the summary service in.
func (s *Server) isWorker(c echo.Context) error {
	return checkHook(c, s.Config.ProcessHook, "External process webhook API")
}

func bearer(r *http.Request, token string) error {
	header := r.Header.Get("Authorization")
	scheme, got, _ := strings.Cut(strings.TrimSpace(header), " ")
	got = strings.TrimSpace(got)
	switch {
	case token == "":
		return fault.New(fault.Unauthenticated, "hook_token_unset")
	case header == "":
		return fault.New(fault.Unauthenticated, "hook_header")
	case !strings.EqualFold(scheme, "bearer") || got == "":
		return fault.New(fault.Unauthenticated, "hook_header_format")
	}
	if !sameSecret(got, token) {
		return fault.New(fault.Unauthenticated, "hook_token")
	}
	return nil
}

// sameSecret compares hashes, so that not even the length of the secret shows in
// the time.
func sameSecret(got, want string) bool {
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// storageHook takes what the object store reports.
func (s *Server) storageHook(c echo.Context) error {
	if err := s.isStore(c); err != nil {
		return err
	}
	if !s.Config.StorageHook.Enabled {
		return fault.New(fault.NotFound, "feature_off")
	}
	header := c.Request().Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	body, readErr := readAll(c, maxHook)
	if readErr != nil {
		return readErr
	}
	if len(body) > 0 {
		if err == nil && kind == "multipart/form-data" { // may be sent, but no store does
			return fault.New(fault.Invalid, "storage_event")
		}
		if err != nil || kind != "application/json" && !fromSNS(c.Request(), kind) {
			return fault.About(fault.Invalid, "media_type", header)
		}
	}
	outcome, err := s.Recordings.StorageHook(c.Request().Context(), body)
	switch {
	case len(body) > 0 && errors.Is(err, fault.Invalid) && !json.Valid(body):
		return fault.About(fault.Invalid, "body_json", jsonFault(body))
	case err != nil:
		return err
	case outcome == recordings.Ignored:
		return respond(c, http.StatusOK, message{"Notification ignored."})
	}
	return respond(c, http.StatusOK, message{"Event processed."})
}

// processHook takes what the summary service says of its jobs (recording.md §6).
func (s *Server) processHook(c echo.Context) error {
	if err := s.isWorker(c); err != nil {
		return err
	}
	in, err := readObject(c)
	if err != nil {
		return err
	}
	var faults fieldErrors
	read := func(name string, field func(*object, string) (string, []string)) string {
		text, bad := field(in, name)
		if bad != nil {
			faults = append(faults, fieldError{name, bad})
		}
		return text
	}
	job := read("job_id", func(o *object, name string) (string, []string) { return textField(o, name, 0) })
	kind, status := read("type", optionalText), read("status", optionalText)
	if faults != nil {
		return faults
	}
	if err := s.Recordings.ProcessEvent(c.Request().Context(), job, kind, status); err != nil {
		return err
	}
	return respond(c, http.StatusOK, message{"Event processed."})
}

// fromSNS reports whether Amazon SNS sends the body: it calls its JSON plain text.
func fromSNS(r *http.Request, kind string) bool {
	return kind == "text/plain" && r.Header.Get("X-Amz-Sns-Message-Type") != ""
}

type status struct {
	Status string `json:"status"`
}

// liveKitHook takes LiveKit's webhooks (livekit.md §10).
func (s *Server) liveKitHook(c echo.Context) error {
	authorization := c.Request().Header.Get("Authorization")
	if authorization == "" {
		return fault.New(fault.Unauthenticated, "webhook_header")
	}
	body, err := readAll(c, maxHook)
	if err != nil {
		return err
	}
	ev, err := s.Webhooks.Receive(authorization, body)
	if err != nil {
		return err
	}
	if tag := s.Config.ConnectionTestTag; tag != "" && strings.HasPrefix(ev.Room, tag) {
		return respond(c, http.StatusOK, success)
	}
	if filter := s.Config.WebhookFilter; filter != nil && !filter.MatchString(ev.Room) {
		return respond(c, http.StatusOK, success)
	}
	if !ev.Known {
		return fault.New(fault.Invalid, "webhook_event")
	}
	if err := s.applyEvent(c.Request().Context(), ev); err != nil {
		return err
	}
	return respond(c, http.StatusOK, success)
}

// applyEvent returns when what follows from the event is committed: LiveKit
// sends it again unless it is acknowledged.
func (s *Server) applyEvent(ctx context.Context, ev ports.ConferenceEvent) error {
	switch {
	case ev.Name == "room_started":
		return s.DialIn.RoomStarted(ctx, ev)
	case ev.Name == "room_finished":
		return s.DialIn.RoomFinished(ctx, ev)
	case ev.Egress != nil && (ev.Name == "egress_updated" || ev.Name == "egress_ended"):
		return s.Recordings.EgressEvent(ctx, ev.ID, *ev.Egress)
	}
	return nil
}
