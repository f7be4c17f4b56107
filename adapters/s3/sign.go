package s3

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
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
	now = now.UTC()
	date := now.Format("20060102T150405Z")
	day := date[:8]
	scope := day + "/" + b.c.Region + "/s3/aws4_request"
	names, token := "host;x-amz-content-sha256;x-amz-date", ""
	if creds.SessionToken != "" {
		names, token = names+";x-amz-security-token", "x-amz-security-token:"+creds.SessionToken+"\n"
	}
	request := sha256.Sum256([]byte(method + "\n" + httpbinding.EscapePath("/"+b.c.Bucket+"/"+key, false) + "\n\n" +
		"host:" + b.host + "\nx-amz-content-sha256:" + emptySHA256 + "\nx-amz-date:" + date + "\n" + token +
		"\n" + names + "\n" + emptySHA256))
	text := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex.EncodeToString(request[:])
	signature := mac(b.dayKey(creds.SecretAccessKey, day), text)
	return ports.SignedHeaders{
		Authorization: "AWS4-HMAC-SHA256 Credential=" + creds.AccessKeyID + "/" + scope + ", SignedHeaders=" + names +
			", Signature=" + hex.EncodeToString(signature),
		Date: date, ContentSHA256: emptySHA256, SecurityToken: creds.SessionToken,
	}, nil
}

// dayKey is the key everything of one day is signed with.
type dayKey struct {
	secret, day string
	key         []byte
}

func (b *Bucket) dayKey(secret, day string) []byte {
	if k := b.day.Load(); k != nil && k.day == day && k.secret == secret {
		return k.key
	}
	k := &dayKey{secret: secret, day: day, key: []byte("AWS4" + secret)}
	for _, part := range []string{day, b.c.Region, "s3", "aws4_request"} {
		k.key = mac(k.key, part)
	}
	b.day.Store(k)
	return k.key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}
