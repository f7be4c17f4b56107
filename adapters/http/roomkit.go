package http

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"meetd/domain/fault"
	"meetd/ports"
)

// RoomKitConfig is what the installation decides about room kits.
type RoomKitConfig struct {
	Enabled   bool
	Token     string     // of the telephone gateway; empty: nobody may
	Rate      ports.Rate // of all requests together
	PINLength int
}

// joinRoomKit is asked by the telephone gateway (http-external.md §4).
func (s *Server) joinRoomKit(c echo.Context) error {
	conf := s.Config.RoomKit
	if err := s.isGateway(c); err != nil {
		return err
	}
	if err := s.count(c, counted{bucket: "roomkit_join", rate: conf.Rate}); err != nil {
		return err
	}
	if !conf.Enabled {
		return fault.New(fault.NotFound, "feature_off")
	}
	in, err := readObject(c)
	if err != nil {
		return err
	}
	pin, bad := textField(in, "pin_code", 0)
	if bad == nil && utf8.RuneCountInString(pin) != conf.PINLength {
		bad = []string{"PIN code length is invalid."}
	}
	if bad != nil {
		return fieldErrors{{"pin_code", bad}}
	}
	if err := s.DialIn.Join(c.Request().Context(), pin); err != nil {
		return err
	}
	return respond(c, http.StatusOK, success)
}

// isGateway lets the telephone gateway in.
func (s *Server) isGateway(c echo.Context) error {
	err := gateway(c.Request().Header.Get("Authorization"), s.Config.RoomKit.Token)
	if err != nil {
		c.Response().Header().Set("WWW-Authenticate", "Bearer realm='Roomkit server to server'")
	}
	return err
}

// gateway checks the header of the telephone gateway, which is read more
// strictly than that of the hooks.
func gateway(header, token string) error {
	got, ok := strings.CutPrefix(header, "Bearer ")
	switch {
	case token == "":
		return fault.New(fault.Unauthenticated, "gateway_token_unset")
	case header == "":
		return fault.New(fault.Unauthenticated, "gateway_header")
	case !ok || got == "" || strings.Contains(got, " "):
		return fault.New(fault.Unauthenticated, "gateway_header_format")
	case !sameSecret(got, token):
		return fault.New(fault.Unauthenticated, "gateway_token")
	}
	return nil
}

type testBody struct {
	LiveKit testAccess `json:"livekit"`
}

type testAccess struct {
	URL       string `json:"url"`
	Room      string `json:"room"`
	Token     string `json:"token"`
	ExpiresIn int    `json:"expires_in"` // seconds
}

// limitTest counts people by their accounts, and others by where they come from.
func (s *Server) limitTest(c echo.Context) counted {
	if u := current(c); u != nil {
		return counted{bucket: "connection_test " + u.ID.String(), rate: s.Config.TestRate}
	}
	return counted{bucket: "connection_test " + s.clientAddress(c.Request()), rate: s.Config.TestRate}
}

func (s *Server) testConnection(c echo.Context) error {
	t, err := s.Diagnostics.Connection(c.Request().Context(), current(c))
	if err != nil {
		return err
	}
	c.Response().Header()["Cache-Control"] = noStore
	return respond(c, http.StatusOK, testBody{testAccess{s.Config.LiveKitURL, t.Room, t.Token, int(t.TTL.Seconds())}})
}
