package handle

import (
	"sync"
	"testing"
)

func TestTable_Add_GivesNewIDs(t *testing.T) {
	t.Parallel()
	var table Table[string]
	seen := map[uint64]bool{0: true}
	for range 1000 {
		id := table.Add("x")
		if seen[id] {
			t.Fatalf("id %d came twice or is 0", id)
		}
		seen[id] = true
		table.Take(id)
	}
	if table.Live() != 0 {
		t.Fatalf("%d objects are left", table.Live())
	}
}

func TestTable_Get_FindsUntilTaken(t *testing.T) {
	t.Parallel()
	var table Table[int]
	id := table.Add(7)
	if v, ok := table.Get(id); !ok || v != 7 {
		t.Fatalf("Get gives %d %v", v, ok)
	}
	if v, ok := table.Take(id); !ok || v != 7 {
		t.Fatalf("Take gives %d %v", v, ok)
	}
	if _, ok := table.Get(id); ok {
		t.Fatal("a taken object is found")
	}
	if _, ok := table.Take(id); ok {
		t.Fatal("an object is taken twice")
	}
	if _, ok := table.Get(0); ok {
		t.Fatal("id 0 is found")
	}
}

func TestTable_Set_ReplacesUnderAnAddress(t *testing.T) {
	t.Parallel()
	var table Table[int]
	for i := range 100 {
		table.Set(uint64(0x7f0000000000+i*4096), i)
	}
	table.Set(0x7f0000000000, -1)
	if v, _ := table.Get(0x7f0000000000); v != -1 || table.Live() != 100 {
		t.Fatalf("value %d, %d live", v, table.Live())
	}
	used := 0
	for i := range table.shards {
		if len(table.shards[i].objects) > 0 {
			used++
		}
	}
	if used < shards/2 {
		t.Errorf("page-aligned ids land in %d of %d shards", used, shards)
	}
}

func TestTable_Take_HasOneWinner(t *testing.T) {
	t.Parallel()
	var table Table[int]
	for range 200 {
		id := table.Add(1)
		var wg sync.WaitGroup
		won := make(chan bool, 4)
		for range 4 {
			wg.Go(func() {
				if _, ok := table.Take(id); ok {
					won <- true
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d winners", len(won))
		}
	}
}

func TestTable_Range_MayChangeTheTable(t *testing.T) {
	t.Parallel()
	var table Table[int]
	for i := range 50 {
		table.Add(i)
	}
	n := 0
	table.Range(func(id uint64, _ int) bool {
		table.Take(id)
		n++
		return n < 40
	})
	if n != 40 || table.Live() != 10 {
		t.Fatalf("%d visited, %d live", n, table.Live())
	}
}
