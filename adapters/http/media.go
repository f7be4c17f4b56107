package http

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"meetd/app/accounts"
	"meetd/app/media"
	"meetd/domain/fault"
)

// mediaAuthPath is where proxies ask. Behind it Envoy writes what it was asked
// for itself.
const mediaAuthPath = API + "/recordings/media-auth/"

// mediaPath is where we deliver files ourselves.
const mediaPath = "/media/*"

// authorizeMedia answers the proxy: may this browser have this file now? An
// allowed answer has no body, since nginx closes the connection to us after one
// that has, and is kept by nobody (recording.md §7). A refusal may be shown to
// the browser.
func (s *Server) authorizeMedia(c echo.Context) error {
	r, h := c.Request(), c.Response().Header()
	h["Cache-Control"] = noStore
	q := dialects[s.Config.MediaProxy].read(r)
	q.Session = accounts.Key(s.secret(c))
	d, signed, err := s.Media.Authorize(r.Context(), q)
	if err == nil && !s.fromProxy(r) {
		err = fault.About(fault.Forbidden, "media_proxy", r.RemoteAddr)
	}
	if err != nil {
		h["X-Content-Type-Options"] = nosniff
		h["Content-Security-Policy"] = noContent
		return err
	}
	s.Media.Got(r.Context(), q.Method, d)
	h["Authorization"] = []string{signed.Authorization}
	h["X-Amz-Date"] = []string{signed.Date}
	h["X-Amz-Content-Sha256"] = []string{signed.ContentSHA256}
	if signed.SecurityToken != "" {
		h["X-Amz-Security-Token"] = []string{signed.SecurityToken}
	}
	h["Content-Disposition"] = []string{attachment(d)}
	h["Content-Length"] = []string{"0"}
	c.Response().WriteHeader(http.StatusOK)
	return nil
}

// attachment is a Content-Disposition; the name needs no escapes.
func attachment(d media.Download) string { return `attachment; filename="` + d.Name + `"` }

// noContent is for what is a file and no page.
var noContent = []string{"default-src 'none'"}

// isMediaAuth reports whether a path is one that only proxies ask for.
func isMediaAuth(path string) bool { return strings.HasPrefix(path, mediaAuthPath) }

// fromProxy reports whether the peer may be handed signatures for the store.
func (s *Server) fromProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	return s.isTrustedProxy(peer.Addr().Unmap())
}

func (s *Server) isTrustedProxy(a netip.Addr) bool {
	return slices.ContainsFunc(s.Config.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// sent are the store's headers that a browser gets.
var sent = []string{"Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Etag", "Last-Modified"}

// streamMedia sends the file itself, for installations without an ingress. The
// body goes through without being held.
func (s *Server) streamMedia(c echo.Context) error {
	r, h := c.Request(), c.Response().Header()
	h["Cache-Control"] = noStore
	ctx, giveUp := context.WithCancel(r.Context())
	defer giveUp()
	d, file, err := s.Media.Open(ctx, s.wanted(c), r.Header)
	if err != nil {
		return err
	}
	defer file.Body.Close() //nolint:errcheck // nothing is left to do about it
	for _, name := range sent {
		if v := file.Header.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	h["Content-Disposition"] = []string{attachment(d)}
	h["Content-Security-Policy"] = noContent
	if file.Status >= http.StatusBadRequest {
		// The store explains itself with names that are its own business.
		h.Del("Content-Type")
		h.Set("Content-Length", "0")
	}
	c.Response().WriteHeader(file.Status)
	if r.Method == http.MethodHead || file.Status >= http.StatusBadRequest {
		return nil
	}
	if err := pass(c.Response(), file.Body, giveUp); err != nil && r.Context().Err() == nil && !isClosed(err) {
		// The status is sent; only breaking the connection tells the browser.
		s.Log.WarnContext(r.Context(), "a download broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

const (
	// streamPatience is how long a part of a file may take, from the store or to
	// the browser. A part is 32 KiB, so that slow lines are fast enough.
	streamPatience = time.Minute
	streamPart     = 32 << 10 // bytes
	// renewal is how rarely a deadline is put off.
	renewal = time.Second
)

// pass sends what it reads, until its end. A browser that takes nothing any more
// is cut off; when nothing comes any more, giveUp is called, and must make the
// reader fail.
func pass(to http.ResponseWriter, from io.Reader, giveUp func()) error {
	rc := http.NewResponseController(to)
	stalled := time.AfterFunc(streamPatience, giveUp)
	defer stalled.Stop()
	var last time.Time
	renew := func() {
		if now := time.Now(); now.Sub(last) >= renewal { //nolint:forbidigo // a deadline of the network
			last = now
			stalled.Reset(streamPatience)
			_ = rc.SetWriteDeadline(now.Add(streamPatience)) // what has none is a test
		}
	}
	part := make([]byte, streamPart)
	for {
		renew()
		n, err := from.Read(part)
		if n > 0 {
			renew()
			if _, err := to.Write(part[:n]); err != nil {
				return err //nolint:wrapcheck // the caller looks whose fault it is
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err //nolint:wrapcheck // likewise
		}
	}
}

// redirectMedia sends the browser to the store with a link for this one file.
func (s *Server) redirectMedia(c echo.Context) error {
	c.Response().Header()["Cache-Control"] = noStore
	link, err := s.Media.Link(c.Request().Context(), s.wanted(c))
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusFound, link)
}

// wanted is what a browser that came to us without a proxy in between asks for.
func (s *Server) wanted(c echo.Context) media.Request {
	return media.Request{Session: accounts.Key(s.secret(c)), Method: c.Request().Method, Target: c.Request().RequestURI}
}

// isClosed reports whether it was the browser that went away.
func isClosed(err error) bool {
	return errors.Is(err, io.ErrClosedPipe) || strings.Contains(err.Error(), "broken pipe") || strings.Contains(err.Error(), "connection reset")
}
