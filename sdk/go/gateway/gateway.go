// Package gateway is a client over HTTP: commands, rows, and rows as they change.
package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	millrace "millrace.example/sdk"
	"millrace.example/sdk/codec"
)

const (
	wait         = 10 * time.Second
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
	problemType  = "urn:millrace:problem:"
	// silence is for how long a stream may be silent: a sign of life comes every 15 s
	silence = 40 * time.Second
)

// ErrPassing is what a [Problem] is of which nothing was said: the same may be asked again.
var ErrPassing = errors.New("the gateway cannot say it now")

// Problem is what a gateway answered instead of what was asked for (RFC 9457), or that none answered (Status 0).
type Problem struct {
	Status   int
	Type     string `json:"type"`
	Title    string `json:"title"`
	Detail   string `json:"detail"`
	Document json.RawMessage
}

func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return fmt.Sprintf("%d: %s", p.Status, p.Title)
}

// Kind is the last part of its type, such as unauthenticated.
func (p *Problem) Kind() string { return strings.TrimPrefix(p.Type, problemType) }

// Is says whether target is [ErrPassing] and the same may be asked again.
func (p *Problem) Is(target error) bool {
	passes := p.Status == 0 || p.Status == http.StatusTooManyRequests || p.Status >= 500 || p.Kind() == "too-slow" || p.Kind() == "no-outcome"
	return target == ErrPassing && passes
}

// Answer is what became of a command, and what a reader must see to see it: for After of a query.
type Answer struct {
	*millrace.Outcome
	Position string
}

// Client asks a gateway. It may be used by several goroutines.
type Client struct {
	// Base is its address, such as http://127.0.0.1:8080.
	Base string

	// Token says who asks, where the gateway wants one; nil: nobody does.
	Token func() string

	// HTTP sends what is asked; nil: http.DefaultClient.
	HTTP *http.Client
}

// New is a client of the gateway at base.
func New(base string) *Client { return &Client{Base: base} }

// Send sends a command, again and again until it is known what became of it, accepted or rejected, or ctx ends. An error is a
// [Problem]; send the very same command then.
func (c *Client) Send(ctx context.Context, command *millrace.Command) (*Answer, error) {
	body, err := millrace.AppendCommandJSON(nil, command)
	if err != nil {
		return nil, err
	}
	path := "/v1/commands/" + command.Data.Domain() + "/" + command.Data.Type()
	headers := map[string]string{"Content-Type": "application/json", "Idempotency-Key": command.ID, "Prefer": "wait=10"}
	status, got, text, err := c.persistently(ctx, http.MethodPost, path, headers, body)
	if err == nil && status == http.StatusAccepted {
		location := got.Get("Location")
		separator := "?"
		if strings.Contains(location, "?") {
			separator = "&"
		}
		_, got, text, err = c.persistently(ctx, http.MethodGet, location+separator+"timeout=10", nil, nil)
	}
	var problem *Problem
	if errors.As(err, &problem) && problem.Kind() == "rejected" {
		outcome, err := rejected(problem.Document)
		return &Answer{Outcome: outcome}, err
	}
	if err != nil {
		return nil, err
	}
	outcome, err := millrace.OutcomeFromJSON(text)
	return &Answer{Outcome: outcome, Position: got.Get("Millrace-Position")}, err
}

// rejected is the outcome in a problem: all of it but for its status.
func rejected(document []byte) (*millrace.Outcome, error) {
	var value map[string]any
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	value["status"] = string(millrace.Rejected)
	outcome := &millrace.Outcome{}
	return outcome, codec.FromValue(value, outcome.Read)
}

// Query says which rows are wanted.
type Query struct {
	// Key is the partition key, and any number of the columns behind it.
	Key map[string]string

	// Limit is how many rows a page has; 0: as many as the gateway gives.
	Limit int

	// Cursor is where the page before has ended.
	Cursor string

	// After is the position of an answer: no older rows than it shows.
	After string
}

// Rows is a page of rows of a view, and the cursor of where it goes on; empty: it does not.
func Rows[R any](ctx context.Context, c *Client, view millrace.View[R], query Query) (rows []R, cursor string, err error) {
	values := url.Values{}
	for name, value := range query.Key {
		values.Set(name, value)
	}
	if query.Limit > 0 {
		values.Set("limit", strconv.Itoa(query.Limit))
	}
	if query.Cursor != "" {
		values.Set("cursor", query.Cursor)
	}
	headers := map[string]string{"Prefer": "wait=10"}
	if query.After != "" {
		headers["Millrace-After"] = query.After
	}
	_, _, text, err := c.ask(ctx, http.MethodGet, "/v1/views/"+view.Domain+"/"+view.Name+"?"+values.Encode(), headers, nil)
	if err != nil {
		return nil, "", err
	}
	var page struct {
		Rows   []json.RawMessage `json:"rows"`
		Cursor string            `json:"cursor"`
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return nil, "", err
	}
	for _, row := range page.Rows {
		var read R
		if err := codec.FromJSON(row, func(in codec.Source) { read = view.Read(in) }); err != nil {
			return nil, "", err
		}
		rows = append(rows, read)
	}
	return rows, page.Cursor, nil
}

// Change is what has become of rows.
type Change[R any] struct {
	// Rows are those of a snapshot, which take the place of all that were there; nil: it is a change of one.
	Rows []R

	// Key is of the row that has changed, by its columns.
	Key map[string]any

	// Row is the whole row as it is now; nil: there is none any more.
	Row *R

	// IsLive says that the copy is that of one moment, which is now.
	IsLive bool
}

// Subscribe tells of the rows of a key of a view, and of what becomes of them, until ctx ends or told says no. It goes on where it was
// over as many connections as it takes. An error is that of ctx, or a [Problem].
func Subscribe[R any](ctx context.Context, c *Client, view millrace.View[R], key map[string]string, told func(Change[R]) bool) error {
	values := url.Values{}
	for name, value := range key {
		values.Set(name, value)
	}
	stream := &stream[R]{view: view, told: told}
	path := "/v1/streams/" + view.Domain + "/" + view.Name + "?" + values.Encode()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		before := stream.token
		err := stream.follow(ctx, c, path)
		switch {
		case stream.isOver:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, ErrPassing):
			return err
		case stream.token != before:
			// who got on is not kept waiting for long
			pause = firstPause
		}
		if err := rest(ctx, time.Duration(float64(pause)*(0.5+rand.Float64()/2))); err != nil {
			return err
		}
	}
}

type stream[R any] struct {
	view   millrace.View[R]
	told   func(Change[R]) bool
	token  string
	parts  []R
	isLive bool
	isOver bool
}

// follow reads one connection to its end.
func (s *stream[R]) follow(ctx context.Context, c *Client, path string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	headers := map[string]string{"Accept": "text/event-stream"}
	if s.token != "" {
		headers["Last-Event-ID"] = s.token
	}
	answer, err := c.open(ctx, http.MethodGet, path, headers, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	s.parts, s.isLive = []R{}, false
	fields := map[string]string{}
	lines := bufio.NewReader(answer.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return &Problem{Title: err.Error()}
		}
		watch.Reset(silence)
		line = strings.TrimRight(line, "\r\n")
		if line != "" {
			name, value, _ := strings.Cut(line, ":")
			fields[name] = strings.TrimPrefix(value, " ")
			continue
		}
		if err := s.take(fields); err != nil || s.isOver {
			return err
		}
		clear(fields)
	}
}

func (s *stream[R]) take(fields map[string]string) error {
	switch data := []byte(fields["data"]); fields["event"] {
	case "snapshot":
		var snapshot struct {
			Rows []json.RawMessage `json:"rows"`
			More bool              `json:"more"`
		}
		if err := json.Unmarshal(data, &snapshot); err != nil {
			return err
		}
		for _, row := range snapshot.Rows {
			read, err := s.row(row)
			if err != nil {
				return err
			}
			s.parts = append(s.parts, *read)
		}
		if !snapshot.More {
			s.isOver = !s.told(Change[R]{Rows: s.parts, IsLive: s.isLive})
			s.parts = []R{}
		}
	case "change":
		var change struct {
			Key map[string]any  `json:"key"`
			Row json.RawMessage `json:"row"`
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(&change); err != nil {
			return err
		}
		told := Change[R]{Key: change.Key, IsLive: s.isLive}
		if len(change.Row) > 0 && string(change.Row) != "null" {
			read, err := s.row(change.Row)
			if err != nil {
				return err
			}
			told.Row = read
		}
		s.isOver = !s.told(told)
	case "reset":
		s.parts, s.isLive, s.token = []R{}, false, ""
	case "live":
		s.isLive = true
		s.isOver = !s.told(Change[R]{IsLive: true})
	case "error":
		return problemOf(http.StatusInternalServerError, data)
	}
	if token, is := fields["id"]; is {
		s.token = token
	}
	return nil
}

func (s *stream[R]) row(text []byte) (*R, error) {
	var read R
	err := codec.FromJSON(text, func(in codec.Source) { read = s.view.Read(in) })
	return &read, err
}

// Keys are the public keys for which secrets of commands are sealed, newest first. None: then no secret can be sent.
func (c *Client) Keys(ctx context.Context) ([][]byte, error) {
	_, _, text, err := c.ask(ctx, http.MethodGet, "/v1/keys", nil, nil)
	var problem *Problem
	if errors.As(err, &problem) && problem.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found struct {
		Keys []struct {
			PublicKey string `json:"public_key"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, err
	}
	var keys [][]byte
	for _, one := range found.Keys {
		key, err := base64.StdEncoding.DecodeString(one.PublicKey)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (c *Client) persistently(ctx context.Context, method, path string, headers map[string]string, body []byte) (int, http.Header, []byte, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		status, got, text, err := c.ask(ctx, method, path, headers, body)
		if !errors.Is(err, ErrPassing) {
			return status, got, text, err
		}
		if rest(ctx, pause) != nil {
			return 0, nil, nil, err
		}
	}
}

// ask asks once: status, headers and document. An error is a [Problem], where the answer is one, or there is none.
func (c *Client) ask(ctx context.Context, method, path string, headers map[string]string, body []byte) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 6*wait)
	defer cancel()
	answer, err := c.open(ctx, method, path, headers, body)
	if err != nil {
		return 0, nil, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil, nil, &Problem{Title: err.Error()}
	}
	return answer.StatusCode, answer.Header, text, nil
}

func (c *Client) open(ctx context.Context, method, path string, headers map[string]string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	if c.Token != nil {
		if token := c.Token(); token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, &Problem{Title: err.Error()}
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, &Problem{Title: err.Error()}
	}
	return nil, problemOf(answer.StatusCode, text)
}

func problemOf(status int, text []byte) *Problem {
	problem := &Problem{Title: http.StatusText(status)}
	// whoever stands in front of the gateway says it in its own way
	_ = json.Unmarshal(text, problem)
	problem.Status, problem.Document = status, text
	return problem
}

func rest(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
