package http

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"meetd/domain/fault"
)

// pageSize is how many entries a page has, maxPageSize how many it may have
// where a client can choose (http-overview.md §5).
const pageSize, maxPageSize = 20, 100

// chosenSize is the page_size of a request; what makes no sense is not heard.
func chosenSize(c echo.Context) int {
	n, err := strconv.Atoi(strings.TrimSpace(queryParam(c, "page_size")))
	if err != nil || n < 1 {
		return pageSize
	}
	return min(n, maxPageSize)
}

// listBody is a page of a list (http-overview.md §5).
type listBody struct {
	Count    int     `json:"count"`
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Results  []any   `json:"results"`
}

// respondPage answers with the page of that size that is asked for. fetch returns at most
// limit entries from offset on, and how many there are.
func respondPage[T any](s *Server, c echo.Context, size int, fetch func(offset, limit int) ([]T, int, error), toBody func(T) (any, error)) error {
	number, last, ok := askedPage(queryParam(c, "page"))
	if !ok {
		return fault.New(fault.NotFound, "page")
	}
	if last {
		_, count, err := fetch(0, 0)
		if err != nil {
			return err
		}
		number = max(1, (count+size-1)/size)
	}
	items, count, err := fetch((number-1)*size, size)
	if err != nil {
		return err
	}
	if number > 1 && (number-1)*size >= count {
		return fault.New(fault.NotFound, "page")
	}
	body := listBody{Count: count, Results: make([]any, len(items))}
	for i, item := range items {
		if body.Results[i], err = toBody(item); err != nil {
			return err
		}
	}
	if number*size < count {
		body.Next = s.pageURL(c.Request(), number+1)
	}
	if number > 1 {
		body.Previous = s.pageURL(c.Request(), number-1)
	}
	return respond(c, http.StatusOK, body)
}

func askedPage(text string) (number int, last, ok bool) {
	switch text = strings.TrimSpace(text); text {
	case "":
		return 1, false, true
	case "last":
		return 0, true, true
	}
	number, err := strconv.Atoi(text)
	return number, false, err == nil && number >= 1 && number <= math.MaxInt32/maxPageSize
}

// pageURL is the address of another page; the first one is not numbered.
func (s *Server) pageURL(r *http.Request, number int) *string {
	query := url.Values{}
	for name, values := range r.URL.Query() {
		query[name] = values
	}
	query.Del("page")
	if number > 1 {
		query.Set("page", strconv.Itoa(number))
	}
	address := s.absolute(r, r.URL.EscapedPath())
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return &address
}
