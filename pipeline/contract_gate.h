/*
 * The gate of a task that reads feeds (B9, A13): the registry that the task folded from the control
 * topic, and the verdict on each record by it. Private to the machines.
 *
 * A record that breaks what the task knows may have been sent after a registration, or an
 * amendment, that the task has not read yet: feeds and control topic are read side by side. So the
 * gate says UNKNOWN the first time; the task then leaves that record and those behind it, reads the
 * control topic up to its end (contract_gate_look) and fetches the source again. What still breaks
 * it then was broken when it was appended, and is refused. So a record that is sent after its
 * contract is in the control topic is never refused for it, however far behind a task is or where
 * it crashes.
 */
#ifndef MURPHY_PIPELINE_CONTRACT_GATE_H
#define MURPHY_PIPELINE_CONTRACT_GATE_H

#include "pipeline/contract.h"
#include "pipeline/partitioned.h"
#include "pipeline/registry.h"

struct contract_gate {
    struct registry registry;
    bool dirty;       /* changed since the last checkpoint */
    size_t control;   /* the task's source that is the control topic */
    int64_t *looked;  /* by source: records below it were there when the topic was read up */
    int64_t *looking; /* by source: the same once the look under way is over; 0: none is */
};

/* For a task that has its sources; `control` is the index of the one for the control topic, which
 * it sets. 0 or -ENOMEM. */
int contract_gate_init(struct contract_gate *gate, struct partitioned *machine, struct task *task,
                       size_t control);
void contract_gate_release(struct contract_gate *gate);

enum contract_verdict {
    CONTRACT_KEPT,
    CONTRACT_UNKNOWN, /* leave it: the source's next look is arranged for */
    CONTRACT_BROKEN,  /* *violation says how */
};
enum contract_verdict contract_gate_judge(struct contract_gate *gate, const struct machine *machine,
                                          const struct task *task, size_t source,
                                          const struct log_record *logged,
                                          const struct record *record,
                                          struct contract_violation *violation);
/* The rest of this batch is left, from that record on: the source looks before it is read on. */
void contract_gate_wait(struct contract_gate *gate, size_t source, const struct event *event);
/* True when the source has to look before it is fetched again. */
static inline bool contract_gate_waits(const struct contract_gate *gate, size_t source) {
    return gate->looking[source] > 0;
}
/* Asks for the control topic's records up to its end, to be answered under that purpose with the
 * source as argument. */
int contract_gate_look(struct contract_gate *gate, struct partitioned *machine, struct task *task,
                       size_t source, uint32_t purpose, struct effects *effects);
/* The look is answered: 1 when the source may be fetched again, 0 when more has to be read (and was
 * asked for), or -ENOMEM. */
int contract_gate_looked(struct contract_gate *gate, struct partitioned *machine, struct task *task,
                         size_t source, uint32_t purpose, const struct event *event,
                         struct effects *effects);

/* Folds records of the control topic, fetched or looked at. One task among all machines says what
 * is refused: `speaks`. Fetching on is the caller's. 0 or -ENOMEM. */
int contract_gate_fold(struct contract_gate *gate, struct partitioned *machine, struct task *task,
                       bool speaks, const struct event *event, struct effects *effects);

/* The dead letter of a record that breaks its contract; it points into the record and the
 * violation. */
struct dead_letter contract_letter(const struct source *source, const struct log_record *logged,
                                   const struct record *record,
                                   const struct contract_violation *violation);

#endif
