/*
 * Records as one line of text, for tests that people read:
 *
 *     listing 7 @100 title=Lamp price=900 seller=3 images=1,2 colour=red
 *     listing 7 @120 delete
 *     media 7 @90 image=1 front          media 7 @95 image=1 withdrawn
 *     policy 3 @50 suppressed            policy 3 @60 active
 *     policy 3 of 7 @50 suppressed       (as the listing log carries it)
 *     reference category shoes @50 Clothing>Shoes      reference locale ja_JP @50 ja-JP bigram
 *     reference category shoes of 7 @50 Clothing>Shoes (as the listing log carries it)
 *     order 9 of 7 @60 quantity=2 amount=100 category=lamps
 *     control upgrade @70 model=2 other=1 from=0 to=60 id=3 text=anything
 *     letter listing-changes/0/5 listing 7 @100 title=Lamp    the dead letter of that record
 *     signed listing 7 @100 title=Lamp   as a router of code version 2 writes it: format 2
 *     beyond listing 7 @100 title=Lamp   in a format that nobody knows yet
 *     !anything                          bytes that are no record
 *
 * @N is N seconds after TEXT_EPOCH; the event id is N too, or what follows after a point (@100.3).
 * `v2` behind it is the contract version (@100v2). A price with a point is text, as in price=9.50,
 * and an attribute an integer when a + stands before it.
 * Words are separated by one space. A value of `null` sets a field to nothing; names that are no
 * field are attributes.
 */
#ifndef MURPHY_TESTS_SUPPORT_RECORD_TEXT_H
#define MURPHY_TESTS_SUPPORT_RECORD_TEXT_H

#include <stddef.h>

#include "pipeline/bytes.h"
#include "pipeline/record.h"
#include "pipeline/vtime.h"

/* 2026-03-02T00:00:00Z */
#define TEXT_EPOCH ((vtime){INT64_C(1772409600) * VTIME_SECOND})

/* TEXT_EPOCH and so many seconds. */
vtime text_time(int64_t seconds);

/* The encoded record; data is malloc'ed and the caller's. Text that is no record fails the test. */
struct bytes record_from_text(const char *text);

/* Subject of encoded bytes, or of the record of a dead letter; 0 when they are neither. */
uint64_t record_subject(struct bytes value);

/* The line of an encoded record, sections included ("policy=3:suppressed told=Clothing>Shoes
 * told=ja-JP:bigram origin=listing/0/5");
 * "no record" for other bytes. Returns the length written, cut at capacity - 1. */
size_t record_to_text(struct bytes value, char *buffer, size_t capacity);

#endif
