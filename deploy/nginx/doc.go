// Package nginx is the folder of the nginx configuration for meetd, and of its
// tests: they run the real nginx on the configuration as it is delivered, in
// front of the real service and real object stores.
//
//	go test -tags proxies ./deploy/nginx
package nginx
