package room

import (
	"fmt"
	"math/big"
)

// MinPINLength is the shortest PIN code that is allowed, in digits.
const MinPINLength = 4

// PIN draws a PIN code of length digits. draw returns a uniform number below
// its argument from a cryptographic source.
func PIN(length int, draw func(limit *big.Int) (*big.Int, error)) (string, error) {
	if length < MinPINLength {
		return "", fmt.Errorf("PIN code length must be at least %d digits for minimal security", MinPINLength)
	}
	n, err := draw(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(length)), nil))
	if err != nil {
		return "", fmt.Errorf("draw a PIN code: %w", err)
	}
	return fmt.Sprintf("%0*s", length, n.String()), nil
}
