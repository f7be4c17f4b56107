package participant

import (
	"reflect"
	"testing"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/room"
	"meetd/domain/user"
)

func TestGrant(t *testing.T) {
	t.Parallel()
	sub, name := "sub-ada", "Ada Lovelace"
	ada := &user.User{ID: uuid.New(), Sub: &sub, FullName: &name}
	camera := room.Configuration{"can_publish_sources": []any{"camera"}}
	all := room.AllSources()
	for what, c := range map[string]struct {
		who   Person
		fixed bool // names are those of the accounts
		conf  room.Configuration
		want  Grant
	}{
		"account":               {Person{User: ada}, false, nil, Grant{Identity: sub, Name: name, LoggedIn: true, Sources: all}},
		"account, other name":   {Person{User: ada, Username: "A"}, false, nil, Grant{Identity: sub, Name: "A", LoggedIn: true, Sources: all}},
		"account, fixed name":   {Person{User: ada, Username: "A"}, true, nil, Grant{Identity: sub, Name: name, LoggedIn: true, Sources: all}},
		"guest":                 {Person{Guest: "g"}, false, nil, Grant{Identity: "g", Name: "Anonymous", Sources: all}},
		"guest, fixed names":    {Person{Guest: "g", Username: "G"}, true, nil, Grant{Identity: "g", Name: "G", Sources: all}},
		"member of strict room": {Person{User: ada, Role: access.Member}, false, camera, Grant{Identity: sub, Name: name, LoggedIn: true, Role: access.Member, Sources: []room.Source{room.Camera}}},
		"owner of strict room":  {Person{User: ada, Role: access.Owner}, false, camera, Grant{Identity: sub, Name: name, LoggedIn: true, Role: access.Owner, Sources: all}},
	} {
		c.want.Room, c.want.TTL = "room", TokenTTL
		got := Rules{EditableNames: !c.fixed, Sources: all}.Grant(c.who, "room", c.conf)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", what, got, c.want)
		}
	}
}
