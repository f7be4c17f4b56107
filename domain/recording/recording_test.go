package recording

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
)

var all = []Status{
	Initiated, Active, Stopped, Saved, Aborted, FailedToStart, FailedToStop,
	NotificationSucceeded, ExternalProcessSuccessful, ExternalProcessFailed,
}

func at(s Status) *Recording {
	return Restore(Recording{ID: uuid.New()}, State{Status: s, WorkerID: "EG_1"})
}

func TestVerbs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		verb func(*Recording) error
		to   Status
		from []Status
	}{
		{"start", func(r *Recording) error { return r.Start("EG_2") }, Active, []Status{Initiated}},
		{"fail start", (*Recording).FailStart, FailedToStart, []Status{Initiated}},
		{"stop", (*Recording).Stop, Stopped, []Status{Active}},
		{"fail stop", (*Recording).FailStop, FailedToStop, []Status{Active}},
		{"abort", (*Recording).Abort, Aborted, []Status{Active, Stopped}},
		{"save", (*Recording).Save, Saved, []Status{Active, Stopped}},
	} {
		for _, from := range all {
			r := at(from)
			err := c.verb(r)
			allowed := from == c.to
			for _, f := range c.from {
				allowed = allowed || f == from
			}
			switch {
			case allowed && (err != nil || r.Status() != c.to):
				t.Errorf("%s from %s: %v, now %s", c.name, from, err, r.Status())
			case !allowed && (!errors.Is(err, fault.Conflict) || r.Status() != from):
				t.Errorf("%s from %s was not refused: %v, now %s", c.name, from, err, r.Status())
			}
		}
	}
}

// What nobody knows to have stopped may still turn out to be saved or lost.
func TestUnsure(t *testing.T) {
	t.Parallel()
	unsure := func() *Recording {
		r := at(Active)
		if err := r.FailStop(); err != nil || r.Status() != FailedToStop || !r.Unsure() || r.Failed() || !r.Savable() {
			t.Fatalf("%v: %+v", err, r.State())
		}
		return r
	}
	if r := unsure(); r.Save() != nil || r.Status() != Saved || r.Unsure() {
		t.Errorf("saved: %+v", r.State())
	}
	r := unsure()
	if r.Observe(EgressFailed); r.Status() != Aborted || r.Unsure() || !r.Failed() {
		t.Errorf("failed: %+v", r.State())
	}
	if r := at(FailedToStop); r.Savable() || !r.Failed() {
		t.Errorf("one that is known to have failed: %+v", r.State())
	}
}

func TestAfterSaving(t *testing.T) {
	t.Parallel()
	notify := func(r *Recording) { r.Notify() }
	success := func(r *Recording) { r.EndProcess(true) }
	failure := func(r *Recording) { r.EndProcess(false) }
	for name, c := range map[string]struct {
		verb  func(*Recording)
		moves map[Status]Status
	}{
		"notify": {notify, map[Status]Status{Saved: NotificationSucceeded}},
		"success": {success, map[Status]Status{
			Saved: ExternalProcessSuccessful, NotificationSucceeded: ExternalProcessSuccessful, ExternalProcessFailed: ExternalProcessSuccessful,
		}},
		"failure": {failure, map[Status]Status{Saved: ExternalProcessFailed, NotificationSucceeded: ExternalProcessFailed}},
	} {
		for _, from := range all {
			want, moved := c.moves[from]
			if !moved {
				want = from
			}
			r := at(from)
			if c.verb(r); r.Status() != want {
				t.Errorf("%s moved %s to %s, want %s", name, from, r.Status(), want)
			}
		}
	}
}

func TestConclude(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	type found = Evidence
	known := func(s EgressStatus, room bool, o Presence) Evidence {
		return Evidence{Asked: true, Egress: s, WorkerID: "EG_1", RoomOpen: room, Object: o}
	}
	const open, closed = true, false
	for name, c := range map[string]struct {
		from    Status
		silent  time.Duration
		found   Evidence
		to      Status
		pending bool
	}{
		"it runs":                               {Active, 0, known(EgressActive, open, NotLooked), Active, true},
		"it runs, its start was not written":    {Initiated, 0, known(EgressActive, open, NotLooked), Active, true},
		"the start got nowhere":                 {Initiated, 0, found{Asked: true, Object: Absent}, FailedToStart, false},
		"nobody knows about the start":          {Initiated, 0, found{Object: Absent}, Initiated, true},
		"forgotten, but there is a film":        {Initiated, 0, found{Asked: true, Object: Seen}, Saved, false},
		"it failed at the start":                {Initiated, 0, known(EgressFailed, open, NotLooked), Aborted, false},
		"saved":                                 {Active, 0, known(EgressComplete, closed, Seen), Saved, false},
		"stopped and saved":                     {Stopped, 0, known(EgressLimitReached, open, Seen), Saved, false},
		"complete without a file":               {Active, 0, known(EgressComplete, closed, Absent), Aborted, false},
		"complete, and the store is away":       {Active, 0, known(EgressComplete, closed, NotLooked), Active, true},
		"complete, and the store is closed":     {Active, 0, known(EgressComplete, closed, Unreadable), Saved, false},
		"in the backup storage":                 {Active, 0, found{Asked: true, Egress: EgressComplete, Elsewhere: true, Object: Absent}, Stopped, true},
		"still in the backup storage":           {Stopped, 0, found{Asked: true, Egress: EgressComplete, Elsewhere: true, Object: Unreadable}, Stopped, true},
		"back from the backup storage":          {Stopped, 0, found{Asked: true, Egress: EgressComplete, Elsewhere: true, Object: Seen}, Saved, false},
		"failed":                                {Active, 0, known(EgressFailed, closed, NotLooked), Aborted, false},
		"forgotten, with a file":                {Active, 0, found{Asked: true, Object: Seen}, Saved, false},
		"forgotten, without one":                {Stopped, 0, found{Asked: true, Object: Absent}, Aborted, false},
		"forgotten, and the store is closed":    {Stopped, 0, found{Asked: true, Object: Unreadable}, Aborted, false},
		"LiveKit is away, there is a film":      {Active, 0, found{Object: Seen}, Saved, false},
		"LiveKit is away, there is none":        {Active, 0, found{Object: Absent}, Active, true},
		"a ghost with a film":                   {Active, 0, known(EgressActive, closed, Seen), Saved, false},
		"a ghost":                               {Active, time.Minute, known(EgressActive, closed, Absent), Stopped, true},
		"a ghost for a while":                   {Stopped, time.Minute, known(EgressActive, closed, Absent), Aborted, false},
		"a ghost, and the store is away":        {Stopped, time.Minute, known(EgressActive, closed, NotLooked), Stopped, true},
		"it uploads":                            {Stopped, time.Minute, known(EgressEnding, closed, Absent), Stopped, true},
		"it never ends to upload":               {Stopped, 2 * time.Hour, known(EgressEnding, closed, Absent), Aborted, false},
		"it may not have stopped, and has":      {FailedToStop, 0, known(EgressComplete, closed, Seen), Saved, false},
		"it may not have stopped, and has none": {FailedToStop, 0, known(EgressComplete, closed, Absent), Aborted, false},
		"it has not stopped":                    {FailedToStop, 0, known(EgressActive, open, NotLooked), FailedToStop, true},
		"one that is saved stays":               {Saved, 0, known(EgressFailed, closed, NotLooked), Saved, false},
	} {
		r := Restore(Recording{UpdatedAt: now.Add(-c.silent)}, State{Status: c.from, Unsure: c.from == FailedToStop})
		if pending := r.Conclude(c.found, now); r.Status() != c.to || pending != c.pending {
			t.Errorf("%s: %s, pending %v; want %s, %v", name, r.Status(), pending, c.to, c.pending)
		}
		if looked := c.found.Object != NotLooked; looked && !c.found.NeedsObject() && c.found.Egress != "" {
			t.Errorf("%s: the object was not needed", name)
		}
	}
}

func TestStartTwice(t *testing.T) {
	t.Parallel()
	r := New(uuid.New(), uuid.New(), ScreenRecording, nil, time.Now())
	if err := errors.Join(r.Start("EG_1"), r.Save(), r.Start("EG_1")); err != nil || r.Status() != Saved {
		t.Errorf("the same worker told twice: %v, now %s", err, r.Status())
	}
	if err := r.Start("EG_2"); !errors.Is(err, fault.Conflict) {
		t.Errorf("another worker: %v, want a conflict", err)
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	want := map[EgressStatus]map[Status]Status{
		EgressFailed:       {Initiated: FailedToStart, Active: Aborted, Stopped: Aborted},
		EgressAborted:      {Initiated: FailedToStart, Active: Aborted, Stopped: Aborted},
		EgressLimitReached: {Active: Stopped},
		EgressStarting:     {}, EgressActive: {}, EgressEnding: {}, EgressComplete: {},
	}
	for egress, moves := range want {
		for _, from := range all {
			to, moved := moves[from]
			if !moved {
				to = from
			}
			r := at(from)
			if r.Observe(egress); r.Status() != to {
				t.Errorf("egress %s moved %s to %s, want %s", egress, from, r.Status(), to)
			}
			for late := range want {
				if r.Observe(late); egress.Ended() && (r.Status() != to || r.Egress() != egress) {
					t.Errorf("egress %s after %s moved %s to %s", late, egress, to, r.Status())
				}
			}
		}
	}
}

func TestEgressOrder(t *testing.T) {
	t.Parallel()
	order := []EgressStatus{"", EgressStarting, EgressActive, EgressEnding, EgressComplete}
	for i, old := range order {
		for j, s := range order {
			if got := s.After(old); got != (j > i) {
				t.Errorf("%q after %q: %v", s, old, got)
			}
		}
	}
	if EgressFailed.After(EgressComplete) {
		t.Error("a second end counts as news")
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	for _, s := range all {
		open := s == Initiated || s == Active
		savable := s == Active || s == Stopped
		down := s == Saved || s == NotificationSucceeded || s == ExternalProcessSuccessful || s == ExternalProcessFailed
		if r := at(s); s.Open() != open || s.Final() == open || r.Savable() != savable || s.Downloadable() != down {
			t.Errorf("%s: open %v, final %v, savable %v, downloadable %v", s, s.Open(), s.Final(), r.Savable(), s.Downloadable())
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	made := time.Date(2023, 1, 15, 12, 0, 0, 0, time.UTC)
	r := &Recording{CreatedAt: made}
	if _, ok := r.ExpiresAt(0); ok || r.Expired(0, made.AddDate(100, 0, 0)) {
		t.Error("no days, yet it expires")
	}
	if day, ok := r.ExpiresAt(1); !ok || !day.Equal(made.AddDate(0, 0, 1)) {
		t.Errorf("expires %v", day)
	}
	if r.Expired(1, made.AddDate(0, 0, 1)) || !r.Expired(1, made.AddDate(0, 0, 1).Add(time.Second)) {
		t.Error("expiry is off by some time")
	}
	// A day is 24 hours, also where clocks are put forward in between.
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	made = time.Date(2026, 3, 28, 12, 0, 0, 0, paris)
	if day, _ := (&Recording{CreatedAt: made}).ExpiresAt(1); day.Sub(made) != 24*time.Hour {
		t.Errorf("over the beginning of summer time it expires after %v", day.Sub(made))
	}
}

const id = "46d1a121-2426-484d-8fb3-09b5d886f7a8"

func TestParseAddress(t *testing.T) {
	t.Parallel()
	good := map[string]Address{
		"/media/recordings/" + id + ".mp4":                     {Extension: "mp4"},
		"/media/recordings/" + id + ".MP4":                     {Extension: "MP4"},
		"/media/recordings/" + id + ".mp4?versionId=7#x":       {Extension: "mp4"},
		"https://meet.example/media/recordings/" + id + ".ogg": {Extension: "ogg", Host: "meet.example"},
		"http://h:8000/media/recordings/" + id + ".ogg":        {Extension: "ogg", Host: "h:8000"},
		"/media/%72ecordings/" + id + ".ogg":                   {Extension: "ogg"},
	}
	for target, want := range good {
		want.ID = uuid.MustParse(id)
		if got, ok := ParseAddress("recordings", target); !ok || got != want {
			t.Errorf("%s: %+v, %v", target, got, ok)
		}
	}
	for _, target := range []string{
		"", "/", "media/recordings/" + id + ".mp4", "//media/recordings/" + id + ".mp4",
		"/x/media/recordings/" + id + ".mp4", "/media/recordings/" + id + ".mp4/", "/media/recordings/" + id + ".mp4/x",
		"/media//recordings/" + id + ".mp4", "/media/./recordings/" + id + ".mp4", "/media/x/../recordings/" + id + ".mp4",
		"/media/recordings/../recordings/" + id + ".mp4", "/media/recordings/%2e%2e/recordings/" + id + ".mp4",
		"/media%2Frecordings/" + id + ".mp4", "/media/recordings%2F" + id + ".mp4", "/media/recordings%252F" + id + ".mp4",
		"/media/recordings%5C" + id + ".mp4", "/media\\recordings\\" + id + ".mp4", "/media/recordings;x/" + id + ".mp4",
		"/media/recordings/" + id + ".mp4;x=y", "/media/recordings/" + id + ".mp4%00", "/media/recordings/" + id + ".mp4%0d%0aX:y",
		"/media/recordings/" + id + ".mp4\r\nX: y", "/media/recordings/" + id + ".mp4\x00", "/media/recordings/" + id + ".m p",
		"/x?/media/recordings/" + id + ".mp4", "/x#/media/recordings/" + id + ".mp4", "?/media/recordings/" + id + ".mp4",
		"/media/recordings/" + strings.ToUpper(id) + ".mp4", "/media/recordings/{" + id + "}.mp4",
		"/media/recordings/" + strings.ReplaceAll(id, "-", "") + ".mp4", "/media/recordings/urn:uuid:" + id + ".mp4",
		"/media/recordings/" + strings.Replace(id, "a", "а", 1) + ".mp4", "/media/recordings/" + id, "/media/recordings/" + id + ".",
		"/media/recordings/" + id + ".mp4.json", "/media/recordings/" + id + "..mp4", "/media/recordings/" + id + ".abcdefghijk",
		"/media/recordings/a" + id + ".mp4", "/media/files/" + id + ".mp4", "/media/recordings2/" + id + ".mp4",
		"https:///media/recordings/" + id + ".mp4", "https://meet.example", "ftp://h/media/recordings/" + id + ".mp4",
		"/media/recordings/" + id + ".mp4%", "/media/recordings/" + id + ".mp4" + strings.Repeat("x", 65536),
		"/media/recordings/" + id + ".mp4?" + strings.Repeat("x", 65536),
	} {
		if got, ok := ParseAddress("recordings", target); ok {
			t.Errorf("%.120q was taken for %+v", target, got)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("/media/recordings/" + id + ".mp4")
	f.Add("https://h/media/recordings/%2e%2e/" + id + ".mp4?x#y")
	f.Fuzz(func(t *testing.T, target string) {
		got, ok := ParseAddress("recordings", target)
		if ok && !strings.HasSuffix(strings.SplitN(strings.SplitN(target, "?", 2)[0], "#", 2)[0], got.Extension) &&
			!strings.Contains(target, "%") {
			t.Fatalf("%q gave %+v", target, got)
		}
		if ok {
			again, same := ParseAddress("recordings", "/media/recordings/"+got.ID.String()+"."+got.Extension)
			if got.Host = ""; !same || again != got {
				t.Fatalf("%q has another canonical form: %+v", target, again)
			}
		}
	})
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"recordings/" + id + ".mp4", "a/b/recordings/" + id + ".mp4", "recordings/" + strings.ToUpper(id) + ".mp4"} {
		if got, ok := ParseKey("recordings", key); !ok || got.ID.String() != id || got.Extension != "mp4" {
			t.Errorf("%s: %+v, %v", key, got, ok)
		}
	}
	for _, key := range []string{
		"", id + ".mp4", "/recordings/" + id + ".mp4", "xrecordings/" + id + ".mp4", "recordings/" + id, "recordings/" + id + ".mp4.json",
		"recordings/" + id + ".mp4/zzz", "recordings/x/" + id + ".mp4", "../recordings/" + id + ".mp4", "a//recordings/" + id + ".mp4",
		"recordings/EG_abc.json", "uploads/" + id + ".mp4", "recordings%2F" + id + ".mp4", "recordings/..%2F" + id + ".mp4",
	} {
		if got, ok := ParseKey("recordings", key); ok {
			t.Errorf("%q was taken for %+v", key, got)
		}
	}
}
