package admin

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"meetd/domain/fault"
	"meetd/domain/user"
)

// refusal is the page of an error.
type refusal struct {
	status int
	title  string
	text   string
}

// refusals has the words for the faults that have their own.
var refusals = map[string]refusal{
	"not_staff":        {http.StatusForbidden, "No access", "You are signed in, but your account may not use the administration. Log out to sign in with another one, or ask a superuser for the staff status."},
	"admin_permission": {http.StatusForbidden, "Permission denied", "Your account does not have the permission for this. Ask a superuser for it."},
	"csrf":             {http.StatusForbidden, "This form is not valid any more", "The request did not come from a page of this site, or the page is too old. Go back, load the page again and send the form once more."},
	"room_last_owner":  {http.StatusForbidden, "A room needs an owner", "A resource should keep at least one owner. Nothing was changed: make somebody else an owner first."},
	"recording_held":   {http.StatusForbidden, "Legal hold", "This recording is on legal hold and cannot be deleted. Release the hold first."},
	"room_held":        {http.StatusForbidden, "Legal hold", "A recording of this room is on legal hold: the room cannot be deleted. Release the hold first."},
	"permission":       {http.StatusForbidden, "Still recording", "This recording has not ended: it cannot be deleted. Mark it as failed to stop first, or wait for its end."},
	"account_own":      {http.StatusConflict, "Your own account", "You cannot delete your own account: another superuser can."},
	"group_rights":     {http.StatusForbidden, "Permission denied", "This group allows something to its members: only superusers delete it."},
	"account_files":    {http.StatusConflict, "The user has files", "A user who has files cannot be deleted. Delete the files first."},
	"list_slow":        {http.StatusUnprocessableEntity, "Narrow your search", "To find this takes too long. Search for a longer or rarer word, for the beginning of it, or for an exact id, or use fewer filters."},
	"cursor":           {http.StatusBadRequest, "There is no such page", "The address of this page is not one that this site gave. Begin with the first page of the list."},
}

var kinds = map[fault.Kind]refusal{
	fault.Invalid:     {http.StatusBadRequest, "This cannot be used", "What was sent breaks a rule. Go back and look at it once more."},
	fault.Forbidden:   {http.StatusForbidden, "Permission denied", "You may not do this."},
	fault.NotFound:    {http.StatusNotFound, "Not found", "There is nothing at this address. It may have been deleted."},
	fault.Conflict:    {http.StatusConflict, "Somebody was faster", "This contradicts what is stored by now. Load the page again and look."},
	fault.Upstream:    {http.StatusBadGateway, "Not available", "A service this one depends on failed. Try again."},
	fault.TooMany:     {http.StatusTooManyRequests, "Too many tries", "You tried too often. Wait some minutes."},
	fault.Unavailable: {http.StatusServiceUnavailable, "Not available", "The database does not answer now. Try again in a few seconds."},
	// The account was deleted while the request was under way.
	fault.Unauthenticated: {http.StatusConflict, "Somebody was faster", "An account that this is about was deleted meanwhile. Load the page again and look."},
}

// refuse answers an error with a page.
func (h *hosted) refuse(c echo.Context, err error) error {
	h.host.Failed(c, err)
	r := refusal{http.StatusInternalServerError, "Something went wrong", "This is a fault of the service. It was written to its log, with the number of this request."}
	var (
		f  *fault.Error
		he *echo.HTTPError
	)
	if errors.As(err, &f) {
		var ok bool
		if r, ok = refusals[f.Code]; !ok {
			r = kinds[f.Kind]
		}
		if f.Kind == fault.TooMany {
			c.Response().Header().Set("Retry-After", f.Subject)
		}
	} else if errors.As(err, &he) {
		r = kinds[fault.NotFound]
		r.status = he.Code
	}
	v := view{Title: r.title, Body: r.text}
	if o, ok := c.Get(keyOperator).(user.Operator); ok {
		v.Operator = &o
		v.Nav = navigation(o, "")
	}
	return h.render(c, r.status, "error", v)
}

// excuse is why one of several things was not deleted, if that is to be told
// beside the others.
func excuse(err error) (string, bool) {
	var f *fault.Error
	if !errors.As(err, &f) {
		return "", false
	}
	switch f.Code {
	case "room_held", "recording_held", "permission", "account_own", "account_files", "group_rights", "admin_permission":
		return refusals[f.Code].text, true
	}
	if f.Kind == fault.NotFound {
		return "It is gone already.", true
	}
	return "", false
}
