/*
 * Rows in the order of their ids: an array that is put in order when somebody wants to walk it.
 * Nothing is taken out; who walks it skips the rows that are gone. Rows that came since the last
 * walk are sorted by themselves and merged in, so a walk costs what is new.
 */
#ifndef MURPHY_SIM_ID_ORDER_H
#define MURPHY_SIM_ID_ORDER_H

#include <stddef.h>
#include <stdint.h>

struct id_order_item {
    uint64_t id;
    uint32_t row;
};

struct id_order {
    struct id_order_item *items;
    size_t count, capacity;
    size_t sorted; /* so many are in order, by id and then row */
};

void id_order_init(struct id_order *order);
void id_order_release(struct id_order *order);

/* Room for one more: the next id_order_add cannot fail. 0 or -ENOMEM. */
int id_order_reserve(struct id_order *order);
/* After id_order_reserve. */
void id_order_add(struct id_order *order, uint64_t id, uint32_t row);

/* Puts all in order: items may then be read until the next add. 0 or -ENOMEM. */
int id_order_sort(struct id_order *order);
/* Index of the first item whose id is not below `first`; count when there is none. */
size_t id_order_seek(const struct id_order *order, uint64_t first);

#endif
