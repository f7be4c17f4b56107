// Command meetd-bench measures the service against what could be had at best
// on the same machine in the same run: only ratios count, because machines
// differ and drift. Subject and baseline run in turns (A B B A) after a
// warm-up; the median of the ratios is shown with the least and the greatest.
//
// It prints a Markdown table and writes bench.json. -only selects benchmarks.
package main
