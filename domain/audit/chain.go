package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Hash is what a seal holds.
type Hash [sha256.Size]byte

// String writes the hash as operators note it down.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String wrote; ok is false for anything else.
func ParseHash(text string) (h Hash, ok bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) {
		return h, false
	}
	return Hash(b), true
}

// Stored is an event as it is written down, with the number it got.
type Stored struct {
	Event

	ID int64
}

// Seal closes the chain behind one event. The seals are numbered from 1 on,
// without a gap.
type Seal struct {
	Seq   int64
	Event int64 // its number
	Hash  Hash
}

// Next seals an event behind s; the zero Seal is before the first.
func (s Seal) Next(e Stored) Seal {
	return Seal{Seq: s.Seq + 1, Event: e.ID, Hash: chained(s.Hash, e)}
}

// chained is SHA-256 of the hash before and all of an event. What others have to
// compute again is in docs/audit.md; it can never change.
func chained(before Hash, e Stored) Hash {
	b := append([]byte(nil), before[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.ID)) //nolint:gosec // its bits
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	b = append(b, e.Actor[:]...)
	b = text(b, string(e.Action))
	b = text(b, e.Subject)
	b = binary.BigEndian.AppendUint64(b, uint64(len(e.Details)))
	for _, key := range slices.Sorted(maps.Keys(e.Details)) {
		b = text(text(b, key), e.Details[key])
	}
	return sha256.Sum256(b)
}

// text appends a text and, before it, its length: where it ends cannot be doubted.
func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}

// Filter says which events are wanted; what is zero does not matter.
type Filter struct {
	Since, Until time.Time // from Since on and before Until
	Actor        uuid.UUID
	Subject      string
}
