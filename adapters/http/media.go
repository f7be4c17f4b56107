package http

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"meetd/app/accounts"
	"meetd/app/media"
	"meetd/domain/fault"
)

const mediaAuthPath = API + "/recordings/media-auth/"

// authorizeMedia answers the ingress: may this browser have this file now? An
// allowed answer has no body, since nginx closes the connection to us after one
// that has, and is kept by nobody (recording.md §7).
func (s *Server) authorizeMedia(c echo.Context) error {
	r, h := c.Request(), c.Response().Header()
	h["Cache-Control"] = noStore
	signed, err := s.Media.Authorize(r.Context(), media.Request{
		Session: accounts.Key(s.secret(c)), Method: original(r, "X-Original-Method", r.Method), Target: original(r, "X-Original-Url", ""),
	})
	if err != nil {
		return err
	}
	if !s.fromProxy(r) {
		return fault.About(fault.Forbidden, "media_proxy", r.RemoteAddr)
	}
	h["Authorization"] = []string{signed.Authorization}
	h["X-Amz-Date"] = []string{signed.Date}
	h["X-Amz-Content-Sha256"] = []string{signed.ContentSHA256}
	if signed.SecurityToken != "" {
		h["X-Amz-Security-Token"] = []string{signed.SecurityToken}
	}
	h["Content-Length"] = []string{"0"}
	c.Response().WriteHeader(http.StatusOK)
	return nil
}

// original is what the proxy tells of the browser's request. A header sent twice
// is as good as an empty one, which is refused.
func original(r *http.Request, name, absent string) string {
	switch values := r.Header[name]; len(values) {
	case 0:
		return absent
	case 1:
		return values[0]
	}
	return ""
}

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
	_, file, err := s.Media.Open(r.Context(), media.Request{
		Session: accounts.Key(s.secret(c)), Method: r.Method, Target: r.RequestURI,
	}, r.Header)
	if err != nil {
		return err
	}
	defer file.Body.Close() //nolint:errcheck // nothing is left to do about it
	for _, name := range sent {
		if v := file.Header.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	// No name: the page that links to the file chooses it.
	h.Set("Content-Disposition", "attachment")
	h.Set("Content-Security-Policy", "default-src 'none'")
	if file.Status >= http.StatusBadRequest {
		// The store explains itself with names that are its own business.
		h.Del("Content-Type")
		h.Set("Content-Length", "0")
	}
	c.Response().WriteHeader(file.Status)
	if r.Method == http.MethodHead || file.Status >= http.StatusBadRequest {
		return nil
	}
	if _, err := io.Copy(c.Response(), file.Body); err != nil && r.Context().Err() == nil && !isClosed(err) {
		// The status is sent; only breaking the connection tells the browser.
		s.Log.WarnContext(r.Context(), "a download broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// isClosed reports whether it was the browser that went away.
func isClosed(err error) bool {
	return errors.Is(err, io.ErrClosedPipe) || strings.Contains(err.Error(), "broken pipe") || strings.Contains(err.Error(), "connection reset")
}
