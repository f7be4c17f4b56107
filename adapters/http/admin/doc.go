// Package admin is the administration as a web site (admin.md): pages that are
// rendered here and need no script. It shows what app/administration gives and
// hands it what forms say; who may do what is decided there.
//
// Sessions, cookies and CSRF are those of the API: the server that mounts the site
// lends them (Host). Errors become pages in errors.go alone.
package admin
