#include "sim/pulse.h"

/* The part of a silence that counts. */
static int64_t counted_ns(const struct pulse *p, vtime from, vtime to) {
    bool ends = p->until.ns != 0;
    vtime end = ends && vtime_before(p->until, to) ? p->until : to;
    return vtime_before(from, end) ? vtime_diff(end, from) : 0;
}

void pulse_beat(struct pulse *p, vtime now) {
    if (p->beats++ == 0) {
        p->first = now;
    } else {
        int64_t silence_ns = counted_ns(p, p->last, now);
        if (silence_ns > p->longest_ns) {
            p->longest_ns = silence_ns;
            p->longest_end = now;
        }
    }
    p->last = now;
}

void pulse_beat_after(struct pulse *p, vtime now, int64_t lag_ns) {
    pulse_beat(p, now);
    lag_histogram_count(&p->lag, lag_ns);
}

int64_t pulse_silence_ns(const struct pulse *p, vtime start, vtime *end) {
    vtime stop = p->until.ns != 0 ? p->until : p->last;
    if (p->beats == 0) {
        *end = stop;
        return vtime_diff(stop, start);
    }
    int64_t before_ns = counted_ns(p, start, p->first), after_ns = counted_ns(p, p->last, stop);
    int64_t longest_ns = p->longest_ns;
    *end = p->longest_end;
    if (before_ns > longest_ns) {
        longest_ns = before_ns;
        *end = p->first;
    }
    if (after_ns > longest_ns) {
        longest_ns = after_ns;
        *end = stop;
    }
    return longest_ns;
}
