// Package deploy is the folder of the configurations of proxies for meetd, and
// of their tests: they run the real proxies on the configurations as they are
// delivered, in front of the real service and real object stores.
//
//	go test -tags proxies ./deploy
package deploy
