// Command lockgate-client speaks to `lap synchronization` with the lock library that werf itself uses, and shows that the
// two understand each other: one holder at a time, sharing, leases that are renewed for longer than they last.
//
// usage: lap synchronization --addr 127.0.0.1:55581 &
//
//	go run . http://127.0.0.1:55581
package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/werf/lockgate"
	"github.com/werf/lockgate/pkg/distributed_locker"
)

func main() {
	address := os.Args[1] + "/5ff1c08e-b9f4-4ea1-a4ae-d6ee5b2e1d8e/locker"
	fail := func(err error) {
		if err != nil {
			fmt.Println("FAIL:", err)
			os.Exit(1)
		}
	}
	var inside, most atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range 3 {
		all.Add(1)
		go func() {
			defer all.Done()
			locker := distributed_locker.NewHttpLocker(address)
			_, handle, err := locker.Acquire("one", lockgate.AcquireOptions{})
			fail(err)
			if now := inside.Add(1); now > most.Load() {
				most.Store(now)
			}
			time.Sleep(300 * time.Millisecond)
			inside.Add(-1)
			fail(locker.Release(handle))
		}()
	}
	all.Wait()
	fmt.Printf("three holders, at most %d at a time, %d s\n", most.Load(), int(time.Since(began).Seconds()))
	if most.Load() != 1 {
		os.Exit(1)
	}
	a, b := distributed_locker.NewHttpLocker(address), distributed_locker.NewHttpLocker(address)
	_, one, err := a.Acquire("shared", lockgate.AcquireOptions{Shared: true})
	fail(err)
	_, two, err := b.Acquire("shared", lockgate.AcquireOptions{Shared: true, NonBlocking: true})
	fail(err)
	taken, _, err := distributed_locker.NewHttpLocker(address).Acquire("shared", lockgate.AcquireOptions{NonBlocking: true})
	fail(err)
	fmt.Printf("two sharers have one lease: %v; a third who wants it alone gets it: %v\n", one.UUID == two.UUID, taken)
	if one.UUID != two.UUID || taken {
		os.Exit(1)
	}
	fail(a.Release(one))
	fail(b.Release(two))
	_, long, err := a.Acquire("long", lockgate.AcquireOptions{})
	fail(err)
	time.Sleep(13 * time.Second)
	taken, _, err = b.Acquire("long", lockgate.AcquireOptions{NonBlocking: true})
	fail(err)
	fmt.Printf("after 13 s, longer than a lease, somebody else gets it: %v\n", taken)
	if taken {
		os.Exit(1)
	}
	fail(a.Release(long))
	fmt.Println("equal")
}
