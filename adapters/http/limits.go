package http

import (
	"github.com/labstack/echo/v4"

	"meetd/ports"
)

// counted is where a request is counted, and how many of them there may be. The
// zero rate is no limit.
type counted struct {
	bucket string
	rate   ports.Rate
	first  *counted // where the first request of a bucket is counted besides; nil: nowhere
}

// limits says, for each path that is limited, how its requests are counted
// (http-overview.md §6).
func (s *Server) limits() map[string]func(echo.Context) counted {
	return map[string]func(echo.Context) counted{
		API + "/rooms/creation-callback/": s.limitCallback,
		API + "/rooms/:id/request-entry/": s.limitEntry,
		API + "/diagnostics/connection/":  s.limitTest,
	}
}

// limitCallback leaves those alone who are logged in.
func (s *Server) limitCallback(c echo.Context) counted {
	if current(c) != nil {
		return counted{}
	}
	return counted{bucket: "creation_callback " + s.clientAddress(c.Request()), rate: s.Config.CallbackRate}
}

// count refuses a request when there were too many.
func (s *Server) count(c echo.Context, what counted) error {
	ctx, now := c.Request().Context(), s.Now()
	if first := what.first; first != nil {
		if known, err := s.Throttle.HitKnown(ctx, what.bucket, what.rate, now); known || err != nil {
			return err
		}
		if err := s.Throttle.Hit(ctx, first.bucket, first.rate, now); err != nil {
			return err
		}
		c.Set(countedFirst, true)
	}
	return s.Throttle.Hit(ctx, what.bucket, what.rate, now)
}

// countedFirst is where a request knows that it was the first of its bucket.
const countedFirst = "counted_first"
