package person

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/user"
	"meetd/ports"
)

// Options say what becomes of what is not the person's alone.
type Options struct {
	DryRun       bool // only tell what would be done
	ExceptHeld   bool // recordings on legal hold stay; else they prevent all
	Transfer     bool // rooms that others administer get a new owner
	DeleteShared bool // rooms that others use are deleted with all that is in them
}

// Thing is something that a report tells about.
type Thing struct {
	Kind string    `json:"kind"` // room, recording, file or account
	ID   uuid.UUID `json:"id"`
	Why  string    `json:"why"`
}

// Erasure tells what became of a person's data.
type Erasure struct {
	Person  uuid.UUID `json:"person"`
	At      time.Time `json:"at"`
	DryRun  bool      `json:"dry_run"`
	Done    bool      `json:"done"`    // else nothing was changed
	Blocked []Thing   `json:"blocked"` // why not
	Deleted []Thing   `json:"deleted"`
	Changed []Thing   `json:"changed"` // other people's things
	Kept    []Thing   `json:"kept"`
	// Objects are the names of all that background jobs remove from the bucket, if
	// it is there.
	Objects []string         `json:"objects"`
	Rows    map[string]int64 `json:"rows"` // how many were removed or changed
	Remains []string         `json:"remains"`
}

// remains is what an erasure never reaches.
var remains = []string{
	"audit trail: what the person did and what was done to the account stays written down for ever, by the id of the account alone",
	"names of rooms that stay: whatever people called them",
	"announcements to other programs: ids, and names of rooms; they are forgotten after 30 days",
	"logs, backups and replicas of the database, and older versions of objects where the bucket keeps them: forgotten when you forget them",
	"other services: the OpenID provider, LiveKit, the summary service, marketing, analytics, and mails that were sent",
}

// erasing is one try in one transaction.
type erasing struct {
	*Service
	ports.Repos

	o      Options
	u      *user.User
	report *Erasure
}

var (
	errStop  = errors.New("nothing is to be changed")
	errMoved = errors.New("something changed meanwhile")
)

// tries is how often it is looked again when somebody gave the person something
// while it was being looked.
const tries = 5

// Erase removes a person with all that is his alone, in one transaction; objects
// are removed by jobs. Where the report has something blocked nothing is changed.
// fault.NotFound for nobody, fault.Conflict when several are meant, or with code
// "person_busy" when others keep changing what is his.
func (s *Service) Erase(ctx context.Context, who string, o Options) (Erasure, error) {
	for range tries {
		report := Erasure{
			At: s.Now().UTC(), DryRun: o.DryRun, Blocked: []Thing{}, Deleted: []Thing{}, Changed: []Thing{}, Kept: []Thing{},
			Objects: []string{}, Rows: map[string]int64{}, Remains: remains,
		}
		err := s.Store.InTx(ctx, func(r ports.Repos) error {
			u, err := ports.FindUser(ctx, r.Users, who)
			if err != nil {
				return err
			}
			report.Person = u.ID
			e := erasing{Service: s, Repos: r, o: o, u: u, report: &report}
			if err := e.all(ctx); err != nil {
				return err
			}
			if len(report.Blocked) > 0 || o.DryRun {
				return errStop
			}
			return nil
		})
		switch {
		case errors.Is(err, errMoved):
			continue
		case errors.Is(err, errStop):
			return report, nil
		}
		report.Done = err == nil
		return report, err
	}
	return Erasure{}, fault.New(fault.Conflict, "person_busy")
}

// estate is what may be the person's.
type estate struct {
	rooms      []uuid.UUID
	recordings []ports.PersonRecording
}

func (e *erasing) estate(ctx context.Context) (estate, error) {
	rooms, err := e.People.Rooms(ctx, e.u.ID)
	if err != nil {
		return estate{}, err
	}
	recs, err := e.People.Recordings(ctx, e.u.ID, rooms...)
	return estate{rooms, recs}, err
}

// all decides and does everything. The locks are taken in the order in which
// everybody takes them: rooms, recordings, accounts. So what there is has to be
// looked at before, and once more after.
func (e *erasing) all(ctx context.Context) error {
	before, err := e.estate(ctx)
	if err != nil {
		return err
	}
	if err := e.People.LockRooms(ctx, before.rooms...); err != nil {
		return err
	}
	ids := make([]uuid.UUID, len(before.recordings))
	for i, rec := range before.recordings {
		ids[i] = rec.ID
	}
	recs, err := e.Recordings.Lock(ctx, ids...)
	if err != nil {
		return err
	}
	if err := e.People.Lock(ctx, e.u.ID); err != nil {
		return err
	}
	now, err := e.estate(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(now.rooms, before.rooms) || !slices.Equal(now.recordings, before.recordings) {
		return errMoved
	}
	held, err := e.Holds.Among(ctx, ids...)
	if err != nil {
		return err
	}
	goes, err := e.decideRooms(ctx, now, held)
	if err != nil {
		return err
	}
	gone := e.decideRecordings(now, held, goes, recs)
	if len(e.report.Blocked) > 0 {
		return nil
	}
	return e.do(ctx, goes, gone)
}

// decideRooms tells which rooms are deleted, and hands others over.
func (e *erasing) decideRooms(ctx context.Context, now estate, held []uuid.UUID) (goes []uuid.UUID, err error) {
	members, err := e.Accesses.Members(ctx, now.rooms...)
	if err != nil {
		return nil, err
	}
	for _, room := range now.rooms {
		alone, heir := false, (*ports.RoomMember)(nil)
		for _, m := range members[room] { // the newest first
			switch {
			case m.UserID == e.u.ID:
				alone = m.Role == access.Owner
			case m.Role == access.Administrator:
				heir = &m
			}
		}
		if slices.ContainsFunc(members[room], func(m ports.RoomMember) bool { return m.UserID != e.u.ID && m.Role == access.Owner }) {
			alone = false
		}
		inUse, onHold := heir != nil, false
		for _, rec := range now.recordings {
			inUse = inUse || rec.Room == room && rec.Others
			onHold = onHold || rec.Room == room && slices.Contains(held, rec.ID)
		}
		switch {
		case !alone:
			e.keep("room", room, "others own it; only the person's role on it goes")
		case heir != nil && (e.o.Transfer || onHold && e.o.ExceptHeld && e.o.DeleteShared):
			if err := e.handOver(ctx, heir.RoomAccess); err != nil {
				return nil, err
			}
		case (!inUse || e.o.DeleteShared) && onHold && e.o.ExceptHeld:
			e.keep("room", room, "a recording in it is on legal hold; it has no owner any more")
		case (!inUse || e.o.DeleteShared) && onHold:
			e.block("room", room, "a recording in it is on legal hold: release it, or use --except-held")
		case !inUse, e.o.DeleteShared:
			goes = append(goes, room)
			e.delete("room", room, "the person alone owned it")
		case heir != nil:
			e.block("room", room, "others administer it: --transfer makes the one who does so for longest its owner, --delete-shared deletes it with all its recordings")
		default:
			e.block("room", room, "others own recordings in it: --delete-shared deletes it with them; or give somebody the role of an administrator, and use --transfer")
		}
	}
	return goes, nil
}

// handOver makes somebody the owner of a room.
func (e *erasing) handOver(ctx context.Context, a ports.RoomAccess) error {
	from := a.Role
	a.Role = access.Owner
	e.report.Changed = append(e.report.Changed, Thing{"room", a.RoomID, "account " + a.UserID.String() + " administered it for longest and owns it now"})
	if err := e.Accesses.Save(ctx, a, e.Now()); err != nil {
		return err
	}
	return e.Audit.Record(ctx, audit.GaveRole(e.Now(), uuid.Nil, a.UserID, audit.OnRoom, a.RoomID, string(from), string(access.Owner)))
}

// decideRecordings tells which recordings are deleted.
func (e *erasing) decideRecordings(now estate, held, goes []uuid.UUID, recs map[uuid.UUID]*recording.Recording) (gone []*recording.Recording) {
	for _, rec := range now.recordings {
		inRoom := slices.Contains(goes, rec.Room)
		switch {
		case !inRoom && !rec.Alone():
			if rec.Role != access.None {
				e.keep("recording", rec.ID, "others own it; only the person's role on it goes")
			}
		case slices.Contains(held, rec.ID) && e.o.ExceptHeld:
			e.keep("recording", rec.ID, "it is on legal hold; nobody owns it any more")
		case slices.Contains(held, rec.ID):
			e.block("recording", rec.ID, "it is on legal hold: release it, or use --except-held")
		default:
			why := "the person alone owned it"
			if !rec.Alone() {
				why = "its room is deleted"
			}
			e.delete("recording", rec.ID, why)
			gone = append(gone, recs[rec.ID])
			e.report.Objects = append(e.report.Objects, e.keys(recs[rec.ID])...)
		}
	}
	return gone
}

// do removes what was decided, and the rest of the person.
func (e *erasing) do(ctx context.Context, rooms []uuid.UUID, gone []*recording.Recording) error {
	if len(gone) > 0 {
		if err := e.RemoveRecordings(ctx, e.Repos, gone...); err != nil {
			return err
		}
	}
	for _, room := range rooms {
		if err := e.Rooms.Delete(ctx, room); err != nil {
			return err
		}
		if err := e.Jobs.CloseRoom(ctx, room); err != nil {
			return err
		}
		if err := e.Audit.Record(ctx, audit.Event{
			At: e.Now(), Action: audit.RoomDeleted, Subject: room.String(), Details: map[string]string{"reason": "erased"},
		}); err != nil {
			return err
		}
	}
	files, err := e.files(ctx)
	if err != nil {
		return err
	}
	about := slices.Concat(rooms, files)
	for _, rec := range gone {
		about = append(about, rec.ID)
	}
	rows, err := e.People.Erase(ctx, e.u, e.Now(), about...)
	if err != nil {
		return err
	}
	e.report.Rows = rows
	e.delete("account", e.u.ID, "its owner is erased")
	details := map[string]string{"rooms": strconv.Itoa(len(rooms)), "recordings": strconv.Itoa(len(gone)), "files": strconv.Itoa(len(files))}
	return e.Audit.Record(ctx, audit.Event{At: e.Now(), Action: audit.PersonErased, Subject: e.u.ID.String(), Details: details})
}

// files has the person's files removed.
func (e *erasing) files(ctx context.Context) ([]uuid.UUID, error) {
	files, err := e.People.Files(ctx, e.u.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(files))
	for i, f := range files {
		ids[i] = f.ID
		e.delete("file", f.ID, "the person uploaded it")
		e.report.Objects = append(e.report.Objects, e.Config.Files.Keys(f.ID, f.Name)...)
		if err := e.Jobs.DeleteFile(ctx, f.ID); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (e *erasing) block(kind string, id uuid.UUID, why string) {
	e.report.Blocked = append(e.report.Blocked, Thing{kind, id, why})
}

func (e *erasing) delete(kind string, id uuid.UUID, why string) {
	e.report.Deleted = append(e.report.Deleted, Thing{kind, id, why})
}

func (e *erasing) keep(kind string, id uuid.UUID, why string) {
	e.report.Kept = append(e.report.Kept, Thing{kind, id, why})
}

// Kinds are the kinds of rows, in their order.
func (r Erasure) Kinds() []string { return slices.Sorted(maps.Keys(r.Rows)) }
