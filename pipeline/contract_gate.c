#include "pipeline/contract_gate.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "pipeline/control.h"

int contract_gate_init(struct contract_gate *gate, struct partitioned *machine, struct task *task,
                       size_t control) {
    gate->control = control;
    gate->looked = calloc(task->source_count, sizeof *gate->looked);
    gate->looking = calloc(task->source_count, sizeof *gate->looking);
    task->sources[control].topic = TOPIC_CONTROL;
    task->sources[control].partition =
        topic_partition(CONTROL_KEY, machine->machine.config->partitions);
    return gate->looked == NULL || gate->looking == NULL ||
                   registry_init(&gate->registry, machine->machine.config->contracts) != 0
               ? -ENOMEM
               : 0;
}

void contract_gate_release(struct contract_gate *gate) {
    registry_release(&gate->registry);
    free(gate->looked);
    free(gate->looking);
}

/* ---- Verdicts ---- */

static enum contract_verdict unregistered(const struct contract_gate *gate, enum topic_id feed,
                                          const struct record *record,
                                          struct contract_violation *violation) {
    violation->reason = "contract version is not registered";
    violation->field = sentence_begin();
    sentence_add(&violation->field, "contract_version");
    violation->expected = sentence_begin();
    registry_versions(&gate->registry, feed, &violation->expected);
    violation->actual = record->contract_version;
    return CONTRACT_BROKEN;
}

enum contract_verdict contract_gate_judge(struct contract_gate *gate, const struct machine *machine,
                                          const struct task *task, size_t source,
                                          const struct log_record *logged,
                                          const struct record *record,
                                          struct contract_violation *violation) {
    enum topic_id feed = task->sources[source].topic;
    if (record->contract_version == RECORD_CONTRACT_VERSION &&
        !gate->registry.subjects[feed].narrowed) {
        return CONTRACT_KEPT; /* decoding checked all that it asks for */
    }
    const struct schema *schema = registry_find(&gate->registry, feed, record->contract_version);
    if (schema == NULL && bug_on(machine->bugs, BUG_CONTRACT_UNCHECKED)) {
        return CONTRACT_KEPT;
    }
    if (schema != NULL && contract_check(schema, record, violation) == 0) {
        return CONTRACT_KEPT;
    }
    if (logged->offset >= gate->looked[source]) {
        return CONTRACT_UNKNOWN;
    }
    return schema == NULL ? unregistered(gate, feed, record, violation) : CONTRACT_BROKEN;
}

/* ---- Looking ---- */

void contract_gate_wait(struct contract_gate *gate, size_t source, const struct event *event) {
    assert(event->records.count > 0);
    gate->looking[source] = event->records.records[event->records.count - 1].offset + 1;
}

int contract_gate_look(struct contract_gate *gate, struct partitioned *machine, struct task *task,
                       size_t source, uint32_t purpose, struct effects *effects) {
    struct effect *fetch = machine_request(&machine->machine, effects, EFFECT_FETCH, 0);
    if (fetch != NULL) {
        const struct source *control = &task->sources[gate->control];
        fetch->fetch.topic = control->topic;
        fetch->fetch.partition = control->partition;
        fetch->fetch.offset = control->next;
        fetch->fetch.max = machine->machine.config->fetch_records_max;
        fetch->fetch.no_wait = true;
    }
    return task_expect(machine, task, fetch, purpose, (uint32_t)source);
}

int contract_gate_looked(struct contract_gate *gate, struct partitioned *machine, struct task *task,
                         size_t source, uint32_t purpose, const struct event *event,
                         struct effects *effects) {
    if (event->records.count > 0) {
        return contract_gate_look(gate, machine, task, source, purpose, effects);
    }
    gate->looked[source] = gate->looking[source];
    gate->looking[source] = 0;
    return 1;
}

/* ---- The control topic ---- */

static int alert(const struct subject *subject, enum topic_id feed, const struct sentence *why,
                 struct effects *effects) {
    effects_alert(effects, "schema-refused", topic_name(feed),
                  subject->refused ? ALERT_ERROR : ALERT_CLEARED, sentence_bytes(why));
    return effects->out_of_memory ? -ENOMEM : 0;
}

static int fold(struct contract_gate *gate, bool speaks, const struct log_record *logged,
                struct effects *effects) {
    struct record record;
    struct record_error error;
    if (record_of_topic(TOPIC_CONTROL, logged->value, &record, &error) != 0 ||
        record.control.kind != CONTROL_REGISTER || record.control.id >= TOPIC_FEED_COUNT) {
        return 0;
    }
    enum topic_id feed = (enum topic_id)record.control.id;
    const struct subject *subject = &gate->registry.subjects[feed];
    struct sentence why = sentence_begin();
    sentence_add(&why, "registered");
    bool stood = subject->refused;
    int outcome = registry_fold(&gate->registry, feed, record.control.text, &why);
    if (outcome < 0) {
        return outcome;
    }
    gate->dirty = true;
    bool news = subject->refused || stood;
    return speaks && news ? alert(subject, feed, &why, effects) : 0;
}

int contract_gate_fold(struct contract_gate *gate, struct partitioned *machine, struct task *task,
                       bool speaks, const struct event *event, struct effects *effects) {
    struct source *control = &task->sources[gate->control];
    for (size_t i = 0; i < event->records.count; i++) {
        const struct log_record *logged = &event->records.records[i];
        if (logged->offset < control->next) {
            continue; /* the other of the two reads that were under way had it */
        }
        if (fold(gate, speaks, logged, effects) != 0) {
            return -ENOMEM;
        }
        control->next = control->safe = logged->offset + 1;
        source_read(control, logged, 1);
        task_changed(machine, task, event->now, effects);
    }
    return 0;
}

/* ---- Dead letters ---- */

struct dead_letter contract_letter(const struct source *source, const struct log_record *logged,
                                   const struct record *record,
                                   const struct contract_violation *violation) {
    return (struct dead_letter){
        .topic = source->topic,
        .partition = source->partition,
        .offset = logged->offset,
        .append = logged->append,
        .contract_version = record->contract_version,
        .reason = bytes_of(violation->reason),
        .field = sentence_bytes(&violation->field),
        .expected = sentence_bytes(&violation->expected),
        .actual = violation->actual,
        .value = logged->value,
    };
}
