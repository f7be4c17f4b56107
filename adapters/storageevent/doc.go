// Package storageevent reads what object stores send when an object was
// written (recording.md §4): Amazon S3, MinIO, Ceph, versitygw and those that
// copy them, directly or in the envelopes of SNS, SQS and EventBridge. It only
// reads: whether an object is a recording of ours is for app/recordings to say.
// Whatever a stranger may send gives events or fault.Invalid, never anything
// else, takes memory in proportion to its length, and nothing that it names is
// fetched.
package storageevent
