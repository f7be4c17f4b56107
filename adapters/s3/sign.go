package s3

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
	"time"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"meetd/ports"
)

// Sign signs a request for a proxy to make: AWS Signature Version 4 in headers,
// over host, payload hash and date, without body and query (recording.md §7).
//
// It is written out rather than left to the SDK, which needs four times as long
// for it (BenchmarkSign): a proxy asks for every range of every download. The
// tests hold it against the SDK's answers.
func (b *Bucket) Sign(ctx context.Context, method, key string, now time.Time) (ports.SignedHeaders, error) {
	creds, err := b.credentials(ctx)
	if err != nil {
		return ports.SignedHeaders{}, err
	}
	date := now.UTC().Format("20060102T150405Z")
	day := date[:8]
	scope := day + "/" + b.c.Region + "/s3/aws4_request"
	names, token := "host;x-amz-content-sha256;x-amz-date", ""
	if creds.SessionToken != "" {
		names, token = names+";x-amz-security-token", "x-amz-security-token:"+creds.SessionToken+"\n"
	}
	var room [512]byte
	text := append(room[:0], method...)
	for _, part := range [...]string{
		"\n", httpbinding.EscapePath("/"+b.c.Bucket+"/"+key, false), "\n\n",
		"host:", b.host, "\nx-amz-content-sha256:", emptySHA256, "\nx-amz-date:", date, "\n", token,
		"\n", names, "\n", emptySHA256,
	} {
		text = append(text, part...)
	}
	request := sha256.Sum256(text)
	text = append(text[:0], "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"...)
	text = hex.AppendEncode(text, request[:])
	signature := b.dayKey(creds.SecretAccessKey, day).sign(text)
	return ports.SignedHeaders{
		Authorization: "AWS4-HMAC-SHA256 Credential=" + creds.AccessKeyID + "/" + scope + ", SignedHeaders=" + names +
			", Signature=" + hex.EncodeToString(signature[:]),
		Date: date, ContentSHA256: emptySHA256, SecurityToken: creds.SessionToken,
	}, nil
}

// dayKey is the key everything of one day is signed with. What HMAC makes of the key
// alone is kept along with it.
type dayKey struct {
	secret, day string
	macs        sync.Pool // hash.Hash
}

func (k *dayKey) sign(text []byte) (signature [sha256.Size]byte) {
	h := k.macs.Get().(hash.Hash) //nolint:forcetypeassert // nothing else is in there
	h.Write(text)                 // never fails
	h.Sum(signature[:0])
	h.Reset()
	k.macs.Put(h)
	return signature
}

func (b *Bucket) dayKey(secret, day string) *dayKey {
	if k := b.day.Load(); k != nil && k.day == day && k.secret == secret {
		return k
	}
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, b.c.Region, "s3", "aws4_request"} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part)) // never fails
		key = h.Sum(nil)
	}
	k := &dayKey{secret: secret, day: day}
	k.macs.New = func() any { return hmac.New(sha256.New, key) }
	b.day.Store(k)
	return k
}
