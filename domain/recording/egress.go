package recording

// EgressStatus is how far LiveKit says the egress of a recording is.
type EgressStatus string

// The states of an egress (livekit.md §10).
const (
	EgressStarting     EgressStatus = "starting"
	EgressActive       EgressStatus = "active"
	EgressEnding       EgressStatus = "ending"
	EgressComplete     EgressStatus = "complete"
	EgressFailed       EgressStatus = "failed"
	EgressAborted      EgressStatus = "aborted"
	EgressLimitReached EgressStatus = "limit_reached"
)

// Ended reports whether the egress will do nothing more.
func (s EgressStatus) Ended() bool { return s.rank() == ended }

// Produced reports whether an egress that ended this way has made a file.
func (s EgressStatus) Produced() bool { return s == EgressComplete || s == EgressLimitReached }

const ended = 4

func (s EgressStatus) rank() int {
	switch s {
	case EgressStarting:
		return 1
	case EgressActive:
		return 2
	case EgressEnding:
		return 3
	case EgressComplete, EgressFailed, EgressAborted, EgressLimitReached:
		return ended
	}
	return 0
}

// After reports whether s is news to somebody who knows old: an egress never
// goes back, and its first end is its only one.
func (s EgressStatus) After(old EgressStatus) bool { return s.rank() > old.rank() }

// Limited reports whether the egress ended because the recording was as long as
// it may be, and nothing else had stopped or ended it before.
func (r *Recording) Limited() bool { return r.limited }

// Observe applies what LiveKit says of the egress. It changes the state only
// where the egress decides it: an end without a file frees the room, an end by
// the length limit stops the recording. Whether the file is there is not for
// LiveKit to say: see Save. A late word changes nothing.
func (r *Recording) Observe(s EgressStatus) {
	if !s.After(r.egress) {
		return
	}
	r.egress = s
	switch s {
	case EgressFailed, EgressAborted:
		if r.may(FailedToStart) {
			r.status = FailedToStart
		} else if r.may(Aborted) {
			r.status, r.unsure = Aborted, false
		}
	case EgressLimitReached:
		if r.status == Active {
			r.status, r.limited = Stopped, true
		}
	case EgressStarting, EgressActive, EgressEnding, EgressComplete:
	}
}
