package http

import (
	"crypto/rand"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"meetd/app/entry"
	"meetd/domain/lobby"
)

// entryBody is how far somebody is who wants to be let in, its fields in the
// contract's order (http-users-rooms.md §6.1).
type entryBody struct {
	waitingBody
	LiveKit *liveKitBody `json:"livekit"`
}

type waitingBody struct {
	Status   lobby.Status `json:"status"`
	Username string       `json:"username"`
	ID       uuid.UUID    `json:"id"`
	Color    string       `json:"color"`
}

func toWaitingBody(e lobby.Entry) waitingBody {
	return waitingBody{Status: e.Status, Username: e.Username, ID: e.Participant, Color: e.Color}
}

// maxUsername is the longest name in a lobby, in characters.
const maxUsername = 255

func (s *Server) requestEntry(c echo.Context) error {
	id, err := identifier(c)
	if err != nil {
		return err
	}
	in, err := readObject(c)
	if err != nil {
		return err
	}
	username, bad := textField(in, "username", maxUsername)
	if bad != nil {
		return fieldErrors{{"username", bad}}
	}
	secret := s.lobbySecret(c)
	fresh := secret == ""
	if fresh {
		secret = rand.Text()
	}
	a, err := s.Entry.Request(c.Request().Context(), entry.Request{
		Room: id, User: current(c), Secret: secret, Counted: fresh || c.Get(countedFirst) != nil, Client: s.clientAddress(c.Request()), Username: username,
	})
	if err != nil {
		return err
	}
	if fresh && current(c) == nil { // he was counted, and is not a stranger next time
		if err := s.Throttle.Know(c.Request().Context(), entryBucket(secret), s.Config.RequestEntryRate, s.Now()); err != nil {
			return err
		}
	}
	body := entryBody{waitingBody: toWaitingBody(a.Entry)}
	if a.Join != nil {
		body.LiveKit = &liveKitBody{URL: s.Config.LiveKitURL, Room: a.Join.Room, Token: a.Join.Token}
	}
	// What lets a guest in again goes over https only, whatever the profile.
	c.SetCookie(&http.Cookie{
		Name: s.Config.LobbyCookie, Value: secret, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
	c.Response().Header()["Cache-Control"] = noStore
	return respond(c, http.StatusOK, body)
}

// lobbySecret is by what the lobby knows the browser again: any text that is not
// too long; empty when there is none.
func (s *Server) lobbySecret(c echo.Context) string {
	cookie, err := c.Cookie(s.Config.LobbyCookie)
	if err != nil || len(cookie.Value) > lobby.MaxSecret {
		return ""
	}
	return cookie.Value
}

// limitEntry counts those who ask to be let in: by who they are, else by what
// they keep, else by where they come from (http-overview.md §6). What nobody has
// kept in the last minute may be made up, so it is counted there too.
func (s *Server) limitEntry(c echo.Context) counted {
	if u := current(c); u != nil {
		return counted{bucket: "request_entry " + u.ID.String(), rate: s.Config.RequestEntryRate}
	}
	newcomers := counted{bucket: entry.Newcomers(s.clientAddress(c.Request())), rate: s.Config.NewcomerRate}
	if secret := s.lobbySecret(c); secret != "" {
		return counted{bucket: entryBucket(secret), rate: s.Config.RequestEntryRate, first: &newcomers}
	}
	return newcomers
}

// entryBucket is where a guest is counted who keeps a secret.
func entryBucket(secret string) string {
	return "request_entry " + lobby.Participant(secret).String()
}

func (s *Server) decideEntry(c echo.Context) error {
	id, err := identifier(c)
	if err != nil {
		return err
	}
	in, err := readObject(c)
	if err != nil {
		return err
	}
	var errs fieldErrors
	who, bad := idField(in, "participant_id")
	if v, _ := in.get("participant_id"); bad != nil && v != nil {
		bad = []string{"Must be a valid UUID."}
	}
	if bad != nil {
		errs = append(errs, fieldError{"participant_id", bad})
	}
	allow, bad := boolField(in, "allow_entry")
	if bad != nil {
		errs = append(errs, fieldError{"allow_entry", bad})
	}
	if errs != nil {
		return errs
	}
	if err := s.Entry.Decide(c.Request().Context(), current(c), id, who, allow); err != nil {
		return err
	}
	return respond(c, http.StatusOK, map[string]string{"message": "Participant was updated."})
}

func (s *Server) listWaiting(c echo.Context) error {
	id, err := identifier(c)
	if err != nil {
		return err
	}
	list, err := s.Entry.Waiting(c.Request().Context(), current(c), id)
	if err != nil {
		return err
	}
	waiting := make([]waitingBody, len(list))
	for i, e := range list {
		waiting[i] = toWaitingBody(e)
	}
	return respond(c, http.StatusOK, map[string]any{"participants": waiting})
}
