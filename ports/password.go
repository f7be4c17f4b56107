package ports

// Passwords turns passwords into what may be stored, and back into a yes or no.
type Passwords interface {
	// Hash returns what to store; each call gives another text.
	Hash(plain string) (string, error)
	// Verify tells whether plain is the password, and if it is, whether it
	// should be hashed anew because what is stored is weaker than what Hash
	// gives. Accounts without a usable password match nothing. The error is
	// about what is stored, not about plain.
	Verify(encoded, plain string) (ok, outdated bool, err error)
}
