/*
 * A store of checkpoints in memory: it implements struct state_port. One checkpoint per (group,
 * partition): a byte string of offsets and a map from key to bytes, saved together or not at all.
 *
 * Fidelity
 *
 *   modelled
 *     atomic save        offsets and entries of one save are seen together or not at all, also when
 *                        memory runs out in the middle
 *     incremental save   only the entries named are touched
 *     fencing            a save is refused once a later generation has saved or loaded; a load is
 *                        never refused and returns the latest checkpoint
 *     key order          a load hands out entries in ascending key order
 *     loss               fake_state_store_wipe forgets a checkpoint, its fence included, as a lost
 *                        disk or a dropped table does
 *     rot                fake_state_store_rot flips a bit, and nothing says so
 *   approximated
 *     durability         what was saved survives every crash of the pipeline; partial loss is a
 *                        fault of its own
 *     history            a count of saves; older checkpoints cannot be read again
 *   not modelled
 *     latency, size limits, transactions over several (group, partition) pairs, read replicas
 *
 * Invariants (fake_state_store_check asserts them):
 *  1. checkpoints are sorted by (group, partition), none twice;
 *  2. every entry can be found by its key, and no key is held twice or with an empty value;
 *  3. the byte count is the sum of the values' lengths.
 *
 * Memory: values are copied. A value that fits where the last one of its key was is written over
 * it, so the steady state of a run allocates nothing.
 */
#ifndef MURPHY_SIM_FAKE_STATE_STORE_H
#define MURPHY_SIM_FAKE_STATE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/ports.h"

struct fake_state_store;

struct fake_state_store *fake_state_store_new(void); /* NULL when memory is out */
void fake_state_store_free(struct fake_state_store *s);

/*
 * The checkpoints as the pipeline sees them; errors beyond those of ports.h: PORT_NO_MEMORY with
 * nothing changed. Of two entries with the same key in one save the later one holds. A load stops
 * at the first nonzero return of entry() and returns it; entry() must not use the store. *offsets
 * and the values are good until the next save or wipe.
 */
struct state_port fake_state_store_port(struct fake_state_store *s);

struct fake_state_info {
    const char *group;
    uint32_t partition;
    uint32_t generation; /* saves below it are fenced */
    uint64_t saves;      /* checkpoints ever saved; survives a wipe */
    uint64_t loads;
    uint64_t fenced; /* saves refused */
    size_t entries;
    size_t bytes;         /* of all values */
    struct bytes offsets; /* good until the next save or wipe */
};

/* Every (group, partition) that was saved or loaded, sorted; i < count. */
size_t fake_state_store_count(const struct fake_state_store *s);
struct fake_state_info fake_state_store_info(const struct fake_state_store *s, size_t i);
/* False when nothing was ever saved or loaded there. */
bool fake_state_store_find(const struct fake_state_store *s, const char *group, uint32_t partition,
                           struct fake_state_info *out);
/* The value of one key, empty when there is none: for checks, outside of any fencing. */
struct bytes fake_state_store_value(const struct fake_state_store *s, const char *group,
                                    uint32_t partition, uint64_t key);

/* Loses a checkpoint with its fence; true when there was something to lose. */
bool fake_state_store_wipe(struct fake_state_store *s, const char *group, uint32_t partition);

/* Flips one bit of one entry of a checkpoint, the same for the same number, as a disk does that
 * says nothing of it. True when there was a bit to flip. */
bool fake_state_store_rot(struct fake_state_store *s, const char *group, uint32_t partition,
                          uint64_t random);

/* Asserts the invariants. */
void fake_state_store_check(const struct fake_state_store *s);

#endif
