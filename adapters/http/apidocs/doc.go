// Package apidocs is the description of the API (OpenAPI 3.1): openapi.yaml, the same
// as JSON, and a page for people. The tests hold every answer they get against it.
package apidocs
