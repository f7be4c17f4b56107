package op

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// Endpoint names an endpoint whose answers can be tampered with.
type Endpoint string

// The endpoints that applications ask directly.
const (
	TokenEndpoint    Endpoint = "token"
	UserInfoEndpoint Endpoint = "userinfo"
	JWKSEndpoint     Endpoint = "jwks"
)

// Answer is what an endpoint is about to send. Whoever tampers with it may
// change everything in it; a function that does not return makes the endpoint
// hang, and Gone tells it when nobody waits any more.
type Answer struct {
	Endpoint Endpoint
	// Client and Sub are who asks and about whom. They are empty at the JWKS
	// endpoint and where the request was refused; changing them has no effect.
	Client, Sub string

	Status int
	Header http.Header
	// Body is the JSON object that is sent: the answer of the token endpoint
	// without the ID token, the key set, or the claims of userinfo.
	Body map[string]any
	// Token is the ID token, or of signed userinfo the JWT, whose claims are the
	// same map as Body. Without it Body is sent as it is: an "id_token" put
	// there takes the place of the real one, and userinfo is plain JSON.
	Token *Token
	// Encrypt, if set, encrypts userinfo.
	Encrypt *Encryption
	// Raw, if not nil, is sent instead of all that.
	Raw []byte
	// Drop closes the connection without an answer.
	Drop bool

	Gone <-chan struct{}
}

// Tamper lets f change what the endpoints send from now on; nil ends that. f is
// called by several goroutines at once.
func (p *Provider) Tamper(f func(*Answer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tamper = f
}

// send sends an answer as it is after tampering.
func (p *Provider) send(w http.ResponseWriter, r *http.Request, a *Answer) {
	p.mu.Lock()
	tamper := p.tamper
	p.mu.Unlock()
	if tamper != nil {
		a.Gone = r.Context().Done()
		tamper(a)
	}
	if a.Drop {
		panic(http.ErrAbortHandler)
	}
	body, err := a.content()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(body) // the reader may be gone
}

func (a *Answer) content() ([]byte, error) {
	if a.Raw != nil {
		return a.Raw, nil
	}
	var signed string
	if a.Token != nil {
		var err error
		if signed, err = a.Token.Sign(); err != nil {
			return nil, err
		}
	}
	if a.Endpoint == TokenEndpoint && a.Token != nil {
		a.Body["id_token"] = signed
	}
	content, err := json.Marshal(a.Body)
	if err != nil {
		return nil, err
	}
	if a.Endpoint != UserInfoEndpoint {
		return content, nil
	}
	var contentType jose.ContentType
	if a.Token != nil {
		content, contentType = []byte(signed), "JWT"
	}
	if a.Encrypt == nil {
		return content, nil
	}
	encrypted, err := a.Encrypt.encrypt(content, contentType)
	return []byte(encrypted), err
}

// answer records what the library has to say.
func (p *Provider) answer(e Endpoint, r *http.Request) *Answer {
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	p.provider.ServeHTTP(rec, r)
	a := &Answer{Endpoint: e, Status: rec.status, Header: rec.header}
	if decode(rec.body.Bytes(), &a.Body) != nil || a.Body == nil {
		a.Body, a.Raw = map[string]any{}, rec.body.Bytes()
	}
	return a
}

func (p *Provider) jwks(w http.ResponseWriter, r *http.Request) {
	p.send(w, r, p.answer(JWKSEndpoint, r))
}

// token answers the token endpoint. The library signs with the key of the
// provider; here the ID token is signed as its client expects it.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	a := p.answer(TokenEndpoint, r)
	if signed, ok := a.Body["id_token"].(string); ok {
		claims, err := claimsOf(signed)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		delete(a.Body, "id_token")
		a.Client, _ = claims["azp"].(string)
		a.Sub, _ = claims["sub"].(string)
		a.Token = p.storage.newToken(a.Client, "JWT", claims)
	}
	p.send(w, r, a)
}

// recorder keeps an answer instead of sending it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

// decode reads JSON and keeps numbers as they are written.
func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}
