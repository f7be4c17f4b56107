package op

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// logoutEvent is the member of a logout token that says what it is.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutLifetime is how long a logout token is good for.
const logoutLifetime = 2 * time.Minute

// notifyTimeout bounds the wait for one client that is told of a logout.
const notifyTimeout = 5 * time.Second

// Sessions are the sids of the sessions that somebody has here.
func (p *Provider) Sessions(sub string) []string {
	p.storage.mu.Lock()
	defer p.storage.mu.Unlock()
	var sids []string
	for _, s := range p.storage.sessions {
		if s.user.Sub == sub {
			sids = append(sids, s.sid)
		}
	}
	return sids
}

// EndSessions ends all sessions that somebody has here and tells the clients
// that took part in them. The error names those that did not accept it.
func (p *Provider) EndSessions(ctx context.Context, sub string) error {
	ended := p.storage.endSessions(func(_ string, s *session) bool { return s.user.Sub == sub })
	return p.storage.notify(ctx, p.Issuer(), ended)
}

// SignLogoutToken returns a logout token (OpenID Connect Back-Channel Logout
// 1.0) for a client; edit, if not nil, may make anything else of it.
func (p *Provider) SignLogoutToken(clientID, sub, sid string, edit func(*Token)) (string, error) {
	t := p.storage.logoutToken(p.Issuer(), clientID, sub, sid)
	if edit != nil {
		edit(t)
	}
	return t.Sign()
}

func (s *storage) logoutToken(issuer, clientID, sub, sid string) *Token {
	now := time.Now()
	return s.newToken(clientID, "logout+jwt", map[string]any{
		"iss": issuer, "aud": clientID, "sub": sub, "sid": sid, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(logoutLifetime).Unix(),
		"events": map[string]any{logoutEvent: map[string]any{}},
	})
}

// endSessions removes and returns the sessions that match.
func (s *storage) endSessions(match func(id string, s *session) bool) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ended []*session
	for id, one := range s.sessions {
		if match(id, one) {
			delete(s.sessions, id)
			ended = append(ended, one)
		}
	}
	return ended
}

// notify tells the clients of sessions that they have ended.
func (s *storage) notify(ctx context.Context, issuer string, ended []*session) error {
	var errs []error
	for _, one := range ended {
		s.mu.Lock()
		clients := slices.Sorted(maps.Keys(one.clients))
		s.mu.Unlock()
		for _, id := range clients {
			if uri := s.clients[id].BackChannelLogoutURI; uri != "" {
				if err := s.post(ctx, uri, s.logoutToken(issuer, id, one.user.Sub, one.sid)); err != nil {
					errs = append(errs, fmt.Errorf("tell client %s that a session has ended: %w", id, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

func (s *storage) post(ctx context.Context, uri string, t *Token) error {
	signed, err := t.Sign()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(url.Values{"logout_token": {signed}}.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)) // for the message only
		return fmt.Errorf("%s answers %d %s", uri, resp.StatusCode, said)
	}
	return nil
}
