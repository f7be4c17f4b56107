package s3

import (
	"context"
	"fmt"
	"net/http"

	"meetd/domain/fault"
)

// Delete removes an object. A bucket that keeps versions gets a delete marker: the
// object is gone for whoever asks for it by its name, and its versions stay until
// the bucket's own rules remove them.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	resp, err := b.do(ctx, http.MethodDelete, key, nil)
	if err != nil {
		return err
	}
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNoContent, http.StatusNotFound:
		return nil
	}
	return fault.Wrap(fault.Unavailable, "store", fmt.Errorf("the store answered %s to DELETE %s", resp.Status, key))
}
