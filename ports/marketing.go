package ports

import "context"

// Marketing is the service that writes to people who agreed to hear from us.
type Marketing interface {
	// SignUp makes an address known to it; one that it knows is no error.
	// fault.Upstream when it may work later, fault.Invalid when it never will.
	// No error holds the address.
	SignUp(ctx context.Context, email string) error
}
