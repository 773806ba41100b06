/*
 * Machines that own partitions: what the router, the builder and the loader have in common.
 *
 * A member of a consumer group is told its partitions and a generation; for each partition it
 * keeps a task: the sources that the task reads, the knowledge folded from them, and a checkpoint
 * that holds both together. The life of a task:
 *
 *     assigned --> load state --> restored --> [ fetch -> records -> ... ] with a checkpoint now
 *        ^                                       and then
 *        |                                         |
 *        +---- next generation, other owner <------+---- fenced: somebody else owns it
 *
 * Invariants:
 *  1. an answer reaches a task only if that very task asked (pending requests);
 *  2. at most one fetch is under way for a source, and none while its outputs are;
 *  3. at most one checkpoint of a task is under way; the next one is armed by the first change;
 *  4. a checkpoint names only offsets below which everything is dealt with or in its entries (A15);
 *  5. a timer reaches a task only if that very task armed it;
 *  6. a checkpoint of which an entry is corrupt is taken as far as it is sound: the task alerts,
 * and reads its sources from their start, which repeats what it knows and brings back what it lost;
 *  7. a checkpoint, or a record of a topic of the pipeline's own, in a format that this code does
 *     not know is neither read nor skipped: the task alerts and goes no further (C6).
 *
 * Private to the machines.
 */
#ifndef MURPHY_PIPELINE_PARTITIONED_H
#define MURPHY_PIPELINE_PARTITIONED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/machine_parts.h"

/* Head of every machine's task; the concrete one begins with it. */
struct task {
    uint32_t partition;
    uint32_t serial; /* tells it from former tasks of the partition, whose timers still run */
    bool ready;      /* its checkpoint is restored */
    bool saving;     /* a checkpoint is under way */
    bool changed;    /* since the last checkpoint was taken */
    bool save_armed; /* the timer of the next checkpoint runs */
    bool save_due;   /* the timer ran out, but the task could not be saved as it was */
    bool save_next;  /* task_save was called while another checkpoint was under way */
    struct source *sources;
    size_t source_count;
};

struct partitioned;

/* What a concrete machine adds. Those that return int: 0 or -ENOMEM. */
struct task_ops {
    size_t task_size;
    /* The listing log is read on from bronze where the topic does not keep it any more (A16). */
    bool reads_bronze;
    /* Fills the machine's own part of a zeroed task and calls task_sources. */
    int (*init)(struct partitioned *machine, struct task *task);
    void (*release)(struct task *task);
    /* One entry of a restored checkpoint, in key order. -EINVAL: it is corrupt, and the task is as
     * if there were no such entry; then its sources are read again from their start. */
    int (*restore_entry)(struct partitioned *machine, struct task *task, uint64_t key,
                         struct bytes value);
    /* All entries are restored; the sources are fetched by task_fetch from here. */
    int (*begin)(struct partitioned *machine, struct task *task, const struct event *event,
                 struct effects *effects);
    /* Records of a source, at least one unless the fetch did not wait. */
    int (*records)(struct partitioned *machine, struct task *task, size_t source,
                   const struct event *event, struct effects *effects);
    /* An answer without a request-wide error to a request of the machine's own purpose. True in
     * *again asks for it to be sent again. */
    int (*answered)(struct partitioned *machine, struct task *task, uint32_t purpose,
                    uint32_t argument, const struct event *event, struct effects *effects,
                    bool *again);
    /* A request of the machine's own purpose failed as a whole with event->error. It is sent again
     * unless *again is made false. May be NULL. */
    int (*refused)(struct partitioned *machine, struct task *task, uint32_t purpose,
                   uint32_t argument, const struct event *event, struct effects *effects,
                   bool *again);
    /* A request of the machine's own purpose failed `failures` times in a row and will be sent
     * again, or (0) is settled after having failed. May be NULL. */
    void (*failing)(struct task *task, uint32_t purpose, uint32_t argument, uint32_t failures);
    /* A request of the machine's own purpose is settled: what waited for it may go on. May be
     * NULL. */
    int (*settled)(struct partitioned *machine, struct task *task, struct effects *effects);
    /* False while the task's knowledge must not be saved; task_savable tells when that is over.
     * NULL: it always may be. */
    bool (*may_save)(const struct task *task);
    /* Fills the entries of a checkpoint with what changed since the last one. */
    int (*save_entries)(struct partitioned *machine, struct task *task, struct effect *save,
                        struct effects *effects);
    /* All that the task knows is in a checkpoint: what task_save was called for may be done. May
     * be NULL. */
    int (*saved)(struct partitioned *machine, struct task *task, vtime now,
                 struct effects *effects);
    /* A timer of the machine's own, named by task_timer. */
    int (*timer)(struct partitioned *machine, struct task *task, uint32_t id, vtime now,
                 struct effects *effects);
    /* Events that the frame does not know, such as commands. May be NULL. */
    int (*other)(struct partitioned *machine, const struct event *event, struct effects *effects);
};

struct partitioned {
    struct machine machine;
    const struct task_ops *ops;
    struct pending_requests pending;
    uint32_t generation;
    uint32_t serial_last;
    struct task **tasks; /* in no particular order */
    size_t task_count;
};

/* Purposes and timers below these are the frame's. */
enum { TASK_PURPOSE_OWN = 16, TASK_TIMER_OWN = 16 };

struct machine *partitioned_new(size_t size, const struct task_ops *ops);

/* Makes `count` zeroed sources. */
int task_sources(struct task *task, size_t count);
struct task *task_find(struct partitioned *machine, uint32_t partition);
/* Registers the request effect as the task's, to be answered under that purpose. Passes on the
 * failure of an effect that is NULL. */
int task_expect(struct partitioned *machine, struct task *task, struct effect *effect,
                uint32_t purpose, uint32_t argument);
int task_fetch(struct partitioned *machine, struct task *task, size_t source, bool no_wait,
               struct effects *effects);
/* Reads the source again from that offset on, or from the oldest record that its topic keeps
 * (FETCH_OLDEST): at once, or when what was read of it is dealt with, so when it is fetched next.
 */
int task_rewind(struct partitioned *machine, struct task *task, size_t source, int64_t offset,
                struct effects *effects);
/* Something is worth a checkpoint: arms its timer if none runs. */
void task_changed(struct partitioned *machine, struct task *task, vtime now,
                  struct effects *effects);
/* Drops the task's requests of the machine's own purposes: their answers are not expected any more,
 * and none of them is sent again. */
void task_forget(struct partitioned *machine, const struct task *task);
/* Takes a checkpoint at once, or as soon as the one under way is in: of an intent that must outlive
 * a crash before it is acted upon (ops->saved). Only for tasks that always may be saved. */
int task_save(struct partitioned *machine, struct task *task, struct effects *effects);
/* What kept a checkpoint from being taken is over: takes it if it is due. */
int task_savable(struct partitioned *machine, struct task *task, struct effects *effects);
void task_timer(struct effects *effects, const struct task *task, uint32_t id, vtime at);

#endif
