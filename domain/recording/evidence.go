package recording

import "time"

// Evidence is what was found out about a recording of which nobody reported the
// end. Nothing in it can be relied upon alone: LiveKit forgets an egress a day
// after its end and may list dead ones as active.
type Evidence struct {
	Asked     bool         // LiveKit could be asked about egresses
	Egress    EgressStatus // what LiveKit says; empty: it knows of none
	WorkerID  string       // of that egress
	Elsewhere bool         // the file went to LiveKit's backup storage
	RoomOpen  bool         // the room is open, or LiveKit could not be asked
	Object    Presence
}

// Presence says whether the object of a recording is in the bucket.
type Presence int

// What a look at the bucket may give.
const (
	NotLooked Presence = iota // nobody looked, or the store did not answer
	Absent                    // not there, or empty
	Seen
	Unreadable // this store cannot be looked into: LiveKit's word is all there is
)

// uploading is how long an egress may be ending in a room that is closed: as
// long as the upload of a long film may take.
const uploading = time.Hour

// NeedsObject reports whether the object has to be looked for before Conclude
// can decide.
func (e Evidence) NeedsObject() bool {
	return !e.live() && (!e.Egress.Ended() || e.Egress.Produced())
}

// live reports that the egress is at work: an egress records as long as its room
// is open.
func (e Evidence) live() bool { return e.Asked && e.Egress != "" && !e.Egress.Ended() && e.RoomOpen }

// Conclude decides what the evidence allows to decide, and reports whether more
// has to be found out later. An object that was seen decides everything. Without
// one, an egress that ended or is forgotten has none to give, and neither has
// one that is listed as running in a room that is closed; but as that may have
// closed a moment ago, the recording is only stopped at first, and given up when
// it has been so for a while.
func (r *Recording) Conclude(e Evidence, now time.Time) (open bool) {
	if r.workerID == "" && e.WorkerID != "" && r.undecided() {
		r.workerID = e.WorkerID
		if r.status == Initiated {
			r.status = Active
		}
	}
	if e.Egress != "" {
		r.Observe(e.Egress)
	}
	if !r.undecided() {
		return false
	}
	switch {
	case e.Object == Seen:
		r.status, r.unsure = Saved, false
	case e.Elsewhere:
		r.free()
		return true
	case e.Egress.Produced() && e.Object == Unreadable:
		r.status, r.unsure = Saved, false
	case !e.Asked || e.live() || e.Object == NotLooked:
		return true
	case e.Egress != "" && !e.Egress.Ended():
		if r.free() || e.Egress == EgressEnding && now.Sub(r.UpdatedAt) < uploading {
			return true
		}
		r.giveUp()
	default:
		r.giveUp()
	}
	return false
}

// Overdue reports whether the recording was stopped so long ago that its egress is
// dead if LiveKit still lists it as running, also in a room that is open again.
func (r *Recording) Overdue(now time.Time) bool {
	return r.status == Stopped && now.Sub(r.UpdatedAt) >= uploading
}

// undecided reports whether the recording has no end yet.
func (r *Recording) undecided() bool { return r.status == Initiated || r.Savable() }

// free stops an active recording and reports whether it was one.
func (r *Recording) free() bool {
	if r.status != Active {
		return false
	}
	r.status = Stopped
	return true
}

func (r *Recording) giveUp() {
	if r.status == Initiated {
		r.status = FailedToStart
		return
	}
	r.status, r.unsure = Aborted, false
}
