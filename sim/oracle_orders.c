/*
 * What operators ordered about models (A10): what is to be in the end, that each switch was
 * ordered, and that each order was carried out.
 *
 * Orders are folded from the first whenever one comes or falls away: an order that the pipeline
 * refused and may refuse is none, and what came after it may then mean something else.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "pipeline/array.h"
#include "sim/oracle_parts.h"

void orders_init(struct oracle *o) {
    o->orders.served = o->options.model_version;
}

void orders_release(struct oracle *o) {
    free(o->orders.given);
    free(o->orders.moves);
    for (int m = 0; m < MODALITY_COUNT; m++) {
        free(o->orders.turns[m]);
    }
}

/* Readers are to go over to the standby model, whose place the served one takes. */
static void fold_move(struct oracle *o, const struct given_order *given) {
    struct orders *orders = &o->orders;
    if (ARRAY_RESERVE(orders->moves, orders->move_capacity, orders->move_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    uint32_t former = orders->served;
    orders->served = orders->standby;
    orders->standby = former;
    orders->cut_over = !orders->cut_over;
    orders->moves[orders->move_count++] =
        (struct move){orders->served, given->at, (size_t)(given - orders->given)};
    o->counts.moves_ordered++;
}

static void fold_one(struct oracle *o, const struct given_order *given) {
    struct orders *orders = &o->orders;
    bool under_way = orders->standby != 0;
    switch (given->kind) {
    case CONTROL_UPGRADE:
        if (!under_way && given->model_version != orders->served) {
            orders->standby = given->model_version;
        }
        break;
    case CONTROL_CUTOVER:
        if (under_way && !orders->cut_over) {
            fold_move(o, given);
        }
        break;
    case CONTROL_ROLLBACK:
        if (under_way && orders->cut_over) {
            fold_move(o, given);
        }
        break;
    case CONTROL_RETIRE:
    case CONTROL_ABANDON:
        if (under_way && orders->cut_over == (given->kind == CONTROL_RETIRE)) {
            orders->standby = 0;
            orders->cut_over = false;
            o->counts.drops_ordered++;
        }
        break;
    default:
        break;
    }
}

/* The alias made a move that was ordered, and whatever was ordered before it is overtaken. */
static bool take_turn(struct orders *orders, enum modality modality, uint32_t to) {
    for (size_t i = orders->moved[modality]; i < orders->move_count; i++) {
        if (orders->moves[i].to == to) {
            orders->moved[modality] = i + 1;
            return true;
        }
    }
    return false;
}

static void fold(struct oracle *o) {
    struct orders *orders = &o->orders;
    orders->served = o->options.model_version;
    orders->standby = 0;
    orders->cut_over = false;
    orders->move_count = 0;
    o->counts.moves_ordered = o->counts.drops_ordered = 0;
    for (size_t i = 0; i < orders->given_count; i++) {
        if (!orders->given[i].refused) {
            fold_one(o, &orders->given[i]);
        }
    }
    for (int m = 0; m < MODALITY_COUNT; m++) {
        orders->moved[m] = 0;
        for (size_t i = 0; i < orders->turn_count[m]; i++) {
            take_turn(orders, (enum modality)m, orders->turns[m][i]);
        }
    }
}

void orders_given(struct oracle *o, vtime now, enum control_kind kind, uint32_t model_version) {
    struct orders *orders = &o->orders;
    if (ARRAY_RESERVE(orders->given, orders->given_capacity, orders->given_count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    orders->given[orders->given_count++] =
        (struct given_order){.kind = kind, .model_version = model_version, .at = now};
    size_t moves = orders->move_count;
    fold(o);
    o->checks[CHECK_ORDERS_OBEYED].looked_at += orders->move_count - moves;
}

/* The orders that an order leads to: itself, and of an upgrade all up to the next one. */
static size_t last_led_to(const struct orders *orders, size_t order) {
    size_t last = order;
    while (orders->given[order].kind == CONTROL_UPGRADE && last + 1 < orders->given_count &&
           orders->given[last + 1].kind != CONTROL_UPGRADE) {
        last++;
    }
    return last;
}

/* Some alias has made the move that an order asks for, or that only it made possible. */
static bool is_carried_out(const struct orders *orders, size_t order) {
    size_t last = last_led_to(orders, order);
    for (size_t i = 0; i < orders->move_count; i++) {
        bool led_to = orders->moves[i].order >= order && orders->moves[i].order <= last;
        for (int m = 0; m < MODALITY_COUNT; m++) {
            if (led_to && orders->moved[m] > i) {
                return true;
            }
        }
    }
    return false;
}

void oracle_refused(struct oracle *o, enum control_kind kind) {
    struct orders *orders = &o->orders;
    for (size_t i = 0; i < orders->given_count; i++) {
        struct given_order *given = &orders->given[i];
        if (given->kind == kind && !given->refused && !is_carried_out(orders, i)) {
            given->refused = true;
            fold(o);
            return;
        }
    }
}

uint32_t oracle_standby_model(const struct oracle *o) {
    return o->orders.standby;
}

void orders_switched(struct oracle *o, vtime now, enum modality modality, uint32_t from,
                     uint32_t to) {
    struct orders *orders = &o->orders;
    o->checks[CHECK_ORDERS_OBEYED].looked_at++;
    if (!take_turn(orders, modality, to)) {
        check_violated(o, CHECK_ORDERS_OBEYED, now,
                       "%s: readers were led from model %" PRIu32 " to %" PRIu32
                       ", and no order that should be obeyed says so",
                       store_name((enum store_id)modality), from, to);
        return;
    }
    size_t *count = &orders->turn_count[modality];
    if (ARRAY_RESERVE(orders->turns[modality], orders->turn_capacity[modality], *count + 1) != 0) {
        o->out_of_memory = true;
        return;
    }
    orders->turns[modality][(*count)++] = to;
}
