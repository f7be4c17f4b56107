package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"meetd/ports"
)

// Provider is the OpenID provider.
type Provider interface {
	// Inspect asks the provider for what it says of itself, for its keys, and
	// whether it takes our client secret.
	Inspect(ctx context.Context) (ports.Inspection, error)
}

// AskProvider compares it with the settings.
func AskProvider(p Provider, now func() time.Time) Probe {
	return Probe{"login", func(ctx context.Context) (string, error) {
		asked := now()
		got, err := p.Inspect(ctx)
		switch {
		case err != nil:
			return "", err
		case len(got.Differences) > 0:
			return "", errors.New(strings.Join(got.Differences, ". "))
		case got.Keys == 0:
			return "", errors.New("the provider has no key for OIDC_RP_SIGN_ALGO; look at it and at OIDC_OP_JWKS_ENDPOINT")
		case got.SecretRefused:
			return "", errors.New("the provider refuses OIDC_RP_CLIENT_ID with OIDC_RP_CLIENT_SECRET; compare them with what it has")
		}
		if !got.At.IsZero() {
			if err := sameTime(got.At.Add(time.Second), asked, now().Sub(asked)+2*time.Second); err != nil {
				return "", fmt.Errorf("the provider: %w", err)
			}
		}
		found := "the provider has usable keys and does not refuse our secret"
		if !got.Discovered {
			found += "; set OIDC_OP_URL to have its addresses compared too"
		}
		return found, nil
	}}
}
