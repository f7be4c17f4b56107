package http

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"meetd/adapters/http/apidocs"
)

// describe is the API for programs: OpenAPI.
func describe(c echo.Context) error {
	text, err := apidocs.JSON()
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/vnd.oai.openapi+json", text)
}

// describePage is the same for people.
func describePage(c echo.Context) error {
	text, err := apidocs.Page()
	if err != nil {
		return err
	}
	c.Response().Header()["Content-Security-Policy"] = []string{apidocs.Policy()}
	return c.HTMLBlob(http.StatusOK, text)
}
