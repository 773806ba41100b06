#include "sim/erasure_marks.h"

#include <errno.h>
#include <stdlib.h>

#include "pipeline/array.h"

void erasure_marks_init(struct erasure_marks *marks) {
    *marks = (struct erasure_marks){.items = NULL};
    id_map_init(&marks->index);
}

void erasure_marks_release(struct erasure_marks *marks) {
    id_map_release(&marks->index);
    free(marks->items);
    free(marks->removed);
}

const struct erasure_mark *erasure_marks_find(const struct erasure_marks *marks,
                                              uint64_t listing_id) {
    uint32_t at = id_map_get(&marks->index, listing_id);
    return at == ID_MAP_NONE ? NULL : &marks->items[at];
}

int erasure_marks_raise(struct erasure_marks *marks, const struct erasure_mark *mark) {
    uint32_t at = id_map_get(&marks->index, mark->listing_id);
    if (at == ID_MAP_NONE) {
        if (ARRAY_RESERVE(marks->items, marks->capacity, marks->count + 1) != 0 ||
            id_map_put_index(&marks->index, mark->listing_id, marks->count) != 0) {
            return -ENOMEM;
        }
        marks->items[marks->count] = *mark;
        marks->items[marks->count++].before = STAMP_NONE;
        return 0;
    }
    struct erasure_mark *held = &marks->items[at];
    if (stamp_compare(mark->stamp, held->stamp) > 0) {
        held->before = held->stamp;
        held->stamp = mark->stamp;
    }
    held->version = mark->version > held->version ? mark->version : held->version;
    return 0;
}

int erasure_marks_removed(struct erasure_marks *marks, vtime now, const struct erasure_mark *mark,
                          uint64_t count) {
    if (count == 0) {
        return 0;
    }
    if (ARRAY_RESERVE(marks->removed, marks->removed_capacity, marks->removed_count + 1) != 0) {
        return -ENOMEM;
    }
    marks->removed[marks->removed_count++] =
        (struct removed_rows){mark->listing_id, count, now, mark->before};
    return 0;
}

uint64_t erasure_marks_lingering(const struct erasure_marks *marks, vtime now, uint64_t listing_id,
                                 struct stamp stamp, int64_t from_ns, int64_t until_ns) {
    uint64_t count = 0;
    for (size_t i = 0; i < marks->removed_count; i++) {
        const struct removed_rows *removed = &marks->removed[i];
        int64_t age_ns = vtime_diff(now, removed->at);
        bool meant = removed->listing_id == listing_id && stamp_compare(stamp, removed->above) > 0;
        if (meant && age_ns >= from_ns && age_ns < until_ns) {
            count += removed->count;
        }
    }
    return count;
}
