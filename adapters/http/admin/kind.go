package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/user"
)

// kind is what the pages of all models need to know of one. K is the type of its
// ids.
type kind[K comparable] struct {
	h         *hosted
	model     user.Model
	one, many string // in sentences
	list      link
	id        func(text string) (K, error) // fault.NotFound for what is none
	// look gives what is to be deleted; fault.NotFound when it is gone.
	look   func(c *request, id K) (thing, error)
	remove func(ctx context.Context, o user.Operator, id K) (name string, err error)
}

// uuidOf reads an id as it stands in addresses.
func uuidOf(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != text {
		return uuid.Nil, fault.New(fault.NotFound, "path")
	}
	return id, nil
}

// numberOf reads an id that is a number.
func numberOf(text string) (int32, error) {
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil || strconv.FormatInt(id, 10) != text {
		return 0, fault.New(fault.NotFound, "path")
	}
	return int32(id), nil
}

// text is an id as it stands in addresses and forms.
func (k kind[K]) text(id K) string { return fmt.Sprint(id) }

// page is the address of one of an object's pages.
func (k kind[K]) page(id K, what string) string { return k.list.URL + k.text(id) + "/" + what + "/" }

// history is the address of what was done to an object.
func (k kind[K]) history(id K) string {
	return "/admin/log/?model=" + string(k.model) + "&object=" + k.text(id)
}

// of handles requests about the object that the path names.
func (k kind[K]) of(do func(c *request, id K) error) handler {
	return func(c *request) error {
		id, err := k.id(c.Param("id"))
		if err != nil {
			return err
		}
		return do(c, id)
	}
}

// mostSelected is how many rows an action takes at once.
const mostSelected = 200

// selected are the rows that were ticked.
func selected[K comparable](c *request, read func(text string) (K, error)) []K {
	var ids []K
	for _, text := range c.Request().PostForm["_selected_action"] {
		if id, err := read(text); err == nil && !slices.Contains(ids, id) && len(ids) < mostSelected {
			ids = append(ids, id)
		}
	}
	return ids
}

const deleteAction = "delete_selected"

// deletions is the action that deletes what is ticked, for those who may.
func (k kind[K]) deletions(c *request) []choice {
	if !c.op.May(user.Delete, k.model) {
		return nil
	}
	return []choice{{Value: deleteAction, Label: "Delete selected " + k.many}}
}

// adding leads those who may to where an object is added.
func (k kind[K]) adding(c *request) *link {
	if !c.op.May(user.Add, k.model) {
		return nil
	}
	return &link{"Add " + k.one, k.list.URL + "add/"}
}

// links adds to the page of an object where its history is, and where it is deleted.
func (k kind[K]) links(c *request, f *form, id K, mayDelete bool) {
	if c.op.May(user.View, user.LogModel) {
		f.Tools = append(f.Tools, tool{Label: "History", URL: k.history(id)})
	}
	if mayDelete {
		f.Delete = k.page(id, "delete")
	}
}

// act does what was chosen with the ticked rows of a list, where deleting them is
// all that there is to choose.
func (k kind[K]) act(c *request) error {
	ids := selected(c, k.id)
	if c.op.May(user.Delete, k.model) && (c.form("action") != deleteAction || len(ids) == 0) {
		return k.h.tell(c, k.list.URL, warn(nothingSelected))
	}
	return k.deleteMany(c, ids)
}

// deleteMany deletes things one by one, after it asked; what cannot be deleted keeps
// no other.
func (k kind[K]) deleteMany(c *request, ids []K) error {
	if !c.op.May(user.Delete, k.model) {
		return fault.New(fault.Forbidden, "admin_permission")
	}
	if c.form("confirm") == "" {
		return k.confirmMany(c, ids)
	}
	n := 0
	var notes []user.Note
	for _, id := range ids {
		name, err := k.remove(c.Request().Context(), c.op, id)
		if name == "" {
			name = k.nameless(id)
		}
		if text, known := excuse(err); known {
			notes = append(notes, warn(name+": "+text))
			continue
		}
		if err != nil {
			return err
		}
		n++
	}
	if n > 0 {
		notes = append([]user.Note{done("Successfully deleted " + counts(n, k.one, k.many) + ".")}, notes...)
	}
	return k.h.tell(c, k.list.URL, notes...)
}

// nameless is what an object is called of which only the id is known.
func (k kind[K]) nameless(id K) string { return words(k.one) + " " + k.text(id) }

func (k kind[K]) confirmMany(c *request, ids []K) error {
	d := deletion{
		Question: "Are you sure you want to delete these " + k.many + "? This cannot be undone.",
		Action:   k.list.URL, Back: k.list.URL, Hidden: []link{{"action", deleteAction}, {"confirm", "yes"}},
	}
	for _, id := range ids {
		t, err := k.look(c, id)
		if errors.Is(err, fault.NotFound) {
			t = thing{Name: k.nameless(id), Warn: []string{"It is gone already."}}
		} else if err != nil {
			return err
		}
		d.Things = append(d.Things, t)
		d.Hidden = append(d.Hidden, link{"_selected_action", k.text(id)})
	}
	return k.h.render(c, http.StatusOK, "confirm", view{Title: "Delete these " + k.many, Body: d, Trail: []link{{"Administration", Root}}})
}

// confirm asks before an object is deleted.
func (k kind[K]) confirm(c *request, id K) error {
	if !c.op.May(user.Delete, k.model) {
		return fault.New(fault.Forbidden, "admin_permission")
	}
	t, err := k.look(c, id)
	if err != nil {
		return err
	}
	return k.h.render(c, http.StatusOK, "confirm", view{Title: "Delete " + k.one, Trail: []link{{"Administration", Root}, k.list, {t.Name, t.URL}}, Body: deletion{
		Question: "Are you sure you want to delete this " + k.one + "? This cannot be undone.", Things: []thing{t},
		Action: k.page(id, "delete"), Back: t.URL, Blocked: t.Kept,
	}})
}

// delete deletes an object.
func (k kind[K]) delete(c *request, id K) error {
	name, err := k.remove(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	return k.h.tell(c, k.list.URL, done("The "+k.one+" “"+name+"” was deleted successfully."))
}
